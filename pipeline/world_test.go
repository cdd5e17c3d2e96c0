package pipeline_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	"selfsame/schemas"
	"selfsame/store"
)

const (
	crmSchema = `{"type":"record","name":"crm","fields":[
		{"name":"id","type":"string"},
		{"name":"email","type":["null","string"],"default":null},
		{"name":"name","type":["null","string"],"default":null},
		{"name":"age","type":["null","int"],"default":null},
		{"name":"tags","type":["null",{"type":"array","items":"string"}],"default":null},
		{"name":"address","type":["null",{"type":"record","name":"address","fields":[
			{"name":"city","type":["null","string"],"default":null},
			{"name":"zip","type":["null","string"],"default":null}]}],"default":null},
		{"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}],
			"default":null}]}`
	shopSchema = `{"type":"record","name":"shop","fields":[
		{"name":"mail","type":"string"},
		{"name":"name","type":["null","string"],"default":null},
		{"name":"tier","type":["null","string"],"default":null},
		{"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}],
			"default":null}]}`
	webSchema = `{"type":"record","name":"web","fields":[
		{"name":"event","type":"string"},
		{"name":"crm","type":["null","string"],"default":null},
		{"name":"login","type":["null","string"],"default":null},
		{"name":"cookie","type":["null","string"],"default":null},
		{"name":"cookies","type":["null",{"type":"array","items":"string"}],"default":null},
		{"name":"page","type":["null","string"],"default":null},
		{"name":"at","type":["null","string"],"default":null}]}`
)

var idKey = []byte("0123456789abcdef0123456789abcdef")

// testModel is a small world: a CRM and a shop as records, web events, one policy.
func testModel(t testing.TB) *pipeline.Model {
	t.Helper()
	rules, err := identity.NewRules([]identity.Namespace{
		{Name: "crm", Type: identity.CrossDevice, Unique: true, HubDegree: identity.HubsOff},
		{Name: "email", Type: identity.Email, HubDegree: identity.HubsOff},
		{Name: "cookie", Type: identity.Cookie, HubDegree: identity.HubsOff},
	}, 6)
	if err != nil {
		t.Fatal(err)
	}
	limits := pipeline.DefaultLimits()
	limits.RecordBytes, limits.LeavesPerFragment, limits.OutputBytes = 4096, 20, 2000
	return &pipeline.Model{
		IDKey: idKey, DeadLetterTopic: "dead", Limits: limits,
		ControlTopic: "control", AuditTopic: "audit",
		Entities: []*pipeline.Entity{{
			Name: "profile", Rules: rules,
			Policies: []pipeline.PolicyTopic{{
				Policy: profile.Policy{Name: "default"}, Topic: "profiles", Default: true,
			}},
			IdentityTopic: "identity", AssignmentTopic: "assignments",
		}},
		Datasets: []*pipeline.Dataset{
			{
				Name: "crm", Topic: "crm", Entity: "profile", Schema: parse(t, crmSchema),
				Timestamp: "at", Tombstones: pipeline.TombstonesDelete, MaxFuture: 5 * time.Minute,
				Identities: []pipeline.IdentityField{
					{Path: "id", Namespace: "crm", Primary: true},
					{Path: "email", Namespace: "email"},
				},
			},
			{
				Name: "shop", Topic: "shop", Entity: "profile", Mode: pipeline.OpReplace,
				Schema: parse(t, shopSchema), Timestamp: "at", MaxFuture: 5 * time.Minute,
				Format: pipeline.FormatAvro,
				Rename: []schemas.Rename{{From: "mail", To: "email"}},
				Identities: []pipeline.IdentityField{
					{Path: "mail", Namespace: "email", Primary: true},
				},
			},
			{
				Name: "web", Topic: "web", Entity: "profile", Class: pipeline.ClassEvent,
				Schema: parse(t, webSchema), Timestamp: "at", EventID: "event",
				MaxFuture: 5 * time.Minute, Retention: 30 * 24 * time.Hour,
				Identities: []pipeline.IdentityField{
					{Path: "crm", Namespace: "crm"},
					{Path: "login", Namespace: "crm"},
					{Path: "cookie", Namespace: "cookie"},
					{Path: "cookies", Namespace: "cookie"},
				},
			},
			{
				Name: "app", Topic: "web", Entity: "profile", Class: pipeline.ClassEvent,
				Schema: parse(t, webSchema), Timestamp: "at", EventID: "event",
				MaxFuture:  5 * time.Minute,
				Identities: []pipeline.IdentityField{{Path: "cookie", Namespace: "cookie"}},
			},
		},
	}
}

