package pipeline

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// Chunk is a run of consecutive records of one partition, decoded, or what else a reader has to say
// of it.
type Chunk struct {
	TP     TopicPartition
	Kind   ChunkKind
	Inputs []Input
	From   int64 // where the run begins; 0 is always right
	Next   int64 // where the partition goes on: at least one past the last input

	Topic      store.TopicID // that it was read from
	Generation uint64        // of the topic's input when it was read
	Begin      []Beginning   // of a ChunkBegin
	Break      store.Break   // of a ChunkMove and a ChunkHalt
}

// Shard is a single-writer deterministic state machine over a store. One goroutine at a time.
type Shard struct {
	model      *Model
	store      *store.Store
	state      *state
	stats      *Stats
	counts     counts
	partitions map[string]int32 // of each output topic
	rendered   *rendered
	values     map[policyKey]*values
	stepLimit  int

	positions map[TopicPartition]*position
	inputs    map[string]*input
	windows   map[string]*rejectWindow // by dataset
	board     *board

	blocked map[personKey]bool     // values that operators have blocked
	cuts    map[string]*datasetCut // by dataset

	jobs   []*store.Job // that are running; the first has its turn
	timers timers

	// Of the commit under way.
	touchedJobs   []*store.Job
	startedJobs   int // the last of jobs
	forgottenJobs []string
	newBlocked    []personKey
	completed     []string // classes whose clusters have all been decided under new rules
	version       uint64
	links         uint64 // that decisions may look at
	entries       []store.Entry
	dirty         map[clusterKey]*dirtyCluster
	dirtyOrder    []clusterKey
	alone         map[personKey]*dirtyCluster // identities whose own profiles may have changed
	aloneOrder    []personKey
	ending        []ended           // profiles of policies that are leaving
	rooting       []identity.Member // room for those whose root is looked for

	// recalled is what deletions had acted on before the input was consumed again. It is set before
	// anything is applied.
	recalled recalled
	// newRetentions are those under which timers are set from this commit on; nil: those of before.
	newRetentions []byte
	// leftovers and drops are what running jobs are to remove, as far as they were asked for.
	leftovers map[*store.Job]*unfinished
	drops     map[string]*dropJob // by job
	expiries  int                 // events that this commit has removed because they expired
	erasures  erasures
	quiet     bool        // the identity topic is not told what happens to the graph
	repeats   atomic.Bool // input is consumed again, and publishing waits for that

	retired struct {
		sync.Mutex
		refs []retiredProfile // dead profiles whose tombstone has been published
	}
}

type position struct {
	row   store.Position
	dirty bool
}

type retiredProfile struct {
	ref     store.ProfileRef
	version uint64
}

// ShardOptions size a shard.
type ShardOptions struct {
	// Partitions is the number of partitions of each output topic.
	Partitions map[string]int32
	// CacheRows bounds the decoded rows of each kind kept between commits. Default 50,000.
	CacheRows int
	// RenderedBytes bounds the profiles kept between commit and publishing. Default 64 MiB.
	RenderedBytes int
	// StepLimit bounds the events or links that one operation about identities, or one step of the
	// job that goes on with it, removes. Default 1000.
	StepLimit int
}

// Defaults of ShardOptions.
const (
	DefaultCacheRows     = 50_000
	DefaultRenderedBytes = 64 << 20
	DefaultStepLimit     = 1000
)

