package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"selfsame/pipeline"
)

// Sink appends to topics as the pipeline's Sink. It is safe for concurrent use: batches of
// different partitions can be produced side by side, those of one partition are the caller's to put
// in order.
type Sink struct{ c *Client }

var _ pipeline.Sink = (*Sink)(nil)

// Partitions returns how many partitions topic has.
func (s *Sink) Partitions(ctx context.Context, topic string) (int32, error) {
	found, err := s.c.Source().Describe(ctx, topic)
	return int32(len(found.Partitions)), err
}

// Produce implements pipeline.Sink. Where the broker knows that the batch is there, but not any
// more where, the offset is -1.
func (s *Sink) Produce(ctx context.Context, batch *pipeline.Batch) (int64, error) {
	if len(batch.Records) == 0 {
		return 0, fmt.Errorf("producing to %s: the batch is empty", batch.TP)
	}
	raw, err := encodeBatch(batch, s.c.codec)
	if err != nil {
		return 0, fmt.Errorf("producing to %s: %w", batch.TP, err)
	}
	offset, err := s.c.produce(ctx, batch.TP, raw)
	if errors.Is(err, kafkago.DuplicateSequenceNumber) {
		return -1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("producing to %s: %w", batch.TP, named(err))
	}
	return offset, nil
}

// produce appends one encoded record batch.
func (c *Client) produce(ctx context.Context, tp pipeline.TopicPartition, raw []byte) (
	int64, error) {
	ctx, cancel := c.limit(ctx, 0)
	defer cancel()
	res, err := c.rawProduce(ctx, tp, raw)
	if isUnrouted(err) {
		if err := c.unrouted(ctx, tp, err); err != nil {
			return 0, err
		}
		res, err = c.rawProduce(ctx, tp, raw)
	}
	if err != nil {
		return 0, c.failed(ctx, err)
	}
	if res.Error != nil {
		return 0, c.failed(ctx, withRecordErrors(res))
	}
	return res.BaseOffset, nil
}

func (c *Client) rawProduce(ctx context.Context, tp pipeline.TopicPartition, raw []byte) (
	*kafkago.ProduceResponse, error) {
	size := binary.BigEndian.AppendUint32(nil, uint32(len(raw)))
	framed := &net.Buffers{size, raw} // which is copied without a buffer in between
	return c.calls.RawProduce(ctx, &kafkago.RawProduceRequest{
		Topic:        tp.Topic,
		Partition:    int(tp.Partition),
		RequiredAcks: kafkago.RequireAll,
		RawRecords:   protocol.RawRecordSet{Reader: framed},
	})
}

// withRecordErrors adds what the broker says about single records.
func withRecordErrors(res *kafkago.ProduceResponse) error {
	for i := range len(res.RecordErrors) {
		if err := res.RecordErrors[i]; err != nil {
			return fmt.Errorf("%w: record %d: %w", res.Error, i, err)
		}
	}
	return res.Error
}
