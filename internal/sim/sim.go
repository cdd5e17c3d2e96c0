package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/internal/simlog"
	"selfsame/pipeline"
)

// Config is one run. The same one gives the same run.
type Config struct {
	Seed    uint64
	World   World
	Records int    // of input; as the seed says where 0
	Faults  Faults // that may happen
	// AtLeastOnce allows records to repeat. Versions never fall all the same.
	AtLeastOnce bool
	// StepLimit bounds what one operation or step of a job removes; 0: as by default, which no run
	// reaches.
	StepLimit int
	// Settle waits until what the engine does in the background has come to rest. Default: nothing,
	// and then a run with crashes is not quite repeatable.
	Settle func()
}

// Report is what a run did.
type Report struct {
	Trace   []string // what happened, step by step
	Records int      // of input
	Crashes int
	Output  int // records that were published
}

// simulation is a run under way. Each of its sources of chance serves one purpose, so that leaving
// out a fault leaves the work as it was.
type simulation struct {
	config Config
	work   workload
	steps  *rand.Rand // what happens next
	faults *rand.Rand // what goes wrong

	broker     *simlog.Broker
	model      *pipeline.Model
	decoder    *pipeline.Decoder
	partitions map[string]int32 // of output topics
	inputs     []pipeline.TopicPartition

	current *owner
	zombies []*owner // that do not know that they have been replaced
	owners  int
	open    []*simlog.Transaction // of producers of input
	// intervene decides about each request in the place of chance.
	intervene func(o *owner, r *simlog.Request) simlog.Fate
	quiet     bool // nothing goes wrong any more
	depth     int  // of events within requests
	pauses    int  // since the last step

	defined  defined // computed attributes of the next process
	versions defined // their latest definitions, also of those that are gone

	output map[pipeline.TopicPartition][]pipeline.Record
	states map[uint64][]view // by version: what was committed, of several owners
	loose  map[uint64]bool   // versions of which the oracle does not know what they hold
	report Report
}

// Run makes one run and checks it. The error says what does not hold.
func Run(c Config) (Report, error) {
	s, err := newSimulation(c)
	if err != nil {
		return Report{}, err
	}
	err = s.run()
	for _, o := range append(s.zombies, s.current) {
		if closeErr := o.close(); !errors.Is(closeErr, errDied) {
			err = errors.Join(err, closeErr)
		}
	}
	return s.report, err
}

func newSimulation(c Config) (*simulation, error) {
	if c.Settle == nil {
		c.Settle = func() {}
	}
	stream := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(c.Seed, n)) }
	s := &simulation{config: c, steps: stream(1), faults: stream(2),
		work:       workload{world: c.World, rnd: stream(3), left: c.Records},
		partitions: map[string]int32{},
		output:     map[pipeline.TopicPartition][]pipeline.Record{}, states: map[uint64][]view{},
		loose: map[uint64]bool{}, defined: definedFirst(), versions: definedFirst()}
	if c.Records == 0 {
		s.work.left = 20 + s.work.rnd.IntN(100)
	}
	s.report.Records = s.work.left
	model, err := newModel(c.World)
	if err != nil {
		return nil, err
	}
	s.model, s.decoder = model, pipeline.NewDecoder(model)
	s.broker = simlog.New(simlog.Options{Now: 1_700_000_000_000_000_000, FetchMaxRecords: 7,
		MaxBatchBytes: 2500, Tap: s.tap})
	for _, topic := range model.ConsumedTopics() {
		n := int32(1 + s.steps.IntN(3))
		if topic == topicControl {
			n = 1
		}
		s.broker.CreateTopic(topic, n)
		for i := range n {
			s.inputs = append(s.inputs, pipeline.TopicPartition{Topic: topic, Partition: i})
		}
	}
	for _, topic := range model.OutputTopics() {
		s.partitions[topic] = int32(1 + s.steps.IntN(2))
		s.broker.CreateTopic(topic, s.partitions[topic])
	}
	s.current = s.newOwner(vfs.NewCrashableMem(), nil)
	return s, nil
}

// tap sees what is appended to the logs.
func (s *simulation) tap(tp pipeline.TopicPartition, records []pipeline.Record) {
	if _, output := s.partitions[tp.Topic]; output {
		for i := range records {
			sequence, _ := records[i].Header(pipeline.HeaderSequence)
			s.logf("    lands %s: entry %s, %s version %d", records[i].Pos, sequence,
				records[i].Key, version(&records[i]))
		}
		s.output[tp] = append(s.output[tp], records...)
		s.report.Output += len(records)
	}
}

// committed notes a state that an owner has committed.
func (s *simulation) committed(version uint64, v view) {
	s.states[version] = append(s.states[version], v)
}

func (s *simulation) logf(format string, args ...any) {
	s.report.Trace = append(s.report.Trace, fmt.Sprintf(format, args...))
}

// run works until all input is consumed and all faults have had their chance, then lets everything
// come to rest and looks at what has become of it.
func (s *simulation) run() error {
	if err := s.survive(s.current.open()); err != nil {
		return err
	}
	if err := s.toil(); err != nil {
		return err
	}
	if err := s.rest(); err != nil {
		return err
	}
	if s.config.World < Counted {
		return s.verify()
	}
	if err := s.catchUp(); err != nil {
		return err
	}
	if err := s.verify(); err != nil {
		return err
	}
	if err := s.pass(); err != nil {
		return err
	}
	return s.age()
}

// toil works and lets things go wrong until there is no more input.
func (s *simulation) toil() error {
	for s.work.left > 0 {
		if err := s.survive(s.step()); err != nil {
			return err
		}
		if s.faults.IntN(6) == 0 {
			if err := s.survive(s.fault()); err != nil {
				return err
			}
		}
		s.pauses = 0
		s.config.Settle()
	}
	return nil
}

