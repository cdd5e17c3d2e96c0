package memlog

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"selfsame/pipeline"
)

// partition is one log. The Log's lock guards it.
type partition struct {
	start, end int64
	epoch      int32 // of the leader
	records    []pipeline.Record
	producers  map[int64][]batch // what each producer with a session has written and is left
	changed    chan struct{}
}

// batch is what a partition leader remembers of a batch to tell its like again.
type batch struct {
	session     pipeline.Session
	first, last int32 // sequence numbers
	base, next  int64 // offsets
}

// window is how many batches of a producer a leader can tell again.
const window = 5

// noProducer is the batch of a writer without a session.
var noProducer = batch{session: pipeline.Session{ID: -1, Epoch: -1}}

func newPartition() *partition {
	return &partition{changed: make(chan struct{}), producers: map[int64][]batch{}}
}

// wake ends the waiting of fetches.
func (p *partition) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *partition) append(tp pipeline.TopicPartition, b batch, records []pipeline.Record) int64 {
	base := p.end
	for _, r := range records {
		r.Pos = position(tp, p.end)
		r.LeaderEpoch = p.epoch
		r.Time = milliseconds(r.Time)
		p.records = append(p.records, r)
		p.end++
	}
	if b.session.ID >= 0 {
		b.base, b.next = base, p.end
		p.producers[b.session.ID] = append(p.producers[b.session.ID], b)
	}
	p.wake()
	return base
}

// milliseconds rounds a time in nanoseconds down to what Kafka keeps.
func milliseconds(nanos int64) int64 {
	const milli = int64(time.Millisecond)
	return nanos - (nanos%milli+milli)%milli
}

// produce appends a batch as a leader does: checked against what its producer has written here.
func (p *partition) produce(b *pipeline.Batch) (int64, error) {
	mine := p.producers[b.Session.ID]
	mine = mine[max(0, len(mine)-window):]
	id := batch{
		session: b.Session, first: b.Sequence, last: advance(b.Sequence, len(b.Records)-1),
	}
	if len(mine) > 0 && mine[len(mine)-1].session.Epoch > b.Session.Epoch {
		return 0, fmt.Errorf("%w: epoch %d of producer %d has written to %s", pipeline.ErrFenced,
			mine[len(mine)-1].session.Epoch, b.Session.ID, b.TP)
	}
	expected := int32(0)
	for _, w := range mine {
		if w.session.Epoch != b.Session.Epoch {
			continue
		}
		if w.first == id.first && w.last == id.last {
			return w.base, nil
		}
		expected = advance(w.last, 1)
	}
	if b.Sequence != expected {
		return 0, fmt.Errorf("%w: %d in %s, %d was expected", pipeline.ErrSequence,
			b.Sequence, b.TP, expected)
	}
	return p.append(b.TP, id, outRecords(b)), nil
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

func (p *partition) fetch(offset int64, limit int) pipeline.Fetched {
	from := p.index(offset)
	to := min(len(p.records), from+limit)
	got := pipeline.Fetched{
		Records: slices.Clone(p.records[from:to]), Next: p.end, LogStart: p.start, End: p.end,
	}
	if to < len(p.records) {
		got.Next = p.records[to-1].Pos.Offset + 1
	}
	return got
}

// index returns where the first record at offset or later lies.
func (p *partition) index(offset int64) int {
	return sort.Search(len(p.records), func(i int) bool {
		return p.records[i].Pos.Offset >= offset
	})
}

func (p *partition) resolve(start pipeline.Start) (int64, error) {
	switch start.Kind {
	case pipeline.StartEarliest:
		return p.start, nil
	case pipeline.StartLatest:
		return p.end, nil
	case pipeline.StartTime:
		for _, r := range p.records {
			if r.Time >= milliseconds(start.At.UnixNano()) {
				return r.Pos.Offset, nil
			}
		}
		return p.end, nil
	}
	return 0, fmt.Errorf("unknown start kind %d", start.Kind)
}

func (p *partition) expire(offset int64) {
	p.start = min(max(p.start, offset), p.end)
	p.records = slices.Clone(p.records[p.index(p.start):])
	p.wake()
}

func (p *partition) truncate(offset int64) {
	p.end = max(p.start, min(p.end, offset))
	p.records = slices.Clone(p.records[:p.index(p.end)])
	for id, bs := range p.producers {
		p.producers[id] = slices.DeleteFunc(bs, func(b batch) bool { return b.next > p.end })
	}
	p.epoch++
	p.wake()
}

func (p *partition) compact() {
	last := map[string]int64{}
	for _, r := range p.records {
		if r.Key != nil {
			last[string(r.Key)] = r.Pos.Offset
		}
	}
	p.records = slices.DeleteFunc(slices.Clone(p.records), func(r pipeline.Record) bool {
		return r.Key != nil && last[string(r.Key)] != r.Pos.Offset
	})
}
