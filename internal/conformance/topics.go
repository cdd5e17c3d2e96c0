package conformance

import (
	"errors"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
)

// delete deletes a topic.
func (o *other) delete(t *testing.T, topic string) {
	t.Helper()
	res, err := o.calls.DeleteTopics(within(t), &kafkago.DeleteTopicsRequest{
		Topics: []string{topic},
	})
	if err == nil {
		err = res.Errors[topic]
	}
	if err != nil {
		t.Fatalf("deleting %s: %v", topic, err)
	}
}

// create makes a topic, as soon as one of that name that was deleted is gone.
func (o *other) create(t *testing.T, topic string, partitions int32) {
	t.Helper()
	ctx := within(t)
	for {
		res, err := o.calls.CreateTopics(ctx, &kafkago.CreateTopicsRequest{
			Topics: []kafkago.TopicConfig{{
				Topic: topic, NumPartitions: int(partitions), ReplicationFactor: 1,
			}},
		})
		if err == nil {
			err = res.Errors[topic]
		}
		if err == nil {
			return
		}
		if !errors.Is(err, kafkago.TopicAlreadyExists) {
			t.Fatalf("creating %s: %v", topic, err)
		}
	}
}

// grow adds partitions to a topic, up to a number.
func (o *other) grow(t *testing.T, topic string, partitions int32) {
	t.Helper()
	res, err := o.calls.CreatePartitions(within(t), &kafkago.CreatePartitionsRequest{
		Topics: []kafkago.TopicPartitionsConfig{{Name: topic, Count: partitions}},
	})
	if err == nil {
		err = res.Errors[topic]
	}
	if err != nil {
		t.Fatalf("adding partitions to %s: %v", topic, err)
	}
}
