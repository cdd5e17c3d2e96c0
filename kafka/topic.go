package kafka

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
	"selfsame/store"
)

// Describe implements pipeline.Source: as a broker knows the topic now. The id is zero with brokers
// before Kafka 2.8.
func (s *Source) Describe(ctx context.Context, topic string) (pipeline.Topic, error) {
	ctx, cancel := s.c.limit(ctx, 0)
	defer cancel()
	found, err := s.c.describe(ctx, topic)
	if err != nil {
		return pipeline.Topic{}, fmt.Errorf("describing %s: %w", topic, s.c.failed(ctx, err))
	}
	return found, nil
}

// describe asks a broker, not the Transport's cache, so that a topic that is not there is told
// apart from a cluster that does not answer.
func (c *Client) describe(ctx context.Context, topic string) (pipeline.Topic, error) {
	old, newer := metadataRequest(topic, metadataVersion), metadataRequest(topic, metadataIDVersion)
	res, err := c.callNewest(ctx, old, newer)
	if err != nil {
		return pipeline.Topic{}, err
	}
	topics := res.(*kmsg.MetadataResponse).Topics
	if len(topics) != 1 {
		return pipeline.Topic{}, fmt.Errorf("asked for one topic, got %d", len(topics))
	}
	if err := codeError(topics[0].ErrorCode); err != nil {
		return pipeline.Topic{}, named(err)
	}
	found := pipeline.Topic{ID: store.TopicID(topics[0].TopicID)}
	for _, p := range topics[0].Partitions {
		found.Partitions = append(found.Partitions, p.Partition)
	}
	slices.Sort(found.Partitions)
	c.topics.Set(topic, found.ID)
	return found, nil
}

func metadataRequest(topic string, version int16) kmsg.Request {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = version
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, rt)
	return req
}