func parse(t testing.TB, text string) *schemas.Schema {
	t.Helper()
	s, err := schemas.Parse("test.avsc", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// world is a shard with its log, worked by hand: no goroutines, no clock.
type world struct {
	t         testing.TB
	model     *pipeline.Model
	log       *memlog.Log
	sink      pipeline.Sink // of the log, unless a test puts another in its place
	fs        *vfs.MemFS
	store     *store.Store
	shard     *pipeline.Shard
	publisher *pipeline.Publisher
	decoder   *pipeline.Decoder
	next      map[pipeline.TopicPartition]int64
	read      map[pipeline.TopicPartition]int // output records seen by emitted
	now       time.Time

	// Input positions that a store which is rebuilt waits for.
	outputs     int32
	dir         string                            // of the store on disk; "": it is in fs
	cacheBytes  int64                             // 0: 8 MiB
	memtable    int64                             // bytes; 0: 1 MiB
	cacheRows   int                               // 0: 20, so that rows are read again
	stepLimit   int                               // of what is removed at a time; 0: the default
	writer      string                            // transactional id
	hold        map[pipeline.TopicPartition]int64 // of a store that is rebuilt
	atLeastOnce bool
	adopts      bool // policies are remembered
	changes     []pipeline.PolicyChange
}

func newWorld(t testing.TB, inputPartitions int32) *world {
	t.Helper()
	return newWorldOn(t, memlog.Options{}, inputPartitions, nil)
}

// newWorldOn makes a world with a log of its own kind. change, where it is not nil, alters the
// model.
func newWorldOn(t testing.TB, o memlog.Options, inputPartitions int32,
	change func(m *pipeline.Model)) *world {
	t.Helper()
	w := &world{t: t, model: testModel(t), log: memlog.New(o),
		fs: vfs.NewCrashableMem(), now: time.Unix(1_700_000_000, 0).UTC(),
		read:    map[pipeline.TopicPartition]int{},
		outputs: 2, writer: "test.0"}
	if change != nil {
		change(w.model)
	}
	for _, topic := range w.model.InputTopics() {
		w.log.CreateTopic(topic, inputPartitions)
	}
	w.log.CreateTopic(w.model.ControlTopic, 1)
	for _, topic := range w.model.OutputTopics() {
		w.log.CreateTopic(topic, 2)
	}
	w.decoder = pipeline.NewDecoder(w.model)
	w.sink = w.log.Sink()
	w.open()
	return w
}

// open opens store, shard and publisher, at first or again.
func (w *world) open() {
	w.t.Helper()
	w.must(w.tryOpen())
}

// tryOpen does, and gives the error of the publisher.
func (w *world) tryOpen() error {
	w.t.Helper()
	var err error
	o := store.Options{FS: w.fs, CacheBytes: cmp.Or(w.cacheBytes, 8<<20),
		MemtableBytes: cmp.Or(w.memtable, 1<<20)}
	if w.dir != "" {
		o.FS = vfs.Default
	}
	w.store, err = store.Open(cmp.Or(w.dir, "store"), o)
	w.must(err)
	if w.adopts {
		w.model.Entity("profile").Leaving = nil
		w.changes, err = pipeline.AdoptPolicies(w.model, w.store, w.now.UnixNano())
		if err != nil {
			return errors.Join(err, w.store.Close())
		}
	}
	partitions := map[string]int32{}
	for _, topic := range w.model.OutputTopics() {
		partitions[topic] = w.outputs
	}
	_, err = pipeline.AdoptRules(w.model, w.store, w.now.UnixNano())
	w.must(err)
	_, err = pipeline.AdoptComputed(w.model, w.store, w.now.UnixNano())
	w.must(err)
	w.shard, err = pipeline.NewShard(w.model, w.store, pipeline.ShardOptions{
		Partitions: partitions, CacheRows: cmp.Or(w.cacheRows, 20),
		StepLimit: w.stepLimit})
	w.must(err)
	w.publisher = pipeline.NewPublisher(w.shard, w.sink, pipeline.PublisherOptions{
		TransactionalID: w.writer, AtLeastOnce: w.atLeastOnce, HoldUntil: w.hold,
		Log:  slog.New(slog.DiscardHandler),
		Now:  func() time.Time { return w.now },
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	w.next = map[pipeline.TopicPartition]int64{}
	for tp, next := range w.shard.Stats().Figures().Positions {
		w.next[tp] = next
	}
	return w.publisher.Open(w.ctx())
}

// ctx is the life of the present run: a test can end it with its sink.
func (w *world) ctx() context.Context {
	if s, ok := w.sink.(interface{ life() context.Context }); ok {
		return s.life()
	}
	return context.Background()
}

// seeds is how many random worlds a test makes: n, or with -short, as under the race detector, some
// of them.
func seeds(n int) int {
	if testing.Short() {
		return max(2, n/4)
	}
	return n
}

// check holds the whole store to its invariants.
func (w *world) check() {
	w.t.Helper()
	report := func(p store.Problem) { w.t.Errorf("check: %s", p) }
	_, err := pipeline.Check(context.Background(), w.model, w.store, report)
	w.must(err)
}

// close ends a test's world.
func (w *world) close() {
	w.t.Helper()
	w.check()
	w.must(w.store.Close())
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// send appends a record at the world's time and returns its position.
func (w *world) send(tp pipeline.TopicPartition, r pipeline.Record) {
	r.Time = w.now.UnixNano()
	w.log.Append(tp, r)
}

// consume applies up to limit records of one partition in one commit; it reports how many.
func (w *world) consume(tp pipeline.TopicPartition, limit int) int {
	w.t.Helper()
	f, err := w.log.Quick().Fetch(context.Background(), tp, w.next[tp])
	w.must(err)
	chunk := pipeline.Chunk{TP: tp, Next: f.Next}
	for _, r := range f.Records[:min(limit, len(f.Records))] {
		chunk.Inputs = append(chunk.Inputs, w.decoder.Decode(r))
		chunk.Next = r.Pos.Offset + 1
	}
	if chunk.Next == w.next[tp] {
		return 0
	}
	w.must(w.shard.Apply([]pipeline.Chunk{chunk}, w.now.UnixNano()))
	w.next[tp] = chunk.Next
	return len(chunk.Inputs)
}

// drain consumes and publishes until nothing is left.
func (w *world) drain() {
	w.t.Helper()
	for again := true; again; {
		again = false
		for _, tp := range w.inputs() {
			again = w.consume(tp, 100) > 0 || again
		}
	}
	w.publish()
}

func (w *world) publish() {
	w.t.Helper()
	for {
		n, err := w.publisher.Publish(context.Background())
		w.must(err)
		if n == 0 {
			w.must(w.shard.Flush())
			return
		}
	}
}

// inputs lists the input partitions in order.
func (w *world) inputs() []pipeline.TopicPartition { return w.partitions(w.model.ConsumedTopics()) }

func (w *world) partitions(topics []string) []pipeline.TopicPartition {
	var all []pipeline.TopicPartition
	for _, topic := range topics {
		found, err := w.log.Quick().Describe(context.Background(), topic)
		w.must(err)
		for _, n := range found.Partitions {
			all = append(all, pipeline.TopicPartition{Topic: topic, Partition: n})
		}
	}
	return all
}

// crash loses what the store had not synced, and opens it again.
func (w *world) crash(what vfs.CrashCloneCfg) {
	w.t.Helper()
	clone := w.fs.CrashClone(what)
	w.must(w.store.Close())
	w.fs = clone
	w.open()
}

// alias names a profile by its root identity, so that stories can be read.
func (w *world) alias(text string) string {
	var pairs []string
	for _, id := range w.everyone() {
		pairs = append(pairs, identity.NewProfileID(idKey, "profile", id).String(),
			"<"+id.String()+">")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// everyone lists all identities that were ever assigned, from the assignment topic.
func (w *world) everyone() []profile.Identity {
	var ids []profile.Identity
	for _, tp := range w.partitions([]string{"assignments"}) {
		for _, r := range w.log.Records(tp) {
			id, ok := profile.ParseIdentity(string(r.Key))
			if !ok {
				w.t.Fatalf("assignment key %q", r.Key)
			}
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, profile.Identity.Compare)
	return slices.Compact(ids)
}

// emitted renders the records of a topic that were published since it was last asked.
func (w *world) emitted(topic string, headers ...string) string {
	var lines []string
	for _, tp := range w.partitions([]string{topic}) {
		records := w.log.Records(tp)
		for _, r := range records[w.read[tp]:] {
			line := fmt.Sprintf("%s %s", r.Key, r.Value)
			if r.Value == nil {
				line = fmt.Sprintf("%s tombstone", r.Key)
			}
			for _, name := range headers {
				if value, ok := r.Header(name); ok {
					line += fmt.Sprintf(" %s=%s", name, value)
				}
			}
			lines = append(lines, line)
		}
		w.read[tp] = len(records)
	}
	lines = strings.Split(w.alias(strings.Join(lines, "\n")), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// final is what a consumer of the compacted topic holds in the end: key to value, without version.
func (w *world) final(topic string) map[string]string {
	held := map[string]string{}
	for _, tp := range w.partitions([]string{topic}) {
		for _, r := range w.log.Records(tp) {
			delete(held, string(r.Key))
			if r.Value != nil {
				held[string(r.Key)] = versions.ReplaceAllString(string(r.Value), "")
			}
		}
	}
	return held
}
