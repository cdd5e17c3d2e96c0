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

// inSteps is a world in which a step removes so little.
func inSteps(t *testing.T, limit int) *world {
	w := newWorld(t, 1)
	w.stepLimit = limit
	w.must(w.store.Close())
	w.open()
	return w
}

// TestLiftWhileRemoved lifts a deletion that has not removed everything yet: what was deleted is
// gone, and what comes after the lift counts, also while the job would have gone on.
func TestLiftWhileRemoved(t *testing.T) {
	for _, op := range []string{`"delete_profile"`, `"delete_events","dataset":"web"`, `"erase"`} {
		for _, crash := range []bool{false, true} {
			w := inSteps(t, 3)
			at := w.now.Add(-time.Hour).Format(time.RFC3339)
			send := func(from, to int) {
				for i := from; i < to; i++ {
					w.event(`{"event":"e%d","crm":"1","at":"%s"}`, i, at)
				}
			}
			send(0, 20)
			w.drain()
			w.control(`{"id":"d","op":%s,"identities":["crm:1"]}`, op)
			w.consume(pipeline.TopicPartition{Topic: "control"}, 1)
			if n := w.heldEvents("crm:1"); n < 10 {
				t.Fatalf("%s: %d events are left at once", op, n)
			}
			w.control(`{"id":"l","op":"lift_delete","identities":["crm:1"]}`)
			w.consume(pipeline.TopicPartition{Topic: "control"}, 1)
			if n := w.heldEvents("crm:1"); n != 0 {
				t.Errorf("%s: %d events are left after the lift", op, n)
			}
			send(0, 15)
			w.consume(pipeline.TopicPartition{Topic: "web"}, 100)
			if crash {
				w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 100,
					RNG: rand.New(rand.NewPCG(1, 2))})
			}
			w.drain()
			w.work(nil, false)
			if n := w.heldEvents("crm:1"); n != 15 {
				t.Errorf("%s: %d events, want 15", op, n)
			}
			if row, err := w.store.Reader().Applied("d"); err != nil || row.Events != 20 ||
				row.Job != "" {
				t.Errorf("%s: removed %+v, %v", op, row, err)
			}
			w.check()
			w.close()
		}
	}
}

// TestPaceOfDeletions: how much a step removes makes no difference, whatever is sent and asked for
// before a job is done.
func TestPaceOfDeletions(t *testing.T) {
	for range seeds(30) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			want := paced(t, seed, 0)
			compareFinal(t, want, paced(t, seed, 1), "in steps of 1")
			compareFinal(t, want, paced(t, seed, 4), "in steps of 4")
		})
	}
}

// paced is what is held in the end of a history in which much overlaps.
func paced(t *testing.T, seed uint64, limit int) map[string]string {
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := inSteps(t, limit)
	defer func() { w.close() }()
	base := w.now
	w.now = w.now.Add(time.Hour)
	at := func() string {
		return base.Add(time.Duration(rnd.IntN(60)) * time.Minute).Format(time.RFC3339)
	}
	who := func() string { return fmt.Sprintf("%d", 1+rnd.IntN(2)) }
	for i := range 150 {
		switch n := rnd.IntN(20); {
		case n < 13:
			w.event(`{"event":"e%d","crm":"%s","cookie":"k%s","at":"%s"}`, rnd.IntN(40), who(),
				who(), at())
		case n < 15:
			w.event(`{"event":"e%d","cookie":"k%s","at":"%s"}`, rnd.IntN(40), who(), at())
		default:
			ops := []string{`"delete_profile"`, `"erase"`, `"lift_delete"`,
				`"delete_events","dataset":"web"`}
			op := fmt.Sprintf(`{"id":"o%d","op":%s,"identities":["crm:%s"]}`, i,
				ops[rnd.IntN(len(ops))], who())
			if !strings.Contains(op, "lift") {
				op = strings.Replace(op, "}", fmt.Sprintf(`,"time":"%s"}`, at()), 1)
			}
			w.control("%s", op)
		}
		if rnd.IntN(4) == 0 {
			for _, tp := range w.inputs() {
				w.consume(tp, 10)
			}
		}
	}
	w.drain()
	w.work(nil, false)
	w.check()
	held := w.held()
	for id, what := range w.storedData() {
		held[id] = what
	}
	return held
}
