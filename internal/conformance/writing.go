package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"selfsame/pipeline"
)

// testOffsets: batches follow each other without a gap, and Produce says where each began.
func testOffsets(t *testing.T, e Env) {
	tp := e.topic(t)
	w := e.writer(t, tp)
	next := int64(0)
	for i := 1; i <= 8; i++ {
		if _, offset := w.produce(t, numbered(int(next), i)...); offset != next {
			t.Fatalf("batch %d is at %d, want %d", i, offset, next)
		}
		next += int64(i)
	}
	for i, r := range readAll(t, e, tp, 0) {
		if r.Pos.Offset != int64(i) || string(r.Value) != fmt.Sprintf("v%d", i) {
			t.Fatalf("record %d is %q at %s", i, r.Value, r.Pos)
		}
	}
}

func testPartitions(t *testing.T, e Env) {
	topic := e.CreateTopic(t, 3, nil)
	found, err := e.Source.Describe(within(t), topic)
	if err != nil || !slices.Equal(found.Partitions, []int32{0, 1, 2}) {
		t.Errorf("source: %v, %v", found, err)
	}
	n, err := e.Sink.Partitions(within(t), topic)
	if err != nil || n != 3 {
		t.Errorf("sink: %d, %v", n, err)
	}
}

// testDescribe: a topic keeps its id, with more partitions too, and loses it when it is made anew.
func testDescribe(t *testing.T, e Env) {
	topic := e.CreateTopic(t, 2, nil)
	describe := func(partitions int) pipeline.Topic {
		for {
			found, err := e.Source.Describe(within(t), topic)
			if err != nil && !errors.Is(err, pipeline.ErrUnknownTopic) {
				t.Fatal(err)
			}
			if err == nil && len(found.Partitions) == partitions {
				return found
			}
		}
	}
	first := describe(2)
	if first.ID.IsZero() || e.CreateTopic(t, 1, nil) == topic {
		t.Fatalf("%+v", first)
	}
	e.Grow(t, topic, 3)
	if grown := describe(3); grown.ID != first.ID {
		t.Errorf("id %x became %x with another partition", first.ID, grown.ID)
	}
	e.Recreate(t, topic, 1)
	if again := describe(1); again.ID == first.ID || again.ID.IsZero() {
		t.Errorf("id %x of the new topic, %x of the old", again.ID, first.ID)
	}
}

// testParallel: one session, a sequence per partition, all partitions at once.
func testParallel(t *testing.T, e Env) {
	if e.Patient == nil {
		t.Skip("it never waits")
	}
	const partitions, batches = 6, 10
	topic := e.CreateTopic(t, partitions, nil)
	session := e.open(t)
	var writers sync.WaitGroup
	ctx := within(t)
	for p := range int32(partitions) {
		tp := pipeline.TopicPartition{Topic: topic, Partition: p}
		w := &writer{e: e, tp: tp, session: session}
		writers.Go(func() {
			for i := range batches {
				b := w.batch(numbered(2*i, 2)...)
				b.Sequence = int32(2 * i)
				if offset, err := e.produce(ctx, b); err != nil || offset != int64(2*i) {
					t.Errorf("batch %d of %s: offset %d, %v", i, w.tp, offset, err)
				}
			}
		})
	}
	writers.Wait()
	var readers sync.WaitGroup
	for p := range int32(partitions) {
		tp := pipeline.TopicPartition{Topic: topic, Partition: p}
		readers.Go(func() {
			if got, err := e.Source.Fetch(ctx, tp, 0); err != nil || len(got.Records) != 2*batches {
				t.Errorf("%s: %d records, %v", tp, len(got.Records), err)
			}
		})
	}
	readers.Wait()
}

// testLarge: a record larger than what a fetch asks for comes through, and so does what follows.
func testLarge(t *testing.T, e Env) {
	tp := e.topic(t)
	w := e.writer(t, tp)
	large := bytes.Repeat([]byte("0123456789abcdef"), 900<<10/16)
	w.produce(t, numbered(0, 1)...)
	w.produce(t, pipeline.OutRecord{Key: []byte("k"), Value: large})
	w.produce(t, numbered(2, 1)...)
	got := readAll(t, e, tp, 0)
	if len(got) != 3 || !bytes.Equal(got[1].Value, large) || string(got[2].Value) != "v2" {
		t.Errorf("%d records", len(got))
	}
}

