package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"selfsame/pipeline"
)

// How long a commit of offsets is tried again while the group has no coordinator: at the first
// commit of a new cluster that takes a second or two.
const (
	coordinatorPatience = 3 * time.Second
	coordinatorWait     = 100 * time.Millisecond
)

// CommitOffsets writes group offsets without being a member of the group, for dashboards that show
// its lag. Kafka refuses it while the group has members. It takes coordinatorPatience longer than a
// request where the group's coordinator is not in its place yet.
func (c *Client) CommitOffsets(ctx context.Context, group string,
	offsets map[pipeline.TopicPartition]int64) error {
	if len(offsets) == 0 {
		return nil
	}
	patience, cancel := context.WithTimeout(ctx, coordinatorPatience)
	defer cancel()
	for {
		err := c.commitOnce(ctx, group, offsets)
		if !isCoordinatorBusy(err) || pause(patience, coordinatorWait) != nil {
			return err
		}
	}
}

// commitOnce reports of several partitions that failed the first, in order.
func (c *Client) commitOnce(ctx context.Context, group string,
	offsets map[pipeline.TopicPartition]int64) error {
	ctx, cancel := c.limit(ctx, 0)
	defer cancel()
	res, err := c.calls.OffsetCommit(ctx, &kafkago.OffsetCommitRequest{
		GroupID:      group,
		GenerationID: -1,
		Topics:       commitsByTopic(offsets),
	})
	if err != nil {
		return fmt.Errorf("committing offsets of %s: %w", group, c.failed(ctx, err))
	}
	failed := 0
	for _, topic := range slices.Sorted(maps.Keys(res.Topics)) {
		for _, p := range res.Topics[topic] {
			if p.Error == nil {
				continue
			}
			if failed++; failed == 1 {
				err = fmt.Errorf("committing the offset of %s/%d for %s: %w",
					topic, p.Partition, group, named(p.Error))
			}
		}
	}
	if failed > 1 {
		err = fmt.Errorf("%w, and %d more", err, failed-1)
	}
	return err
}

func commitsByTopic(offsets map[pipeline.TopicPartition]int64) map[string][]kafkago.OffsetCommit {
	commits := map[string][]kafkago.OffsetCommit{}
	for tp, offset := range offsets {
		commits[tp.Topic] = append(commits[tp.Topic], kafkago.OffsetCommit{
			Partition: int(tp.Partition), Offset: offset,
		})
	}
	for _, cs := range commits {
		slices.SortFunc(cs, func(a, b kafkago.OffsetCommit) int {
			return a.Partition - b.Partition
		})
	}
	return commits
}

// EndOffsets returns the end of every partition of topic: the offset that the next record gets,
// counting what open transactions have written.
func (c *Client) EndOffsets(ctx context.Context, topic string) (
	map[pipeline.TopicPartition]int64, error) {
	found, err := c.Source().Describe(ctx, topic)
	if err != nil {
		return nil, err
	}
	ends := map[pipeline.TopicPartition]int64{}
	for _, p := range found.Partitions {
		tp := pipeline.TopicPartition{Topic: topic, Partition: p}
		if ends[tp], err = c.endOffset(ctx, tp); err != nil {
			return nil, fmt.Errorf("asking for the end of %s: %w", tp, named(c.failed(ctx, err)))
		}
	}
	return ends, nil
}

func (c *Client) endOffset(ctx context.Context, tp pipeline.TopicPartition) (int64, error) {
	ctx, cancel := c.limit(ctx, 0)
	defer cancel()
	return c.listOffset(ctx, tp, askLatest, readUncommitted)
}

// Holds reports whether a topic has records. Markers of transactions are none.
func (c *Client) Holds(ctx context.Context, topic string) (bool, error) {
	found, err := c.Source().Describe(ctx, topic)
	if err != nil {
		return false, err
	}
	for _, p := range found.Partitions {
		held, err := c.holds(ctx, pipeline.TopicPartition{Topic: topic, Partition: p})
		if held || err != nil {
			return held, err
		}
	}
	return false, nil
}

func (c *Client) holds(ctx context.Context, tp pipeline.TopicPartition) (bool, error) {
	bounds, err := c.Sink().Bounds(ctx, tp)
	if err != nil {
		return false, err
	}
	for offset := bounds.Start; offset < bounds.End; {
		got, err := c.Sink().Read(ctx, tp, offset)
		if err != nil || len(got.Records) > 0 {
			return err == nil, err
		}
		offset = got.Next
	}
	return false, nil
}
