package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/internal/simlog"
	"selfsame/pipeline"
	"selfsame/store"
)

// owner is one process that works on the shard: the daemon without its goroutines.
type owner struct {
	sim       *simulation
	name      string
	disk      *disk
	client    *simlog.Client
	skew      time.Duration // of its clock
	store     *store.Store
	shard     *pipeline.Shard
	publisher *pipeline.Publisher

	next     map[pipeline.TopicPartition]int64
	consumed []fed   // what its state is made of, in order
	dumb     *oracle // that was told of consumed
	attempt  attempt // the last commit
	counted  uint64  // records consumed by this process
	gone     bool    // it has given up
}

// attempt is a commit that may have been made: after a crash the positions tell.
type attempt struct {
	version uint64
	next    map[pipeline.TopicPartition]int64
	loose   bool
	now     int64 // by its clock
}

// errDied says that the process is no more.
var errDied = errors.New("the process has died")

// newOwner makes a process on a disk, which earlier had another owner, if not nil. What of that
// one's work the disk really holds is found out.
func (s *simulation) newOwner(mem *vfs.MemFS, earlier *owner) *owner {
	s.owners++
	o := &owner{sim: s, name: fmt.Sprintf("owner%d", s.owners), disk: newDisk(mem, s.faults),
		next: map[pipeline.TopicPartition]int64{}}
	if earlier != nil {
		o.attempt, o.consumed = earlier.attempt, slices.Clone(earlier.consumed)
	}
	o.client = s.broker.Client(simlog.ClientOptions{
		Name:  o.name,
		Fate:  func(r *simlog.Request) simlog.Fate { return s.fate(o, r) },
		Pause: func(ctx context.Context, d time.Duration) error { return s.pause(o, d) },
	})
	o.disk.onCrash = o.client.Kill
	return o
}

// dead reports whether the process has crashed; what it still does counts for nothing.
func (o *owner) dead() bool { return o.disk.image() != nil }

// open starts the process: store, shard, claim of the output.
func (o *owner) open() error {
	s := o.sim
	var err error
	o.store, err = store.Open("store", store.Options{FS: o.disk, CacheBytes: 8 << 20,
		MemtableBytes: 1 << 20})
	s.config.Settle()
	if err != nil {
		return o.blame("opening the store", err)
	}
	if s.config.World >= Counted {
		if _, err := pipeline.AdoptComputed(s.model, o.store, o.now()); err != nil {
			return o.blame("adopting computed attributes", err)
		}
		o.adopted(s.defined)
	}
	o.shard, err = pipeline.NewShard(s.model, o.store, pipeline.ShardOptions{
		Partitions: s.partitions, CacheRows: 1 + s.faults.IntN(40), StepLimit: s.config.StepLimit})
	if err != nil {
		return o.blame("making the shard", err)
	}
	o.publisher = pipeline.NewPublisher(o.shard, o.client.Sink(), pipeline.PublisherOptions{
		TransactionalID: "sim.0", AtLeastOnce: s.config.AtLeastOnce,
		Log:          slog.New(slog.DiscardHandler),
		BatchRecords: 1 + s.faults.IntN(6), TakeEntries: 1 + s.faults.IntN(20),
		Now:  func() time.Time { return time.Unix(0, o.now()) },
		Wait: func(_ context.Context, d time.Duration) error { return s.pause(o, d) },
	})
	if err := o.recall(); err != nil {
		return o.blame("recalling", err)
	}
	return o.claim()
}

// adopted notes which attributes there are from here on, where these are others.
func (o *owner) adopted(all defined) {
	last := definedFirst()
	for i := range o.consumed {
		if o.consumed[i].defined != nil {
			last = o.consumed[i].defined
		}
	}
	if !maps.Equal(last, all) {
		o.consumed = append(o.consumed, fed{defined: all, now: o.now()})
	}
}