func testTooLarge(t *testing.T, e Env) {
	tp := e.topic(t)
	w := e.writer(t, tp)
	b := w.batch(pipeline.OutRecord{Value: make([]byte, 3<<20)})
	for range 2 {
		if _, err := e.produce(within(t), b); !errors.Is(err, pipeline.ErrTooLarge) {
			t.Errorf("error %v", err)
		}
	}
	if _, offset := w.produce(t, numbered(0, 1)...); offset != 0 {
		t.Errorf("what comes after it is at %d", offset)
	}
}

// testDuplicate: each of the last five batches can be sent again, is given its offset, and is there
// once.
func testDuplicate(t *testing.T, e Env) {
	tp := e.topic(t)
	w := e.writer(t, tp)
	var sent []*pipeline.Batch
	for i := range 5 {
		b, _ := w.produce(t, numbered(2*i, 2)...)
		sent = append(sent, b)
	}
	for i, b := range sent {
		if offset, err := e.produce(within(t), b); err != nil || offset != int64(2*i) {
			t.Errorf("batch %d again: offset %d, %v", i, offset, err)
		}
	}
	if got := readAll(t, e, tp, 0); len(got) != 10 {
		t.Errorf("%d records, want 10: %q", len(got), values(got))
	}
	if _, offset := w.produce(t, numbered(10, 1)...); offset != 10 {
		t.Errorf("the next batch is at %d", offset)
	}
}

func testGap(t *testing.T, e Env) {
	tp := e.topic(t)
	w := e.writer(t, tp)
	w.produce(t, numbered(0, 2)...)
	b := w.batch(numbered(3, 1)...)
	b.Sequence++
	if _, err := e.produce(within(t), b); !errors.Is(err, pipeline.ErrSequence) {
		t.Errorf("error %v", err)
	}
	if _, offset := w.produce(t, numbered(2, 1)...); offset != 2 {
		t.Errorf("what fits is at %d", offset)
	}
}

// testNewSession: a session is newer than the one before, and counts from 0 again.
func testNewSession(t *testing.T, e Env) {
	tp := e.topic(t)
	old := e.writer(t, tp)
	old.produce(t, numbered(0, 3)...)
	renewed := e.writer(t, tp)
	if renewed.session == old.session {
		t.Fatalf("the same session %+v twice", old.session)
	}
	if renewed.session.ID == old.session.ID && renewed.session.Epoch <= old.session.Epoch {
		t.Errorf("epoch %d after %d", renewed.session.Epoch, old.session.Epoch)
	}
	if _, offset := renewed.produce(t, numbered(3, 1)...); offset != 3 {
		t.Errorf("the first batch of the new session is at %d", offset)
	}
}

// testFenced: once the newer session has written to a partition, the older cannot, while it still
// can where the newer has not: Open alone fences nothing, and a log that says otherwise is no
// test of a pipeline that relies on it.
func testFenced(t *testing.T, e Env) {
	topic := e.CreateTopic(t, 2, nil)
	first := pipeline.TopicPartition{Topic: topic}
	second := pipeline.TopicPartition{Topic: topic, Partition: 1}
	old := e.writer(t, first)
	sent, _ := old.produce(t, numbered(0, 1)...)
	renewed := e.writer(t, first)
	renewed.produce(t, numbered(1, 1)...)
	for name, b := range map[string]*pipeline.Batch{
		"new": old.batch(numbered(9, 1)...), "again": sent,
	} {
		if _, err := e.produce(within(t), b); !errors.Is(err, pipeline.ErrFenced) {
			t.Errorf("%s batch of the old session: %v", name, err)
		}
	}
	elsewhere := &writer{e: e, tp: second, session: old.session}
	_, err := e.produce(within(t), elsewhere.batch(numbered(0, 1)...))
	if e.FencesEarly && !errors.Is(err, pipeline.ErrFenced) || !e.FencesEarly && err != nil {
		t.Errorf("old session where the new one has not written: %v", err)
	}
	wantValues(t, readAll(t, e, first, 0), "v0", "v1")
}
