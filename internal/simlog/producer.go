package simlog

import "selfsame/pipeline"

// producer is what a leader knows of one producer id: ProducerStateEntry.
type producer struct {
	epoch  int16
	recent []written // the last batches of this epoch, oldest first
	time   int64     // of the last batch or marker
}

// written is one batch or marker of a producer.
type written struct {
	session      pipeline.Session
	first, final int32 // sequence numbers
	base, next   int64 // offsets
	marker       bool
	time         int64
}

// window is how many batches of a producer a leader can tell again: NUM_BATCHES_TO_RETAIN.
const window = 5

// duplicate finds a batch that is already there: of the same epoch, from and to the same sequence.
func (e *producer) duplicate(w written) (base int64, again bool) {
	for _, r := range e.recent {
		if r.session == w.session && r.first == w.first && r.final == w.final {
			return r.base, true
		}
	}
	return 0, false
}

// check is ProducerAppendInfo.maybeValidateDataBatch.
func (e *producer) check(w written) error {
	switch {
	case w.session.Epoch < e.epoch:
		return InvalidProducerEpoch
	case w.session.Epoch > e.epoch:
		if w.first != 0 {
			return OutOfOrderSequence
		}
		return nil
	}
	last := int32(-1)
	if n := len(e.recent); n > 0 {
		last = e.recent[n-1].final
	}
	if w.first != advance(last, 1) {
		return OutOfOrderSequence
	}
	return nil
}

// learn takes a batch or marker into the leader's knowledge, and into the history that a later
// leader builds its own from.
func (p *partition) learn(w written) {
	p.history = append(p.history, w)
	p.take(w)
}

func (p *partition) take(w written) {
	e := p.producers[w.session.ID]
	if e == nil {
		e = &producer{epoch: w.session.Epoch}
		p.producers[w.session.ID] = e
	}
	if w.session.Epoch != e.epoch {
		e.epoch, e.recent = w.session.Epoch, nil
	}
	if !w.marker {
		e.recent = append(e.recent[max(0, len(e.recent)+1-window):len(e.recent):len(e.recent)], w)
	}
	e.time = w.time
}

// expireProducers forgets the producers that have not written since a time, unless a transaction
// of theirs is open.
func (p *partition) expireProducers(since int64) {
	for id, e := range p.producers {
		if _, open := p.open[id]; !open && e.time < since {
			delete(p.producers, id)
		}
	}
}

// relearn makes the knowledge of a new leader, from what is left of the history.
func (p *partition) relearn() {
	clear(p.producers)
	kept := p.history[:0]
	for _, w := range p.history {
		if w.next <= p.end {
			kept = append(kept, w)
			p.take(w)
		}
	}
	p.history = kept
}
