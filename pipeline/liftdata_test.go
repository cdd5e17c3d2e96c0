package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"selfsame/pipeline"
	"selfsame/profile"
)

// dataDeletions are the operations that delete what one dataset says about one identity.
var dataDeletions = []string{`"delete_fragment","dataset":"crm"`, `"delete_events","dataset":"web"`}

// sayBoth sends a record and an event of crm:annsnumber of the same time.
func (w *world) sayBoth(name string, at time.Time) {
	w.t.Helper()
	w.send(crm0, pipeline.Record{Value: fmt.Appendf(nil,
		`{"id":"annsnumber","name":"%s","at":%d}`, name, at.UnixMilli())})
	w.event(`{"event":"%s","crm":"annsnumber","at":"%s"}`, name, at.Format(time.RFC3339))
	w.drain()
}

// deleteBoth deletes them, each by its operation.
func (w *world) deleteBoth() {
	w.t.Helper()
	for i, op := range dataDeletions {
		w.control(`{"id":"d%d","op":%s,"identities":["crm:annsnumber"]}`, i, op)
	}
	w.drain()
}

func (w *world) liftBoth() {
	w.t.Helper()
	w.control(`{"id":"l","op":"lift_delete","identities":["crm:annsnumber"]}`)
	w.drain()
}

// TestRebuildKeepsLiftsOfData: what came again after deletions of a fragment and of events were
// lifted is there after a rebuild, and in a store restored from before them, whatever is read
// first; what did not come again is not.
func TestRebuildKeepsLiftsOfData(t *testing.T) {
	for _, first := range []string{"crm", "web", "control"} {
		for _, restored := range []bool{false, true} {
			t.Run(fmt.Sprintf("first %s, restored: %v", first, restored), func(t *testing.T) {
				w := newWorld(t, 1)
				defer func() { w.close() }()
				at := w.now
				w.now = w.now.Add(time.Hour)
				w.sayBoth("old", at)
				w.sayBoth("other", at.Add(time.Minute))
				backup := w.copyOf(t, rand.New(rand.NewPCG(5, 6)))
				w.deleteBoth()
				w.liftBoth()
				if held := w.storedData(); len(held) != 0 {
					t.Fatalf("before: %v", held)
				}
				w.sayBoth("old", at)
				want := w.storedData()
				if len(want) != 2 {
					t.Fatalf("after the lift: %v", want)
				}
				if restored {
					w.must(w.store.Close())
					now := w.now
					w = backup
					w.now = now
					w.open()
				} else {
					w.loseStore()
					want["crm:annsnumber web other"] = "event" // is read again
				}
				w.consume(pipeline.TopicPartition{Topic: first}, 100)
				w.drain()
				got := w.storedData()
				if !restored { // as is the newer name
					got["crm:annsnumber crm"] = want["crm:annsnumber crm"]
				}
				compareFinal(t, want, got, "in the end")
				w.check()
			})
		}
	}
}

// TestEventsOfErasedStayAway: a deletion of events that a rebuild applies again after a later
// erasure is in force, and makes nobody known; a lift takes it back, also before a restart.
func TestEventsOfErasedStayAway(t *testing.T) {
	w := newWorld(t, 1)
	defer func() { w.close() }()
	ahead := w.now.Add(4 * time.Minute)
	w.sayBoth("old", ahead)
	w.deleteBoth()
	w.now = w.now.Add(time.Minute)
	w.control(`{"id":"er","op":"erase","identities":["crm:annsnumber"]}`)
	w.drain()
	w.loseStore()
	for w.consume(pipeline.TopicPartition{Topic: "control"}, 100) > 0 {
		w.noTrace([]profile.Identity{parseIdentity(t, "crm:annsnumber")}, "outbox")
	}
	w.drain()
	if held := w.storedEvents(); len(held) != 0 {
		t.Errorf("rebuilt: %v", held)
	}
	w.liftBoth()
	w.rewind()
	w.drain()
	if held := w.storedEvents(); held["web"] != 1 {
		t.Errorf("lifted and read again: %v", held)
	}
}

// TestDeletedBeforeErased: a deletion of a profile that a rebuild applies again after a later
// erasure of the identity that it names acts on the others, whatever is read first.
func TestDeletedBeforeErased(t *testing.T) {
	for _, first := range []string{"web", "control"} {
		w := newWorld(t, 1)
		at := w.now.Add(-time.Hour).Format(time.RFC3339)
		w.event(`{"event":"e1","cookie":"k1","at":"%s"}`, at)
		w.event(`{"event":"e2","cookie":"k1","crm":"annsnumber","at":"%s"}`, at)
		w.drain()
		w.control(`{"id":"d","op":"delete_profile","identities":["crm:annsnumber"]}`)
		w.control(`{"id":"u","op":"unlink","identities":["crm:annsnumber"]}`)
		w.control(`{"id":"b","op":"block_value","identities":["crm:annsnumber"]}`)
		w.now = w.now.Add(time.Minute)
		w.control(`{"id":"er","op":"erase","identities":["crm:annsnumber"]}`)
		w.drain()
		for range 2 { // what a rebuild tells is read by the next
			w.loseStore()
			w.consume(pipeline.TopicPartition{Topic: first}, 100)
			w.drain()
			if held := w.storedEvents(); len(held) != 0 {
				t.Errorf("first %s: %v", first, held)
			}
			w.noTrace([]profile.Identity{parseIdentity(t, "crm:annsnumber")}, "blocked value")
		}
		w.now = w.now.Add(time.Minute)
		w.event(`{"event":"e3","cookie":"k2","crm":"annsnumber"}`)
		w.drain()
		if ids := w.together("cookie:k2"); len(ids) != 1 {
			t.Errorf("first %s: a blocked value has linked %v", first, ids)
		}
		w.close()
	}
}
