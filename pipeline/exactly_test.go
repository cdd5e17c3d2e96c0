package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// unreliable is a sink between the publisher and the log that loses requests and answers, delivers
// requests late, and ends the process at any call.
type unreliable struct {
	pipeline.Sink
	rnd  *rand.Rand
	cut  int // calls until the process ends, before or after the call takes effect; never where < 0
	ctx  context.Context
	end  context.CancelFunc
	late []*pipeline.Batch // requests that are still on their way
	calm bool
	row  int // failures since something landed; a publisher gives up after some, and starts again
}

var (
	errEnded = errors.New("the process has ended")
	errLost  = errors.New("no answer")
)

func (u *unreliable) life() context.Context { return u.ctx }

// begin starts a life that ends at call cut.
func (u *unreliable) begin(cut int) {
	u.cut = cut
	u.ctx, u.end = context.WithCancel(context.Background())
}

// step reports whether the process ends at this call, and whether the call takes effect first.
func (u *unreliable) step() (ends, after bool) {
	if u.cut < 0 {
		return false, false
	}
	u.cut--
	if u.cut >= 0 {
		return false, false
	}
	u.end()
	return true, u.rnd.IntN(2) == 0
}

func (u *unreliable) Fence(ctx context.Context, id string, expected pipeline.Session,
	partitions []pipeline.TopicPartition) (pipeline.Session, error) {
	ends, after := u.step()
	if ends && !after {
		return pipeline.Session{}, errEnded
	}
	if u.rnd.IntN(2) == 0 {
		u.deliver()
	}
	session, err := u.Sink.Fence(ctx, id, expected, partitions)
	if ends {
		return session, errEnded
	}
	return session, err
}

func (u *unreliable) Bounds(ctx context.Context, tp pipeline.TopicPartition) (
	pipeline.Bounds, error) {
	if ends, _ := u.step(); ends {
		return pipeline.Bounds{}, errEnded
	}
	return u.Sink.Bounds(ctx, tp)
}

func (u *unreliable) Read(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, error) {
	if ends, _ := u.step(); ends {
		return pipeline.Fetched{}, errEnded
	}
	return u.Sink.Read(ctx, tp, offset)
}

func (u *unreliable) Produce(_ context.Context, b *pipeline.Batch) (int64, error) {
	ctx := context.Background()
	ends, after := u.step()
	if !ends && u.calm {
		return u.Sink.Produce(ctx, b)
	}
	fate := u.rnd.IntN(12)
	if u.row++; u.row > 3 {
		fate = 12
	}
	switch {
	case ends && after, fate == 0: // it lands, the answer is lost
		_, _ = u.Sink.Produce(ctx, b)
		return 0, errLost
	case ends, fate == 1: // it is on its way for long
		held := *b
		u.late = append(u.late, &held)
		return 0, errLost
	case fate == 2: // the broker has lost track of the producer, before or after
		if u.rnd.IntN(2) == 0 {
			_, _ = u.Sink.Produce(ctx, b)
		}
		return 0, pipeline.ErrSequence
	}
	u.row = 0
	return u.Sink.Produce(ctx, b)
}

// deliver lets a request that is on its way arrive, whoever owns the topics by now.
func (u *unreliable) deliver() {
	if len(u.late) == 0 {
		return
	}
	i := u.rnd.IntN(len(u.late))
	_, _ = u.Sink.Produce(context.Background(), u.late[i])
	u.late = append(u.late[:i], u.late[i+1:]...)
}

var assignmentVersion = regexp.MustCompile(`"version":(\d+)`)

// checkOutput holds the raw output log to the promise, by offset: per key the version rises from
// record to record, and within a partition the writer's sequence does, so that nothing is there
// twice.
func (w *world) checkOutput() {
	w.t.Helper()
	for _, tp := range w.partitions(w.model.OutputTopics()) {
		versions := map[string]uint64{}
		sequence := int64(-1)
		for _, r := range w.log.Records(tp) {
			seq, _ := r.Header(pipeline.HeaderSequence)
			n, err := strconv.ParseInt(string(seq), 10, 64)
			w.must(err)
			if n <= sequence {
				w.t.Fatalf("%s: sequence %d after %d", r.Pos, n, sequence)
			}
			sequence = n
			version, ok := versionOf(&r)
			if !ok {
				continue
			}
			if version <= versions[string(r.Key)] {
				w.t.Fatalf("%s: version %d after %d", r.Pos, version, versions[string(r.Key)])
			}
			versions[string(r.Key)] = version
		}
	}
}

// versionOf reads the version of a record of a profile or an assignment.
func versionOf(r *pipeline.Record) (uint64, bool) {
	text, ok := r.Header(pipeline.HeaderVersion)
	if !ok {
		m := assignmentVersion.FindSubmatch(r.Value)
		if r.Pos.Topic != "assignments" || m == nil {
			return 0, false
		}
		text = m[1]
	}
	version, err := strconv.ParseUint(string(text), 10, 64)
	return version, err == nil
}

