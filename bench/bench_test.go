package main

import (
	"context"
	"slices"
	"testing"
	"time"

	"selfsame/pipeline"
)

// TestContendersDrainTheLoad runs each contender once on a small load, in this process.
func TestContendersDrainTheLoad(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := open("embedded")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.makeInputs(ctx, "in"); err != nil {
		t.Fatal(err)
	}
	sent, err := newLoad(200, 3, nil).fill(ctx, c.client, "in")
	if err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func(context.Context, task) (figures, error){
		"a": passThrough, "b": keepFloor, "c": runPipeline,
	} {
		got, err := run(ctx, task{Contender: name, Broker: c.addr, Format: "json", Input: "in",
			Run: "out-" + name, Dir: t.TempDir()})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got.Events != sent.records || got.Seconds <= 0 || got.PeakRSS == 0 {
			t.Errorf("%s: %+v, want %d events", name, got, sent.records)
		}
		if name == "c" {
			// Who browses and never signs in is a profile of his own, without a name.
			if got.Profiles < 200 || got.Profiles > 400 || got.Disk == 0 {
				t.Errorf("%d profiles of 200 people, %d bytes", got.Profiles, got.Disk)
			}
			continue
		}
		if n := records(ctx, t, c, "out-"+name+".out"); n != sent.records {
			t.Errorf("%s: %d records came out, want %d", name, n, sent.records)
		}
	}
}

func records(ctx context.Context, t *testing.T, c *cluster, topic string) int64 {
	t.Helper()
	_, n, err := inputEnds(ctx, c.client, []string{topic})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDelaysLeaveTheBeginningOut(t *testing.T) {
	var seen []sighting
	for i := range 1000 {
		took := time.Duration(i) * time.Microsecond
		if i < 99 {
			took = time.Hour // before everything is warm
		}
		seen = append(seen, sighting{due: time.Duration(i+1) * time.Millisecond, took: took})
	}
	slices.Reverse(seen)
	got := summarize(seen)
	if got.matched != 901 || got.worst != 999*time.Microsecond {
		t.Errorf("%d counted, the worst %v; want 901 and 999µs", got.matched, got.worst)
	}
	if got.p50 < 500*time.Microsecond || got.p50 > 600*time.Microsecond ||
		got.p99 < 985*time.Microsecond || got.p99 > 999*time.Microsecond {
		t.Errorf("p50 %v, p99 %v", got.p50, got.p99)
	}
}

func TestCauseNamesWhatWasProduced(t *testing.T) {
	all := queues{"in.events/2": {base: 10, due: []time.Duration{5, 7, 9},
		trouble: []bool{false, false, true}}}
	record := func(cause string) *pipeline.Record {
		return &pipeline.Record{Headers: []pipeline.Header{
			{Key: pipeline.HeaderCause, Value: []byte(cause)}}}
	}
	due, measured, err := all.dueOf(record("in.events/2/11"))
	if err != nil || !measured || due != 7 {
		t.Errorf("due %v, measured: %v, %v; want 7", due, measured, err)
	}
	for _, cause := range []string{"in.events/2/9", "in.events/2/12"} { // before, and trouble
		if _, measured, err := all.dueOf(record(cause)); err != nil || measured {
			t.Errorf("cause %q: measured: %v, %v", cause, measured, err)
		}
	}
	for _, cause := range []string{"", "in.events/2/13", "in.events/3/10", "in.events/2/x",
		"in.events/2/-1"} {
		if _, _, err := all.dueOf(record(cause)); err == nil {
			t.Errorf("cause %q is taken", cause)
		}
	}
}

func TestQueueKeepsRecords(t *testing.T) {
	q := &queue{}
	for i, text := range []string{"a", "", "ccc"} {
		q.put(message{key: []byte(text), value: []byte("v" + text)}, time.Duration(i))
	}
	got := q.between(0, 3)
	for i, text := range []string{"a", "", "ccc"} {
		if string(got[i].Key) != text || string(got[i].Value) != "v"+text {
			t.Errorf("record %d is %q %q", i, got[i].Key, got[i].Value)
		}
	}
	if got := q.between(2, 3); string(got[0].Key) != "ccc" || len(got) != 1 {
		t.Errorf("the last is %q", got)
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{
		0: nil, 3: {3}, 2: {3, 1, 2}, 2.5: {4, 1, 2, 3},
	} {
		if got := median(values); got != want {
			t.Errorf("median is %v, want %v", got, want)
		}
	}
}
