package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
)

// Versions of the requests sent raw: the newest without flexible fields, which every broker from
// Kafka 2.3 to 4 speaks.
const (
	fetchVersion       = 11
	listOffsetsVersion = 5
	metadataVersion    = 7
)

// metadataIDVersion is the first version of metadata that tells the ids of topics, from Kafka 2.8
// on. It has flexible fields.
const metadataIDVersion = 10

// Isolation levels: whether records of open and aborted transactions count.
const (
	readUncommitted = 0
	readCommitted   = 1
)

// Source reads topics as the pipeline's Source. It is safe for concurrent use.
type Source struct{ c *Client }

var _ pipeline.Source = (*Source)(nil)

// Offset resolves a start position. The latest is the last stable offset: behind it lie records of
// transactions that are still open. A time after the last record resolves to the latest too.
func (s *Source) Offset(ctx context.Context, tp pipeline.TopicPartition, start pipeline.Start) (
	int64, error) {
	ctx, cancel := s.c.limit(ctx, 0)
	defer cancel()
	offset, err := s.c.resolve(ctx, tp, start)
	if err != nil {
		return 0, fmt.Errorf("resolving an offset of %s: %w", tp, named(s.c.failed(ctx, err)))
	}
	return offset, nil
}

// Timestamps that ListOffsets takes for the ends of a log.
const (
	askLatest   = -1
	askEarliest = -2
)

func (c *Client) resolve(ctx context.Context, tp pipeline.TopicPartition, start pipeline.Start) (
	int64, error) {
	switch start.Kind {
	case pipeline.StartEarliest:
		return c.listOffset(ctx, tp, askEarliest, readCommitted)
	case pipeline.StartLatest:
		return c.listOffset(ctx, tp, askLatest, readCommitted)
	case pipeline.StartTime:
		offset, err := c.listOffset(ctx, tp, max(0, start.At.UnixMilli()), readCommitted)
		if err != nil || offset >= 0 {
			return offset, err
		}
		return c.listOffset(ctx, tp, askLatest, readCommitted)
	}
	return 0, fmt.Errorf("unknown start kind %d", start.Kind)
}

func (c *Client) listOffset(ctx context.Context, tp pipeline.TopicPartition, at int64,
	isolation int8) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version = listOffsetsVersion
	req.ReplicaID = -1
	req.IsolationLevel = isolation
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = tp.Topic
	rp := kmsg.NewListOffsetsRequestTopicPartition()
	rp.Partition, rp.Timestamp, rp.CurrentLeaderEpoch = tp.Partition, at, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	res, err := c.callLeader(ctx, tp, req)
	if err != nil {
		return 0, err
	}
	topics := res.(*kmsg.ListOffsetsResponse).Topics
	if len(topics) != 1 || len(topics[0].Partitions) != 1 {
		return 0, errors.New("asked for the offset of one partition, got another number")
	}
	p := topics[0].Partitions[0]
	return p.Offset, codeError(p.ErrorCode)
}

// Fetch implements pipeline.Source. The records share the memory of their batches.
func (s *Source) Fetch(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, error) {
	got, err := s.c.fetch(ctx, tp, offset)
	if err != nil {
		return pipeline.Fetched{}, fmt.Errorf("fetching %s from offset %d: %w", tp, offset, err)
	}
	return got, nil
}

func (c *Client) fetch(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, error) {
	ctx, cancel := c.limit(ctx, c.cfg.FetchMaxWait)
	defer cancel()
	part, err := c.fetchWhole(ctx, tp, offset)
	if errors.Is(err, kafkago.OffsetOutOfRange) {
		err = c.outOfRange(ctx, tp, offset, err)
	}
	if err != nil {
		return pipeline.Fetched{}, named(c.failed(ctx, err))
	}
	d := decoder{tp: tp, from: offset, maxBytes: c.cfg.DecompressedMaxBytes}
	return d.decode(part)
}

// fetchWhole fetches one whole batch at least, where there is one. Brokers let the first batch
// through whatever its size; one that does not is asked again.
func (c *Client) fetchWhole(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	*kmsg.FetchResponseTopicPartition, error) {
	part, err := c.fetchPartition(ctx, tp, offset, c.cfg.FetchMaxBytes)
	if err != nil {
		return nil, err
	}
	size := firstBatchCut(part.RecordBatches)
	if size == 0 {
		return part, nil
	}
	if size > min(c.cfg.DecompressedMaxBytes, math.MaxInt32) {
		return nil, fmt.Errorf("a batch of %d bytes is larger than the limit of %d",
			size, c.cfg.DecompressedMaxBytes)
	}
	part, err = c.fetchPartition(ctx, tp, offset, int32(size))
	if err == nil && firstBatchCut(part.RecordBatches) > 0 {
		return nil, fmt.Errorf("the broker cuts a batch of %d bytes short", size)
	}
	return part, err
}

func (c *Client) fetchPartition(ctx context.Context, tp pipeline.TopicPartition, offset int64,
	maxBytes int32) (*kmsg.FetchResponseTopicPartition, error) {
	req := kmsg.NewPtrFetchRequest()
	req.Version = fetchVersion
	req.ReplicaID = -1
	req.MaxWaitMillis = int32(c.cfg.FetchMaxWait.Milliseconds())
	req.MinBytes, req.MaxBytes = 1, maxBytes
	req.IsolationLevel = readCommitted
	req.SessionEpoch = -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic = tp.Topic
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = tp.Partition, offset, maxBytes
	rp.CurrentLeaderEpoch, rp.LogStartOffset = -1, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	answer, err := c.callLeader(ctx, tp, req)
	if err != nil {
		return nil, err
	}
	res := answer.(*kmsg.FetchResponse)
	if err := codeError(res.ErrorCode); err != nil {
		return nil, err
	}
	if len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
		return nil, errors.New("asked for one partition, got another number")
	}
	part := &res.Topics[0].Partitions[0]
	return part, codeError(part.ErrorCode)
}

// outOfRange finds out what the log holds, and returns the error that says so.
func (c *Client) outOfRange(ctx context.Context, tp pipeline.TopicPartition, offset int64,
	cause error) error {
	start, err := c.listOffset(ctx, tp, askEarliest, readUncommitted)
	if err != nil {
		return err
	}
	end, err := c.listOffset(ctx, tp, askLatest, readUncommitted)
	if err != nil {
		return err
	}
	if offset >= start && offset <= end {
		return fmt.Errorf("the log was changing: %w", cause)
	}
	return &pipeline.OutOfRangeError{TP: tp, Offset: offset, LogStart: start, End: end}
}