// NewShard returns the shard of a model over a store.
func NewShard(model *Model, s *store.Store, o ShardOptions) (*Shard, error) {
	if o.CacheRows == 0 {
		o.CacheRows = DefaultCacheRows
	}
	if o.RenderedBytes == 0 {
		o.RenderedBytes = DefaultRenderedBytes
	}
	if o.StepLimit == 0 {
		o.StepLimit = DefaultStepLimit
	}
	for _, topic := range model.OutputTopics() {
		if o.Partitions[topic] <= 0 {
			return nil, fmt.Errorf("the partitions of output topic %s are not known", topic)
		}
	}
	if err := s.Intern(model.names()...); err != nil {
		return nil, err
	}
	values, err := newValues(model)
	if err != nil {
		return nil, err
	}
	sh := &Shard{
		model: model, store: s, state: newState(s.Reader(), o.CacheRows),
		stats: newStats(model), partitions: o.Partitions, rendered: newRendered(o.RenderedBytes),
		positions: map[TopicPartition]*position{}, dirty: map[clusterKey]*dirtyCluster{},
		alone:  map[personKey]*dirtyCluster{},
		inputs: map[string]*input{}, windows: map[string]*rejectWindow{}, board: newBoard(),
		stepLimit: o.StepLimit,
		values:    values, blocked: map[personKey]bool{}, cuts: map[string]*datasetCut{},
	}
	sh.state.computed = newComputedWork(model, &sh.timers, o.CacheRows)
	for _, v := range values {
		v.catalog = sh.state.computed.catalog
	}
	return sh, errors.Join(sh.loadInputs(), sh.loadRules(), sh.loadBackground(),
		sh.loadTotals(), sh.loadRetentions())
}

// loadInputs reads how far the input topics have been consumed, and which of them are read. Of
// topics that are not consumed any more the rows stay, and nothing is shown.
func (sh *Shard) loadInputs() error {
	r, consumed := sh.store.Reader(), sh.model.ConsumedTopics()
	err := r.Positions(func(topic string, partition int32, p *store.Position) error {
		sh.positions[TopicPartition{topic, partition}] = &position{row: *p,
			dirty: slices.Contains(consumed, topic)}
		return nil
	})
	if err != nil {
		return err
	}
	err = r.Inputs(func(topic string, row *store.Input) error {
		sh.inputs[topic] = &input{row: *row, dirty: slices.Contains(consumed, topic)}
		return nil
	})
	sh.show()
	return err
}

