package conformance

import (
	"context"
	"sync"
	"testing"
	"time"

	"selfsame/internal/simlog"
	"selfsame/pipeline"
)

// TestSimulatedContinuity has the simulated cluster, which is worked from one goroutine, serve a
// pipeline with goroutines of its own: one call at a time.
func TestSimulatedContinuity(t *testing.T) {
	RunContinuity(t, func(t *testing.T) Env {
		b := simlog.New(simlog.Options{Now: baseTime()})
		return share(&sync.Mutex{}, simulated(b))
	})
}

// share lets several goroutines work an environment that is made for one.
func share(mu *sync.Mutex, e Env) Env {
	locked := func(fn func()) {
		mu.Lock()
		defer mu.Unlock()
		fn()
	}
	own := e
	e.Source, e.Sink = &sharedSource{mu, own.Source}, &sharedSink{mu, own.Sink}
	e.CreateTopic = func(t *testing.T, n int32, configs map[string]string) (name string) {
		locked(func() { name = own.CreateTopic(t, n, configs) })
		return name
	}
	e.Recreate = func(t *testing.T, topic string, n int32) {
		locked(func() { own.Recreate(t, topic, n) })
	}
	e.Grow = func(t *testing.T, topic string, n int32) { locked(func() { own.Grow(t, topic, n) }) }
	e.Expire = func(t *testing.T, tp pipeline.TopicPartition, offset int64) {
		locked(func() { own.Expire(t, tp, offset) })
	}
	e.Truncate = func(t *testing.T, tp pipeline.TopicPartition, offset int64) {
		locked(func() { own.Truncate(t, tp, offset) })
	}
	e.Write = func(t *testing.T, tp pipeline.TopicPartition, codec string, rs []pipeline.Record) {
		locked(func() { own.Write(t, tp, codec, rs) })
	}
	return e
}

type sharedSource struct {
	mu *sync.Mutex
	s  pipeline.Source
}

func (s *sharedSource) Describe(ctx context.Context, topic string) (pipeline.Topic, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.Describe(ctx, topic)
}

func (s *sharedSource) Offset(ctx context.Context, tp pipeline.TopicPartition,
	start pipeline.Start) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.Offset(ctx, tp, start)
}

// Fetch waits a moment at the end of the log, which the simulated one does not.
func (s *sharedSource) Fetch(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, error) {
	got, err := s.fetch(ctx, tp, offset)
	if err != nil || got.Next > offset {
		return got, err
	}
	select {
	case <-time.After(5 * time.Millisecond):
		return s.fetch(ctx, tp, offset)
	case <-ctx.Done():
		return got, ctx.Err()
	}
}

func (s *sharedSource) fetch(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.Fetch(ctx, tp, offset)
}

type sharedSink struct {
	mu *sync.Mutex
	s  pipeline.Sink
}

func (s *sharedSink) Cluster(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.Cluster(ctx)
}

func (s *sharedSink) Partitions(ctx context.Context, topic string) (int32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.Partitions(ctx, topic)
}

func (s *sharedSink) Open(ctx context.Context, id string) (pipeline.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.Open(ctx, id)
}

func (s *sharedSink) Fence(ctx context.Context, id string, expected pipeline.Session,
	partitions []pipeline.TopicPartition) (pipeline.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.Fence(ctx, id, expected, partitions)
}

func (s *sharedSink) Bounds(ctx context.Context, tp pipeline.TopicPartition) (
	pipeline.Bounds, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.Bounds(ctx, tp)
}

func (s *sharedSink) Read(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.Read(ctx, tp, offset)
}

func (s *sharedSink) Produce(ctx context.Context, b *pipeline.Batch) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.s.Produce(ctx, b)
}
