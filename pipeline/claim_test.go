package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
)

// people sends n records of as many people, and consumes them.
func (w *world) people(from, n int) {
	w.t.Helper()
	tp := pipeline.TopicPartition{Topic: "crm"}
	for i := from; i < from+n; i++ {
		w.send(tp, pipeline.Record{Value: fmt.Appendf(nil, `{"id":"p%d","name":"n%d"}`, i, i)})
	}
	for w.consume(tp, 100) > 0 {
	}
}

// compareUndisturbed compares what is published with what an undisturbed world publishes.
func (w *world) compareUndisturbed(t *testing.T) {
	t.Helper()
	want := newWorld(t, 1)
	for _, tp := range w.inputs() {
		want.log.Append(tp, w.log.Records(tp)...)
	}
	want.now = w.now
	want.drain()
	for _, topic := range []string{"profiles", "assignments"} {
		compareFinal(t, want.final(topic), w.final(topic), topic)
	}
	want.close()
}

// TestRegressed: a log that loses what it had acknowledged is noticed, at the next batch or at the
// next start, and everything that belongs in the partition is published again, also the end of what
// the store has forgotten.
func TestRegressed(t *testing.T) {
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("running=%t", running), func(t *testing.T) {
			w := newWorld(t, 1)
			w.people(0, 20)
			w.publish()
			crm := pipeline.TopicPartition{Topic: "crm"}
			w.send(crm, pipeline.Record{Key: []byte("p3")}) // the end of a profile
			w.consume(crm, 1)
			w.publish()
			for _, tp := range w.partitions([]string{"profiles", "assignments"}) {
				w.log.Truncate(tp, int64(len(w.log.Records(tp))/2+1))
			}
			if running {
				w.people(20, 6)
				if _, err := w.publisher.Publish(t.Context()); !errors.Is(err,
					pipeline.ErrRegressed) {
					t.Fatalf("publishing to a log that has lost something: %v", err)
				}
			}
			w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 0})
			w.drain()
			for _, tp := range w.partitions([]string{"profiles", "assignments"}) {
				w.checkRising(tp)
			}
			w.compareUndisturbed(t)
			repairs, err := w.store.Reader().Repairs()
			w.must(err)
			if len(repairs) > 0 {
				t.Errorf("still to be repaired: %+v", repairs)
			}
			w.close()
		})
	}
}

// checkRising: per key the version rises.
func (w *world) checkRising(tp pipeline.TopicPartition) {
	w.t.Helper()
	versions := map[string]uint64{}
	for _, r := range w.log.Records(tp) {
		version, ok := versionOf(&r)
		if ok && version <= versions[string(r.Key)] {
			w.t.Fatalf("%s: version %d after %d", r.Pos, version, versions[string(r.Key)])
		}
		versions[string(r.Key)] = version
	}
}

// TestRecreated: an output topic that was deleted and made again gets everything.
func TestRecreated(t *testing.T) {
	w := newWorld(t, 1)
	w.people(0, 10)
	w.publish()
	w.log.CreateTopic("profiles", 2)
	w.crash(vfs.CrashCloneCfg{})
	w.drain()
	if n := w.count("profiles"); n != 10 {
		t.Errorf("%d profiles, want 10", n)
	}
	w.compareUndisturbed(t)
	w.close()
}

// TestRefuses: what the outbox belongs to must not change under it.
func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world)
		want   string
	}{
		"cluster":   {func(w *world) { w.log.SetCluster("another") }, "cluster memory"},
		"partition": {func(w *world) { w.outputs = 3 }, "has 3 partitions, it had 2"},
		"writer":    {func(w *world) { w.writer = "other.0" }, "as transactional id test.0"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			w.people(0, 1)
			w.publish()
			w.must(w.store.Close())
			c.change(w)
			if err := w.tryOpen(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			w.close()
		})
	}
}

// refusing is a broker that grants no transactional ids.
type refusing struct{ pipeline.Sink }

func (r refusing) Fence(context.Context, string, pipeline.Session, []pipeline.TopicPartition) (
	pipeline.Session, error) {
	return pipeline.Session{}, fmt.Errorf("%w: as configured", pipeline.ErrNotAuthorized)
}

// TestNoClaim: without the right to claim the daemon stops, unless at least once is asked for by
// name; then a crash still repeats only what it cannot know about.
func TestNoClaim(t *testing.T) {
	w := newWorld(t, 1)
	w.people(0, 5)
	w.must(w.store.Close())
	w.sink = refusing{w.log.Sink()}
	err := w.tryOpen()
	if !errors.Is(err, pipeline.ErrNotAuthorized) ||
		!strings.Contains(err.Error(), "output.delivery") {
		t.Fatalf("error %v", err)
	}
	w.must(w.store.Close())
	w.atLeastOnce = true
	w.open()
	w.publish()
	w.now = w.now.Add(24 * time.Hour)
	w.people(5, 5)
	w.publish()
	w.crash(vfs.CrashCloneCfg{})
	w.drain()
	w.checkOutput()
	if n := w.count("profiles"); n != 10 {
		t.Errorf("%d profiles, want 10", n)
	}
	w.close()
}

