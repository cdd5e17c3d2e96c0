package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"selfsame/config"
	"selfsame/internal/lifecycle"
	"selfsame/kafka"
	"selfsame/pipeline"
)

// edge is what contenders a and b share with the pipeline: one reader per partition, batches of
// the pipeline's sizes, and a publisher that has one batch per partition in flight.
//
//	reader/<partition> ... --> chunks --> applier --> batches --> publisher
type edge struct {
	cfg    *config.Config
	client *kafka.Client
	sink   *kafka.Sink
	output string
	ends   map[pipeline.TopicPartition]int64 // of the inputs
	events int64

	// apply is what the contender does with a batch before it is passed on; nil: nothing.
	apply func(batch []chunk) error

	chunks    chan chunk
	batches   chan []chunk
	session   pipeline.Session
	outputs   int32
	sequences []int32 // by partition of the output
}

// chunk is a run of records of one partition.
type chunk struct {
	tp      pipeline.TopicPartition
	records []pipeline.Record
	next    int64
}

// chunkRecords is the pipeline's bound of a chunk.
const chunkRecords = 250

func openEdge(ctx context.Context, t task) (*edge, error) {
	cfg, err := configure(t)
	if err != nil {
		return nil, err
	}
	client, err := kafka.New(cfg.KafkaConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	e := &edge{cfg: cfg, client: client, sink: client.Sink(), output: t.Run + ".out",
		outputs: partitions, sequences: make([]int32, partitions),
		chunks: make(chan chunk, 16), batches: make(chan []chunk, 64)}
	output := kafka.TopicSpec{Name: e.output, Owned: true, Partitions: partitions,
		ReplicationFactor: 1}
	if err := client.EnsureTopics(ctx, []kafka.TopicSpec{output}); err != nil {
		return nil, err
	}
	e.ends, e.events, err = inputEnds(ctx, client, cfg.InputTopics())
	return e, err
}

// inputEnds returns the ends of the partitions of topics, and how many records that makes.
func inputEnds(ctx context.Context, client *kafka.Client, topics []string) (
	map[pipeline.TopicPartition]int64, int64, error) {
	all, records := map[pipeline.TopicPartition]int64{}, int64(0)
	for _, topic := range topics {
		ends, err := client.EndOffsets(ctx, topic)
		if err != nil {
			return nil, 0, err
		}
		for tp, end := range ends {
			all[tp] = end
			records += end
		}
	}
	return all, records, nil
}

// drain passes everything on and returns when all of it is acknowledged.
func (e *edge) drain(ctx context.Context) (int64, error) {
	var err error
	if e.session, err = e.sink.Open(ctx, e.output); err != nil {
		return 0, err
	}
	group := lifecycle.New(ctx, lifecycle.Options{})
	var readers sync.WaitGroup
	for tp, end := range e.ends {
		readers.Add(1)
		group.Go("reader/"+tp.String(), func(ctx context.Context) error {
			defer readers.Done()
			return e.read(ctx, tp, end)
		})
	}
	group.Go("readers", func(context.Context) error {
		readers.Wait()
		close(e.chunks)
		return nil
	})
	group.Go("applier", e.applyAll)
	group.Go("publisher", e.publish)
	return e.events, group.Wait()
}

func (e *edge) read(ctx context.Context, tp pipeline.TopicPartition, end int64) error {
	source := e.client.Source()
	for offset := int64(0); offset < end; {
		got, err := source.Fetch(ctx, tp, offset)
		if err != nil {
			return err
		}
		for records := got.Records; len(records) > 0; {
			n := min(len(records), chunkRecords)
			next := records[n-1].Pos.Offset + 1
			if err := put(ctx, e.chunks, chunk{tp, records[:n], next}); err != nil {
				return err
			}
			records = records[n:]
		}
		offset = got.Next
	}
	return nil
}

func put[T any](ctx context.Context, to chan<- T, v T) error {
	select {
	case to <- v:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// applyAll gathers batches as the pipeline does and applies them.
func (e *edge) applyAll(ctx context.Context) error {
	defer close(e.batches)
	for first := range e.chunks {
		batch := e.gather(first)
		if e.apply != nil {
			if err := e.apply(batch); err != nil {
				return err
			}
		}
		if err := put(ctx, e.batches, batch); err != nil {
			return err
		}
	}
	return nil
}

func (e *edge) gather(first chunk) []chunk {
	o := e.cfg.PipelineOptions()
	batch, n := []chunk{first}, len(first.records)
	deadline := time.NewTimer(o.BatchDelay)
	defer deadline.Stop()
	for n < o.BatchRecords {
		select {
		case c, more := <-e.chunks:
			if !more {
				return batch
			}
			batch, n = append(batch, c), n+len(c.records)
		case <-deadline.C:
			return batch
		}
	}
	return batch
}

// publish produces what was applied: each time all that waits, up to the pipeline's bounds.
func (e *edge) publish(ctx context.Context) error {
	for batch := range e.batches {
		taken, n := batch, count(batch)
		for n < pipeline.DefaultTakeEntries {
			more, ok := poll(e.batches)
			if !ok {
				break
			}
			taken, n = append(taken, more...), n+count(more)
		}
		if err := e.produce(ctx, taken); err != nil {
			return err
		}
	}
	return nil
}

func poll[T any](from <-chan T) (v T, ok bool) {
	select {
	case v, ok = <-from:
	default:
	}
	return v, ok
}

func count(batch []chunk) int {
	n := 0
	for i := range batch {
		n += len(batch[i].records)
	}
	return n
}

// produce sends records to the partitions that their keys choose.
func (e *edge) produce(ctx context.Context, taken []chunk) error {
	byPartition := make([][]pipeline.OutRecord, e.outputs)
	for i := range taken {
		for j := range taken[i].records {
			r := &taken[i].records[j]
			p := pipeline.PartitionOf(r.Key, e.outputs)
			out := pipeline.OutRecord{Key: r.Key, Value: r.Value, Headers: r.Headers}
			byPartition[p] = append(byPartition[p], out)
		}
	}
	group := lifecycle.New(ctx, lifecycle.Options{})
	for p, records := range byPartition {
		if len(records) == 0 {
			continue
		}
		group.Go(fmt.Sprintf("produce/%d", p), func(ctx context.Context) error {
			return e.producePartition(ctx, int32(p), records)
		})
	}
	return group.Wait()
}

func (e *edge) producePartition(ctx context.Context, p int32, records []pipeline.OutRecord) error {
	for len(records) > 0 {
		n, size := 0, 0
		for n < min(len(records), pipeline.DefaultBatchRecords) {
			size += len(records[n].Key) + len(records[n].Value) + 16
			if n > 0 && size > pipeline.DefaultBatchBytes {
				break
			}
			n++
		}
		batch := &pipeline.Batch{
			TP:      pipeline.TopicPartition{Topic: e.output, Partition: p},
			Session: e.session, Sequence: e.sequences[p],
			Time: time.Now().UnixNano(), Records: records[:n],
		}
		if _, err := e.sink.Produce(ctx, batch); err != nil {
			return err
		}
		e.sequences[p] += int32(n)
		records = records[n:]
	}
	return nil
}

// passThrough is contender a.
func passThrough(ctx context.Context, t task) (figures, error) {
	e, err := openEdge(ctx, t)
	if err != nil {
		return figures{}, err
	}
	defer e.client.Close()
	return measure(t, func() (int64, error) { return e.drain(ctx) })
}
