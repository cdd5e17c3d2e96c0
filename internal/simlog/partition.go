package simlog

import (
	"math"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// partition is one log with what its leader knows.
type partition struct {
	tp         pipeline.TopicPartition
	id         store.TopicID
	start, end int64
	epoch      int32 // of the leader
	batches    []batch
	producers  map[int64]*producer
	history    []written       // every batch and marker of a producer: what a new leader learns
	open       map[int64]int64 // first offset of the transactions that are open, by producer
	aborted    []abortedRange
	tap        tap // may be nil
}

type tap func(tp pipeline.TopicPartition, records []pipeline.Record)

// batch is a record batch. Compaction can take its records and leave it.
type batch struct {
	base, last    int64 // offsets
	epoch         int32 // of the leader that appended it
	producer      pipeline.Session
	first, final  int32 // sequence numbers
	transactional bool
	control       bool // a marker
	records       []pipeline.Record
}

// noProducer is the session of batches without one. It is also what a fresh claim expects.
var noProducer = pipeline.Session{ID: -1, Epoch: -1}

// abortedRange says that what a producer appended between two offsets was aborted.
type abortedRange struct {
	producer    int64
	first, last int64
}

func newPartition(tp pipeline.TopicPartition, tap tap) *partition {
	return &partition{tp: tp, tap: tap, producers: map[int64]*producer{}, open: map[int64]int64{}}
}

// append adds b with records and returns its offset. Whether it may be appended was asked before.
func (p *partition) append(b batch, records []pipeline.Record) int64 {
	b.base, b.epoch = p.end, p.epoch
	b.last = p.end + int64(len(records)) - 1
	for i, r := range records {
		r.Pos = profile.Position{Topic: p.tp.Topic, Partition: p.tp.Partition,
			Offset: b.base + int64(i)}
		r.LeaderEpoch = p.epoch
		r.Time = r.Time / 1e6 * 1e6 // Kafka keeps milliseconds
		b.records = append(b.records, r)
	}
	p.end = b.last + 1
	p.batches = append(p.batches, b)
	if p.tap != nil && !b.control {
		p.tap(p.tp, b.records)
	}
	if _, open := p.open[b.producer.ID]; b.transactional && !open {
		p.open[b.producer.ID] = b.base
	}
	return b.base
}

// produce appends a batch as a leader does: checked against what it knows of the producer.
func (p *partition) produce(b *pipeline.Batch, now int64) (int64, error) {
	w := written{session: b.Session, first: b.Sequence, time: now,
		final: advance(b.Sequence, len(b.Records)-1)}
	if known := p.producers[b.Session.ID]; known != nil {
		if base, again := known.duplicate(w); again {
			return base, nil
		}
		if err := known.check(w); err != nil {
			return 0, err
		}
	}
	w.base = p.append(batch{producer: w.session, first: w.first, final: w.final}, outRecords(b))
	w.next = p.end
	p.learn(w)
	return w.base, nil
}

// mark ends a transaction of a session here, or just raises its epoch where it has written nothing.
func (p *partition) mark(s pipeline.Session, commit bool, now int64) error {
	if known := p.producers[s.ID]; known != nil && s.Epoch < known.epoch {
		return InvalidProducerEpoch
	}
	marker := pipeline.Record{Time: now, Key: []byte{0, 0, 0, 0}, Value: make([]byte, 6)}
	base := p.append(batch{producer: s, first: -1, final: -1, control: true},
		[]pipeline.Record{marker})
	if first, open := p.open[s.ID]; open {
		delete(p.open, s.ID)
		if !commit {
			p.aborted = append(p.aborted, abortedRange{s.ID, first, base})
		}
	}
	p.learn(written{session: s, marker: true, base: base, next: p.end, time: now})
	return nil
}

// advance counts sequence numbers, which begin at 0 again after the greatest.
func advance(sequence int32, n int) int32 {
	return int32((int64(sequence) + int64(n)) & math.MaxInt32)
}

func outRecords(b *pipeline.Batch) []pipeline.Record {
	records := make([]pipeline.Record, len(b.Records))
	for i, r := range b.Records {
		records[i] = pipeline.Record{Time: b.Time, Key: r.Key, Value: r.Value, Headers: r.Headers}
	}
	return records
}
