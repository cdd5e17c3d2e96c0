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
	producers  map[int64]*producer // by id, of those that have a session
	changed    chan struct{}
}

// producer is what a partition leader knows of a producer: the epoch of what was last appended
// for it, be it a batch or a marker, and its last batches in that epoch.
type producer struct {
	epoch   int16
	from    int64 // where the epoch began here
	batches []batch
}

// batch is what a partition leader remembers of a batch to tell its like again.
type batch struct {
	first, last int32 // sequence numbers
	base, next  int64 // offsets
}

// window is how many batches of a producer a leader can tell again.
const window = 5

func newPartition() *partition {
	return &partition{changed: make(chan struct{}), producers: map[int64]*producer{}}
}

// wake ends the waiting of fetches.
func (p *partition) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *partition) append(tp pipeline.TopicPartition, records []pipeline.Record) int64 {
	base := p.end
	for _, r := range records {
		r.Pos = position(tp, p.end)
		r.LeaderEpoch = p.epoch
		r.Time = milliseconds(r.Time)
		p.records = append(p.records, r)
		p.end++
	}
	p.wake()
	return base
}

// milliseconds rounds a time in nanoseconds down to what Kafka keeps.
func milliseconds(nanos int64) int64 {
	const milli = int64(time.Millisecond)
	return nanos - (nanos%milli+milli)%milli
}

// produce appends a batch as a leader does: checked against what was appended for its producer
// here, and against nothing else.
func (p *partition) produce(b *pipeline.Batch) (int64, error) {
	next := batch{first: b.Sequence, last: advance(b.Sequence, len(b.Records)-1)}
	mine := p.producers[b.Session.ID]
	if mine != nil && mine.epoch > b.Session.Epoch {
		return 0, fmt.Errorf("%w: epoch %d of producer %d has written to %s", pipeline.ErrFenced,
			mine.epoch, b.Session.ID, b.TP)
	}
	if mine == nil || mine.epoch < b.Session.Epoch {
		mine = &producer{epoch: b.Session.Epoch, from: p.end}
	}
	expected := int32(0)
	for _, w := range mine.batches[max(0, len(mine.batches)-window):] {
		if w.first == next.first && w.last == next.last {
			return w.base, nil
		}
		expected = advance(w.last, 1)
	}
	if b.Sequence != expected {
		return 0, fmt.Errorf("%w: %d in %s, %d was expected", pipeline.ErrSequence,
			b.Sequence, b.TP, expected)
	}
	next.base = p.append(b.TP, outRecords(b))
	next.next = p.end
	mine.batches = append(mine.batches, next)
	p.producers[b.Session.ID] = mine
	return next.base, nil
}

// mark appends the marker that ends a transaction of a session: an offset that no reader sees, and
// the epoch that from now on is the least that may write here.
func (p *partition) mark(s pipeline.Session) {
	if mine := p.producers[s.ID]; mine == nil || mine.epoch < s.Epoch {
		p.producers[s.ID] = &producer{epoch: s.Epoch, from: p.end}
	}
	p.end++
	p.wake()
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
	for id, mine := range p.producers {
		mine.batches = slices.DeleteFunc(mine.batches, func(b batch) bool { return b.next > p.end })
		if mine.from >= p.end {
			delete(p.producers, id)
		}
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
