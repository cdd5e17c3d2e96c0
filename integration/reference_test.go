package integration

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"selfsame/config"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// reference works out what is to come of the input topics as they are now: a shard without Kafka,
// goroutines or crashes, fed one partition after the other. The names of output topics are those of
// the installation.
func (h *home) reference() outcome {
	t := h.shop.t
	t.Helper()
	cfg, err := config.Load(h.config())
	must(t, err)
	model, err := cfg.Model()
	must(t, err)
	s, err := store.Open(t.TempDir(), store.Options{CacheBytes: 32 << 20, MemtableBytes: 8 << 20})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	log := memlog.New(memlog.Options{})
	partitions := map[string]int32{}
	for _, topic := range model.OutputTopics() {
		log.CreateTopic(topic, 1)
		partitions[topic] = 1
	}
	_, err = pipeline.AdoptComputed(model, s, time.Now().UnixNano())
	must(t, err)
	shard, err := pipeline.NewShard(model, s, pipeline.ShardOptions{Partitions: partitions})
	must(t, err)
	apply(t, pipeline.NewDecoder(model), shard, readAll(t, h.shop.addr, h.shop.inputs()...))
	publish(t, shard, log)
	return h.published(log)
}

// apply feeds a shard, partition after partition, a hundred records a commit.
func apply(t *testing.T, decoder *pipeline.Decoder, shard *pipeline.Shard, input []*kgo.Record) {
	t.Helper()
	slices.SortStableFunc(input, func(a, b *kgo.Record) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	now := time.Now().UnixNano()
	for len(input) > 0 {
		chunk := pipeline.Chunk{TP: pipeline.TopicPartition{
			Topic: input[0].Topic, Partition: input[0].Partition}}
		for len(input) > 0 && len(chunk.Inputs) < 100 && input[0].Topic == chunk.TP.Topic &&
			input[0].Partition == chunk.TP.Partition {
			chunk.Inputs = append(chunk.Inputs, decoder.Decode(recordOf(input[0])))
			chunk.Next = input[0].Offset + 1
			input = input[1:]
		}
		must(t, shard.Apply([]pipeline.Chunk{chunk}, now))
	}
}

func recordOf(r *kgo.Record) pipeline.Record {
	record := pipeline.Record{
		Pos: profile.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset},
		Key: r.Key, Value: r.Value, Time: r.Timestamp.UnixNano(),
	}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, pipeline.Header{Key: h.Key, Value: h.Value})
	}
	return record
}

func publish(t *testing.T, shard *pipeline.Shard, log *memlog.Log) {
	t.Helper()
	publisher := pipeline.NewPublisher(shard, log.Sink(), pipeline.PublisherOptions{
		TransactionalID: "reference", Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	must(t, publisher.Open(t.Context()))
	for again := true; again; {
		n, err := publisher.Publish(t.Context())
		must(t, err)
		again = n > 0
	}
}

// published reads what the reference has written, as outcome reads it from Kafka.
func (h *home) published(log *memlog.Log) outcome {
	last := func(topic string) map[string]string {
		held := map[string]string{}
		for _, r := range log.Records(pipeline.TopicPartition{Topic: topic}) {
			delete(held, string(r.Key))
			if r.Value != nil {
				held[string(r.Key)] = versionField.ReplaceAllString(string(r.Value), "")
			}
		}
		return held
	}
	o := outcome{profiles: last(h.profiles()), assignments: last(h.assignments()),
		dead: map[string]string{}}
	for _, r := range log.Records(pipeline.TopicPartition{Topic: h.deadLetters()}) {
		said := map[string]string{}
		for _, header := range r.Headers {
			said[header.Key] = string(header.Value)
		}
		const prefix = "selfsame-dead-"
		from := fmt.Sprintf("%s/%s/%s", said[prefix+"topic"], said[prefix+"partition"],
			said[prefix+"offset"])
		o.dead[from] = said[prefix+"reason"]
	}
	return o
}
