package memlog

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"selfsame/pipeline"
)

// What every sink and source has to do is in package conformance. Here is what only this one can.

var tp = pipeline.TopicPartition{Topic: "t"}

func newLog(o Options) *Log {
	l := New(o)
	l.CreateTopic("t", 1)
	return l
}

func batchOf(s pipeline.Session, sequence int32, values ...string) *pipeline.Batch {
	b := &pipeline.Batch{TP: tp, Session: s, Sequence: sequence}
	for _, v := range values {
		b.Records = append(b.Records, pipeline.OutRecord{Key: []byte(v), Value: []byte(v)})
	}
	return b
}

func TestFaults(t *testing.T) {
	l := newLog(Options{})
	broken := errors.New("broken")
	ctx := t.Context()
	b := batchOf(pipeline.Session{}, 0, "a")

	l.FailProduce(2, broken)
	for range 2 {
		if _, err := l.Sink().Produce(ctx, b); !errors.Is(err, broken) {
			t.Errorf("before: %v", err)
		}
	}
	if n := len(l.Records(tp)); n != 0 {
		t.Errorf("%d records were appended before the fault", n)
	}
	l.FailAcknowledge(2, broken)
	for range 2 { // appended, then already there: the answer is lost both times
		if _, err := l.Sink().Produce(ctx, b); !errors.Is(err, broken) {
			t.Errorf("after: %v", err)
		}
	}
	if offset, err := l.Sink().Produce(ctx, b); err != nil || offset != 0 {
		t.Errorf("the same batch again: %d, %v", offset, err)
	}
	if n := len(l.Records(tp)); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
	l.FailFetch(1, broken)
	if _, err := l.Source().Fetch(ctx, tp, 0); !errors.Is(err, broken) {
		t.Errorf("fetch: %v", err)
	}
	l.FailOpen(1, broken)
	if _, err := l.Sink().Open(ctx, "id"); !errors.Is(err, broken) {
		t.Errorf("open: %v", err)
	}
	if s, err := l.Sink().Open(ctx, "id"); err != nil || s.Epoch != 0 {
		t.Errorf("a failed open has used an epoch: %+v, %v", s, err)
	}
}

// TestTruncate: what is lost is forgotten of its producer too, and offsets are given again.
func TestTruncate(t *testing.T) {
	l := newLog(Options{})
	ctx := t.Context()
	for i, v := range []string{"a", "b", "c"} {
		if _, err := l.Sink().Produce(ctx, batchOf(pipeline.Session{}, int32(i), v)); err != nil {
			t.Fatal(err)
		}
	}
	l.Truncate(tp, 1)
	var gone *pipeline.OutOfRangeError
	if _, err := l.Source().Fetch(ctx, tp, 3); !errors.As(err, &gone) || gone.End != 1 {
		t.Errorf("fetch past the end: %v", err)
	}
	offset, err := l.Sink().Produce(ctx, batchOf(pipeline.Session{}, 1, "b2"))
	if err != nil || offset != 1 {
		t.Errorf("in place of what was lost: %d, %v", offset, err)
	}
	rs := l.Records(tp)
	if len(rs) != 2 || rs[0].LeaderEpoch != 0 || rs[1].LeaderEpoch != 1 {
		t.Errorf("records %+v", rs)
	}
}

func TestSequenceWraps(t *testing.T) {
	l := newLog(Options{})
	p := l.mustLocked(tp)
	last := batch{first: math.MaxInt32 - 1, last: math.MaxInt32 - 1}
	p.producers[0] = &producer{batches: []batch{last}}
	b := batchOf(pipeline.Session{}, math.MaxInt32, "a", "b") // numbers the greatest and 0
	if _, err := l.Sink().Produce(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	next := batchOf(pipeline.Session{}, 1, "c")
	if offset, err := l.Sink().Produce(t.Context(), next); err != nil || offset != 2 {
		t.Errorf("after the wrap: %d, %v", offset, err)
	}
}

// TestFetchWaits in fake time: exactly as long as it may, and not for nothing.
func TestFetchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(Options{FetchWait: time.Hour})
		began := time.Now()
		got, err := l.Source().Fetch(t.Context(), tp, 0)
		if err != nil || got.Next != 0 || time.Since(began) != time.Hour {
			t.Errorf("%+v, %v after %s", got, err, time.Since(began))
		}
		began = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err = l.Source().Fetch(ctx, tp, 0)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		began = time.Now()
		if _, err = l.Quick().Fetch(t.Context(), tp, 0); err != nil || time.Since(began) != 0 {
			t.Errorf("quick: %v after %s", err, time.Since(began))
		}
		time.AfterFunc(time.Second, func() { l.DeleteTopic("t") })
		_, err = l.Source().Fetch(t.Context(), tp, 0)
		if !errors.Is(err, pipeline.ErrUnknownTopic) {
			t.Errorf("deleted while waiting: %v", err)
		}
	})
}

func TestFetchIsBounded(t *testing.T) {
	l := newLog(Options{FetchMaxRecords: 2})
	l.Append(tp, make([]pipeline.Record, 5)...)
	l.Skip(tp, 1)
	var nexts []int64
	for offset := int64(0); offset < 6; {
		got, err := l.Source().Fetch(t.Context(), tp, offset)
		if err != nil || len(got.Records) > 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		offset = got.Next
		nexts = append(nexts, offset)
	}
	if len(nexts) != 3 || nexts[0] != 2 || nexts[1] != 4 || nexts[2] != 6 {
		t.Errorf("next offsets %v", nexts)
	}
}
