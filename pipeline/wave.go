package pipeline

import (
	"context"
	"errors"
	"fmt"
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

// fate is what became of a batch that was sent.
type fate struct {
	sent   bool
	landed bool
	err    error
}

// sendWave sends batches of different partitions: side by side where the options say so, else one
// after the other until one fails. What landed is acknowledged, and its offset looked at, at once:
// an output that has lost something must be noted before the process can end. It returns the
// batches that did not land, as they have to be sent now. The error is errUnresolved where the fate
// of one is unknown; any other error ends the publisher.
func (p *Publisher) sendWave(ctx context.Context, wave []*outgoing) (left []*outgoing, err error) {
	for i, f := range p.produceWave(ctx, wave) {
		b := wave[i]
		switch {
		case !f.sent:
			left = append(left, b)
		case f.landed:
			err = worse(err, f.err)
		case errors.Is(f.err, ErrTooLarge):
			left = append(left, p.lighten(b)...)
		default:
			left = append(left, b)
			err = worse(err, fmt.Errorf("publishing to %s: %w", b.TP, f.err))
		}
	}
	return left, err
}

// worse returns the error that matters more: one that ends the publisher before one that does not,
// else the first.
func worse(known, err error) error {
	if known == nil || err != nil && errors.Is(known, errUnresolved) &&
		!errors.Is(err, errUnresolved) {
		return err
	}
	return known
}

func (p *Publisher) produceWave(ctx context.Context, wave []*outgoing) []fate {
	fates := make([]fate, len(wave))
	for _, b := range wave {
		p.prepare(b)
	}
	var landing sync.Mutex
	send := func(i int) {
		offset, err := p.produce(ctx, &wave[i].Batch)
		landing.Lock()
		defer landing.Unlock()
		fates[i] = fate{sent: true, landed: err == nil, err: err}
		if err == nil {
			fates[i].err = p.landed(wave[i], offset)
		}
	}
	if !p.o.SideBySide {
		for i := range wave {
			if send(i); fates[i].err != nil {
				return fates
			}
		}
		return fates
	}
	var sending sync.WaitGroup
	for i := range wave {
		sending.Go(func() { send(i) })
	}
	sending.Wait()
	return fates
}
