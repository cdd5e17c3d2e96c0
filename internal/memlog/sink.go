package memlog

import (
	"context"
	"fmt"

	"selfsame/pipeline"
)

// Sink writes to a Log.
type Sink struct{ l *Log }

var _ pipeline.Sink = (*Sink)(nil)

// Cluster implements pipeline.Sink.
func (s *Sink) Cluster(ctx context.Context) (string, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return s.l.mu.cluster, ctx.Err()
}

// Bounds implements pipeline.Sink.
func (s *Sink) Bounds(ctx context.Context, tp pipeline.TopicPartition) (pipeline.Bounds, error) {
	if err := ctx.Err(); err != nil {
		return pipeline.Bounds{}, err
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	p := s.l.findLocked(tp)
	if p == nil {
		return pipeline.Bounds{}, fmt.Errorf("%w: %s", pipeline.ErrUnknownTopic, tp)
	}
	return pipeline.Bounds{Start: p.start, End: p.end}, nil
}

// Read implements pipeline.Sink.
func (s *Sink) Read(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, error) {
	return s.l.Quick().Fetch(ctx, tp, offset)
}

// Partitions implements pipeline.Sink.
func (s *Sink) Partitions(ctx context.Context, topic string) (int32, error) {
	found, err := s.l.Source().Describe(ctx, topic)
	return int32(len(found.Partitions)), err
}

// Produce implements pipeline.Sink.
func (s *Sink) Produce(ctx context.Context, b *pipeline.Batch) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if err := s.l.mu.faults.before.take(); err != nil {
		return 0, err
	}
	p := s.l.findLocked(b.TP)
	if p == nil {
		return 0, fmt.Errorf("%w: %s", pipeline.ErrUnknownTopic, b.TP)
	}
	if n := size(b); n > s.l.options.MaxBatchBytes {
		return 0, fmt.Errorf("%w: %d bytes for %s", pipeline.ErrTooLarge, n, b.TP)
	}
	if len(b.Records) == 0 {
		return 0, fmt.Errorf("producing to %s: the batch is empty", b.TP)
	}
	offset, err := p.produce(b)
	if err != nil {
		return 0, err
	}
	if err := s.l.mu.faults.after.take(); err != nil {
		return 0, err
	}
	return offset, nil
}

func size(b *pipeline.Batch) int {
	n := 0
	for _, r := range b.Records {
		n += len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			n += len(h.Key) + len(h.Value)
		}
	}
	return n
}
