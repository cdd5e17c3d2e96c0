package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/pipeline"
)

// TestLiftKeepsSourcesDelete: what lifts a deletion by an operator leaves what the dataset itself
// has deleted, whichever of the two came first.
func TestLiftKeepsSourcesDelete(t *testing.T) {
	for _, op := range []string{`"delete_profile"`, `"delete_fragment","dataset":"crm"`} {
		for _, operatorFirst := range []bool{false, true} {
			w := newWorld(t, 1)
			at := w.now
			said := func(after time.Duration, text string, headers ...pipeline.Header) {
				w.send(crm0, pipeline.Record{Headers: headers, Value: fmt.Appendf(nil,
					`{"id":"1","name":"%s","at":%d}`, text, at.Add(after).UnixMilli())})
				w.drain()
			}
			operator := func() {
				w.control(`{"id":"d","op":%s,"identities":["crm:1"],"time":"%s"}`, op,
					at.Add(5*time.Second).Format(time.RFC3339))
				w.drain()
			}
			said(-time.Minute, "first")
			w.now = w.now.Add(time.Minute)
			if operatorFirst {
				operator()
			}
			said(0, "", pipeline.Header{Key: "selfsame-op", Value: []byte("delete")})
			if !operatorFirst {
				operator()
			}
			w.control(`{"id":"l","op":"lift_delete","identities":["crm:1"]}`)
			w.drain()
			said(-time.Second, "late")
			if held := w.final("profiles"); len(held) != 0 {
				t.Errorf("%s, first: %v: what the source had deleted is back: %v", op,
					operatorFirst, held)
			}
			said(time.Second, "newer")
			if held := w.final("profiles"); len(held) != 1 {
				t.Errorf("%s, first: %v: what is newer is turned away", op, operatorFirst)
			}
			w.close()
		}
	}
}

// TestLiftedStaysAwayRestored: a store older than a deletion and the lift of it keeps nothing of
// what was deleted, and what comes after the lift counts, however often it is started.
func TestLiftedStaysAwayRestored(t *testing.T) {
	for _, op := range []string{"erase", "delete_profile"} {
		for _, first := range []string{"crm", "control"} {
			w := newWorld(t, 1)
			ann := fmt.Sprintf(`{"id":"annsnumber","email":"ann@example.org","name":"Ann","at":%d}`,
				w.now.Add(-time.Hour).UnixMilli())
			w.send(crm0, pipeline.Record{Value: []byte(ann)})
			for i := range 1500 {
				w.sendWeb(fmt.Sprintf(`{"event":"e%d","crm":"annsnumber","cookie":"cookie-of-ann",
					"at":"2023-11-14T20:00:00Z"}`, i))
			}
			w.drain()
			backup := w.copyOf(t, rand.New(rand.NewPCG(5, 6)))
			w.control(`{"id":"d","op":"%s","identities":["crm:annsnumber"]}`, op)
			w.drain()
			w.work(nil, false)
			for i, id := range []string{"crm:annsnumber", "email:ann@example.org",
				"cookie:cookie-of-ann"} {
				w.control(`{"id":"l%d","op":"lift_delete","identities":["%s"]}`, i, id)
			}
			w.drain()
			if held := w.final("profiles"); len(held) != 0 {
				t.Fatalf("%s: before: %v", op, held)
			}
			w.send(crm0, pipeline.Record{Value: []byte(strings.Replace(ann, "Ann", "late", 1))})
			w.drain()
			want := w.held()
			w.must(w.store.Close())
			w = backup
			w.now = w.now.Add(time.Second)
			w.open()
			w.consume(pipeline.TopicPartition{Topic: first}, 100)
			w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
			w.drain()
			w.work(nil, false)
			compareFinal(t, want, w.held(), op+" restored, first "+first)
			if n := w.heldEvents("crm:annsnumber"); n != 0 {
				t.Errorf("%s: %d events are back", op, n)
			}
			w.close()
		}
	}
}

// TestRestoreLifts restores a copy of a random history from before deletions and erasures, some of
// which were lifted: it ends with the data that the lost store had.
func TestRestoreLifts(t *testing.T) {
	for range seeds(10) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { testRestoreLifts(t, seed) })
	}
}

func testRestoreLifts(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, 3)
	w.lay(rnd, distinct(facts(rnd, 250)), 3)
	w.drain()
	backup := w.copyOf(t, rnd)
	for i := range 8 {
		op := []string{"delete_profile", "erase", "lift_delete", "lift_delete"}[rnd.IntN(4)]
		at := ""
		if op != "lift_delete" {
			at = fmt.Sprintf(`,"time":"%s"`, time.Unix(1_699_900_000+int64(rnd.IntN(250)), 0).
				UTC().Format(time.RFC3339))
		}
		w.control(`{"id":"o%d","op":"%s","identities":["crm:%d"]%s}`, i, op, 1+rnd.IntN(3), at)
		w.drain()
		w.work(rnd, false)
	}
	want := w.storedData()
	w.must(w.store.Close())
	w = backup
	w.open()
	w.drain()
	w.work(rnd, true)
	compareFinal(t, want, w.storedData(), "restored")
	w.close()
}
