package pipeline

import (
	"context"
	"slices"
	"sync"
)

// firstOfEach splits batches into the first of each partition, which can be sent side by side, and
// those that have to wait for one of them. Both keep their order.
func firstOfEach(batches []*outgoing) (wave, rest []*outgoing) {
	for _, b := range batches {
		same := func(o *outgoing) bool { return o.TP == b.TP }
		if slices.ContainsFunc(wave, same) {
			rest = append(rest, b)
			continue
		}
		wave = append(wave, b)
	}
	return wave, rest
}

// sendWave publishes batches of different partitions: side by side where the options say so, else
// in order. It returns when the fate of each is known, with the first error, but acknowledges every
// batch that landed.
func (p *Publisher) sendWave(ctx context.Context, wave []*outgoing) error {
	for _, b := range wave {
		p.prepare(b)
	}
	if !p.o.SideBySide {
		for _, b := range wave {
			if err := p.landed(b, p.produce(ctx, &b.Batch)); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, len(wave))
	var sending sync.WaitGroup
	for i, b := range wave {
		sending.Go(func() { errs[i] = p.produce(ctx, &b.Batch) })
	}
	sending.Wait()
	var first error
	for i, b := range wave {
		if err := p.landed(b, errs[i]); err != nil && first == nil {
			first = err
		}
	}
	return first
}