// claim has the publisher claim the output, which can make commits of its own: they change what is
// to be published and not what the state says. What the audit topic tells of a life that was lost
// is in force from then on.
func (o *owner) claim() error {
	first := o.store.NextVersion()
	err := o.publisher.Open(context.Background())
	last := o.store.NextVersion()
	const commits = 1<<40 - 1
	for v := first & commits; v <= last&commits; v++ {
		// What is put out again here is as it was when it was last worked out.
		o.commits(last&^commits|v, o.sim.config.World >= Counted || o.unsettled(), o.now())
	}
	if err != nil || o.dead() {
		return o.blame("opening the publisher", err)
	}
	barrier, err := o.store.Reader().Barrier()
	if err != nil || barrier == nil || o.sim.config.World < Governed {
		return o.blame("reading the barrier", err)
	}
	f := fed{}
	if f.heard, err = o.sim.audits(); err != nil {
		return err
	}
	if f.jobs, err = o.removers(); err != nil {
		return o.blame("reading jobs", err)
	}
	f.first = !slices.ContainsFunc(o.consumed, func(r fed) bool {
		return slices.Equal(r.jobs, f.jobs)
	})
	o.consumed = append(o.consumed, f)
	o.dumb.consume(&f)
	o.sim.logf("%s hears of %d records of the audit topic", o.name, len(f.heard))
	return err
}

// removers lists the jobs that have removed what was deleted and lifted before this life: there is
// one of each life that has found something to look for.
func (o *owner) removers() (ids []string, err error) {
	err = o.store.Reader().Jobs(func(job *store.Job) error {
		if strings.HasPrefix(job.ID, "lifted-elsewhere/") {
			ids = append(ids, job.ID)
		}
		return nil
	})
	return ids, err
}

// commits notes a state, if that is one of which the oracle knows what it holds: what a job has not
// come to yet it does not know. Nor is anything published while publishing is held.
func (o *owner) commits(version uint64, loose bool, now int64) {
	if loose {
		o.sim.loose[version] = true
		return
	}
	o.sim.committed(version, o.dumb.look(now))
}

// unsettled reports whether a job is at work, or publishing is held.
func (o *owner) unsettled() bool {
	if o.dead() || o.sim.config.World < Governed {
		return false
	}
	barrier, err := o.store.Reader().Barrier()
	return err != nil || barrier != nil || len(o.shard.Stats().Figures().Jobs) > 0
}

// While a job takes away links, whom an operation acts on that asks who belongs to a profile
// depends on how far the job has come, which the oracle does not know: such operations wait.

// removes reports whether a control record starts such a job.
func removes(r *pipeline.Record) bool { return bytes.Contains(r.Value, []byte(`"delete_dataset"`)) }

// looksAround reports whether a control record asks who belongs to a profile.
func looksAround(r *pipeline.Record) bool {
	return slices.ContainsFunc([]string{"delete_profile", "erase", "lift_delete"},
		func(op string) bool { return bytes.Contains(r.Value, []byte(`"`+op+`"`)) })
}

// removing reports whether such a job is at work.
func (o *owner) removing() bool {
	return !o.dead() && slices.ContainsFunc(o.shard.Stats().Figures().Jobs,
		func(job store.Job) bool { return job.Kind == "drop" })
}

// busy reports whether there is background work to go on with.
func (o *owner) busy() bool { return !o.dead() && o.shard.Busy(o.now()) }

// recall finds out what of what was consumed the disk holds.
func (o *owner) recall() error {
	positions := o.shard.Stats().Figures().Positions
	for tp, next := range positions {
		o.next[tp] = next
	}
	o.consumed = slices.DeleteFunc(o.consumed, func(r fed) bool {
		tp := pipeline.TopicPartition{Topic: r.topic, Partition: r.partition}
		return r.topic != "" && r.offset >= positions[tp]
	})
	o.dumb = newOracle(o.sim.config.World)
	for i := range o.consumed {
		o.dumb.consume(&o.consumed[i])
	}
	made := len(o.attempt.next) > 0
	for tp, next := range o.attempt.next {
		made = made && positions[tp] >= next
	}
	if made {
		o.commits(o.attempt.version, o.attempt.loose || o.unsettled(), o.attempt.now)
	}
	return o.check()
}

// check holds the whole store to its invariants.
func (o *owner) check() error {
	var problems []error
	_, err := pipeline.Check(context.Background(), o.sim.model, o.store, func(p store.Problem) {
		problems = append(problems, fmt.Errorf("checking the store: %s", p))
	})
	return errors.Join(append(problems, err)...)
}

