package conformance

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"selfsame/pipeline"
)

// testContent: everything in a record comes back, null distinct from empty.
func testContent(t *testing.T, e Env) {
	tp := e.topic(t)
	w := e.writer(t, tp)
	out := []pipeline.OutRecord{
		{Key: []byte("k"), Value: []byte("v")},
		{Key: nil, Value: []byte("null key")},
		{Key: []byte{}, Value: []byte("empty key")},
		{Key: []byte("tombstone"), Value: nil},
		{Key: []byte("empty value"), Value: []byte{}},
		{Key: []byte{0, 0xff}, Value: []byte{0xff, 0, '\n'}, Headers: []pipeline.Header{
			{Key: "a", Value: []byte("1")},
			{Key: "null", Value: nil},
			{Key: "empty", Value: []byte{}},
			{Key: "a", Value: []byte("2")},
			{Key: "", Value: []byte("no name")},
		}},
	}
	b := w.batch(out...)
	b.Time += 999_999 // less than a millisecond more
	w.send(t, b)
	got := readAll(t, e, tp, 0)
	if len(got) != len(out) {
		t.Fatalf("%d records, want %d", len(got), len(out))
	}
	for i, r := range got {
		if !same(r.Key, out[i].Key) || !same(r.Value, out[i].Value) {
			t.Errorf("record %d: %v=%v, want %v=%v", i, r.Key, r.Value, out[i].Key, out[i].Value)
		}
		if r.Time != b.Time-999_999 {
			t.Errorf("record %d: time %d, want %d in whole milliseconds", i, r.Time, b.Time)
		}
		if r.LeaderEpoch < 0 {
			t.Errorf("record %d: leader epoch %d", i, r.LeaderEpoch)
		}
		checkHeaders(t, r.Headers, out[i].Headers)
	}
}

func checkHeaders(t *testing.T, got, want []pipeline.Header) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d headers, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i].Key != want[i].Key || !same(got[i].Value, want[i].Value) {
			t.Errorf("header %d: %q=%v, want %q=%v",
				i, got[i].Key, got[i].Value, want[i].Key, want[i].Value)
		}
	}
}

// testResume: a fetch from inside a batch begins with the record asked for.
func testResume(t *testing.T, e Env) {
	tp := e.topic(t)
	w := e.writer(t, tp)
	w.produce(t, numbered(0, 4)...)
	w.produce(t, numbered(4, 3)...)
	for offset := range int64(7) {
		got := readAll(t, e, tp, offset)
		if len(got) != int(7-offset) || got[0].Pos.Offset != offset {
			t.Errorf("from %d: %q", offset, values(got))
		}
	}
}

func testStart(t *testing.T, e Env) {
	tp := e.topic(t)
	w := e.writer(t, tp)
	first := w.batch(numbered(0, 2)...)
	second := w.batch(numbered(2, 2)...)
	second.Time = first.Time + int64(time.Minute)
	w.send(t, first)
	second.Sequence = w.next
	w.send(t, second)
	at := time.Unix(0, first.Time)
	for _, c := range []struct {
		name  string
		start pipeline.Start
		want  int64
	}{
		{"earliest", pipeline.Start{Kind: pipeline.StartEarliest}, 0},
		{"latest", pipeline.Start{Kind: pipeline.StartLatest}, 4},
		{"before all", pipeline.Start{Kind: pipeline.StartTime, At: at.Add(-time.Hour)}, 0},
		{"exact", pipeline.Start{Kind: pipeline.StartTime, At: at}, 0},
		{"between", pipeline.Start{Kind: pipeline.StartTime, At: at.Add(time.Millisecond)}, 2},
		{"last", pipeline.Start{Kind: pipeline.StartTime, At: at.Add(time.Minute)}, 2},
		{"after all", pipeline.Start{Kind: pipeline.StartTime, At: at.Add(time.Hour)}, 4},
	} {
		got, err := e.Source.Offset(within(t), tp, c.start)
		if err != nil || got != c.want {
			t.Errorf("%s: offset %d, %v, want %d", c.name, got, err, c.want)
		}
	}
}

// testIdle: a fetch at the end, also of an empty log, is no error.
func testIdle(t *testing.T, e Env) {
	tp := e.topic(t)
	for _, end := range []int64{0, 3} {
		got, err := e.Source.Fetch(within(t), tp, end)
		if err != nil || len(got.Records) != 0 || got.Next != end || got.End != end {
			t.Errorf("at the end %d: %+v, %v", end, got, err)
		}
		if end == 0 {
			e.writer(t, tp).produce(t, numbered(0, 3)...)
		}
	}
}