// checkDead: one dead letter for each rejected record.
func (w *world) checkDead(want int) {
	w.t.Helper()
	seen := map[string]bool{}
	for _, tp := range w.partitions([]string{"dead"}) {
		for _, r := range w.log.Records(tp) {
			topic, _ := r.Header(pipeline.HeaderDeadTopic)
			partition, _ := r.Header(pipeline.HeaderDeadPartition)
			offset, _ := r.Header(pipeline.HeaderDeadOffset)
			at := fmt.Sprintf("%s/%s/%s", topic, partition, offset)
			if seen[at] {
				w.t.Fatalf("two dead letters for %s", at)
			}
			seen[at] = true
		}
	}
	if len(seen) != want {
		w.t.Fatalf("%d dead letters, want %d", len(seen), want)
	}
}

// spoil appends records that are rejected.
func (w *world) spoil(rnd *rand.Rand, n, partitions int) {
	for range n {
		w.send(pipeline.TopicPartition{Topic: "crm", Partition: int32(rnd.IntN(partitions))},
			pipeline.Record{Value: []byte("{")})
	}
}

// TestExactlyOnce: lost and late requests, lost answers, brokers that lose track, and the end of
// the process at any call of the sink, with any part of what the store had not synced; what is on
// the output topics is what an undisturbed run would have put there, once, in order.
func TestExactlyOnce(t *testing.T) {
	for range 25 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { playExactlyOnce(t, seed) })
	}
}

const (
	exactlyPartitions = 2
	exactlySpoiled    = 10
)

func playExactlyOnce(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	all := facts(rnd, 120)
	calm := newWorld(t, exactlyPartitions)
	calm.lay(rand.New(rand.NewPCG(seed, 1)), all, exactlyPartitions)
	calm.drain()
	want := calm.final("profiles")
	maps.Copy(want, calm.final("assignments"))
	rejected := calm.count("dead")
	calm.close()

	w := newWorld(t, exactlyPartitions)
	w.lay(rand.New(rand.NewPCG(seed, 1)), all, exactlyPartitions)
	w.spoil(rnd, exactlySpoiled, exactlyPartitions)
	u := &unreliable{Sink: w.log.Sink(), rnd: rnd}
	w.sink = u
	for w.live(rnd, u) {
		w.checkOutput()
	}
	for len(u.late) > 0 {
		u.deliver()
	}
	w.checkOutput()
	w.checkDead(rejected + exactlySpoiled)
	got := w.final("profiles")
	maps.Copy(got, w.final("assignments"))
	w.must(w.shard.Flush())
	w.must(w.store.Reader().Profiles("profile", "default",
		func(id profile.ID, row *store.Profile) error {
			if row.Dead {
				t.Errorf("profile %s has ended and is still there", id)
			}
			return nil
		}))
	w.close()
	compareFinal(t, want, got, "disturbed")
}

// live starts the world after a crash, works until the process ends, and reports whether it did.
func (w *world) live(rnd *rand.Rand, u *unreliable) bool {
	u.begin(rnd.IntN([]int{60, 400}[rnd.IntN(2)]))
	if rnd.IntN(12) == 0 {
		u.begin(-1)
		u.calm = true
	}
	kept := []int{0, 50, 100}[rnd.IntN(3)]
	clone := w.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rnd})
	w.must(w.store.Close())
	w.fs = clone
	if w.ended(w.tryOpen()) {
		return true
	}
	inputs := w.inputs()
	for idle := 0; idle < 10*len(inputs); {
		idle++
		if w.consume(inputs[rnd.IntN(len(inputs))], 1+rnd.IntN(15)) > 0 {
			idle = 0
		}
		if rnd.IntN(3) == 0 {
			u.deliver()
		}
		if rnd.IntN(4) == 0 && w.ended(w.tryPublish()) {
			return true
		}
		if rnd.IntN(30) == 0 {
			w.must(w.shard.Apply(nil, w.now.UnixNano())) // forgets, not durably
		}
	}
	return w.ended(w.tryPublish())
}

func (w *world) tryPublish() error {
	for {
		n, err := w.publisher.Publish(w.ctx())
		if n == 0 || err != nil {
			return err
		}
	}
}

// ended reports whether err is the end of the process; the test fails with any other error.
func (w *world) ended(err error) bool {
	w.t.Helper()
	if err == nil {
		return false
	}
	if !errors.Is(err, errEnded) && !errors.Is(err, context.Canceled) {
		w.t.Fatal(err)
	}
	return true
}

// TestLostUpdate: an entry that had landed before a crash does not take along a change that came
// after it.
func TestLostUpdate(t *testing.T) {
	w := newWorld(t, 1)
	tp := pipeline.TopicPartition{Topic: "crm"}
	w.send(tp, pipeline.Record{Value: []byte(`{"id":"1","name":"Ann"}`)})
	w.consume(tp, 1)
	ctx, end := context.WithCancel(t.Context())
	w.publisherOn(&unanswered{w.log.Sink(), end})
	if _, err := w.publisher.Publish(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("publishing without an answer: %v", err)
	}
	w.crash(vfs.CrashCloneCfg{})
	w.send(tp, pipeline.Record{Value: []byte(`{"id":"1","name":"Anna"}`)})
	w.drain()
	w.checkOutput()
	if got := w.emitted("profiles"); w.count("profiles") != 2 || !strings.Contains(got, "Anna") {
		t.Errorf("published %d records:\n%s", w.count("profiles"), got)
	}
	w.close()
}

