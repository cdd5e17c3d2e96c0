package pipeline_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/pipeline"
)

// TestPolicyGoesWithWorkLeft removes a policy while changes of its profiles wait to be published.
func TestPolicyGoesWithWorkLeft(t *testing.T) {
	w := newAdopting(t, 12, func(*pipeline.Entity) {})
	defer func() { w.close() }()
	crm := pipeline.TopicPartition{Topic: "crm"}
	for i := range 20 {
		w.send(crm, pipeline.Record{Value: fmt.Appendf(nil, `{"id":"w%d","name":"n"}`, i)})
	}
	if w.consume(crm, 100) != 20 {
		t.Fatal("not consumed")
	}
	w.must(w.restart(without("first")))
	w.publish() // what waits comes before what ends it
	w.tellWork()
	if left := w.final("first"); len(left) > 0 {
		t.Errorf("%d profiles are left", len(left))
	}
	if n := len(w.final("profiles")); n < 20 {
		t.Errorf("%d profiles of the other policy", n)
	}
}

// TestPolicyGoesWithChangesLeft removes a policy with a topic of changes while changes wait to be
// published, or have been and the store does not know yet: each lands once, and the next start
// needs the topic no more.
func TestPolicyGoesWithChangesLeft(t *testing.T) {
	for _, landed := range []bool{false, true} {
		t.Run(fmt.Sprint("landed=", landed), func(t *testing.T) {
			w := newAdopting(t, 14, func(*pipeline.Entity) {})
			defer func() { w.close() }()
			count := func() (n int) {
				for _, tp := range w.partitions([]string{"ranked.changes"}) {
					n += len(w.log.Records(tp))
				}
				return n
			}
			before := count()
			crm := pipeline.TopicPartition{Topic: "crm"}
			for i := range 20 {
				w.send(crm, pipeline.Record{Value: fmt.Appendf(nil, `{"id":"w%d","name":"n"}`, i)})
			}
			if w.consume(crm, 100) != 20 {
				t.Fatal("not consumed")
			}
			if landed {
				w.must(w.shard.Flush())
				for n := 1; n > 0; {
					var err error
					n, err = w.publisher.Publish(w.ctx())
					w.must(err)
				}
			}
			without("ranked")(w.model.Entity("profile"))
			w.crash(vfs.CrashCloneCfg{})
			if !slices.Equal(w.model.Draining, []string{"ranked.changes"}) {
				t.Errorf("draining %q", w.model.Draining)
			}
			w.tellWork()
			w.publish()
			if n := count() - before; n != 20 {
				t.Errorf("%d changes of 20", n)
			}
			w.must(w.restart(func(*pipeline.Entity) {}))
			if len(w.model.Draining) > 0 {
				t.Errorf("still draining %q", w.model.Draining)
			}
		})
	}
}

// TestPolicyGoesAgain: a topic that loses the ends of a removed policy's profiles while the daemon
// runs, which then says so, gets them again at the next start, though the store knows of none of
// these profiles any more.
func TestPolicyGoesAgain(t *testing.T) {
	w := newAdopting(t, 15, func(*pipeline.Entity) {})
	defer func() { w.close() }()
	held := len(w.final("first"))
	ends := map[pipeline.TopicPartition]int64{}
	for _, tp := range w.partitions([]string{"first"}) {
		bounds, err := w.log.Sink().Bounds(t.Context(), tp)
		w.must(err)
		ends[tp] = bounds.End
	}
	w.must(w.restart(without("first")))
	w.tellWork()
	if left := w.final("first"); held < 5 || len(left) > 0 {
		t.Fatalf("%d profiles of %d are left", len(left), held)
	}
	for tp, end := range ends {
		w.log.Truncate(tp, end)
	}
	if left := w.final("first"); len(left) != held {
		t.Fatalf("%d profiles of %d are back", len(left), held)
	}
	w.now = w.now.Add(2 * time.Hour)
	if err := w.publisher.Refresh(t.Context()); !errors.Is(err, pipeline.ErrRegressed) {
		t.Fatalf("looking after a topic that has lost something: %v", err)
	}
	w.must(w.restart(func(*pipeline.Entity) {}))
	w.tellWork()
	if left := w.final("first"); len(left) > 0 {
		t.Errorf("%d profiles are left", len(left))
	}
	w.must(w.restart(func(*pipeline.Entity) {}))
	if slices.Contains(w.remembered(), "first") {
		t.Error("the policy is still remembered")
	}
}
