package kafka

import (
	"context"
	"fmt"

	"selfsame/pipeline"
)

// ByKey as the partition of Send lets the key of each record choose.
const ByKey int32 = -1

// Send appends records for the command line: acknowledged by all replicas, but without a session,
// so that what is sent again after an error can be there twice. times are Kafka timestamps in
// nanoseconds, one per record.
func (c *Client) Send(ctx context.Context, topic string, partition int32,
	records []pipeline.OutRecord, times []int64) error {
	if len(times) != len(records) {
		return fmt.Errorf("sending to %s: %d times for %d records", topic, len(times), len(records))
	}
	batches, err := c.split(ctx, topic, partition, records)
	if err != nil {
		return err
	}
	for _, part := range batches {
		tp := pipeline.TopicPartition{Topic: topic, Partition: part.partition}
		mine, at := pick(records, part.records), pick(times, part.records)
		if err := c.sendShare(ctx, tp, mine, at); err != nil {
			return err
		}
	}
	return nil
}

// sendBytes is where Send begins another batch, well below what brokers take by default.
const sendBytes = 512 << 10

func (c *Client) sendShare(ctx context.Context, tp pipeline.TopicPartition,
	records []pipeline.OutRecord, times []int64) error {
	for len(records) > 0 {
		n, bytes := 0, 0
		for n < len(records) && (n == 0 || bytes+weight(&records[n]) <= sendBytes) {
			bytes += weight(&records[n])
			n++
		}
		b := &pipeline.Batch{
			TP: tp, Session: pipeline.Session{ID: -1, Epoch: -1}, Sequence: -1,
			Records: records[:n],
		}
		if err := c.sendBatch(ctx, b, times[:n]); err != nil {
			return err
		}
		records, times = records[n:], times[n:]
	}
	return nil
}

// weight is about how many bytes r takes.
func weight(r *pipeline.OutRecord) int {
	n := 32 + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += 8 + len(h.Key) + len(h.Value)
	}
	return n
}

func (c *Client) sendBatch(ctx context.Context, b *pipeline.Batch, times []int64) error {
	raw, err := encodeTimed(b, times, c.codec)
	if err == nil {
		_, err = c.produce(ctx, b.TP, raw)
	}
	if err != nil {
		return fmt.Errorf("sending to %s: %w", b.TP, named(err))
	}
	return nil
}

// share is the records, by index, that go to one partition.
type share struct {
	partition int32
	records   []int
}

func (c *Client) split(ctx context.Context, topic string, partition int32,
	records []pipeline.OutRecord) ([]share, error) {
	if len(records) == 0 {
		return nil, nil
	}
	if partition != ByKey {
		all := share{partition: partition}
		for i := range records {
			all.records = append(all.records, i)
		}
		return []share{all}, nil
	}
	n, err := c.Sink().Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	shares := make([]share, n)
	for i, r := range records {
		p := pipeline.PartitionOf(r.Key, n)
		shares[p].partition = p
		shares[p].records = append(shares[p].records, i)
	}
	var used []share
	for _, s := range shares {
		if len(s.records) > 0 {
			used = append(used, s)
		}
	}
	return used, nil
}

func pick[T any](from []T, indexes []int) []T {
	var out []T
	for _, i := range indexes {
		out = append(out, from[i])
	}
	return out
}