// publisherOn is used where the publisher was opened before its sink was replaced.
func (w *world) publisherOn(s pipeline.Sink) {
	w.t.Helper()
	w.sink = s
	w.must(w.store.Close())
	w.open()
	w.sink = w.log.Sink()
}

// unanswered ends the process when the first profile has landed.
type unanswered struct {
	pipeline.Sink
	end context.CancelFunc
}

func (u *unanswered) Produce(ctx context.Context, b *pipeline.Batch) (int64, error) {
	offset, err := u.Sink.Produce(ctx, b)
	if b.TP.Topic != "profiles" {
		return offset, err
	}
	u.end()
	return 0, errLost
}

func (w *world) count(topic string) int {
	n := 0
	for _, tp := range w.partitions([]string{topic}) {
		n += len(w.log.Records(tp))
	}
	return n
}

// copyOf opens a second owner on a copy of the first one's store, on the same log.
func (w *world) copyOf(t *testing.T, rnd *rand.Rand) *world {
	t.Helper()
	second := &world{t: t, model: w.model, log: w.log, sink: w.log.Sink(), decoder: w.decoder,
		fs:  w.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rnd}),
		now: w.now, read: map[pipeline.TopicPartition]int{}, outputs: w.outputs, writer: w.writer}
	return second
}

// TestTakeover: a second owner on a copy of the store overtakes the first, which is paused with
// requests under way; the first is fenced and stops, and the log is as if there had been one.
func TestTakeover(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, 1)
	w.lay(rnd, facts(rnd, 100), 1)
	for _, tp := range w.inputs() {
		w.consume(tp, 20)
	}
	second := w.copyOf(t, rnd)
	for _, tp := range w.inputs() {
		w.consume(tp, 20)
	}
	w.publish() // more than the copy knows of
	for _, tp := range w.inputs() {
		w.consume(tp, 5)
	}
	second.open()
	if _, err := w.publisher.Publish(t.Context()); !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("the first owner after the takeover: %v", err)
	}
	fenced, err := w.store.Reader().Fenced()
	w.must(err)
	if len(fenced) != 1 {
		t.Errorf("%d takeovers written down", len(fenced))
	}
	second.drain()
	second.checkOutput()
	want := newWorld(t, 1)
	for _, tp := range w.inputs() {
		want.log.Append(tp, w.log.Records(tp)...)
	}
	want.now = w.now
	want.drain()
	compareFinal(t, want.final("profiles"), second.final("profiles"), "after the takeover")
	compareFinal(t, want.final("assignments"), second.final("assignments"), "after the takeover")
	want.close()
	w.must(w.store.Close())
	second.close()
}

// TestRestored: a store older than its output begins a new life: nothing older follows what is
// newer, versions rise, what the lost life had published and this one would not is put right.
func TestRestored(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			w := newWorld(t, 1)
			w.lay(rnd, facts(rnd, 120), 1)
			inputs := w.inputs()
			var published map[pipeline.TopicPartition]int64 // what the last publishing was based on
			step := func(times int) {
				for range times {
					w.consume(inputs[rnd.IntN(len(inputs))], 1+rnd.IntN(3))
					if rnd.IntN(2) == 0 {
						w.publish()
						published = maps.Clone(w.next)
					}
				}
			}
			step(10)
			backup, copied := w.fs.CrashClone(vfs.CrashCloneCfg{}), maps.Clone(w.next)
			step(30)
			w.must(w.store.Close())
			w.fs = backup
			held := w.count("profiles")
			w.open()
			behind := false
			for tp, next := range published {
				behind = behind || copied[tp] < next
			}
			w.publishHeld(held, behind)
			if rnd.IntN(2) == 0 {
				w.crash(vfs.CrashCloneCfg{})
				w.publishHeld(held, behind)
			}
			for range 20 {
				step(3)
				w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rnd})
			}
			w.drain()
			w.checkOutput()
			want := newWorld(t, 1)
			for _, tp := range inputs {
				want.log.Append(tp, w.log.Records(tp)...)
			}
			want.now = w.now
			want.drain()
			compareFinal(t, want.final("profiles"), w.final("profiles"), "restored")
			compareFinal(t, want.final("assignments"), w.final("assignments"), "restored")
			want.close()
			w.close()
		})
	}
}

// publishHeld publishes, and expects nothing to come while the store is behind.
func (w *world) publishHeld(held int, behind bool) {
	w.t.Helper()
	if !behind {
		return
	}
	w.publish()
	if n := w.count("profiles"); n != held {
		w.t.Fatalf("%d records were published before the input was caught up", n-held)
	}
}
