package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"selfsame/pipeline"
)

// Env is a log under test.
type Env struct {
	// Source waits at the end of a log for a time that a test can afford often. It fetches few
	// bytes at a time, at most 64 KiB and a batch.
	Source pipeline.Source
	// Patient is a source that waits half a minute and longer. nil: the log never waits, and is for
	// one goroutine at a time.
	Patient pipeline.Source
	Sink    pipeline.Sink
	// Sessions is a transactional id that no other test uses.
	Sessions string
	// CreateTopic makes a topic with a name of its own and returns the name.
	CreateTopic func(t *testing.T, partitions int32, configs map[string]string) string

	// Recreate deletes a topic and makes one of the same name. Grow adds partitions up to a number.
	Recreate func(t *testing.T, topic string, partitions int32)
	Grow     func(t *testing.T, topic string, partitions int32)
	// Expire drops the records below offset.
	Expire func(t *testing.T, tp pipeline.TopicPartition, offset int64)
	// Truncate loses the records from offset on, as an unclean election does.
	Truncate func(t *testing.T, tp pipeline.TopicPartition, offset int64)
	// Write appends one batch with another client's writer.
	Write func(t *testing.T, tp pipeline.TopicPartition, codec string, records []pipeline.Record)
	// Transact writes one batch in a transaction of its own, and commits or aborts it.
	Transact func(t *testing.T, tp pipeline.TopicPartition, records []pipeline.Record, commit bool)
	// Compact returns once done says that the topic is compacted. Its cleanup.policy is compact.
	Compact func(t *testing.T, tp pipeline.TopicPartition, done func() bool)
	// FencesEarly: an old session is refused as soon as a newer one is open, which Kafka does not
	// do.
	FencesEarly bool
}

// Run tests what open returns, which is called once for each case.
func Run(t *testing.T, open func(t *testing.T) Env) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, e Env)
	}{
		{"content", testContent},
		{"offsets", testOffsets},
		{"fetch resumes anywhere", testResume},
		{"start", testStart},
		{"idle fetch", testIdle},
		{"long poll wakes", testWakes},
		{"cancelled", testCancel},
		{"out of range", testOutOfRange},
		{"expired", testExpired},
		{"unknown topic", testUnknown},
		{"partitions", testPartitions},
		{"describe", testDescribe},
		{"partitions side by side", testParallel},
		{"large record", testLarge},
		{"too large", testTooLarge},
		{"duplicate", testDuplicate},
		{"sequence gap", testGap},
		{"new session", testNewSession},
		{"claim fences nobody", testClaim},
		{"fenced", testFenced},
		{"fence", testFence},
		{"fence renewed", testRefresh},
		{"fence of unknown topic", testFenceUnknown},
		{"fence cancelled", testFenceCancelled},
		{"read back", testReadBack},
		{"session without a claim", testPlainSession},
		{"cluster", testCluster},
		{"codecs", testCodecs},
		{"transactions", testTransactions},
		{"interleaved transactions", testInterleaved},
		{"compacted", testCompacted},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// deadline bounds one case: nothing in the suite takes half as long.
const deadline = 2 * time.Minute

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}

// writer produces to one partition in one session, and keeps the sequence.
type writer struct {
	e       Env
	tp      pipeline.TopicPartition
	session pipeline.Session
	next    int32
}

func (e Env) topic(t *testing.T) pipeline.TopicPartition {
	t.Helper()
	return pipeline.TopicPartition{Topic: e.CreateTopic(t, 1, nil)}
}

func (e Env) open(t *testing.T) pipeline.Session {
	t.Helper()
	session, err := e.Sink.Open(within(t), e.Sessions)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return session
}

func (e Env) writer(t *testing.T, tp pipeline.TopicPartition) *writer {
	t.Helper()
	return &writer{e: e, tp: tp, session: e.open(t)}
}

// baseTime is the timestamp of the first batch. It is recent, or a broker's retention takes it.
func baseTime() int64 { return time.Now().Add(-time.Hour).Truncate(time.Millisecond).UnixNano() }

func (w *writer) batch(records ...pipeline.OutRecord) *pipeline.Batch {
	return &pipeline.Batch{
		TP: w.tp, Session: w.session, Sequence: w.next, Time: baseTime(), Records: records,
	}
}

// produce appends records as one batch and returns it with its offset.
func (w *writer) produce(t *testing.T, records ...pipeline.OutRecord) (*pipeline.Batch, int64) {
	t.Helper()
	b := w.batch(records...)
	return b, w.send(t, b)
}

func (w *writer) send(t *testing.T, b *pipeline.Batch) int64 {
	t.Helper()
	offset, err := w.e.produce(within(t), b)
	if err != nil {
		t.Fatalf("produce: %v", err)
	}
	w.next = b.Sequence + int32(len(b.Records))
	return offset
}

// produce sends b until the answer is one to act on, as the pipeline does: a topic that was made
// just now can have no leader yet.
func (e Env) produce(ctx context.Context, b *pipeline.Batch) (int64, error) {
	for {
		offset, err := e.Sink.Produce(ctx, b)
		if err == nil || ctx.Err() != nil || isNamed(err) {
			return offset, err
		}
	}
}

func isNamed(err error) bool {
	return errors.Is(err, pipeline.ErrUnknownTopic) || errors.Is(err, pipeline.ErrFenced) ||
		errors.Is(err, pipeline.ErrSequence) || errors.Is(err, pipeline.ErrTooLarge)
}

func numbered(from, n int) []pipeline.OutRecord {
	var records []pipeline.OutRecord
	for i := range n {
		records = append(records, pipeline.OutRecord{
			Key: fmt.Appendf(nil, "k%d", from+i), Value: fmt.Appendf(nil, "v%d", from+i),
		})
	}
	return records
}

// readAll fetches from offset to the end.
func readAll(t *testing.T, e Env, tp pipeline.TopicPartition, offset int64) []pipeline.Record {
	t.Helper()
	ctx := within(t)
	var all []pipeline.Record
	for {
		got, err := e.Source.Fetch(ctx, tp, offset)
		if err != nil {
			t.Fatalf("fetch from %d: %v", offset, err)
		}
		checkFetched(t, tp, offset, got)
		all = append(all, got.Records...)
		if got.Next == offset && got.End > offset {
			t.Fatalf("fetch from %d does not advance, the end is %d", offset, got.End)
		}
		if offset = got.Next; offset >= got.End {
			return all
		}
	}
}

func checkFetched(t *testing.T, tp pipeline.TopicPartition, offset int64, got pipeline.Fetched) {
	t.Helper()
	last := offset - 1
	for _, r := range got.Records {
		if r.Pos.Topic != tp.Topic || r.Pos.Partition != tp.Partition || r.Pos.Offset <= last {
			t.Fatalf("fetch of %s from %d: record at %s after offset %d", tp, offset, r.Pos, last)
		}
		last = r.Pos.Offset
	}
	if got.Next <= last || got.Next < offset || got.LogStart < 0 || got.LogStart > got.End {
		t.Fatalf("fetch of %s from %d: last record %d, next %d, log %d to %d",
			tp, offset, last, got.Next, got.LogStart, got.End)
	}
}

// values lists what records hold, for comparing.
func values(records []pipeline.Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, string(r.Value))
	}
	return out
}

func wantValues(t *testing.T, got []pipeline.Record, want ...string) {
	t.Helper()
	if !slices.Equal(values(got), want) {
		t.Errorf("values %q, want %q", values(got), want)
	}
}

// same compares bytes and tells null from empty.
func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
