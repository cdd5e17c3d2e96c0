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
		if len(chunks) == 0 && p.Shard.Idle() && !p.Shard.Busy(time.Now().UnixNano()) {
			continue
		}
		if err := p.commit(chunks); err != nil {
			return err
		}
	}
}

// commit commits chunks, in several commits where they are much work.
func (p *Pipeline) commit(chunks []Chunk) error {
	for {
		start := time.Now()
		rest, err := p.Shard.ApplySome(chunks, start.UnixNano())
		if err != nil {
			return err
		}
		p.Shard.stats.commit(time.Since(start))
		if len(rest) == 0 {
			return nil
		}
		chunks = rest
	}
}

// next waits for records or a tick, or not at all while there is background work to go on with. It
// does an errand that comes up. open is false once the readers have ended and all they brought is
// applied.
func (p *Pipeline) next(tick <-chan time.Time) (chunks []Chunk, open bool) {
	if p.Shard.Busy(time.Now().UnixNano()) {
		select {
		case chunk, open := <-p.inputs:
			return p.gather(chunk, open), open
		case do := <-p.errands:
			do()
			return nil, true
		default:
			return nil, true
		}
	}
	due := time.NewTimer(p.Shard.untilDue(time.Now().UnixNano()))
	defer due.Stop()
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