// TestClaimIsRenewed: after six hours, and after an hour without a word from the broker; never in
// between; and an owner that was overtaken in its sleep does not get it back.
func TestClaimIsRenewed(t *testing.T) {
	w := newWorld(t, 1)
	counting := &counting{Sink: w.log.Sink()}
	w.must(w.store.Close())
	w.sink = counting
	w.open()
	for i, c := range []struct {
		pass  time.Duration
		claim int
	}{{30 * time.Minute, 1}, {40 * time.Minute, 1}, {2 * time.Hour, 2}, {30 * time.Minute, 2}} {
		w.now = w.now.Add(c.pass)
		w.people(i, 1)
		w.publish()
		if counting.claims != c.claim {
			t.Errorf("%d claims after step %d, want %d", counting.claims, i, c.claim)
		}
	}
	for i := range 20 { // heard of every half hour, it still is renewed every six hours
		w.now = w.now.Add(30 * time.Minute)
		w.people(100+i, 1)
		w.publish()
	}
	if counting.claims != 3 {
		t.Errorf("%d claims after ten more hours, want 3", counting.claims)
	}
	_, err := w.log.Sink().Open(t.Context(), "test.0")
	w.must(err)
	w.now = w.now.Add(2 * time.Hour)
	w.people(500, 1)
	if _, err := w.publisher.Publish(t.Context()); !errors.Is(err, pipeline.ErrFenced) {
		t.Errorf("publishing after a pause in which another has claimed: %v", err)
	}
	w.must(w.store.Close())
}

type counting struct {
	pipeline.Sink
	claims int
}

func (c *counting) Fence(ctx context.Context, id string, expected pipeline.Session,
	partitions []pipeline.TopicPartition) (pipeline.Session, error) {
	c.claims++
	return c.Sink.Fence(ctx, id, expected, partitions)
}

// TestFight: an owner that is overtaken again and again stops claiming for a while.
func TestFight(t *testing.T) {
	w := newWorld(t, 1)
	for i := range 3 {
		_, err := w.log.Sink().Fence(t.Context(), "test.0", pipeline.NoSession(),
			w.partitions(w.model.OutputTopics()))
		w.must(err)
		w.people(i, 1)
		if _, err := w.publisher.Publish(t.Context()); !errors.Is(err, pipeline.ErrFenced) {
			t.Fatalf("publishing after takeover %d: %v", i, err)
		}
		w.must(w.store.Close())
		w.now = w.now.Add(time.Minute)
		if err := w.tryOpen(); (err != nil) != (i == 2) {
			t.Fatalf("start %d: %v", i, err)
		}
	}
	w.must(w.store.Close())
	w.now = w.now.Add(11 * time.Minute)
	w.open()
	w.drain()
	w.checkOutput()
	w.close()
}

// TestTooLarge: a batch that its topic refuses is taken apart, a profile that it refuses alone
// gives way to a marker, and what comes after it is published.
func TestTooLarge(t *testing.T) {
	w := newWorld(t, 1)
	w.must(w.store.Close())
	w.log = smallLog(w)
	w.sink = w.log.Sink()
	w.fs = vfs.NewCrashableMem()
	w.open()
	w.people(0, 10)
	tp := pipeline.TopicPartition{Topic: "crm"}
	long := strings.Repeat("x", 900)
	w.send(tp, pipeline.Record{Value: []byte(`{"id":"77","name":"` + long + `"}`)})
	w.people(20, 3)
	w.drain()
	if n := w.count("profiles"); n != 14 {
		t.Errorf("%d profiles, want 14", n)
	}
	markers := 0
	for _, topic := range w.partitions([]string{"profiles"}) {
		for _, r := range w.log.Records(topic) {
			if _, ok := r.Header(pipeline.HeaderOversize); ok {
				markers++
			}
		}
	}
	if markers != 1 {
		t.Errorf("%d markers, want 1", markers)
	}
	w.checkOutput()
	w.close()
}

func smallLog(w *world) *memlog.Log {
	log := memlog.New(memlog.Options{MaxBatchBytes: 800})
	for _, topic := range w.model.ConsumedTopics() {
		log.CreateTopic(topic, 1)
	}
	for _, topic := range w.model.OutputTopics() {
		log.CreateTopic(topic, 2)
	}
	return log
}

// TestBrokenClaim: a claim that is broken off after any of its steps leaves nothing behind that the
// next does not put right.
func TestBrokenClaim(t *testing.T) {
	broken := errors.New("broken off")
	for _, step := range []memlog.FenceStep{memlog.FenceNothing, memlog.FenceClaimed,
		memlog.FenceAborted} {
		w := newWorld(t, 1)
		w.people(0, 5)
		w.must(w.store.Close())
		w.log.FailFence(1, step, broken)
		if err := w.tryOpen(); !errors.Is(err, broken) {
			t.Fatalf("step %d: %v", step, err)
		}
		w.must(w.store.Close())
		w.open()
		w.drain()
		w.checkOutput()
		w.compareUndisturbed(t)
		w.close()
	}
}
