package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync"

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
	c.topics.set(topic, found.ID)
	return found, nil
}

// topicIDs are the ids that topics had when they were last described. Fetches ask for them, so that
// what is fetched is never from a topic that was made anew without saying so.
type topicIDs struct {
	mu struct {
		sync.Mutex
		ids map[string]store.TopicID
	}
}

func newTopicIDs() *topicIDs {
	t := &topicIDs{}
	t.mu.ids = map[string]store.TopicID{}
	return t
}

func (t *topicIDs) get(topic string) store.TopicID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.ids[topic]
}

func (t *topicIDs) set(topic string, id store.TopicID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.ids[topic] = id
}

func metadataRequest(topic string, version int16) kmsg.Request {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = version
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, rt)
	return req
}