// loadBackground reads what the shard keeps in memory of control records, jobs and timers.
func (sh *Shard) loadBackground() error {
	r := sh.state.reader
	if err := r.Unlinks(func(class string) { sh.state.unlinks[class] = true }); err != nil {
		return err
	}
	if err := errors.Join(sh.loadCuts(), sh.loadErased()); err != nil {
		return err
	}
	err := r.Blocked(func(class string, id profile.Identity) {
		sh.blocked[personKey{class, id}] = true
	})
	if err != nil {
		return err
	}
	err = r.Jobs(func(job *store.Job) error {
		if job.State == store.JobRunning {
			sh.jobs = append(sh.jobs, job)
			sh.erasures.all = sh.erasures.all || strings.HasPrefix(job.ID, erasedJobs)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = errors.Join(sh.loadTimers(), sh.state.computed.load(r, sh.model.Entities))
	if err != nil {
		return err
	}
	sh.stats.background(sh.jobs, &sh.timers, sh.state.computed.now)
	return nil
}

// Stats returns the shard's figures. They may be read while it works.
func (sh *Shard) Stats() *Stats { return sh.stats }

// Apply consumes chunks, takes a step of what is due besides, and commits once. Chunks of one
// partition come in order. now is the clock in nanoseconds since the epoch. An error is a fault of
// the store: the shard must not be used again, and nothing of the call was consumed unless the
// commit had been made.
func (sh *Shard) Apply(chunks []Chunk, now int64) error {
	units := jobStepIdle
	if len(chunks) > 0 {
		units = jobStepBusy
	}
	_, err := sh.apply(chunks, now, math.MaxUint64, units)
	return err
}

// commitLinks is how many links the graph decisions of one commit look at before it ends early.
// Hundreds of records are decided for less, but thousands that rearrange full clusters would keep
// everybody else's records waiting for their commit.
const commitLinks = 10_000

// ApplySome is Apply up to bounds of work. A background job gets a step of so many units; 0: none.
// rest is what is left for the next commits; a chunk that was consumed in part is whole in it, and
// is gone on with where it was left.
func (sh *Shard) ApplySome(chunks []Chunk, now int64, units int) (rest []Chunk, err error) {
	return sh.apply(chunks, now, commitLinks, units)
}

// apply makes a commit of chunks, up to one in which decisions have looked at more than links.
func (sh *Shard) apply(chunks []Chunk, now int64, links uint64, units int) (
	rest []Chunk, err error) {
	works := len(chunks) > 0 || sh.Due(now) || units > 0 && sh.HasJobs()
	sh.version = sh.store.NextVersion()
	sh.links = links
	sh.state.computed.now, sh.state.computed.version = now, sh.version
	for i := range chunks {
		if err := sh.applyChunk(&chunks[i], now); err != nil {
			return nil, err
		}
		if sh.spent() {
			rest = chunks[i:]
			break
		}
	}
	if err := sh.background(units, now); err != nil {
		return nil, err
	}
	// What is published must be durable; a commit that only forgets need not be.
	return rest, sh.commit(works, nil)
}

// spent reports whether the commit under way has done as much as it may.
func (sh *Shard) spent() bool { return sh.counts.decided > sh.links }

// Flush commits what there is to forget, durably: the last commit before a stop.
func (sh *Shard) Flush() error {
	sh.version = sh.store.NextVersion()
	return sh.commit(true, nil)
}

// commit makes the commit under way; change, where there is one, adds to it what no step does.
func (sh *Shard) commit(durable bool, change func(b *store.Batch) error) error {
	b := sh.store.NewBatch()
	var err error
	if change != nil {
		err = change(b)
	}
	if err == nil {
		err = sh.fill(b)
	}
	if err != nil {
		b.Discard()
		return err
	}
	if err := sh.store.Commit(b, durable); err != nil {
		return err
	}
	sh.entries, sh.touchedJobs = sh.entries[:0], sh.touchedJobs[:0]
	sh.forgottenJobs, sh.startedJobs, sh.expiries = sh.forgottenJobs[:0], 0, 0
	sh.stats.add(&sh.counts)
	sh.stats.background(sh.jobs, &sh.timers, sh.state.computed.now)
	sh.stats.graph(&sh.state.totals)
	sh.state.turn()
	sh.show()
	sh.store.Wake() // what waited for a position to be reached can see it now
	return nil
}

// background does what is due besides records: timers, then a step of one job.
func (sh *Shard) background(units int, now int64) error {
	if err := sh.runTimers(now); err != nil {
		return err
	}
	if units == 0 || len(sh.jobs) == sh.startedJobs {
		return nil
	}
	return sh.runJob(units, now)
}

// Busy reports whether there is background work to go on with.
func (sh *Shard) Busy(now int64) bool { return sh.HasJobs() || sh.Due(now) }

// HasJobs reports whether a background job is running.
func (sh *Shard) HasJobs() bool { return len(sh.jobs) > 0 }

// Due reports whether something is due by the clock.
func (sh *Shard) Due(now int64) bool { return sh.timers.next <= now }

// fill puts everything the commit holds into b.
func (sh *Shard) fill(b *store.Batch) error {
	if err := sh.settle(b); err != nil {
		return err
	}
	sh.state.write(b)
	if err := sh.state.writeComputed(b); err != nil {
		return err
	}
	sh.writeJobs(b)
	sh.writeTimers(b)
	sh.writeBlocked(b)
	sh.writeCuts(b)
	sh.writeErased(b)
	sh.writeRetentions(b)
	if err := sh.writeRules(b); err != nil {
		return err
	}
	for tp, p := range sh.positions {
		if p.dirty {
			b.SetPosition(tp.Topic, tp.Partition, &p.row)
		}
	}
	for topic, in := range sh.inputs {
		if in.dirty {
			b.SetInput(topic, &in.row)
		}
	}
	b.Enqueue(sh.entries...)
	return sh.dropRetired(b)
}

// show lets others see the positions and inputs that were committed.
func (sh *Shard) show() {
	positions := map[TopicPartition]store.Position{}
	for tp, p := range sh.positions {
		if p.dirty {
			positions[tp], p.dirty = p.row, false
			sh.stats.consumed(tp, p.row.Next)
		}
	}
	inputs := map[string]store.Input{}
	for topic, in := range sh.inputs {
		if in.dirty {
			inputs[topic], in.dirty = in.row, false
			sh.stats.input(topic, sh.model.inputStatus(topic, in.row))
		}
	}
	sh.board.committed(inputs, positions)
}

func (sh *Shard) applyChunk(c *Chunk, now int64) error {
	if c.Kind == ChunkBegin {
		sh.begin(c)
		return nil
	}
	if !sh.admits(c) {
		return nil
	}
	switch c.Kind {
	case ChunkMove:
		sh.move(c, now)
		return nil
	case ChunkHalt:
		sh.halt(c, now)
		return nil
	}
	return sh.consume(c, now)
}

// consume takes the records of a chunk. What an earlier commit consumed is left out.
func (sh *Shard) consume(c *Chunk, now int64) error {
	p := sh.position(c.TP)
	if c.From > p.row.Next {
		return fmt.Errorf("applying %s: offsets %d to %d would be passed over", c.TP, p.row.Next,
			c.From)
	}
	p.dirty = true
	p.row.Generation = c.Generation
	if !c.Topic.IsZero() {
		p.row.Topic = c.Topic
	}
	for i := range c.Inputs {
		in := &c.Inputs[i]
		if in.Record.Pos.Offset < p.row.Next {
			continue
		}
		p.row.MaxTime = max(p.row.MaxTime, min(in.Record.Time, now))
		outcome, err := sh.step(in, now)
		if err != nil {
			return fmt.Errorf("applying %s: %w", in.Record.Pos, err)
		}
		sh.counts.consumed(in, outcome)
		p.row.Next = in.Record.Pos.Offset + 1
		stopped := sh.noteReject(in, now) || sh.spent()
		if stopped || i == len(c.Inputs)-1 {
			p.row.Anchor = anchorOf(&in.Record)
		}
		if stopped {
			return nil
		}
	}
	p.row.Next = max(p.row.Next, c.Next)
	return nil
}

func (sh *Shard) position(tp TopicPartition) *position {
	p := sh.positions[tp]
	if p == nil {
		p = &position{}
		sh.positions[tp] = p
	}
	return p
}

func (sh *Shard) rules(class string) *identity.Rules { return sh.model.Entity(class).Rules }

// partition chooses the partition of a key on an output topic.
func (sh *Shard) partition(topic string, key []byte) int32 {
	return PartitionOf(key, sh.partitions[topic])
}

// retire notes that the end of a dead profile has been published. Safe for concurrent use.
func (sh *Shard) retire(ref store.ProfileRef, version uint64) {
	sh.retired.Lock()
	defer sh.retired.Unlock()
	sh.retired.refs = append(sh.retired.refs, retiredProfile{ref, version})
}

// dropRetired deletes the rows of profiles that are still dead since their end was published.
func (sh *Shard) dropRetired(b *store.Batch) error {
	sh.retired.Lock()
	refs := sh.retired.refs
	sh.retired.refs = nil
	sh.retired.Unlock()
	for _, r := range refs {
		d, err := sh.state.decided(r.ref)
		if err != nil {
			return err
		}
		if d.found && d.row.Dead && d.row.Version == r.version {
			b.DeleteProfile(r.ref)
			*d = decided{}
		}
	}
	return nil
}

// Idle reports whether a commit without chunks would have nothing to do.
func (sh *Shard) Idle() bool {
	sh.retired.Lock()
	defer sh.retired.Unlock()
	return sh.store.Acked() == 0 && len(sh.retired.refs) == 0
}
