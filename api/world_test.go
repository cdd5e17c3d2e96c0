package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"selfsame/identity"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/schemas"
	"selfsame/store"
)

const crmSchema = `{"type":"record","name":"crm","fields":[
	{"name":"id","type":"string"},
	{"name":"email","type":["null","string"],"default":null},
	{"name":"name","type":["null","string"],"default":null}]}`

const webSchema = `{"type":"record","name":"web","fields":[
	{"name":"event","type":"string"},
	{"name":"crm","type":"string"}]}`

var start = time.Unix(1_700_000_000, 0).UTC()

// model has the dataset crm, whose records are known by id and email, and the events web.
func model(t *testing.T) *pipeline.Model {
	t.Helper()
	rules, err := identity.NewRules([]identity.Namespace{
		{Name: "crm", Type: identity.CrossDevice, Unique: true},
		{Name: "email", Type: identity.Email},
	}, 6)
	must(t, err)
	crm, err := schemas.Parse("crm.avsc", []byte(crmSchema))
	must(t, err)
	web, err := schemas.Parse("web.avsc", []byte(webSchema))
	must(t, err)
	return &pipeline.Model{
		IDKey:           []byte("0123456789abcdef0123456789abcdef"),
		DeadLetterTopic: "dead",
		ControlTopic:    "control",
		AuditTopic:      "audit",
		Limits:          pipeline.DefaultLimits(),
		Entities: []*pipeline.Entity{{
			Name: "profile", Rules: rules,
			Policies: []pipeline.PolicyTopic{{
				Policy: profile.Policy{Name: "default"}, Topic: "profiles", Default: true,
			}},
			IdentityTopic: "identity", AssignmentTopic: "assignments",
		}},
		Datasets: []*pipeline.Dataset{{
			Name: "crm", Topic: "crm", Entity: "profile", Schema: crm,
			Tombstones: pipeline.TombstonesDelete,
			MaxFuture:  5 * time.Minute,
			Identities: []pipeline.IdentityField{
				{Path: "id", Namespace: "crm", Primary: true},
				{Path: "email", Namespace: "email"},
			},
		}, {
			Name: "web", Topic: "web", Entity: "profile", Class: pipeline.ClassEvent,
			Schema: web, EventID: "event", MaxFuture: 5 * time.Minute,
			Identities: []pipeline.IdentityField{{Path: "crm", Namespace: "crm"}},
		}},
	}
}

// world is a backend whose shard is worked by hand.
type world struct {
	t          *testing.T
	backend    Backend
	shard      *pipeline.Shard
	decoder    *pipeline.Decoder
	next       map[string]int64 // offsets by topic
	now        time.Time
	log        strings.Builder
	broken     error // why it is not ready
	unreadable error // what the store holds is not shown yet

	controlled []string // ids of control records that were written
}

func newWorld(t *testing.T) *world {
	t.Helper()
	m := model(t)
	s, err := store.Open(t.TempDir(), store.Options{CacheBytes: 8 << 20, MemtableBytes: 1 << 20})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	partitions := map[string]int32{}
	for _, topic := range m.OutputTopics() {
		partitions[topic] = 1
	}
	shard, err := pipeline.NewShard(m, s, pipeline.ShardOptions{Partitions: partitions})
	must(t, err)
	w := &world{t: t, shard: shard, decoder: pipeline.NewDecoder(m),
		next: map[string]int64{}, now: start}
	control := func(_ context.Context, id string, record []byte) error {
		if w.broken == nil {
			w.controlled = append(w.controlled, id)
			w.send("control", string(record))
		}
		return w.broken
	}
	w.backend = Backend{Control: control, Backup: w.backUp,
		BackupPath: func(name string) string { return "/data/backups/" + name },
		Lookup:     pipeline.NewLookup(m, s), Stats: shard.Stats(),
		Store: s, Ready: func() error { return w.broken },
		Readable: func() error { return w.unreadable }, Version: "1.2.3", Model: m}
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// send applies values as records of a topic, in one commit.
func (w *world) send(topic string, values ...string) {
	w.t.Helper()
	w.sendWith(topic, nil, values...)
}

func (w *world) sendWith(topic string, headers []pipeline.Header, values ...string) {
	w.t.Helper()
	chunk := pipeline.Chunk{TP: pipeline.TopicPartition{Topic: topic}}
	for _, value := range values {
		chunk.Inputs = append(chunk.Inputs, w.decoder.Decode(pipeline.Record{
			Pos:   profile.Position{Topic: topic, Offset: w.next[topic]},
			Value: []byte(value), Time: w.now.UnixNano(), Headers: headers,
		}))
		w.next[topic]++
	}
	chunk.Next = w.next[topic]
	must(w.t, w.shard.Apply([]pipeline.Chunk{chunk}, w.now.UnixNano()))
}

func (w *world) handler(o Options) http.Handler {
	return newHandler(o, w.backend, slog.New(slog.NewTextHandler(&w.log, nil)))
}

// ask returns status and body of a request with headers, given as "Name: value".
func (w *world) ask(o Options, method, target string, headers ...string) (int, string) {
	r := httptest.NewRequest(method, "http://localhost:8080"+target, nil)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	recorded := httptest.NewRecorder()
	w.handler(o).ServeHTTP(recorded, r)
	return recorded.Code, recorded.Body.String()
}

func (w *world) get(target string) (int, string) { return w.ask(Options{}, "GET", target) }

func ann(id int) string {
	return fmt.Sprintf(`{"id":"%d","email":"ann@example.org","name":"Ann"}`, id)
}

var errNotYet = errors.New("the pipeline has not started reading yet")
