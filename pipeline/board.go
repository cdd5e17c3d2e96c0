package pipeline

import (
	"context"
	"maps"
	"sync"

	"selfsame/store"
)

// board shows the readers what the applier has committed: how far each partition has been consumed,
// and which topics are to be read.
type board struct {
	mu struct {
		sync.Mutex
		inputs    map[string]store.Input // those that were ever changed
		positions map[TopicPartition]store.Position
		changed   chan struct{} // closed when an input changes
	}
}

func newBoard() *board {
	b := &board{}
	b.mu.inputs = map[string]store.Input{}
	b.mu.positions = map[TopicPartition]store.Position{}
	b.mu.changed = make(chan struct{})
	return b
}

// committed shows what a commit has changed, all of it at once.
func (b *board) committed(inputs map[string]store.Input,
	positions map[TopicPartition]store.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.Copy(b.mu.positions, positions)
	if len(inputs) == 0 {
		return
	}
	maps.Copy(b.mu.inputs, inputs)
	close(b.mu.changed)
	b.mu.changed = make(chan struct{})
}

// position returns how far a partition has been consumed. ok is false where it never was.
func (b *board) position(tp TopicPartition) (p store.Position, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, ok = b.mu.positions[tp]
	return p, ok
}

// begun reports whether any partition of topic has a position.
func (b *board) begun(topic string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for tp := range b.mu.positions {
		if tp.Topic == topic {
			return true
		}
	}
	return false
}

// reads reports whether topic is read, and still under the same generation.
func (b *board) reads(topic string, generation uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	in := b.mu.inputs[topic]
	return in.State == store.InputRunning && in.Generation == generation
}

// all returns every input that was ever changed, and a channel that is closed at the next change.
func (b *board) all() (map[string]store.Input, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.mu.inputs), b.mu.changed
}

// await waits until topic is read under a generation of at least least. The error is ctx's.
func (b *board) await(ctx context.Context, topic string, least uint64) (store.Input, error) {
	for ctx.Err() == nil {
		inputs, changed := b.all()
		in := inputs[topic]
		if in.State == store.InputRunning && in.Generation >= least {
			return in, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return store.Input{}, ctx.Err()
}
