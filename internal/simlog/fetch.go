package simlog

import (
	"slices"

	"selfsame/pipeline"
)

// stable is the last stable offset: what lies below belongs to no open transaction.
func (p *partition) stable() int64 {
	stable := p.end
	for _, first := range p.open {
		stable = min(stable, first)
	}
	return stable
}

// readable reports whether b holds data that was not aborted.
func (p *partition) readable(b *batch) bool {
	if b.control {
		return false
	}
	return !b.transactional || !slices.ContainsFunc(p.aborted, func(r abortedRange) bool {
		return r.producer == b.producer.ID && r.first <= b.base && b.last < r.last
	})
}

// fetch reads data records from offset up to end. A batch is read whole, so that more than limit
// can come; records below offset are left out, and so are those of aborted transactions.
func (p *partition) fetch(offset, end int64, limit int) (pipeline.Fetched, error) {
	if offset < p.start || offset > p.end {
		return pipeline.Fetched{}, &pipeline.OutOfRangeError{
			TP: p.tp, Offset: offset, LogStart: p.start, End: p.end,
		}
	}
	got := pipeline.Fetched{Next: offset, LogStart: p.start, End: end, Topic: p.id}
	for i := range p.batches {
		b := &p.batches[i]
		switch {
		case b.last < offset:
			continue
		case b.base >= got.End, len(got.Records) >= limit:
			return got, nil
		}
		got.Next = b.last + 1
		if !p.readable(b) {
			continue
		}
		for _, r := range b.records {
			if r.Pos.Offset >= offset {
				got.Records = append(got.Records, r)
			}
		}
	}
	return got, nil
}

// resolve finds the offset of a start position.
func (p *partition) resolve(start pipeline.Start) int64 {
	switch start.Kind {
	case pipeline.StartEarliest:
		return p.start
	case pipeline.StartTime:
		return p.since(start.At.UnixNano())
	}
	return p.end
}

// since finds the first record of a time or later.
func (p *partition) since(time int64) int64 {
	for i := range p.batches {
		for _, r := range p.batches[i].records {
			if r.Time >= time && r.Pos.Offset >= p.start {
				return r.Pos.Offset
			}
		}
	}
	return p.end
}
