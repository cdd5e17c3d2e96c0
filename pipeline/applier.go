package pipeline

import "time"

// idleInterval is how often the applier looks for acknowledgements to forget when nothing arrives.
const idleInterval = time.Second

// apply commits what arrives until the readers have ended.
func (p *Pipeline) apply() error {
	defer close(p.applied)
	idle := time.NewTicker(idleInterval)
	defer idle.Stop()
	for {
		chunks, open := p.next(idle.C)
		if !open {
			return nil
		}
		if err := p.commit(chunks); err != nil {
			return err
		}
	}
}

// commit commits chunks, in several commits where they are much work, and with each a step of a
// background job where it is its turn. Where there is nothing to do it makes none.
func (p *Pipeline) commit(chunks []Chunk) error {
	for {
		start := time.Now()
		units := 0
		if p.Shard.HasJobs() {
			units = p.pace.units(start, len(chunks) > 0, p.Shard.store.OutboxDepth())
		}
		if len(chunks) == 0 && units == 0 && p.Shard.Idle() && !p.Shard.Due(start.UnixNano()) {
			return nil
		}
		rest, err := p.Shard.ApplySome(chunks, start.UnixNano(), units)
		if err != nil {
			return err
		}
		end := time.Now()
		p.Shard.stats.commit(end.Sub(start))
		if units > 0 {
			p.pace.took(start, end)
		}
		if len(rest) == 0 {
			return nil
		}
		chunks = rest
	}
}

// next waits for records, a tick or background work to go on with. It does an errand that comes up.
// open is false once the readers have ended and all they brought is applied.
func (p *Pipeline) next(tick <-chan time.Time) (chunks []Chunk, open bool) {
	now := time.Now()
	wait := p.Shard.untilDue(now.UnixNano())
	if p.Shard.HasJobs() {
		wait = min(wait, p.pace.wait(now, p.Shard.store.OutboxDepth()))
	}
	due := time.NewTimer(wait)
	defer due.Stop()
	select { // records come before what is due: that gets its turn in their commit
	case chunk, open := <-p.inputs:
		return p.gather(chunk, open), open
	case do := <-p.errands:
		do()
		return nil, true
	default:
	}
	select {
	case chunk, open := <-p.inputs:
		return p.gather(chunk, open), open
	case do := <-p.errands:
		do()
		return nil, true
	case <-due.C:
		return nil, true
	case <-tick:
		return nil, true
	}
}

// gather collects what has arrived, up to BatchRecords, and waits BatchDelay for more.
func (p *Pipeline) gather(first Chunk, open bool) []Chunk {
	if !open {
		return nil
	}
	chunks := []Chunk{first}
	n := len(first.Inputs)
	deadline := time.NewTimer(p.Options.BatchDelay)
	defer deadline.Stop()
	for n < p.Options.BatchRecords {
		select {
		case chunk, open := <-p.inputs:
			if !open {
				return chunks
			}
			chunks = append(chunks, chunk)
			n += len(chunk.Inputs)
		case <-deadline.C:
			return chunks
		}
	}
	return chunks
}
