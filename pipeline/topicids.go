package pipeline

import (
	"sync"

	"selfsame/store"
)

// TopicIDs are the ids that topics had when they were last described, by name. They are safe for
// concurrent use.
type TopicIDs struct {
	mu struct {
		sync.Mutex
		ids map[string]store.TopicID
	}
}

// NewTopicIDs knows no topic yet.
func NewTopicIDs() *TopicIDs {
	t := &TopicIDs{}
	t.mu.ids = map[string]store.TopicID{}
	return t
}

// Get returns the id of a topic; zero where it is not known.
func (t *TopicIDs) Get(topic string) store.TopicID {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.ids[topic]
}

// Set notes the id of a topic.
func (t *TopicIDs) Set(topic string, id store.TopicID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.ids[topic] = id
}
