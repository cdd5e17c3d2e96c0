package pipeline_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"selfsame/pipeline"
)

// meeting is a sink whose first batches wait until as many as are wanted are under way at once.
type meeting struct {
	pipeline.Sink
	wanted int
	mu     sync.Mutex
	here   int
	full   chan struct{}
}

func (m *meeting) Produce(ctx context.Context, b *pipeline.Batch) (int64, error) {
	m.mu.Lock()
	m.here++
	if m.here == m.wanted {
		close(m.full)
	}
	m.mu.Unlock()
	select {
	case <-m.full:
		return m.Sink.Produce(ctx, b)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// TestPartitionsSideBySide: batches of different partitions are under way at the same time, those
// of one partition come one after the other, and all of them land and are acknowledged.
func TestPartitionsSideBySide(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	for _, id := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		w.send(pipeline.TopicPartition{Topic: "crm"},
			pipeline.Record{Value: []byte(`{"id":"` + id + `","name":"Ann"}`)})
	}
	w.consume(pipeline.TopicPartition{Topic: "crm"}, 100)
	// Profiles and assignments, in two partitions each.
	sink := &meeting{Sink: w.log.Sink(), wanted: 4, full: make(chan struct{})}
	publisher := pipeline.NewPublisher(w.shard, sink, pipeline.PublisherOptions{
		TransactionalID: "test.0", BatchRecords: 2, SideBySide: true,
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return w.now },
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	w.must(publisher.Open(ctx))
	n, err := publisher.Publish(ctx)
	w.must(err)
	if n != 16 || w.store.OutboxDepth() != 0 {
		t.Errorf("published %d entries, %d are left; want 16 and 0", n, w.store.OutboxDepth())
	}
	if got := len(w.final("profiles")) + len(w.final("assignments")); got != 16 {
		t.Errorf("%d records landed, want 16", got)
	}
}