// step is one piece of work.
func (s *simulation) step() error {
	s.broker.Advance(time.Duration(s.steps.IntN(2000)) * time.Millisecond)
	if s.config.World >= Counted {
		s.broker.Advance(time.Duration(s.steps.IntN(180)) * time.Second)
	}
	o := s.current
	if s.work.before != 0 && s.steps.IntN(12) == 0 {
		return errors.Join(s.revise(), s.restart())
	}
	switch n := s.steps.IntN(20); {
	case n < 5:
		s.produce(1 + s.steps.IntN(6))
	case n < 12:
		some := slices.DeleteFunc(slices.Clone(s.inputs), func(pipeline.TopicPartition) bool {
			return s.steps.IntN(2) == 0
		})
		limit := 1 + s.steps.IntN(8)
		s.logf("%s consumes up to %d of %v", o.name, limit, some)
		return o.consume(some, limit)
	case n < 18:
		n, err := o.publish()
		s.logf("%s publishes %d: %v", o.name, n, err)
		return err
	default:
		s.logf("%s is idle", o.name)
		return o.idle(n == 18)
	}
	return nil
}

// produce appends input, some of it in transactions.
func (s *simulation) produce(n int) {
	n = min(n, s.work.left)
	var t *simlog.Transaction
	if s.config.Faults.has(Aborts) && s.work.rnd.IntN(5) == 0 {
		t = s.broker.Begin()
		s.open = append(s.open, t)
	}
	for range n {
		m := s.work.next(s.broker.Now())
		var of []pipeline.TopicPartition
		for _, tp := range s.inputs {
			if tp.Topic == m.topic {
				of = append(of, tp)
			}
		}
		tp := of[s.work.rnd.IntN(len(of))]
		s.logf("input %s: %s %s %v", tp, m.record.Key, m.record.Value, m.record.Headers)
		if t != nil {
			t.Append(tp, m.record)
		} else {
			s.broker.Append(tp, m.record)
		}
	}
	if t == nil || s.work.rnd.IntN(2) == 0 {
		s.endTransactions()
	}
}

// endTransactions ends those of the input's producers.
func (s *simulation) endTransactions() {
	for _, t := range s.open {
		commit := s.work.rnd.IntN(3) > 0
		s.logf("input transaction ends, commit %v", commit)
		t.End(commit)
	}
	s.open = nil
}

// maxLives is how many processes may follow one another because of one error.
const maxLives = 20

// survive deals with an error of the current owner: one that has died is followed by a new process
// on what is left of its disk, one that was fenced, or has seen a log go back, is started again.
func (s *simulation) survive(err error) error {
	for range maxLives {
		old := s.current
		again := errors.Is(err, pipeline.ErrFenced) || errors.Is(err, pipeline.ErrRegressed)
		if !old.dead() && !again && !s.fights(err) {
			return err
		}
		s.logf("%s ends: %v", old.name, err)
		s.config.Settle()
		if s.current, err = s.reborn(old); err != nil {
			return err
		}
		if !s.quiet && s.config.Faults.has(Crash) && s.faults.IntN(4) == 0 {
			s.planCrash(s.current, 40)
		}
		err = s.current.open()
	}
	return fmt.Errorf("after %d lives: %w", maxLives, err)
}

// fights recognises the refusal to start after having been fenced several times, and lets the time
// pass that the operator is told to wait.
func (s *simulation) fights(err error) bool {
	if err == nil || !strings.Contains(err.Error(), "another daemon claims") {
		return false
	}
	s.broker.Advance(11 * time.Minute)
	return true
}

// reborn stops a process and makes one on the same disk.
func (s *simulation) reborn(old *owner) (*owner, error) {
	if err := old.close(); err != nil && !errors.Is(err, errDied) {
		return nil, err
	}
	if old.dead() { // it has not lived to its end
		s.report.Crashes++
		return s.newOwner(old.disk.image(), old), nil
	}
	next := s.newOwner(old.disk.mem, old)
	next.disk.succeed(old.disk)
	return next, nil
}

// rest lets all that is under way arrive, and everything be consumed and published. What is left of
// earlier owners has its last chance in between.
func (s *simulation) rest() error {
	s.quiet = true
	s.endTransactions()
	s.logf("coming to rest")
	if s.config.Faults.has(Unclean) { // what is not written to is looked at by the next start only
		if err := s.survive(s.restart()); err != nil {
			return err
		}
	}
	for range 2 {
		s.settleBroker()
		if err := s.drain(); err != nil {
			return err
		}
		for _, z := range s.zombies {
			s.revive(z)
		}
	}
	return nil
}

func (s *simulation) settleBroker() {
	for len(s.broker.InFlight()) > 0 {
		s.broker.Arrive(0)
	}
	for _, m := range s.broker.Markers() {
		s.broker.Mark(m)
	}
}

// drain works until nothing is left to do.
func (s *simulation) drain() error {
	for quiet := 0; quiet < 3; quiet++ {
		s.pauses = 0
		before := s.position()
		if err := s.survive(s.current.consume(s.inputs, 100)); err != nil {
			return err
		}
		n, err := s.current.publish()
		if err = s.survive(err); err != nil {
			return err
		}
		busy := s.current.busy()
		if err := s.survive(s.current.idle(!busy)); err != nil {
			return err
		}
		if n > 0 || busy || s.position() != before {
			quiet = 0
		}
	}
	return nil
}

func (s *simulation) position() (sum int64) {
	for _, tp := range s.inputs {
		sum += s.current.next[tp]
	}
	return sum
}