// soon is much less than a patient source waits.
const soon = 15 * time.Second

func testWakes(t *testing.T, e Env) {
	if e.Patient == nil {
		t.Skip("it never waits")
	}
	tp := e.topic(t)
	w := e.writer(t, tp)
	var got pipeline.Fetched
	var err error
	var fetch sync.WaitGroup
	began := time.Now()
	ctx := within(t)
	fetch.Go(func() { got, err = e.Patient.Fetch(ctx, tp, 0) })
	w.produce(t, numbered(0, 1)...)
	fetch.Wait()
	if err != nil || len(got.Records) != 1 {
		t.Errorf("%d records, %v", len(got.Records), err)
	}
	if took := time.Since(began); took > soon {
		t.Errorf("it took %s to see the record", took)
	}
}

func testCancel(t *testing.T, e Env) {
	if e.Patient == nil {
		t.Skip("it never waits")
	}
	tp := e.topic(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := e.Patient.Fetch(ctx, tp, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > soon {
		t.Errorf("it took %s to end", took)
	}
	if _, err := e.Source.Fetch(within(t), tp, 0); err != nil {
		t.Errorf("the next fetch: %v", err)
	}
}

func testOutOfRange(t *testing.T, e Env) {
	tp := e.topic(t)
	e.writer(t, tp).produce(t, numbered(0, 3)...)
	wantOutOfRange(t, e, tp, pipeline.OutOfRangeError{TP: tp, Offset: 4, LogStart: 0, End: 3})
}

func wantOutOfRange(t *testing.T, e Env, tp pipeline.TopicPartition,
	want pipeline.OutOfRangeError) {
	t.Helper()
	_, err := e.Source.Fetch(within(t), tp, want.Offset)
	var got *pipeline.OutOfRangeError
	if !errors.As(err, &got) || *got != want {
		t.Errorf("fetch from %d: %v, want %v", want.Offset, err, &want)
	}
}

func testExpired(t *testing.T, e Env) {
	if e.Expire == nil {
		t.Skip("cannot expire records")
	}
	tp := e.topic(t)
	w := e.writer(t, tp)
	w.produce(t, numbered(0, 3)...)
	w.produce(t, numbered(3, 3)...)
	e.Expire(t, tp, 4)
	wantOutOfRange(t, e, tp, pipeline.OutOfRangeError{TP: tp, Offset: 2, LogStart: 4, End: 6})
	got, err := e.Source.Fetch(within(t), tp, 4)
	if err != nil || got.LogStart != 4 {
		t.Errorf("fetch from the new start: %+v, %v", got, err)
	}
	wantValues(t, got.Records, "v4", "v5")
	start, err := e.Source.Offset(within(t), tp, pipeline.Start{})
	if err != nil || start != 4 {
		t.Errorf("earliest: %d, %v, want 4", start, err)
	}
}

func testUnknown(t *testing.T, e Env) {
	here := e.topic(t)
	session := e.open(t)
	ctx := within(t)
	for _, tp := range []pipeline.TopicPartition{
		{Topic: here.Topic + "-missing"}, {Topic: here.Topic, Partition: 1},
	} {
		_, offsetErr := e.Source.Offset(ctx, tp, pipeline.Start{})
		_, fetchErr := e.Source.Fetch(ctx, tp, 0)
		_, produceErr := e.produce(ctx, &pipeline.Batch{
			TP: tp, Session: session, Time: baseTime(), Records: numbered(0, 1),
		})
		for call, err := range map[string]error{
			"offset": offsetErr, "fetch": fetchErr, "produce": produceErr,
		} {
			if !errors.Is(err, pipeline.ErrUnknownTopic) {
				t.Errorf("%s of %s: %v", call, tp, err)
			}
		}
	}
	if _, err := e.Source.Describe(ctx, here.Topic+"-missing"); !errors.Is(err,
		pipeline.ErrUnknownTopic) {
		t.Errorf("describe: %v", err)
	}
	if _, err := e.Sink.Partitions(ctx, here.Topic+"-missing"); !errors.Is(err,
		pipeline.ErrUnknownTopic) {
		t.Errorf("sink partitions: %v", err)
	}
}
