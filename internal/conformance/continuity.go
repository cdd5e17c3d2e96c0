package conformance

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"selfsame/identity"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/schemas"
	"selfsame/store"
)

// RunContinuity runs a pipeline on what open returns, and has its input lose records and be made
// anew, between two runs and under one.
func RunContinuity(t *testing.T, open func(t *testing.T) Env) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, f *flow)
	}{
		{"expired", testFlowExpired},
		{"recreated", testFlowRecreated},
		{"recreated while running", testFlowRecreatedLive},
		{"truncated", testFlowTruncated},
		{"truncated by an election", testFlowElected},
		{"grown", testFlowGrown},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, newFlow(t, open(t))) })
	}
}

// flow is a pipeline with a store and a topic of its own.
type flow struct {
	Env
	t       *testing.T
	model   *pipeline.Model
	tp      pipeline.TopicPartition
	writers map[int32]*writer // of this topic, all in one session
	session pipeline.Session

	store *store.Store
	shard *pipeline.Shard
	stop  func()
}

func newFlow(t *testing.T, e Env) *flow {
	t.Helper()
	f := &flow{Env: e, t: t, tp: e.topic(t), writers: map[int32]*writer{}}
	rules, err := identity.NewRules([]identity.Namespace{
		{Name: "id", Type: identity.CrossDevice, Unique: true},
	}, 0)
	f.must(err)
	schema, err := schemas.Parse("in.avsc", []byte(
		`{"type":"record","name":"in","fields":[{"name":"id","type":"string"}]}`))
	f.must(err)
	topic := func() string { return e.CreateTopic(t, 1, nil) }
	f.model = &pipeline.Model{
		IDKey: []byte("0123456789abcdef"), DeadLetterTopic: topic(), AuditTopic: topic(),
		Limits: pipeline.DefaultLimits(),
		Entities: []*pipeline.Entity{{
			Name: "profile", Rules: rules, IdentityTopic: topic(), AssignmentTopic: topic(),
			Policies: []pipeline.PolicyTopic{{
				Policy: profile.Policy{Name: "default"}, Topic: topic(), Default: true,
			}},
		}},
		Datasets: []*pipeline.Dataset{{
			Name: "in", Topic: f.tp.Topic, Entity: "profile", Schema: schema, MaxFuture: time.Hour,
			Identities: []pipeline.IdentityField{{Path: "id", Namespace: "id", Primary: true}},
		}},
	}
	f.store, err = store.Open(t.TempDir(), store.Options{CacheBytes: 8 << 20,
		MemtableBytes: 1 << 20})
	f.must(err)
	t.Cleanup(func() { f.must(f.store.Close()) })
	f.session, err = e.Sink.Open(within(t), e.Sessions+"-input")
	f.must(err)
	return f
}

func (f *flow) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// start runs the pipeline under a policy, until stop.
func (f *flow) start(policy pipeline.Continuity) {
	f.t.Helper()
	f.model.Datasets[0].Continuity = policy
	partitions := map[string]int32{}
	for _, topic := range f.model.OutputTopics() {
		partitions[topic] = 1
	}
	var err error
	f.shard, err = pipeline.NewShard(f.model, f.store,
		pipeline.ShardOptions{Partitions: partitions})
	f.must(err)
	log := slog.New(slog.DiscardHandler)
	publisher := pipeline.NewPublisher(f.shard, f.Sink, pipeline.PublisherOptions{
		TransactionalID: f.Sessions, Log: log, Now: time.Now, Wait: pipeline.Sleep,
	})
	p := pipeline.NewPipeline(f.shard, publisher, f.Source, log)
	p.Options.MetadataInterval = 200 * time.Millisecond
	ctx, cancel := context.WithCancel(f.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	var once sync.Once
	select {
	case <-p.Ready():
	case err := <-ended:
		f.t.Fatalf("the pipeline has ended: %v", err)
	}
	f.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				f.t.Error(err)
			}
		})
	}
	f.t.Cleanup(f.stop)
}

// write appends records that were not sent before.
func (f *flow) write(partition int32, n int) {
	f.t.Helper()
	w := f.writers[partition]
	if w == nil {
		tp := pipeline.TopicPartition{Topic: f.tp.Topic, Partition: partition}
		w = &writer{e: f.Env, tp: tp, session: f.session}
		f.writers[partition] = w
	}
	var records []pipeline.OutRecord
	for i := range n {
		records = append(records, pipeline.OutRecord{
			Value: fmt.Appendf(nil, `{"id":"p%d-%d"}`, partition, int(w.next)+i)})
	}
	w.produce(f.t, records...)
}

// makeAnew deletes the topic and makes it again.
func (f *flow) makeAnew() {
	f.t.Helper()
	f.Recreate(f.t, f.tp.Topic, 1)
	f.writers = map[int32]*writer{}
}

// patience is how long a flow is waited for.
const patience = 30 * time.Second

// await returns once partition 0 is at an offset, the topic in a state, and what was consumed since
// the start and passed over is right.
func (f *flow) await(state store.InputState, next int64, consumed, lost uint64) {
	f.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	for {
		g := f.shard.Stats().Figures()
		topic := f.tp.Topic
		in := g.Inputs[topic]
		ds := g.Datasets["in"]
		if in.State == state && g.Positions[f.tp] == next && ds.Consumed == consumed &&
			ds.Accepted+ds.Superseded == consumed && g.Lost[topic] == lost {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.t.Fatalf("%s (%s) at %d, %+v, %d lost; want %s at %d, %d consumed, %d lost",
				in.State, in.Reason, g.Positions[f.tp], ds, g.Lost[topic], state, next, consumed,
				lost)
		}
	}
}

func (f *flow) found() store.Case {
	return f.shard.Stats().Figures().Inputs[f.tp.Topic].Break.Case
}

