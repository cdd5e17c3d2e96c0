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
		var chunks []Chunk
		select {
		case chunk, open := <-p.inputs:
			if !open {
				return nil
			}
			chunks = p.gather(chunk)
		case <-idle.C:
			if p.Shard.Idle() {
				continue
			}
		}
		start := time.Now()
		if err := p.Shard.Apply(chunks, start.UnixNano()); err != nil {
			return err
		}
		p.Shard.stats.commit(time.Since(start))
	}
}

// gather collects what has arrived, up to BatchRecords, and waits BatchDelay for more.
func (p *Pipeline) gather(first Chunk) []Chunk {
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
