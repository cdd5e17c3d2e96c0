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
		b := &pipeline.Batch{
			TP:       pipeline.TopicPartition{Topic: topic, Partition: part.partition},
			Session:  pipeline.Session{ID: -1, Epoch: -1},
			Sequence: -1,
		}
		for _, i := range part.records {
			b.Records = append(b.Records, records[i])
		}
		if err := c.sendBatch(ctx, b, pick(times, part.records)); err != nil {
			return err
		}
	}
	return nil
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
		p := Partition(r.Key, n)
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

func pick(times []int64, indexes []int) []int64 {
	var out []int64
	for _, i := range indexes {
		out = append(out, times[i])
	}
	return out
}
