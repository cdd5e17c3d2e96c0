package simlog

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"selfsame/pipeline"
)

var (
	p0 = pipeline.TopicPartition{Topic: "t"}
	p1 = pipeline.TopicPartition{Topic: "t", Partition: 1}
)

func newBroker() *Broker {
	b := New(Options{Now: 1_700_000_000_000_000_000})
	b.CreateTopic("t", 2)
	return b
}

func batchOf(s pipeline.Session, sequence int32, keys ...string) *pipeline.Batch {
	return batchIn(p0, s, sequence, keys...)
}

func batchIn(tp pipeline.TopicPartition, s pipeline.Session, sequence int32, keys ...string) (
	b *pipeline.Batch) {
	b = &pipeline.Batch{TP: tp, Session: s, Sequence: sequence}
	for _, k := range keys {
		b.Records = append(b.Records, pipeline.OutRecord{Key: []byte(k), Value: []byte(k)})
	}
	return b
}

func keys(rs []pipeline.Record) string {
	var text string
	for _, r := range rs {
		text += string(r.Key)
	}
	return text
}

func (b *Broker) want(t *testing.T, tp pipeline.TopicPartition, want string) {
	t.Helper()
	if got := keys(b.Records(tp)); got != want {
		t.Errorf("%s holds %q, want %q", tp, got, want)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

// claim opens a session and fails the test where it cannot.
func claim(t *testing.T, s *Sink) pipeline.Session {
	t.Helper()
	session, err := s.Open(t.Context(), "id")
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// TestClaimFencesNothing is the hole that a fence has to close: after a claim by a second owner the
// first one's batches are still accepted, until the second has written to the partition itself.
func TestClaimFencesNothing(t *testing.T) {
	b := newBroker()
	s := b.Client(ClientOptions{}).Sink()
	first := claim(t, s)
	_, err := s.Produce(t.Context(), batchOf(first, 0, "a"))
	wantError(t, err, nil)
	second := claim(t, s)
	if second.ID != first.ID || second.Epoch != first.Epoch+1 {
		t.Fatalf("claims %+v, %+v", first, second)
	}
	_, err = s.Produce(t.Context(), batchOf(first, 1, "b"))
	wantError(t, err, nil)
	_, err = s.Produce(t.Context(), batchOf(second, 0, "c"))
	wantError(t, err, nil)
	_, err = s.Produce(t.Context(), batchOf(first, 2, "d"))
	wantError(t, err, pipeline.ErrFenced)
	_, err = s.Produce(t.Context(), batchIn(p1, first, 0, "e")) // never written to by the second
	wantError(t, err, nil)
	b.want(t, p0, "abc")
	b.want(t, p1, "e")
}

// TestFence: once it has returned, the first owner is refused everywhere; until its markers are
// written it does not return, and the first owner can still write.
func TestFence(t *testing.T) {
	b := newBroker()
	old := b.Client(ClientOptions{}).Sink()
	first := claim(t, old)
	waits := 0
	s := b.Client(ClientOptions{Pause: func(context.Context, time.Duration) error {
		waits++
		if waits == 3 { // one marker is out, the other not
			b.Mark(b.Markers()[0])
			_, err := old.Produce(t.Context(), batchOf(first, 0, "a"))
			wantError(t, err, pipeline.ErrFenced)
			_, err = old.Produce(t.Context(), batchIn(p1, first, 0, "b"))
			wantError(t, err, nil)
		}
		if waits == 5 {
			b.Mark(b.Markers()[0])
		}
		return nil
	}}).Sink()
	second, err := s.Fence(t.Context(), "id", noProducer, []pipeline.TopicPartition{p0, p1})
	wantError(t, err, nil)
	if waits != 5 || second.Epoch != first.Epoch+2 {
		t.Errorf("%d waits, session %+v after %+v", waits, second, first)
	}
	for _, tp := range []pipeline.TopicPartition{p0, p1} {
		_, err := old.Produce(t.Context(), batchIn(tp, first, 1, "x"))
		wantError(t, err, pipeline.ErrFenced)
		_, err = s.Produce(t.Context(), batchIn(tp, second, 0, "c"))
		wantError(t, err, nil)
	}
	b.want(t, p0, "c")
	b.want(t, p1, "bc")
	_, err = old.Fence(t.Context(), "id", first, []pipeline.TopicPartition{p0})
	wantError(t, err, pipeline.ErrFenced)
}

// TestSequences is what a leader answers to a batch, given what it knows.
func TestSequences(t *testing.T) {
	s0, s1 := pipeline.Session{ID: 7}, pipeline.Session{ID: 7, Epoch: 1}
	written := []*pipeline.Batch{batchOf(s0, 0, "a"), batchOf(s0, 1, "b", "c"), batchOf(s0, 3, "d"),
		batchOf(s0, 4, "e"), batchOf(s0, 5, "f"), batchOf(s0, 6, "g")}
	for name, c := range map[string]struct {
		batch  *pipeline.Batch
		offset int64
		err    error
	}{
		"next":                    {batchOf(s0, 7, "x"), 7, nil},
		"gap":                     {batchOf(s0, 8, "x"), 0, pipeline.ErrSequence},
		"again":                   {batchOf(s0, 1, "b", "c"), 1, nil},
		"again, of other size":    {batchOf(s0, 1, "b"), 0, pipeline.ErrSequence},
		"again, too old":          {batchOf(s0, 0, "a"), 0, pipeline.ErrSequence},
		"new epoch":               {batchOf(s1, 0, "x"), 7, nil},
		"new epoch, not from 0":   {batchOf(s1, 7, "x"), 0, pipeline.ErrSequence},
		"unknown, with any start": {batchOf(pipeline.Session{ID: 8, Epoch: 3}, 9, "x"), 7, nil},
	} {
		b := newBroker()
		s := b.Client(ClientOptions{}).Sink()
		for _, w := range written {
			_, err := s.Produce(t.Context(), w)
			wantError(t, err, nil)
		}
		offset, err := s.Produce(t.Context(), c.batch)
		if offset != c.offset || !errors.Is(err, c.err) {
			t.Errorf("%s: offset %d, error %v", name, offset, err)
		}
	}
}

func TestSequenceWraps(t *testing.T) {
	b := newBroker()
	s := b.Client(ClientOptions{}).Sink()
	session := pipeline.Session{ID: 7}
	for _, batch := range []*pipeline.Batch{
		batchOf(session, math.MaxInt32-1, "a"), batchOf(session, math.MaxInt32, "b", "c"),
		batchOf(session, 1, "d"),
	} {
		_, err := s.Produce(t.Context(), batch)
		wantError(t, err, nil)
	}
	b.want(t, p0, "abcd")
}

// TestExpiredProducer: a leader that has forgotten a producer takes its old epoch again.
func TestExpiredProducer(t *testing.T) {
	b := newBroker()
	s := b.Client(ClientOptions{}).Sink()
	old, now := pipeline.Session{ID: 7}, pipeline.Session{ID: 7, Epoch: 1}
	_, err := s.Produce(t.Context(), batchOf(now, 0, "a"))
	wantError(t, err, nil)
	b.Advance(23 * time.Hour)
	_, err = s.Produce(t.Context(), batchOf(old, 5, "b"))
	wantError(t, err, pipeline.ErrFenced)
	b.Advance(2 * time.Hour)
	_, err = s.Produce(t.Context(), batchOf(old, 5, "c"))
	wantError(t, err, nil)
	b.want(t, p0, "ac")
}

// TestCoordinator is a table of what it answers in which state.
func TestCoordinator(t *testing.T) {
	b := newBroker()
	fresh := noProducer
	s0, err := b.InitProducerID("id", fresh)
	wantError(t, err, nil)
	wantError(t, b.EndTxn("id", s0, false), InvalidTxnState)
	wantError(t, b.AddPartitionsToTxn("id", s0, []pipeline.TopicPartition{p0}), nil)
	wantError(t, b.AddPartitionsToTxn("other", s0, nil), InvalidProducerIDMapping)

	_, err = b.InitProducerID("id", fresh) // aborts what is open, under an epoch of its own
	wantError(t, err, ConcurrentTransactions)
	wantError(t, b.EndTxn("id", s0, false), ProducerFenced)
	_, err = b.InitProducerID("id", fresh)
	wantError(t, err, ConcurrentTransactions)
	b.Mark(Marker{"id", p0})
	s2, err := b.InitProducerID("id", fresh)
	wantError(t, err, nil)
	if s2.Epoch != 2 {
		t.Errorf("epoch %d", s2.Epoch)
	}

	s3, err := b.InitProducerID("id", s2)
	wantError(t, err, nil)
	again, err := b.InitProducerID("id", s2) // the reply was lost
	if wantError(t, err, nil); again != s3 {
		t.Errorf("a repeated claim gives %+v, not %+v", again, s3)
	}
	_, err = b.InitProducerID("id", s0)
	wantError(t, err, ProducerFenced)
	_, err = b.InitProducerID("id", pipeline.Session{ID: 1, Epoch: 3})
	wantError(t, err, ProducerFenced)

	wantError(t, b.AddPartitionsToTxn("id", s3, []pipeline.TopicPartition{p0, p1}), nil)
	wantError(t, b.EndTxn("id", s3, false), nil)
	wantError(t, b.EndTxn("id", s3, false), ConcurrentTransactions)
	wantError(t, b.EndTxn("id", s3, true), InvalidTxnState)
	for _, m := range b.Markers() {
		b.Mark(m)
	}
	wantError(t, b.EndTxn("id", s3, false), nil)
}

// TestEpochsRunOut: the id gets another producer id, which fences nobody of the old one.
func TestEpochsRunOut(t *testing.T) {
	b := newBroker()
	var s pipeline.Session
	for range exhausted + 1 {
		s, _ = b.InitProducerID("id", noProducer)
	}
	if s.Epoch != exhausted {
		t.Fatalf("epoch %d", s.Epoch)
	}
	next, err := b.InitProducerID("id", s)
	if err != nil || next.ID == s.ID || next.Epoch != 0 {
		t.Errorf("after the last epoch: %+v, %v", next, err)
	}
}

// TestTimeout: a transaction that nobody ends is aborted under a higher epoch.
func TestTimeout(t *testing.T) {
	b := newBroker()
	s, _ := b.InitProducerID("id", noProducer)
	wantError(t, b.AddPartitionsToTxn("id", s, []pipeline.TopicPartition{p0}), nil)
	b.Advance(2 * time.Minute)
	if n := len(b.Markers()); n != 1 {
		t.Fatalf("%d markers wait", n)
	}
	wantError(t, b.EndTxn("id", s, false), ProducerFenced)
}

// TestFates: what the sender learns, what lies in the log at once, and once all has arrived.
func TestFates(t *testing.T) {
	for fate, c := range map[Fate]struct {
		err        error
		now, later string
	}{
		Deliver:   {nil, "a", "a"},
		Lose:      {RequestTimedOut, "", ""},
		LoseReply: {RequestTimedOut, "a", "a"},
		Delay:     {RequestTimedOut, "", "a"},
		Duplicate: {nil, "a", "a"},
	} {
		b := newBroker()
		client := b.Client(ClientOptions{Fate: func(*Request) Fate { return fate }})
		_, err := client.Sink().Produce(t.Context(), batchOf(pipeline.Session{ID: 7}, 0, "a"))
		wantError(t, err, c.err)
		b.want(t, p0, c.now)
		client.Kill()
		_, err = client.Sink().Produce(t.Context(), batchOf(pipeline.Session{ID: 7}, 1, "b"))
		wantError(t, err, errGone)
		for len(b.InFlight()) > 0 {
			b.Arrive(0)
		}
		b.want(t, p0, c.later)
	}
}

// TestTruncate: an unclean election loses records and what was known of their producer.
func TestTruncate(t *testing.T) {
	b := newBroker()
	s := b.Client(ClientOptions{}).Sink()
	session := pipeline.Session{ID: 7}
	for i, k := range []string{"a", "b", "c"} {
		_, err := s.Produce(t.Context(), batchOf(session, int32(i), k))
		wantError(t, err, nil)
	}
	b.Truncate(p0, 1)
	var gone *pipeline.OutOfRangeError
	_, err := b.Client(ClientOptions{}).Fetch(t.Context(), p0, 3)
	if !errors.As(err, &gone) || gone.End != 1 {
		t.Errorf("fetch past the end: %v", err)
	}
	_, err = s.Produce(t.Context(), batchOf(session, 3, "d"))
	wantError(t, err, pipeline.ErrSequence)
	_, err = s.Produce(t.Context(), batchOf(session, 1, "e"))
	wantError(t, err, nil)
	rs := b.Records(p0)
	if keys(rs) != "ae" || rs[0].LeaderEpoch != 0 || rs[1].LeaderEpoch != 1 {
		t.Errorf("records %+v", rs)
	}
}

// fetchAll reads a log in steps; it fails the test where it does not get on.
func fetchAll(t *testing.T, b *Broker, tp pipeline.TopicPartition) (text string, next int64) {
	t.Helper()
	next, _ = b.Bounds(tp)
	for {
		got, err := b.Client(ClientOptions{}).Fetch(t.Context(), tp, next)
		if err != nil {
			t.Fatal(err)
		}
		text += keys(got.Records)
		if got.Next == next {
			return text, next
		}
		next = got.Next
	}
}

// TestReadCommitted: markers and aborted records are passed by, an open transaction holds up.
func TestReadCommitted(t *testing.T) {
	b := newBroker()
	record := func(k string) pipeline.Record { return pipeline.Record{Key: []byte(k)} }
	aborted, committed, left := b.Begin(), b.Begin(), b.Begin()
	b.Append(p0, record("a"))
	aborted.Append(p0, record("b"))
	committed.Append(p0, record("c"), record("d"))
	if text, next := fetchAll(t, b, p0); text != "a" || next != 1 {
		t.Errorf("behind an open transaction: %q, next %d", text, next)
	}
	aborted.End(false)
	committed.End(true)
	left.Append(p0, record("e"))
	b.Append(p0, record("f"))
	if text, next := fetchAll(t, b, p0); text != "acd" || next != 6 {
		t.Errorf("%q, next %d", text, next)
	}
	left.End(true)
	if text, next := fetchAll(t, b, p0); text != "acdef" || next != 9 {
		t.Errorf("at the end: %q, next %d", text, next)
	}
}

// TestCompact: what is replaced goes; of a producer its last batch stays, emptied; readers get on.
func TestCompact(t *testing.T) {
	b := newBroker()
	s := b.Client(ClientOptions{}).Sink()
	for i, batch := range [][]string{{"a", "b"}, {"b"}, {"a"}} {
		first := []int32{0, 2, 3}[i]
		_, err := s.Produce(t.Context(), batchOf(pipeline.Session{ID: 7}, first, batch...))
		wantError(t, err, nil)
	}
	b.Append(p0, pipeline.Record{Key: []byte("a")}, pipeline.Record{Key: []byte("b")})
	b.Compact(p0, 4)
	if text, next := fetchAll(t, b, p0); text != "ab" || next != 6 {
		t.Errorf("%q, next %d", text, next)
	}
	if p := b.must(p0); len(p.batches) != 2 || len(p.batches[0].records) != 0 {
		t.Errorf("batches %+v", p.batches)
	}
	_, err := s.Produce(t.Context(), batchOf(pipeline.Session{ID: 7}, 4, "c"))
	wantError(t, err, nil)
	b.PurgeTombstones(p0, 6)
	b.want(t, p0, "c")
}

func TestDeleteRecordsAndRecreate(t *testing.T) {
	b := newBroker()
	c := b.Client(ClientOptions{})
	b.Append(p0, make([]pipeline.Record, 4)...)
	b.DeleteRecords(p0, 3)
	var gone *pipeline.OutOfRangeError
	_, err := c.Fetch(t.Context(), p0, 1)
	if !errors.As(err, &gone) || gone.LogStart != 3 {
		t.Errorf("fetch of what has expired: %v", err)
	}
	at := pipeline.Start{Kind: pipeline.StartEarliest}
	if offset, err := c.Offset(t.Context(), p0, at); err != nil || offset != 3 {
		t.Errorf("earliest: %d, %v", offset, err)
	}
	first, err := c.Describe(t.Context(), "t")
	wantError(t, err, nil)
	b.CreateTopic("t", 1)
	if _, end := b.Bounds(p0); end != 0 {
		t.Errorf("a recreated topic ends at %d", end)
	}
	b.AddPartitions("t", 3)
	topic, err := c.Describe(t.Context(), "t")
	if err != nil || !slices.Equal(topic.Partitions, []int32{0, 1, 2}) || topic.ID == first.ID {
		t.Errorf("%+v, %v; it was %+v", topic, err, first)
	}
	_, err = c.Describe(t.Context(), "none")
	wantError(t, err, pipeline.ErrUnknownTopic)
}
