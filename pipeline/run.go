package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"selfsame/internal/lifecycle"
)

// Offsets reports consumed positions to whoever watches lag. Failures are logged and not retried
// before the next report: the store's positions are the truth.
type Offsets interface {
	// CommitOffsets reports, per partition, the offset of the next record to consume.
	CommitOffsets(ctx context.Context, next map[TopicPartition]int64) error
}

// Pipeline runs a shard and its publisher against Kafka.
//
//	reader/<partition> ... --> inputs --> applier --> store --> publisher
//	      ^ watcher: finds partitions       |
//	      +---------------- board <---------+  which topics are read, and from where
//
// Started and ended here (see the goroutine table in docs/ARCHITECTURE.md): readers end with the
// soft stop; the applier when the readers have ended and what they brought is committed; the
// publisher when the applier has ended and the outbox is empty.
type Pipeline struct {
	Shard     *Shard
	Publisher *Publisher
	Source    Source
	Offsets   Offsets        // nil: positions are not reported
	Registry  SchemaRegistry // nil: no dataset is in FormatRegistry
	Log       *slog.Logger
	Options   Options

	decoder *Decoder
	topics  *TopicIDs
	held    *holdups
	pace    pace // of the applier
	inputs  chan Chunk
	applied chan struct{} // closed when the applier has ended
	errands chan func()   // done by the applier between two commits
	ready   sync.Once
	readyC  chan struct{}
	opened  chan struct{} // closed when the publisher is open

	backingUp sync.Mutex // held while a backup is made
}

// NewPipeline ties the parts together.
func NewPipeline(shard *Shard, publisher *Publisher, source Source, log *slog.Logger) *Pipeline {
	return &Pipeline{
		Shard: shard, Publisher: publisher, Source: source, Log: log,
		Options: Options{}.WithDefaults(), decoder: NewDecoder(shard.model),
		topics: NewTopicIDs(), held: newHoldups(log),
		// Chunks of at most chunkRecords: what a few commits gather while one runs. Decoded records
		// take some 5 KiB each.
		inputs:  make(chan Chunk, 16),
		applied: make(chan struct{}), readyC: make(chan struct{}),
		opened:  make(chan struct{}),
		errands: make(chan func()),
	}
}

// Ready is closed once the pipeline has claimed its session, and has found every input topic and
// begun to read it.
func (p *Pipeline) Ready() <-chan struct{} { return p.readyC }

// Opened is closed once the store agrees with what was published from it: what another life of it
// had erased, or deleted and lifted, is gone. Before that it can show people who are to be no more.
func (p *Pipeline) Opened() <-chan struct{} { return p.opened }

// Run runs until ctx ends, then stops in order and returns nil; or until something fails that
// waiting cannot mend, which it returns.
func (p *Pipeline) Run(ctx context.Context) error {
	group := lifecycle.New(ctx, lifecycle.Options{Deadline: p.Options.ShutdownTimeout})
	if err := p.Publisher.Open(ctx); err != nil {
		group.Stop()
		return errors.Join(err, group.Wait())
	}
	close(p.opened)
	p.startReading(group)
	group.Go("applier", func(context.Context) error { return p.apply() })
	group.Go("publisher", func(context.Context) error { return p.publish(group.Hard()) })
	group.Go("alarm", p.alarm)
	if p.Offsets != nil {
		group.Go("offsets", p.reportOffsets)
	}
	err := group.Wait()
	if err == nil {
		err = p.Shard.Flush()
	}
	return err
}

// startReading starts the watcher, which starts the readers, and what closes the channel of chunks
// when all of them have ended.
func (p *Pipeline) startReading(group *lifecycle.Group) {
	var readers sync.WaitGroup
	start := func(tp TopicPartition, first int64) {
		readers.Add(1)
		group.Go("reader/"+tp.String(), func(ctx context.Context) error {
			defer readers.Done()
			return newReader(p, tp, first).run(ctx)
		})
	}
	watch := &watcher{p: p, start: start, read: map[TopicPartition]bool{},
		begun: map[string]bool{}}
	readers.Add(1)
	group.Go("watcher", func(ctx context.Context) error {
		defer readers.Done()
		return watch.run(ctx)
	})
	group.Go("readers", func(context.Context) error {
		readers.Wait()
		close(p.inputs)
		return nil
	})
}

// claimInterval is how often the publisher looks after its claim when it has nothing to publish.
const claimInterval = time.Minute

// publish empties the outbox whenever something waits. After the soft stop it goes on, under the
// hard context, until the applier has ended and nothing waits.
func (p *Pipeline) publish(hard context.Context) error {
	idle := time.NewTicker(claimInterval)
	defer idle.Stop()
	for {
		n, err := p.Publisher.Publish(hard)
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		select {
		case <-p.Shard.store.Waiting():
		case <-idle.C:
			if err := p.Publisher.Refresh(hard); err != nil {
				return err
			}
		case <-p.applied:
			n, err := p.Publisher.Publish(hard)
			if n == 0 || err != nil {
				return err
			}
		case <-hard.Done():
			return hard.Err()
		}
	}
}

// reportOffsets reports positions now and then, and once more at the end.
func (p *Pipeline) reportOffsets(ctx context.Context) error {
	reported := map[TopicPartition]int64{}
	for {
		ended := Sleep(ctx, p.Options.OffsetsInterval) != nil
		next := p.Shard.stats.positions()
		for tp, offset := range reported {
			if next[tp] == offset {
				delete(next, tp)
			}
		}
		if len(next) > 0 {
			p.reportOnce(ctx, next, reported)
		}
		if ended {
			return nil
		}
	}
}

// reportOnce reports changed positions. A report at the end of the program gets a short time.
func (p *Pipeline) reportOnce(ctx context.Context, next, reported map[TopicPartition]int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := p.Offsets.CommitOffsets(ctx, next); err != nil {
		p.Log.Warn("reporting group offsets failed; lag dashboards are behind", "error", err)
		return
	}
	for tp, offset := range next {
		reported[tp] = offset
	}
}

// Sleep waits for d; it returns the context's error when that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
