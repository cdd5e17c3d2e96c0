package simlog

import (
	"slices"

	"selfsame/pipeline"
)

// Compact takes away the records below limit that a later one with their key replaces. A batch that
// is emptied stays where it is the last of its producer, with its offsets and nothing in it, and
// goes elsewhere. Markers stay.
func (b *Broker) Compact(tp pipeline.TopicPartition, limit int64) {
	p := b.must(tp)
	limit = min(limit, p.stable())
	last := map[string]int64{}
	p.eachRecord(func(r *pipeline.Record) {
		if r.Key != nil {
			last[string(r.Key)] = r.Pos.Offset
		}
	})
	p.remove(func(r *pipeline.Record) bool {
		return r.Key != nil && r.Pos.Offset < limit && last[string(r.Key)] != r.Pos.Offset
	})
}

// PurgeTombstones takes away the tombstones below limit, as compaction does once they are older
// than delete.retention.ms.
func (b *Broker) PurgeTombstones(tp pipeline.TopicPartition, limit int64) {
	b.must(tp).remove(func(r *pipeline.Record) bool {
		return r.Key != nil && r.Value == nil && r.Pos.Offset < limit
	})
}

// eachRecord visits the committed data records.
func (p *partition) eachRecord(visit func(r *pipeline.Record)) {
	for i := range p.batches {
		if !p.readable(&p.batches[i]) {
			continue
		}
		for j := range p.batches[i].records {
			visit(&p.batches[i].records[j])
		}
	}
}

// remove takes records away and leaves the batches that have to stay.
func (p *partition) remove(gone func(r *pipeline.Record) bool) {
	last := map[int64]int64{} // base of the last batch of each producer
	for _, b := range p.batches {
		last[b.producer.ID] = b.base
	}
	kept := make([]batch, 0, len(p.batches))
	for _, b := range p.batches {
		if !b.control && p.readable(&b) {
			b.records = slices.DeleteFunc(slices.Clone(b.records), func(r pipeline.Record) bool {
				return gone(&r)
			})
		}
		stays := b.producer.ID >= 0 && last[b.producer.ID] == b.base
		if len(b.records) > 0 || stays {
			kept = append(kept, b)
		}
	}
	p.batches = kept
}

// DeleteRecords moves the start of a log up to offset, as retention and the request do. Leaders go
// on knowing the producers.
func (b *Broker) DeleteRecords(tp pipeline.TopicPartition, offset int64) {
	p := b.must(tp)
	p.start = min(max(p.start, offset), p.end)
	p.batches = slices.DeleteFunc(slices.Clone(p.batches), func(b batch) bool {
		return b.last < p.start
	})
	for i := range p.batches {
		p.batches[i].records = slices.DeleteFunc(slices.Clone(p.batches[i].records),
			func(r pipeline.Record) bool { return r.Pos.Offset < p.start })
	}
}

// Elect gives a partition another leader, which has the whole log.
func (b *Broker) Elect(tp pipeline.TopicPartition) {
	p := b.must(tp)
	p.epoch++
	p.relearn()
	p.expireProducers(b.now - int64(b.o.ProducerExpiry))
}

// Truncate gives a partition a leader that had not got what lies from offset on: an unclean
// election. Batches are lost whole.
func (b *Broker) Truncate(tp pipeline.TopicPartition, offset int64) {
	p := b.must(tp)
	for i := range p.batches {
		if p.batches[i].last >= offset {
			p.batches = slices.Clone(p.batches[:i])
			break
		}
	}
	p.end = p.start
	if n := len(p.batches); n > 0 {
		p.end = p.batches[n-1].last + 1
	}
	p.aborted = slices.DeleteFunc(p.aborted, func(r abortedRange) bool { return r.last >= p.end })
	for id, first := range p.open {
		if first >= p.end {
			delete(p.open, id)
		}
	}
	b.Elect(tp)
}

// Transaction is what a transactional producer of input does.
type Transaction struct {
	b       *Broker
	session pipeline.Session
	touched []pipeline.TopicPartition
}

// Begin starts a transaction of a producer of its own.
func (b *Broker) Begin() *Transaction {
	return &Transaction{b: b, session: pipeline.Session{ID: b.producerID()}}
}

// Append adds records that count once the transaction is committed.
func (t *Transaction) Append(tp pipeline.TopicPartition, records ...pipeline.Record) {
	p := t.b.must(tp)
	base := p.append(batch{producer: t.session, transactional: true}, t.b.stamped(records))
	p.learn(written{session: t.session, base: base, next: p.end, time: t.b.now})
	if !slices.Contains(t.touched, tp) {
		t.touched = append(t.touched, tp)
	}
}

// End commits or aborts: a marker in every partition that was written to.
func (t *Transaction) End(commit bool) {
	for _, tp := range t.touched {
		_ = t.b.must(tp).mark(t.session, commit, t.b.now) // its producer has no other session
	}
}
