package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
	"selfsame/store"
)

// Fetch implements pipeline.Source. The records share the memory of their batches.
func (s *Source) Fetch(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, error) {
	got, err := s.c.fetch(ctx, tp, offset, readCommitted)
	if err != nil {
		return pipeline.Fetched{}, fmt.Errorf("fetching %s from offset %d: %w", tp, offset, err)
	}
	return got, nil
}

func (c *Client) fetch(ctx context.Context, tp pipeline.TopicPartition, offset int64,
	isolation int8) (pipeline.Fetched, error) {
	ctx, cancel := c.limit(ctx, c.cfg.FetchMaxWait)
	defer cancel()
	part, id, err := c.fetchWhole(ctx, tp, wanted{offset, c.cfg.FetchMaxBytes, isolation})
	switch {
	case errors.Is(err, kafkago.OffsetOutOfRange):
		err = c.outOfRange(ctx, tp, offset, err)
	case isOtherTopic(err):
		err = c.otherTopic(ctx, tp, err)
	}
	if err != nil {
		return pipeline.Fetched{}, named(c.failed(ctx, err))
	}
	if isolation == readUncommitted {
		part.LastStableOffset = part.HighWatermark // brokers leave it out
	}
	d := decoder{tp: tp, from: offset, maxBytes: c.cfg.DecompressedMaxBytes}
	got, err := d.decode(part)
	got.Topic = id
	return got, err
}

// wanted is what one fetch asks for.
type wanted struct {
	offset    int64
	maxBytes  int32
	isolation int8
}

// fetchWhole fetches one whole batch at least, where there is one. Brokers let the first batch
// through whatever its size; one that does not is asked again.
func (c *Client) fetchWhole(ctx context.Context, tp pipeline.TopicPartition, w wanted) (
	*kmsg.FetchResponseTopicPartition, store.TopicID, error) {
	part, id, err := c.fetchPartition(ctx, tp, w)
	if err != nil {
		return nil, id, err
	}
	size := firstBatchCut(part.RecordBatches)
	if size == 0 {
		return part, id, nil
	}
	if size > min(c.cfg.DecompressedMaxBytes, math.MaxInt32) {
		return nil, id, fmt.Errorf("a batch of %d bytes is larger than the limit of %d",
			size, c.cfg.DecompressedMaxBytes)
	}
	w.maxBytes = int32(size)
	part, id, err = c.fetchPartition(ctx, tp, w)
	if err == nil && firstBatchCut(part.RecordBatches) > 0 {
		return nil, id, fmt.Errorf("the broker cuts a batch of %d bytes short", size)
	}
	return part, id, err
}

// fetchPartition returns what a partition holds, and the id of its topic where the broker fetches
// by id: then a topic that was made anew cannot pass for the one that was described.
func (c *Client) fetchPartition(ctx context.Context, tp pipeline.TopicPartition, w wanted) (
	*kmsg.FetchResponseTopicPartition, store.TopicID, error) {
	req := c.fetchRequest(tp, w)
	var byID *kmsg.FetchRequest
	if id := c.topics.Get(tp.Topic); !id.IsZero() {
		byID = c.fetchRequest(tp, w)
		byID.Version, byID.Topics[0].TopicID = fetchIDVersion, id
	}
	res, err := c.callFetch(ctx, tp, req, byID)
	if err != nil {
		return nil, store.TopicID{}, err
	}
	if err := codeError(res.ErrorCode); err != nil {
		return nil, store.TopicID{}, err
	}
	if len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
		return nil, store.TopicID{}, errors.New("asked for one partition, got another number")
	}
	part := &res.Topics[0].Partitions[0]
	return part, store.TopicID(res.Topics[0].TopicID), codeError(part.ErrorCode)
}

// What a client knows of whether the brokers fetch by topic id.
const (
	byIDUnknown = iota
	byIDSpoken
	byIDNot
)

// callFetch sends byID where it is not nil and the broker speaks its version, which is asked for
// once, and again after a failure: another broker can have taken over.
func (c *Client) callFetch(ctx context.Context, tp pipeline.TopicPartition,
	req, byID *kmsg.FetchRequest) (*kmsg.FetchResponse, error) {
	call := rawCall{tp: tp, request: req}
	switch known := c.fetchesByID.Load(); {
	case byID == nil || known == byIDNot:
	case known == byIDSpoken:
		call.request = byID
	default:
		call.newer = byID
	}
	answer, err := c.callLeader(ctx, call)
	if err != nil {
		c.fetchesByID.Store(byIDUnknown)
		return nil, err
	}
	res := answer.(*kmsg.FetchResponse)
	if call.newer != nil && res.Version == fetchIDVersion {
		c.fetchesByID.Store(byIDSpoken)
	} else if call.newer != nil {
		c.fetchesByID.Store(byIDNot)
	}
	return res, nil
}

// isOtherTopic reports errors that say that the broker has no topic of that id.
func isOtherTopic(err error) bool {
	return errors.Is(err, kafkago.UnknownTopicID) || errors.Is(err, kafkago.InconsistentTopicID)
}

// otherTopic describes the topic anew, and returns the error that says what became of it.
func (c *Client) otherTopic(ctx context.Context, tp pipeline.TopicPartition, cause error) error {
	was := c.topics.Get(tp.Topic)
	found, err := c.describe(ctx, tp.Topic)
	if err != nil {
		return err
	}
	if found.ID != was {
		return fmt.Errorf("the topic was deleted and made again: %w", cause)
	}
	return cause
}

func (c *Client) fetchRequest(tp pipeline.TopicPartition, w wanted) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version = fetchVersion
	req.ReplicaID = -1
	req.MaxWaitMillis = int32(c.cfg.FetchMaxWait.Milliseconds())
	req.MinBytes, req.MaxBytes = 1, w.maxBytes
	req.IsolationLevel = w.isolation
	req.SessionEpoch = -1
	rt := kmsg.NewFetchRequestTopic()
	rt.Topic = tp.Topic
	rp := kmsg.NewFetchRequestTopicPartition()
	rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes = tp.Partition, w.offset, w.maxBytes
	rp.CurrentLeaderEpoch, rp.LogStartOffset = -1, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	return req
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
