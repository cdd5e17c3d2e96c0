package memlog

import (
	"context"
	"fmt"

	"selfsame/pipeline"
)

// Sink writes to a Log.
type Sink struct{ l *Log }

var _ pipeline.Sink = (*Sink)(nil)

// Open implements pipeline.Sink: the same producer id each time, with the next epoch.
func (s *Sink) Open(ctx context.Context, transactionalID string) (pipeline.Session, error) {
	if err := ctx.Err(); err != nil {
		return pipeline.Session{}, err
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if err := s.l.mu.faults.open.take(); err != nil {
		return pipeline.Session{}, err
	}
	session, ok := s.l.mu.sessions[transactionalID]
	if ok {
		session.Epoch++
	} else {
		session.ID = int64(len(s.l.mu.sessions))
	}
	s.l.mu.sessions[transactionalID] = session
	return session, nil
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
