package conformance

import (
	"context"
	"errors"
	"testing"
	"time"

	"selfsame/pipeline"
)

// pair is a topic of two partitions.
func (e Env) pair(t *testing.T) (first, second pipeline.TopicPartition) {
	t.Helper()
	topic := e.CreateTopic(t, 2, nil)
	return pipeline.TopicPartition{Topic: topic},
		pipeline.TopicPartition{Topic: topic, Partition: 1}
}

func (e Env) fence(t *testing.T, expected pipeline.Session,
	partitions ...pipeline.TopicPartition) pipeline.Session {
	t.Helper()
	session, err := e.Sink.Fence(within(t), e.Sessions, expected, partitions)
	if err != nil {
		t.Fatalf("fence: %v", err)
	}
	return session
}

// testClaim is the hole that a fence is there for: a claim is known to the coordinator only, and
// the old owner goes on writing.
func testClaim(t *testing.T, e Env) {
	if e.FencesEarly {
		t.Skip("it fences at once")
	}
	first, second := e.pair(t)
	old := e.writer(t, first)
	old.produce(t, numbered(0, 1)...)
	newer := e.open(t)
	if newer.ID != old.session.ID || newer.Epoch <= old.session.Epoch {
		t.Fatalf("session %+v after %+v", newer, old.session)
	}
	old.produce(t, numbered(1, 1)...)
	elsewhere := &writer{e: e, tp: second, session: old.session}
	elsewhere.produce(t, numbered(2, 1)...)
	wantValues(t, readAll(t, e, first, 0), "v0", "v1")
	wantValues(t, readAll(t, e, second, 0), "v2")
}

// testFence: the old owner is refused in every partition, also where the new one never wrote; what
// it had appended before lies below the end; the new one counts from 0.
func testFence(t *testing.T, e Env) {
	first, second := e.pair(t)
	old := e.writer(t, first)
	sent, _ := old.produce(t, numbered(0, 2)...)
	session := e.fence(t, pipeline.NoSession(), first, second)
	bounds, err := e.Sink.Bounds(within(t), first)
	if err != nil || bounds.Start != 0 || bounds.End < 2 {
		t.Fatalf("bounds %+v, %v", bounds, err)
	}
	refused(t, e, "new batch", old.batch(numbered(9, 1)...))
	refused(t, e, "batch again", sent)
	elsewhere := &writer{e: e, tp: second, session: old.session}
	refused(t, e, "batch in a partition untouched", elsewhere.batch(numbered(9, 1)...))
	if got := readBack(t, e, first, 0, bounds.End); len(got) != 2 {
		t.Errorf("%d records below the end, want 2", len(got))
	}
	for _, tp := range []pipeline.TopicPartition{first, second} {
		w := &writer{e: e, tp: tp, session: session}
		if _, offset := w.produce(t, numbered(2, 1)...); tp == first && offset < bounds.End {
			t.Errorf("the new owner's first batch is at %d, the end was %d", offset, bounds.End)
		}
	}
	if got := readAll(t, e, first, 0); len(got) != 3 {
		t.Errorf("readers see %q", values(got))
	}
}

func refused(t *testing.T, e Env, name string, b *pipeline.Batch) {
	t.Helper()
	if _, err := e.produce(within(t), b); !errors.Is(err, pipeline.ErrFenced) {
		t.Errorf("%s of the old owner: %v", name, err)
	}
}

// readBack reads from offset up to end, as a publisher that looks for what has landed does.
func readBack(t *testing.T, e Env, tp pipeline.TopicPartition, offset, end int64) (
	all []pipeline.Record) {
	t.Helper()
	for offset < end {
		got, err := e.Sink.Read(within(t), tp, offset)
		if err != nil {
			t.Fatalf("reading back from %d: %v", offset, err)
		}
		if got.End < end {
			t.Fatalf("reading back from %d: end %d, was %d before", offset, got.End, end)
		}
		checkFetched(t, tp, offset, got)
		all = append(all, got.Records...)
		offset = got.Next
	}
	return all
}

