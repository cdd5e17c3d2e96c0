package people

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/identity"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a store with its shard and logs in memory, worked by hand.
type world struct {
	t         *testing.T
	at        string // where in which page
	model     *pipeline.Model
	topics    map[string]string // of profiles, by policy that there is or was; "": the default one
	log       *memlog.Log
	fs        *vfs.MemFS
	store     *store.Store
	shard     *pipeline.Shard
	publisher *pipeline.Publisher
	decoder   *pipeline.Decoder
	now       time.Time
	next      map[string]int64             // offset by input topic
	read      map[string]int               // records looked at, by output topic
	shown     map[string][]pipeline.Record // to be told yet by the lines that tell of a topic
}

func newWorld(t *testing.T, m *pipeline.Model) *world {
	t.Helper()
	w := &world{t: t, topics: map[string]string{}, log: memlog.New(memlog.Options{}),
		fs: vfs.NewMem(), now: time.Date(2026, time.January, 31, 9, 0, 0, 0, time.UTC),
		next: map[string]int64{}, read: map[string]int{}, shown: map[string][]pipeline.Record{}}
	w.open(m)
	return w
}

// open opens everything, as a daemon that starts with this configuration does.
func (w *world) open(m *pipeline.Model) {
	w.t.Helper()
	w.model, w.decoder = m, pipeline.NewDecoder(m)
	for _, p := range m.Entity("profile").Policies {
		w.topics[p.Name] = p.Topic
		if p.Default {
			w.topics[""] = p.Topic
		}
	}
	var err error
	w.store, err = store.Open("store", store.Options{FS: w.fs, CacheBytes: 1 << 20,
		MemtableBytes: 1 << 20})
	must(w.t, err)
	_, err = pipeline.AdoptUnions(m, w.store)
	must(w.t, err)
	_, err = pipeline.AdoptRules(m, w.store, w.now.UnixNano())
	must(w.t, err)
	_, err = pipeline.AdoptPolicies(m, w.store, w.now.UnixNano())
	must(w.t, err)
	partitions := map[string]int32{}
	for _, topic := range m.OutputTopics() {
		if partitions[topic] = 1; !slices.Contains(w.created(), topic) {
			w.log.CreateTopic(topic, 1)
			w.read[topic] = 0
		}
	}
	w.shard, err = pipeline.NewShard(m, w.store, pipeline.ShardOptions{Partitions: partitions})
	must(w.t, err)
	w.publisher = pipeline.NewPublisher(w.shard, w.log.Sink(), pipeline.PublisherOptions{
		TransactionalID: "people", Log: slog.New(slog.DiscardHandler),
		Now:  func() time.Time { return w.now },
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	must(w.t, w.publisher.Open(w.t.Context()))
	w.work()
}

// created lists the output topics that there are.
func (w *world) created() (topics []string) {
	for topic := range w.read {
		topics = append(topics, topic)
	}
	return topics
}

// restart goes on with the same store and another configuration.
func (w *world) restart(m *pipeline.Model) {
	w.t.Helper()
	w.close()
	w.open(m)
}

func (w *world) close() {
	w.t.Helper()
	_, err := pipeline.Check(w.t.Context(), w.model, w.store,
		func(p store.Problem) { w.t.Errorf("check: %s", p) })
	must(w.t, err)
	must(w.t, w.store.Close())
}

// send takes a record of a dataset, or of the control topic, from its topic to the output topics,
// and says what became of it.
func (w *world) send(dataset string, r pipeline.Record) string {
	w.t.Helper()
	topic := w.model.ControlTopic
	if dataset == "control" {
		dataset = pipeline.ControlName
	} else {
		ds := w.model.Dataset(dataset)
		if ds == nil {
			w.t.Fatalf("%s: no dataset %s", w.at, dataset)
		}
		topic = ds.Topic
	}
	r.Pos = profile.Position{Topic: topic, Offset: w.next[topic]}
	r.Time = w.now.UnixNano()
	w.next[topic]++
	before := w.shard.Stats().Figures().Datasets[dataset]
	must(w.t, w.shard.Apply([]pipeline.Chunk{{TP: pipeline.TopicPartition{Topic: topic},
		Inputs: []pipeline.Input{w.decoder.Decode(r)}, Next: w.next[topic]}}, r.Time))
	w.work()
	w.now = w.now.Add(time.Second)
	return became(before, w.shard.Stats().Figures().Datasets[dataset])
}

// became names the counter that one record raised.
func became(before, after pipeline.DatasetStats) string {
	switch {
	case after.Accepted > before.Accepted:
		return "accepted"
	case after.Duplicate > before.Duplicate:
		return "duplicate"
	case after.Superseded > before.Superseded:
		return "superseded"
	}
	for reason, n := range after.Rejected {
		if n > before.Rejected[reason] {
			return "rejected " + string(reason)
		}
	}
	return "nothing"
}

// work goes on with background work until there is none, and publishes.
func (w *world) work() {
	w.t.Helper()
	for w.shard.Busy(w.now.UnixNano()) {
		must(w.t, w.shard.Apply(nil, w.now.UnixNano()))
	}
	for again := true; again; {
		n, err := w.publisher.Publish(w.t.Context())
		must(w.t, err)
		again = n > 0
	}
	must(w.t, w.shard.Flush())
}

func (w *world) records(topic string) []pipeline.Record {
	return w.log.Records(pipeline.TopicPartition{Topic: topic})
}

// unread gives what a topic got since it was last looked at.
func (w *world) unread(topic string) []pipeline.Record {
	all := w.records(topic)
	from := w.read[topic]
	w.read[topic] = len(all)
	return slices.Clone(all[from:])
}

func (w *world) lookup() *pipeline.Lookup {
	lookup := pipeline.NewLookup(w.model, w.store)
	lookup.Now = func() int64 { return w.now.UnixNano() }
	return lookup
}

func (w *world) query(id, policy string) pipeline.Query {
	w.t.Helper()
	parsed, ok := profile.ParseIdentity(id)
	if !ok {
		w.t.Fatalf("%s: no identity: %s", w.at, id)
	}
	return pipeline.Query{Class: "profile", Namespace: parsed.Namespace, Value: parsed.Value,
		Policy: policy}
}

// alias names profiles by the identities that they are of.
func (w *world) alias(text string) string {
	var pairs []string
	for _, r := range w.records(w.model.Entity("profile").AssignmentTopic) {
		id, ok := profile.ParseIdentity(string(r.Key))
		if !ok {
			w.t.Fatalf("assignment key %q", r.Key)
		}
		pairs = append(pairs, identity.NewProfileID(w.model.IDKey, "profile", id).String(),
			string(r.Key))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// unmarshal reads JSON with its numbers as they are written.
func unmarshal(text []byte, into any) error {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	return decoder.Decode(into)
}
