package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"selfsame/internal/lifecycle"
)

// Options tune a pipeline. The zero value of each field means its default.
type Options struct {
	// BatchRecords bounds the records of one commit. Default 1000. Larger batches trade latency for
	// throughput.
	BatchRecords int
	// BatchDelay is how long a commit waits for more records once it has one. Default 2 ms.
	BatchDelay time.Duration
	// ShutdownTimeout is how long a stop may take before the process gives up. Default 30 s.
	ShutdownTimeout time.Duration
	// OffsetsInterval is how often consumed positions are reported to Kafka as group offsets, for
	// dashboards only. Default 5 s.
	OffsetsInterval time.Duration
}

// Defaults of Options.
const (
	DefaultApplyRecords    = 1000
	DefaultBatchDelay      = 2 * time.Millisecond
	DefaultShutdownTimeout = 30 * time.Second
	DefaultOffsetsInterval = 5 * time.Second
)

// WithDefaults fills in the defaults.
func (o Options) WithDefaults() Options {
	if o.BatchRecords == 0 {
		o.BatchRecords = DefaultApplyRecords
	}
	if o.BatchDelay == 0 {
		o.BatchDelay = DefaultBatchDelay
	}
	if o.ShutdownTimeout == 0 {
		o.ShutdownTimeout = DefaultShutdownTimeout
	}
	if o.OffsetsInterval == 0 {
		o.OffsetsInterval = DefaultOffsetsInterval
	}
	return o
}

// Validate reports every option that is out of bounds.
func (o Options) Validate() error {
	var errs []error
	if o.BatchRecords < 1 || o.BatchRecords > 100_000 {
		errs = append(errs, errors.New("batch_records: must be 1 to 100000"))
	}
	if o.BatchDelay < 0 || o.BatchDelay > time.Second {
		errs = append(errs, errors.New("batch_delay: must be 0 to 1s"))
	}
	if o.ShutdownTimeout < time.Second {
		errs = append(errs, errors.New("shutdown_timeout: must be at least 1s"))
	}
	if o.OffsetsInterval < 100*time.Millisecond {
		errs = append(errs, errors.New("offsets_interval: must be at least 100ms"))
	}
	return errors.Join(errs...)
}

// Offsets reports consumed positions to whoever watches lag. Failures are logged and not retried
// before the next report: the store's positions are the truth.
type Offsets interface {
	// CommitOffsets reports, per partition, the offset of the next record to consume.
	CommitOffsets(ctx context.Context, next map[TopicPartition]int64) error
}

// Pipeline runs a shard and its publisher against Kafka.
//
//	reader/<partition> ... --> inputs --> applier --> store --> publisher
//
// Started and ended here (see the goroutine table in docs/ARCHITECTURE.md): readers end with the
// soft stop; the applier when the readers have ended and what they brought is committed; the
// publisher when the applier has ended and the outbox is empty.
type Pipeline struct {
	Shard     *Shard
	Publisher *Publisher
	Source    Source
	Offsets   Offsets // nil: positions are not reported
	Log       *slog.Logger
	Options   Options

	decoder *Decoder
	inputs  chan Chunk
	applied chan struct{} // closed when the applier has ended
	ready   sync.Once
	readyC  chan struct{}
}

// NewPipeline ties the parts together.
func NewPipeline(shard *Shard, publisher *Publisher, source Source, log *slog.Logger) *Pipeline {
	return &Pipeline{
		Shard: shard, Publisher: publisher, Source: source, Log: log,
		Options: Options{}.WithDefaults(), decoder: NewDecoder(shard.model),
		// Chunks of at most chunkRecords: what one commit gathers while another runs.
		inputs:  make(chan Chunk, 64),
		applied: make(chan struct{}), readyC: make(chan struct{}),
	}
}

// Ready is closed once the pipeline has claimed its session and reads its partitions.
func (p *Pipeline) Ready() <-chan struct{} { return p.readyC }

// Run runs until ctx ends, then stops in order and returns nil; or until something fails that
// waiting cannot mend, which it returns.
func (p *Pipeline) Run(ctx context.Context) error {
	partitions, err := p.discover(ctx)
	if err != nil {
		return err
	}
	group := lifecycle.New(ctx, lifecycle.Options{Deadline: p.Options.ShutdownTimeout})
	if err := p.Publisher.Open(ctx); err != nil {
		group.Stop()
		return errors.Join(err, group.Wait())
	}
	var readers sync.WaitGroup
	for _, tp := range partitions {
		readers.Add(1)
		group.Go("reader/"+tp.String(), func(ctx context.Context) error {
			defer readers.Done()
			return p.read(ctx, tp)
		})
	}
	group.Go("readers", func(context.Context) error {
		readers.Wait()
		close(p.inputs)
		return nil
	})
	group.Go("applier", func(context.Context) error { return p.apply() })
	group.Go("publisher", func(context.Context) error { return p.publish(group.Hard()) })
	if p.Offsets != nil {
		group.Go("offsets", p.reportOffsets)
	}
	p.ready.Do(func() { close(p.readyC) })
	err = group.Wait()
	if err == nil {
		err = p.Shard.Flush()
	}
	return err
}