// blame turns an error of a step into what it means: nothing where the process had died anyway.
func (o *owner) blame(doing string, err error) error {
	switch {
	case o.dead():
		return errDied
	case err == nil:
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (o *owner) now() int64 { return o.sim.broker.Now() + int64(o.skew) }

// consume applies up to limit records of each partition in one commit.
func (o *owner) consume(partitions []pipeline.TopicPartition, limit int) error {
	var chunks []pipeline.Chunk
	now := o.now()
	for _, tp := range partitions {
		chunk, err := o.fetch(tp, limit, now)
		switch {
		case errors.Is(err, simlog.RequestTimedOut):
		case err != nil:
			return o.blame("fetching", err)
		case chunk.Next > o.next[tp]:
			chunks = append(chunks, chunk)
		}
	}
	if len(chunks) == 0 || o.dead() {
		return o.blame("", nil)
	}
	if err := o.commit(chunks, now); err != nil {
		return err
	}
	for _, c := range chunks {
		o.next[c.TP] = c.Next
	}
	return nil
}

// fetch reads a chunk, and tells the oracle what is new in it. Now and then it begins with what an
// earlier commit has consumed, as a reader may.
func (o *owner) fetch(tp pipeline.TopicPartition, limit int, now int64) (pipeline.Chunk, error) {
	from := o.next[tp]
	if o.sim.faults.IntN(8) == 0 {
		from = max(0, from-o.sim.faults.Int64N(3))
	}
	got, err := o.client.Fetch(context.Background(), tp, from)
	chunk := pipeline.Chunk{TP: tp, From: from, Next: got.Next, Topic: got.Topic}
	removing := tp.Topic == topicControl && o.removing()
	for i, r := range got.Records {
		if i == limit || removing && r.Pos.Offset >= o.next[tp] && looksAround(&r) {
			chunk.Next = r.Pos.Offset
			break
		}
		removing = removing || tp.Topic == topicControl && removes(&r)
		chunk.Inputs = append(chunk.Inputs, o.sim.decoder.Decode(r))
	}
	if err != nil || chunk.Next <= o.next[tp] {
		return chunk, err
	}
	for i := range chunk.Inputs {
		if r := &chunk.Inputs[i].Record; r.Pos.Offset >= o.next[tp] {
			f := feed(r, now)
			o.consumed = append(o.consumed, f)
			o.dumb.consume(&f)
			o.counted++
		}
	}
	return chunk, nil
}

// commit applies chunks and notes the state that this makes.
func (o *owner) commit(chunks []pipeline.Chunk, now int64) error {
	o.attempt = attempt{o.store.NextVersion(), map[pipeline.TopicPartition]int64{},
		o.unsettled(), now}
	for _, c := range chunks {
		o.attempt.next[c.TP] = c.Next
	}
	if err := o.blame("applying", o.shard.Apply(chunks, now)); err != nil {
		return err
	}
	o.commits(o.attempt.version, o.attempt.loose || o.unsettled(), now)
	return nil
}

// idle commits without input, as an idle applier does.
func (o *owner) idle(durable bool) error {
	if durable {
		return o.blame("flushing", o.shard.Flush())
	}
	version, now, loose := o.store.NextVersion(), o.now(), o.unsettled()
	err := o.shard.Apply(nil, now)
	if loose || o.sim.config.World >= Counted { // a job goes on, or time does
		o.commits(version, loose || err != nil || o.dead() || o.unsettled(), now)
	}
	return o.blame("applying nothing", err)
}

// publish publishes some of what waits, and reports how much that was.
func (o *owner) publish() (int, error) {
	n, err := o.publisher.Publish(context.Background())
	return n, o.blame("publishing", err)
}

// close ends the process; of a dead one what it says does not matter.
func (o *owner) close() error {
	if o.store == nil {
		return nil
	}
	err := o.store.Close()
	o.store = nil
	return o.blame("closing the store", err)
}

// feed is a record in the oracle's words.
func feed(r *pipeline.Record, now int64) fed {
	f := fed{topic: r.Pos.Topic, partition: r.Pos.Partition, offset: r.Pos.Offset, time: r.Time,
		now: now, key: r.Key, value: r.Value, headers: map[string]string{}}
	for _, h := range r.Headers {
		f.headers[h.Key] = string(h.Value)
	}
	return f
}
