package xdm

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/config"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// now is when all records are sent: later than what the examples tell of.
var now = time.Date(2027, time.January, 1, 0, 0, 0, 0, time.UTC)

// model reads the configuration of this folder, as a user would have it.
func model(t *testing.T) *pipeline.Model {
	t.Helper()
	text, err := os.ReadFile("selfsame.yaml")
	must(t, err)
	cfg, err := config.Example(text, os.DirFS("."), config.Overrides{DataDir: t.TempDir(),
		Brokers: []string{"127.0.0.1:9092"}, IDKey: strings.Repeat("0123456789abcdef", 4)})
	must(t, err)
	m, err := cfg.Model()
	must(t, err)
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is an empty store with its shard and logs in memory, worked by hand.
type world struct {
	t         *testing.T
	model     *pipeline.Model
	log       *memlog.Log
	store     *store.Store
	shard     *pipeline.Shard
	publisher *pipeline.Publisher
	decoder   *pipeline.Decoder
	next      map[string]int64 // offset by input topic
}

func newWorld(t *testing.T, m *pipeline.Model) *world {
	t.Helper()
	w := &world{t: t, model: m, log: memlog.New(memlog.Options{}),
		decoder: pipeline.NewDecoder(m), next: map[string]int64{}}
	partitions := map[string]int32{}
	for _, topic := range m.OutputTopics() {
		w.log.CreateTopic(topic, 1)
		partitions[topic] = 1
	}
	var err error
	w.store, err = store.Open("store", store.Options{FS: vfs.NewMem(), CacheBytes: 1 << 20,
		MemtableBytes: 1 << 20})
	must(t, err)
	w.shard, err = pipeline.NewShard(m, w.store, pipeline.ShardOptions{Partitions: partitions})
	must(t, err)
	w.publisher = pipeline.NewPublisher(w.shard, w.log.Sink(), pipeline.PublisherOptions{
		TransactionalID: "xdm", Log: slog.New(slog.DiscardHandler),
		Now:  func() time.Time { return now },
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	must(t, w.publisher.Open(t.Context()))
	return w
}

func (w *world) close() {
	w.t.Helper()
	_, err := pipeline.Check(w.t.Context(), w.model, w.store,
		func(p store.Problem) { w.t.Errorf("check: %s", p) })
	must(w.t, err)
	must(w.t, w.store.Close())
}

// send takes a message of a dataset from its topic to the output topics.
func (w *world) send(dataset string, message []byte) pipeline.Input {
	w.t.Helper()
	ds := w.model.Dataset(dataset)
	tp := pipeline.TopicPartition{Topic: ds.Topic}
	in := w.decoder.Decode(pipeline.Record{
		Pos:   profile.Position{Topic: ds.Topic, Offset: w.next[ds.Topic]},
		Value: message, Time: now.UnixNano(),
		Headers: []pipeline.Header{{Key: "selfsame-dataset", Value: []byte(dataset)}},
	})
	w.next[ds.Topic]++
	chunk := pipeline.Chunk{TP: tp, Inputs: []pipeline.Input{in}, Next: w.next[ds.Topic]}
	must(w.t, w.shard.Apply([]pipeline.Chunk{chunk}, now.UnixNano()))
	for again := true; again; {
		n, err := w.publisher.Publish(w.t.Context())
		must(w.t, err)
		again = n > 0
	}
	return in
}

// merged is a merged profile as consumers of its topic read it.
type merged struct {
	ID         string
	Identities map[string][]string
	Attributes map[string]any
	Datasets   []string
}

// profiles gives the profiles that a consumer of a class's topic holds in the end.
func (w *world) profiles(entity string) []merged {
	w.t.Helper()
	topic := w.model.Entity(entity).Policies[0].Topic
	last := map[string]merged{}
	for _, r := range w.log.Records(pipeline.TopicPartition{Topic: topic}) {
		delete(last, string(r.Key))
		if r.Value == nil {
			continue
		}
		var m merged
		must(w.t, unmarshal(r.Value, &m))
		last[m.ID] = m
	}
	var all []merged
	for _, m := range last {
		all = append(all, m)
	}
	return all
}

// event reads a stored event.
func (w *world) event(in *pipeline.Input) any {
	w.t.Helper()
	var found any
	err := w.store.Reader().Events(in.Dataset.Entity, in.IDs.Primary,
		func(ref store.EventRef, e *store.Event) error {
			if ref.ID != in.EventID || ref.Dataset != in.Dataset.Name {
				return nil
			}
			return unmarshal(profile.AppendJSON(nil, e.Body), &found)
		})
	must(w.t, err)
	return found
}

// deadLetters gives the values of what was rejected.
func (w *world) deadLetters() []string {
	var values []string
	for _, r := range w.log.Records(pipeline.TopicPartition{Topic: w.model.DeadLetterTopic}) {
		values = append(values, string(r.Value))
	}
	return values
}

// unmarshal reads JSON with its numbers as they are written.
func unmarshal(text []byte, into any) error {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	return decoder.Decode(into)
}