// testRefresh: an owner renews its claim, and an owner that has been overtaken cannot.
func testRefresh(t *testing.T, e Env) {
	first, second := e.pair(t)
	one := e.fence(t, pipeline.NoSession(), first, second)
	two := e.fence(t, one, first, second)
	if two.ID != one.ID || two.Epoch <= one.Epoch {
		t.Errorf("session %+v after %+v", two, one)
	}
	w := &writer{e: e, tp: first, session: two}
	w.produce(t, numbered(0, 1)...)
	e.fence(t, pipeline.NoSession(), first, second)
	if e.FencesEarly {
		return // and does not look at what is expected
	}
	_, err := e.Sink.Fence(within(t), e.Sessions, two, []pipeline.TopicPartition{first, second})
	if !errors.Is(err, pipeline.ErrFenced) {
		t.Errorf("renewing a claim that was overtaken: %v", err)
	}
}

// testReadBack: control records, emptied batches and open transactions hold up nobody who looks
// for what has landed.
func testReadBack(t *testing.T, e Env) {
	first, second := e.pair(t)
	w := &writer{e: e, tp: first, session: e.fence(t, pipeline.NoSession(), first, second)}
	w.produce(t, numbered(0, 1)...)
	again := &writer{e: e, tp: first, session: e.fence(t, w.session, first, second)}
	again.produce(t, numbered(1, 2)...)
	e.fence(t, again.session, first, second)
	bounds, err := e.Sink.Bounds(within(t), first)
	if err != nil {
		t.Fatal(err)
	}
	for from := int64(0); from <= bounds.End; from++ {
		want := 0
		for _, r := range readBack(t, e, first, 0, bounds.End) {
			if r.Pos.Offset >= from {
				want++
			}
		}
		if got := readBack(t, e, first, from, bounds.End); len(got) != want {
			t.Errorf("from %d: %q, want %d records", from, values(got), want)
		}
	}
	var gone *pipeline.OutOfRangeError
	if _, err := e.Sink.Read(within(t), first, bounds.End+10); !errors.As(err, &gone) {
		t.Errorf("reading past the end: %v", err)
	}
}

// testPlainSession: a session without a claim writes, and two of them do not disturb each other.
func testPlainSession(t *testing.T, e Env) {
	tp := e.topic(t)
	for i := range 2 {
		session, err := e.Sink.Open(within(t), "")
		if err != nil {
			t.Fatal(err)
		}
		w := &writer{e: e, tp: tp, session: session}
		if _, offset := w.produce(t, numbered(i, 1)...); offset != int64(i) {
			t.Errorf("batch %d is at %d", i, offset)
		}
	}
}

func testCluster(t *testing.T, e Env) {
	a, err := e.Sink.Cluster(within(t))
	b, again := e.Sink.Cluster(within(t))
	if err != nil || again != nil || a == "" || a != b {
		t.Errorf("%q, %v, then %q, %v", a, err, b, again)
	}
}

// testFenceUnknown: a topic that is not there is told, not waited for.
func testFenceUnknown(t *testing.T, e Env) {
	missing := pipeline.TopicPartition{Topic: e.CreateTopic(t, 1, nil), Partition: 7}
	_, err := e.Sink.Fence(within(t), e.Sessions, pipeline.NoSession(),
		[]pipeline.TopicPartition{missing})
	if !errors.Is(err, pipeline.ErrUnknownTopic) {
		t.Errorf("fencing what is not there: %v", err)
	}
	if _, err := e.Sink.Bounds(within(t), missing); !errors.Is(err, pipeline.ErrUnknownTopic) {
		t.Errorf("bounds of what is not there: %v", err)
	}
}

// testFenceCancelled: a claim ends with its context.
func testFenceCancelled(t *testing.T, e Env) {
	tp := e.topic(t)
	ctx, cancel := context.WithDeadline(within(t), time.Now().Add(-time.Second))
	defer cancel()
	_, err := e.Sink.Fence(ctx, e.Sessions, pipeline.NoSession(), []pipeline.TopicPartition{tp})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("fencing with an ended context: %v", err)
	}
}
