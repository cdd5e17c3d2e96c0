package conformance

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"selfsame/pipeline"
)

func plain(values ...string) []pipeline.Record {
	var records []pipeline.Record
	for _, v := range values {
		records = append(records, pipeline.Record{
			Time: baseTime(), Key: []byte("key of " + v), Value: []byte(v),
			Headers: []pipeline.Header{{Key: "h", Value: []byte(v)}},
		})
	}
	return records
}

// testCodecs: what another client's writer has compressed can be read.
func testCodecs(t *testing.T, e Env) {
	if e.Write == nil {
		t.Skip("no other writer")
	}
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		tp := e.topic(t)
		var want []string
		for i := range 300 {
			want = append(want, fmt.Sprintf("%d %s", i, strings.Repeat("x", i)))
		}
		records := plain(want...)
		for i := range records {
			records[i].Time += int64(i) * int64(time.Second)
		}
		e.Write(t, tp, codec, records)
		got := readAll(t, e, tp, 0)
		if len(got) != len(want) {
			t.Fatalf("%s: %d records, want %d", codec, len(got), len(want))
		}
		for i, r := range got {
			if string(r.Value) != want[i] || r.Time != records[i].Time {
				t.Fatalf("%s: record %d is %q at %d", codec, i, r.Value, r.Time)
			}
			checkHeaders(t, r.Headers, records[i].Headers)
		}
	}
}

// testTransactions: what was aborted and the markers are not seen, and the position goes past them.
func testTransactions(t *testing.T, e Env) {
	if e.Transact == nil {
		t.Skip("no transactions")
	}
	tp := e.topic(t)
	w := e.writer(t, tp)
	w.produce(t, numbered(0, 1)...)
	e.Transact(t, tp, plain("aborted 1", "aborted 2"), false)
	w.produce(t, numbered(1, 1)...)
	e.Transact(t, tp, plain("committed"), true)
	e.Transact(t, tp, plain("aborted 3"), false)
	wantValues(t, readAll(t, e, tp, 0), "v0", "v1", "committed")
	// Offsets: 0 v0, 1-2 aborted, 3 marker, 4 v1, 5 committed, 6 marker, 7 aborted, 8 marker.
	wantValues(t, readAll(t, e, tp, 2), "v1", "committed")
	for _, from := range []int64{6, 7, 8} {
		wantValues(t, readAll(t, e, tp, from))
	}
	got, err := e.Source.Fetch(within(t), tp, 6)
	if err != nil || got.Next != 9 || got.End != 9 {
		t.Errorf("fetch of a marker and what was aborted: %+v, %v", got, err)
	}
	latest, err := e.Source.Offset(within(t), tp, pipeline.Start{Kind: pipeline.StartLatest})
	if err != nil || latest != 9 {
		t.Errorf("latest %d, %v", latest, err)
	}
}

// testInterleaved: many transactions with either outcome and plain batches between them, read from
// every offset.
func testInterleaved(t *testing.T, e Env) {
	if e.Transact == nil {
		t.Skip("no transactions")
	}
	tp := e.topic(t)
	w := e.writer(t, tp)
	var want []string
	var offsets []int64 // of want
	next := int64(0)
	for i := range 12 {
		value := fmt.Sprintf("t%d", i)
		commit := i%3 == 0
		e.Transact(t, tp, plain(value), commit)
		if commit {
			want, offsets = append(want, value), append(offsets, next)
		}
		next += 2
		if i%4 == 1 {
			w.produce(t, numbered(i, 1)...)
			want, offsets = append(want, fmt.Sprintf("v%d", i)), append(offsets, next)
			next++
		}
	}
	for from := range next {
		i := 0
		for i < len(offsets) && offsets[i] < from {
			i++
		}
		wantValues(t, readAll(t, e, tp, from), want[i:]...)
	}
}

// testCompacted: a log with gaps, and with batches that compaction has emptied but keeps for what
// they tell of their producers, is read to its end, from whatever offset.
func testCompacted(t *testing.T, e Env) {
	if e.Compact == nil {
		t.Skip("no compaction")
	}
	tp := pipeline.TopicPartition{Topic: e.CreateTopic(t, 1, map[string]string{
		"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001",
		"max.compaction.lag.ms": "100", "min.compaction.lag.ms": "0",
	})}
	w := e.writer(t, tp)
	record := func(key, value string) pipeline.OutRecord {
		return pipeline.OutRecord{Key: []byte(key), Value: []byte(value)}
	}
	w.produce(t, record("a", "a0"), record("b", "b1"), record("a", "a2"))
	w.produce(t, record("c", "c3"))
	other := e
	other.Sessions += "-other"
	last := other.writer(t, tp)
	last.produce(t, record("a", "a4"), record("c", "c5"))
	e.Compact(t, tp, func() bool {
		left := readAll(t, e, tp, 0)
		return !hasOffset(left, 0) && !hasOffset(left, 2) && !hasOffset(left, 3)
	})
	latest := map[string]string{}
	for from := range int64(6) {
		for _, r := range readAll(t, e, tp, from) {
			latest[string(r.Key)] = string(r.Value)
		}
		for key, value := range map[string]string{"a": "a4", "c": "c5"} {
			if from <= 4 && latest[key] != value {
				t.Errorf("from %d: %s is %q, want %q", from, key, latest[key], value)
			}
		}
	}
	if latest["b"] != "b1" {
		t.Errorf("b is %q, want b1", latest["b"])
	}
}

func hasOffset(records []pipeline.Record, offset int64) bool {
	for _, r := range records {
		if r.Pos.Offset == offset {
			return true
		}
	}
	return false
}
