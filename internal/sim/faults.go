package sim

import (
	"errors"
	"slices"
	"strings"
	"time"

	"selfsame/internal/simlog"
	"selfsame/pipeline"
)

// Faults is a set of things that go wrong.
type Faults uint32

// The faults.
const (
	Crash    Faults = 1 << iota // the process dies, at some operation of its disk or some request
	Restart                     // it is stopped and started
	Takeover                    // another process works on a copy of its disk, and it goes on
	Network                     // requests and replies are lost
	Late                        // requests arrive twice, or after their sender has given up
	Markers                     // transaction markers are written late
	Elect                       // partitions get another leader
	Clean                       // logs are compacted
	Clock                       // clocks jump
	Aborts                      // input is transactional, and some of it aborted
	Unclean                     // output partitions lose their end, or everything
)

// AllFaults are all of them.
const AllFaults = Unclean<<1 - 1

// faultNames are in the order of the bits.
var faultNames = []string{"crash", "restart", "takeover", "network", "late", "markers", "elect",
	"clean", "clock", "aborts", "unclean"}

func (f Faults) has(one Faults) bool { return f&one != 0 }

// String lists the faults.
func (f Faults) String() string {
	var names []string
	for i, name := range faultNames {
		if f.has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// ParseFaults reads what String gives. "" is none.
func ParseFaults(text string) (Faults, error) {
	var f Faults
	for name := range strings.SplitSeq(text, ",") {
		known := name == ""
		for i, n := range faultNames {
			if n == name {
				f, known = f|1<<i, true
			}
		}
		if !known {
			return 0, errors.New("unknown fault " + name)
		}
	}
	return f, nil
}

// fault lets one thing go wrong between two steps.
func (s *simulation) fault() error {
	kind := Faults(1) << s.faults.IntN(len(faultNames))
	if !s.config.Faults.has(kind) {
		return nil
	}
	o := s.current
	switch kind {
	case Crash:
		s.planCrash(o, 12)
	case Restart:
		return s.restart()
	case Takeover:
		return s.takeover()
	case Elect:
		tp := s.anyPartition()
		s.logf("%s gets another leader", tp)
		s.broker.Elect(tp)
	case Clean:
		s.clean()
	case Clock:
		s.jump(o)
	case Unclean:
		s.lose()
	}
	return nil
}

// maxSkew is how far the clock of an owner is off at the most.
const maxSkew = 2 * time.Minute

// jump sets a clock, and lets time pass: minutes, or so much that brokers forget who has written.
// No request is under way for as long as that: it is what the fence assumes.
func (s *simulation) jump(o *owner) {
	const seconds = int(maxSkew / time.Second)
	o.skew = time.Duration(s.faults.IntN(2*seconds)-seconds) * time.Second
	passes := time.Duration(s.faults.IntN(600)) * time.Second
	if s.faults.IntN(4) == 0 {
		passes = time.Duration(s.faults.IntN(30)) * time.Hour
	}
	s.logf("%s pass, the clock of %s is off by %s", passes, o.name, o.skew)
	s.broker.Advance(passes)
	for i := len(s.broker.InFlight()) - 1; i >= 0; i-- {
		if s.broker.Age(i) > 20*time.Hour {
			s.broker.Drop(i)
		}
	}
}

// lose takes the end of an output partition away, or makes its topic anew.
func (s *simulation) lose() {
	topics := s.model.OutputTopics()
	topic := topics[s.faults.IntN(len(topics))]
	if s.faults.IntN(4) == 0 {
		s.logf("topic %s is deleted and made again", topic)
		s.broker.CreateTopic(topic, s.partitions[topic])
		for n := range s.partitions[topic] {
			delete(s.output, pipeline.TopicPartition{Topic: topic, Partition: n})
		}
		return
	}
	tp := pipeline.TopicPartition{Topic: topic, Partition: s.faults.Int32N(s.partitions[topic])}
	_, end := s.broker.Bounds(tp)
	s.broker.Truncate(tp, max(0, end-s.faults.Int64N(6)))
	_, end = s.broker.Bounds(tp)
	s.logf("%s is truncated to %d", tp, end)
	// What compaction has removed counts for nothing from here on: what made it superfluous may be
	// lost, and then neither the log nor the store knows of it.
	left := map[int64]bool{}
	for _, r := range s.broker.Records(tp) {
		left[r.Pos.Offset] = true
	}
	s.output[tp] = slices.DeleteFunc(s.output[tp], func(r pipeline.Record) bool {
		return !left[r.Pos.Offset]
	})
}

// planCrash arranges for the owner's death within so many operations of its disk.
func (s *simulation) planCrash(o *owner, within int) {
	c := crash{at: s.faults.IntN(within), phase: phase(s.faults.IntN(3)), kept: s.kept()}
	s.logf("%s will crash %s operation %d of its disk, %d%% kept", o.name, c.phase, c.at, c.kept)
	o.disk.plan(c)
}

func (s *simulation) kept() int { return []int{0, 50, 100}[s.faults.IntN(3)] }

func (s *simulation) restart() (err error) {
	s.logf("%s is restarted", s.current.name)
	if s.current, err = s.reborn(s.current); err != nil {
		return err
	}
	return s.current.open()
}

// takeover starts another process on a copy of the disk. The old one knows nothing of it.
func (s *simulation) takeover() error {
	old := s.current
	if len(s.zombies) == 2 {
		return nil
	}
	s.config.Settle()
	s.zombies = append(s.zombies, old)
	s.current = s.newOwner(old.disk.clone(s.kept()), old)
	s.logf("%s takes over from %s", s.current.name, old.name)
	for range s.faults.IntN(4) { // what the copy does not know of
		s.revive(old)
	}
	return s.current.open()
}

func (s *simulation) clean() {
	tp := s.anyPartition()
	_, end := s.broker.Bounds(tp)
	if end == 0 || tp.Topic == topicControl || tp.Topic == topicAudit { // are kept for ever
		return
	}
	limit := s.faults.Int64N(end)
	if s.faults.IntN(3) == 0 {
		s.logf("tombstones in %s below %d are purged", tp, limit)
		if s.config.World >= Governed {
			s.broker.Compact(tp, limit) // or else what a tombstone has ended would be back
		}
		s.broker.PurgeTombstones(tp, limit)
		return
	}
	s.logf("%s is compacted below %d", tp, limit)
	s.broker.Compact(tp, limit)
}

// anyPartition draws one of all partitions.
func (s *simulation) anyPartition() pipeline.TopicPartition {
	topics := append(s.model.ConsumedTopics(), s.model.OutputTopics()...)
	topic := topics[s.faults.IntN(len(topics))]
	n := s.partitions[topic]
	if n == 0 {
		for _, tp := range s.inputs {
			if tp.Topic == topic {
				n++
			}
		}
	}
	return pipeline.TopicPartition{Topic: topic, Partition: s.faults.Int32N(n)}
}

// fate decides about a request of an owner. Before it, something else can happen.
func (s *simulation) fate(o *owner, r *simlog.Request) simlog.Fate {
	if s.intervene != nil {
		s.mark()
		return s.intervene(o, r)
	}
	if s.quiet {
		return simlog.Deliver
	}
	s.meanwhile(o)
	f := s.config.Faults
	writes := r.API >= simlog.APIProduce
	fate := simlog.Deliver
	switch n := s.faults.IntN(100); {
	case n < 4 && f.has(Network):
		fate = simlog.Lose
	case n < 8 && f.has(Network):
		fate = simlog.LoseReply
	case n < 12 && f.has(Late) && writes:
		fate = simlog.Delay
	case n < 14 && f.has(Late) && writes:
		fate = simlog.Duplicate
	}
	if f.has(Crash) && writes && o == s.current && s.faults.IntN(60) == 0 {
		o.disk.crashNow(s.kept())
		fate = simlog.Fate(s.faults.IntN(int(simlog.Duplicate)))
		s.logf("%s dies while sending", o.name)
	}
	if fate != simlog.Deliver || writes {
		s.logf("  %s: fate %d", r, fate)
	}
	return fate
}

// meanwhile lets something happen that has nothing to do with the request at hand.
func (s *simulation) meanwhile(o *owner) {
	if s.depth > 0 {
		return
	}
	s.depth++
	defer func() { s.depth-- }()
	if n := len(s.broker.InFlight()); n > 0 && s.faults.IntN(4) == 0 {
		i := s.faults.IntN(n)
		s.logf("  arrives late: %s", s.broker.InFlight()[i])
		s.broker.Arrive(i)
	}
	s.mark()
	if n := len(s.zombies); n > 0 && s.faults.IntN(3) == 0 {
		s.revive(s.zombies[s.faults.IntN(n)])
	}
}

// mark writes markers that are due: all at once, or, where they are late, one now and then.
func (s *simulation) mark() {
	markers := s.broker.Markers()
	if !s.config.Faults.has(Markers) || s.quiet {
		for _, m := range markers {
			s.broker.Mark(m)
		}
		return
	}
	if n := len(markers); n > 0 && s.faults.IntN(2) == 0 {
		m := markers[s.faults.IntN(n)]
		s.logf("  marker of %s in %s", m.ID, m.TP)
		s.broker.Mark(m)
	}
}

// revive lets an owner that has been replaced go on for a step. An error is its end, as it is that
// of the daemon: what a publisher had taken when it failed, only the next start can tell.
func (s *simulation) revive(z *owner) {
	if z == s.current || z.gone || z.dead() {
		return
	}
	s.depth++ // or it would go on within its own step
	defer func() { s.depth-- }()
	if s.faults.IntN(2) == 0 {
		some := s.inputs
		if s.faults.IntN(2) == 0 {
			at := s.faults.IntN(len(some))
			some = some[at : at+1]
		}
		err := z.consume(some, 1+s.faults.IntN(3))
		z.gone = err != nil
		s.logf("  %s, replaced, consumes: %v", z.name, err)
		return
	}
	n, err := z.publish()
	z.gone = err != nil
	s.logf("  %s, replaced, publishes %d: %v", z.name, n, err)
}

// maxPauses is how often an owner waits within one step before the run counts as stuck.
const maxPauses = 2000

// errStuck says that waiting has not helped.
var errStuck = errors.New("waiting in vain")

// pause lets time pass while an owner waits.
func (s *simulation) pause(o *owner, d time.Duration) error {
	if o.dead() {
		return errDied
	}
	if s.pauses++; s.pauses > maxPauses {
		return errStuck
	}
	s.broker.Advance(min(d, time.Second))
	if s.quiet || s.depth > 0 {
		s.mark()
		return nil
	}
	s.meanwhile(o)
	return nil
}
