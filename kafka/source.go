package kafka

import (
	"context"
	"errors"
	"fmt"

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

// The first versions that tell the ids of topics, from Kafka 2.8 on, and that fetch by id, from
// Kafka 3.1 on. They have flexible fields.
const (
	metadataIDVersion = 10
	fetchIDVersion    = 13
)

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
	res, err := c.callLeader(ctx, rawCall{tp: tp, request: req})
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