func (f *flow) wantHalted(want store.Case, next int64, consumed uint64) {
	f.t.Helper()
	f.await(store.InputHalted, next, consumed, 0)
	if got := f.found(); got != want {
		f.t.Errorf("found %s, want %s", got, want)
	}
}

func testFlowExpired(t *testing.T, f *flow) {
	f.start(pipeline.ContinuitySkip)
	f.write(0, 20)
	f.await(store.InputRunning, 20, 20, 0)
	f.stop()
	f.write(0, 10)
	f.Expire(t, f.tp, 25)
	f.start(pipeline.ContinuitySkip)
	f.await(store.InputRunning, 30, 5, 5)
	f.stop()
	f.Expire(t, f.tp, 30) // the anchor is gone, and nothing that was not consumed
	f.start(pipeline.ContinuityHalt)
	f.write(0, 1)
	f.await(store.InputRunning, 31, 1, 0)
	f.stop()
	f.write(0, 9)
	f.Expire(t, f.tp, 40)
	f.start(pipeline.ContinuityHalt)
	f.wantHalted(store.CaseExpired, 31, 0)
	f.stop()
	f.start(pipeline.ContinuitySkip) // halted is halted until someone resumes it
	f.wantHalted(store.CaseExpired, 31, 0)
	f.stop()
}

func testFlowRecreated(t *testing.T, f *flow) {
	f.start(pipeline.ContinuityHalt)
	f.write(0, 20)
	f.await(store.InputRunning, 20, 20, 0)
	f.stop()
	f.makeAnew()
	f.write(0, 12)
	f.start(pipeline.ContinuityRewind)
	f.await(store.InputRunning, 12, 12, 0)
	f.stop()
	f.makeAnew()
	f.write(0, 15)
	f.start(pipeline.ContinuitySkip)
	f.await(store.InputRunning, 15, 3, 12)
	f.stop()
	f.makeAnew()
	f.write(0, 5)
	f.start(pipeline.ContinuityHalt)
	f.wantHalted(store.CaseRecreated, 15, 0)
	f.stop()
}

func testFlowRecreatedLive(t *testing.T, f *flow) {
	f.start(pipeline.ContinuityRewind)
	f.write(0, 20)
	f.await(store.InputRunning, 20, 20, 0)
	f.makeAnew()
	f.write(0, 30)
	f.await(store.InputRunning, 30, 50, 0)
	f.stop()
	f.start(pipeline.ContinuityHalt)
	f.write(0, 1)
	f.await(store.InputRunning, 31, 1, 0)
	f.makeAnew()
	f.wantHalted(store.CaseRecreated, 31, 1)
	f.stop()
}

// testFlowTruncated: a broker that is asked does not lose records, so the position is set past the
// end, as it is when the log has lost some.
func testFlowTruncated(t *testing.T, f *flow) {
	f.start(pipeline.ContinuityHalt)
	f.write(0, 20)
	f.await(store.InputRunning, 20, 20, 0)
	f.stop()
	ahead := func() {
		t.Helper()
		past := pipeline.Chunk{TP: f.tp, Inputs: nil, From: 0, Next: 50}
		f.must(f.shard.Apply([]pipeline.Chunk{past}, time.Now().UnixNano()))
	}
	ahead()
	f.start(pipeline.ContinuitySkip)
	f.await(store.InputRunning, 20, 0, 0)
	f.stop()
	ahead()
	f.start(pipeline.ContinuityRewind)
	f.await(store.InputRunning, 20, 20, 0)
	f.stop()
	ahead()
	f.start(pipeline.ContinuityHalt)
	f.wantHalted(store.CaseTruncated, 50, 0)
	f.stop()
}

func testFlowGrown(t *testing.T, f *flow) {
	f.model.Datasets[0].Start = pipeline.Start{Kind: pipeline.StartLatest}
	f.write(0, 7)
	f.start(pipeline.ContinuityHalt)
	f.await(store.InputRunning, 7, 0, 0)
	f.Grow(t, f.tp.Topic, 2)
	f.write(1, 3)
	f.await(store.InputRunning, 7, 3, 0)
	f.stop()
}

// testFlowElected: a leader that has not got everything takes over, and others write in the place
// of what is lost.
func testFlowElected(t *testing.T, f *flow) {
	if f.Truncate == nil || f.Write == nil {
		t.Skip("it does not lose records when asked")
	}
	others := 0
	lose := func(from int64, then int) {
		t.Helper()
		f.Truncate(t, f.tp, from)
		for range then {
			others++
			f.Write(t, f.tp, "none", []pipeline.Record{{Time: baseTime(),
				Value: fmt.Appendf(nil, `{"id":"other-%d"}`, others)}})
		}
	}
	f.start(pipeline.ContinuityHalt)
	for range 20 { // a batch each, for batches are lost whole
		f.write(0, 1)
	}
	f.await(store.InputRunning, 20, 20, 0)
	f.stop()
	lose(12, 4) // shorter than what was consumed
	f.start(pipeline.ContinuitySkip)
	f.await(store.InputRunning, 16, 0, 0)
	f.stop()
	lose(10, 10) // longer: only the anchor tells
	f.start(pipeline.ContinuitySkip)
	f.await(store.InputRunning, 20, 4, 0)
	f.stop()
	lose(5, 20)
	f.start(pipeline.ContinuityRewind)
	f.await(store.InputRunning, 25, 25, 0)
	lose(20, 8) // under a running pipeline
	f.await(store.InputRunning, 28, 53, 0)
	f.stop()
	lose(20, 3)
	f.start(pipeline.ContinuityHalt)
	f.wantHalted(store.CaseTruncated, 28, 0)
	f.stop()
}