// discover lists the partitions of all input topics.
func (p *Pipeline) discover(ctx context.Context) ([]TopicPartition, error) {
	var all []TopicPartition
	for _, topic := range p.Shard.model.InputTopics() {
		partitions, err := p.Source.Partitions(ctx, topic)
		if err != nil {
			return nil, fmt.Errorf("listing the partitions of input topic %s: %w", topic, err)
		}
		for _, n := range partitions {
			all = append(all, TopicPartition{topic, n})
		}
	}
	return all, nil
}

// chunkRecords bounds a chunk, so that a commit can be of any size in steps of it.
const chunkRecords = 250

// Bounds of the pause between two attempts to fetch.
const (
	minFetchPause = 100 * time.Millisecond
	maxFetchPause = 10 * time.Second
)

// read fetches and decodes one partition until ctx ends.
func (p *Pipeline) read(ctx context.Context, tp TopicPartition) error {
	offset, err := p.start(ctx, tp)
	pause := minFetchPause
	for ctx.Err() == nil {
		var fetched Fetched
		if err == nil {
			fetched, err = p.Source.Fetch(ctx, tp, offset)
		}
		var gone *OutOfRangeError
		if errors.As(err, &gone) {
			return fmt.Errorf("reading input: %w; the records between were not consumed: "+
				"restore the topic, or set the position of this partition anew", gone)
		}
		if err != nil {
			p.holdUp(ctx, tp, err, &pause)
			if offset < 0 {
				offset, err = p.start(ctx, tp)
				continue
			}
			err = nil
			continue
		}
		pause = minFetchPause
		if !p.deliver(ctx, tp, &fetched) {
			return nil
		}
		offset = fetched.Next
		p.Shard.stats.lag(tp, max(0, fetched.End-offset))
	}
	return nil
}

// start finds where to go on: the stored position, else the dataset's start. -1 with an error.
func (p *Pipeline) start(ctx context.Context, tp TopicPartition) (int64, error) {
	if next, ok := p.Shard.stats.position(tp); ok {
		return next, nil
	}
	for _, ds := range p.Shard.model.Datasets {
		if ds.Topic != tp.Topic {
			continue
		}
		offset, err := p.Source.Offset(ctx, tp, ds.Start)
		if err != nil {
			return -1, err
		}
		return offset, nil
	}
	return 0, nil
}

// holdUp logs the first of a run of failures and waits before the next attempt.
func (p *Pipeline) holdUp(ctx context.Context, tp TopicPartition, err error, pause *time.Duration) {
	if ctx.Err() != nil {
		return
	}
	if *pause == minFetchPause {
		p.Log.Warn("reading is held up, trying again", "partition", tp.String(), "error", err)
	}
	_ = Sleep(ctx, *pause) // the loop asks ctx
	*pause = min(2**pause, maxFetchPause)
}

// deliver decodes what was fetched and hands it to the applier. It reports false when ctx has
// ended.
func (p *Pipeline) deliver(ctx context.Context, tp TopicPartition, f *Fetched) bool {
	records := f.Records
	for {
		n := min(len(records), chunkRecords)
		chunk := Chunk{TP: tp, Inputs: make([]Input, n), Next: f.Next}
		for i := range n {
			chunk.Inputs[i] = p.decoder.Decode(records[i])
		}
		records = records[n:]
		if len(records) > 0 {
			chunk.Next = records[0].Pos.Offset
		}
		select {
		case p.inputs <- chunk:
		case <-ctx.Done():
			return false
		}
		if len(records) == 0 {
			return true
		}
	}
}

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
		start := time.Now()
		if len(chunks) == 0 && p.Shard.Idle() && !p.Shard.Busy(start.UnixNano()) {
			continue
		}
		if err := p.Shard.Apply(chunks, start.UnixNano()); err != nil {
			return err
		}
		p.Shard.stats.commit(time.Since(start))
	}
}

// next waits for records or a tick, or not at all while there is background work to go on with.
// open is false once the readers have ended and all they brought is applied.
func (p *Pipeline) next(tick <-chan time.Time) (chunks []Chunk, open bool) {
	if p.Shard.Busy(time.Now().UnixNano()) {
		select {
		case chunk, open := <-p.inputs:
			return p.gather(chunk, open), open
		default:
			return nil, true
		}
	}
	select {
	case chunk, open := <-p.inputs:
		return p.gather(chunk, open), open
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

// publish empties the outbox whenever something waits. After the soft stop it goes on, under the
// hard context, until the applier has ended and nothing waits.
func (p *Pipeline) publish(hard context.Context) error {
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
