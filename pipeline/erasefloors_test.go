package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/pipeline"
	"selfsame/profile"
)

// TestEraseKeepsFloors: an erasure up to a time keeps deletions of single datasets in force that
// reach further, whether or not something newer keeps the identity, and a crash or a rebuild comes
// in between; nothing has its value meanwhile. A lift takes them back.
func TestEraseKeepsFloors(t *testing.T) {
	for _, kept := range []bool{false, true} {
		t.Run(fmt.Sprintf("kept: %v", kept), func(t *testing.T) { testEraseKeepsFloors(t, kept) })
	}
}

func testEraseKeepsFloors(t *testing.T, kept bool) {
	w := newWorld(t, 1)
	defer func() { w.close() }()
	at := w.now
	w.now = w.now.Add(2 * time.Hour)
	w.sayBoth("old", at)
	w.deleteBoth()
	left := 0
	if kept {
		w.now = w.now.Add(time.Minute)
		w.sayBoth("newer", w.now)
		left = 2
	}
	w.control(`{"id":"er","op":"erase","identities":["crm:annsnumber"],"time":"%s"}`,
		at.Add(-time.Hour).Format(time.RFC3339))
	w.drain()
	want := w.storedData()
	if !kept {
		w.noTrace([]profile.Identity{parseIdentity(t, "crm:annsnumber")})
	}
	if len(want) != left {
		t.Fatalf("after the erasure: %v", want)
	}
	again := func(after string) {
		w.rewind()
		w.drain()
		compareFinal(t, want, w.storedData(), after)
		w.check()
	}
	again("consumed again")
	w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
	again("after a crash")
	for _, first := range []string{"crm", "control", "web"} {
		w.loseStore()
		w.consume(pipeline.TopicPartition{Topic: first}, 100)
		w.drain()
		compareFinal(t, want, w.storedData(), "rebuilt, first "+first)
		again("rebuilt and consumed again")
	}
	w.liftBoth()
	w.rewind()
	w.drain()
	if held := w.storedData(); held["crm:annsnumber web old"] == "" ||
		held["crm:annsnumber crm"] == "" {
		t.Errorf("lifted, and consumed again: %v", held)
	}
}
