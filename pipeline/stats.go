package pipeline

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"selfsame/identity"
	"selfsame/store"
)

// commitBounds are the upper bounds of the commit-time histogram, in seconds.
var commitBounds = [...]float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}

// CommitBounds returns the upper bounds of the commit-time histogram, in seconds.
func CommitBounds() []float64 { return commitBounds[:] }

// DatasetStats are the counts of one dataset. Consumed is the sum of the others.
type DatasetStats struct {
	Consumed   uint64
	Accepted   uint64
	Duplicate  uint64
	Superseded uint64
	Rejected   map[Reason]uint64
}

// RejectedTotal sums the rejections of all reasons.
func (d *DatasetStats) RejectedTotal() uint64 {
	var n uint64
	for _, count := range d.Rejected {
		n += count
	}
	return n
}

// Figures are what has been counted since the program started.
type Figures struct {
	Datasets      map[string]DatasetStats // by name; "" for records of no known dataset
	Emitted       map[string]uint64       // output records by topic
	Tombstones    uint64                  // of them, tombstones of profiles
	Blocked       uint64                  // identities ignored because their value is blocked
	LinksDecided  uint64                  // links looked at by graph decisions
	LinksLeftOut  uint64                  // assertions that ended with their ends apart
	LeftOutByRule map[string]uint64       // new links that stayed out, by kind of rule
	HubsFound     uint64                  // identities that became hubs
	BeyondHubs    uint64                  // assertions that hubs turned away
	Commits       uint64
	CommitSeconds float64
	CommitBuckets [len(commitBounds)]uint64 // cumulative, by CommitBounds
	Lag           map[TopicPartition]int64  // records not yet consumed, as of the last fetch
	Positions     map[TopicPartition]int64  // offset of the next record to consume
	Jobs          []store.Job               // that are running
	JobsDone      uint64                    // that have ended
	TimersWaiting int
	TimersFired   uint64
	Inputs        map[string]InputStatus // by input topic
	Lost          map[string]uint64      // offsets passed over unread, by input topic
}

// Stats are figures that may be read while they are counted.
type Stats struct {
	mu struct {
		sync.Mutex
		f    Figures
		ends map[TopicPartition]int64 // of the input, as of the last fetch
	}
}

func newStats(model *Model) *Stats {
	s := &Stats{}
	s.mu.ends = map[TopicPartition]int64{}
	s.mu.f = Figures{Datasets: map[string]DatasetStats{}, Emitted: map[string]uint64{},
		Lag: map[TopicPartition]int64{}, Positions: map[TopicPartition]int64{},
		Inputs: map[string]InputStatus{}, Lost: map[string]uint64{},
		LeftOutByRule: map[string]uint64{}}
	for _, topic := range model.ConsumedTopics() {
		s.mu.f.Inputs[topic], s.mu.f.Lost[topic] = InputStatus{}, 0
	}
	for _, ds := range model.Datasets {
		s.mu.f.Datasets[ds.Name] = DatasetStats{Rejected: map[Reason]uint64{}}
	}
	if model.ControlTopic != "" {
		s.mu.f.Datasets[ControlName] = DatasetStats{Rejected: map[Reason]uint64{}}
	}
	for _, topic := range model.OutputTopics() {
		s.mu.f.Emitted[topic] = 0
	}
	return s
}

// Figures returns a copy of everything counted so far.
func (s *Stats) Figures() Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.mu.f
	f.Emitted = maps.Clone(f.Emitted)
	f.Lag = maps.Clone(f.Lag)
	f.Jobs = slices.Clone(f.Jobs)
	f.Positions = maps.Clone(f.Positions)
	f.Inputs = maps.Clone(f.Inputs)
	f.Lost = maps.Clone(f.Lost)
	f.LeftOutByRule = maps.Clone(f.LeftOutByRule)
	f.Datasets = make(map[string]DatasetStats, len(s.mu.f.Datasets))
	for name, d := range s.mu.f.Datasets {
		d.Rejected = maps.Clone(d.Rejected)
		f.Datasets[name] = d
	}
	return f
}

// counts are what one commit adds. They are added only once it is made.
type counts struct {
	outcomes []counted
	blocked  uint64
	decided  uint64
	leftOut  uint64
	byRule   map[string]uint64 // kind of rule
	hubs     uint64

	beyondHubs uint64
	jobsDone   uint64
	fired      uint64
	lost       map[string]uint64 // by input topic
}

type counted struct {
	dataset string
	outcome Outcome
	reason  Reason
}

func (c *counts) consumed(in *Input, outcome Outcome) {
	one := counted{outcome: outcome}
	switch {
	case in.Dataset != nil:
		one.dataset = in.Dataset.Name
	case in.control != nil:
		one.dataset = ControlName
	}
	if in.Reject != nil {
		one.reason = in.Reject.Reason
	}
	c.outcomes = append(c.outcomes, one)
	c.blocked += uint64(in.IDs.Blocked)
}

func (c *counts) inputLost(topic string, n uint64) {
	if c.lost == nil {
		c.lost = map[string]uint64{}
	}
	c.lost[topic] += n
}

// leftOutBy counts a new link that a rule keeps out.
func (c *counts) leftOutBy(rule identity.Rule) {
	if c.byRule == nil {
		c.byRule = map[string]uint64{}
	}
	kind, _, _ := strings.Cut(rule.String(), " ")
	c.byRule[kind]++
}

func (c *counts) linkDecided(n int) { c.decided += uint64(n) }

// add counts a commit and resets c.
func (s *Stats) add(c *counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.mu.f
	for _, one := range c.outcomes {
		d := f.Datasets[one.dataset]
		d.Consumed++
		switch one.outcome {
		case Accepted:
			d.Accepted++
		case Duplicate:
			d.Duplicate++
		case Superseded:
			d.Superseded++
		case Rejected:
			if d.Rejected == nil {
				d.Rejected = map[Reason]uint64{}
			}
			d.Rejected[one.reason]++
		}
		f.Datasets[one.dataset] = d
	}
	f.Blocked += c.blocked
	f.LinksDecided += c.decided
	f.LinksLeftOut += c.leftOut
	f.HubsFound += c.hubs
	f.BeyondHubs += c.beyondHubs
	for kind, n := range c.byRule {
		f.LeftOutByRule[kind] += n
	}
	f.JobsDone += c.jobsDone
	f.TimersFired += c.fired
	for topic, n := range c.lost {
		f.Lost[topic] += n
	}
	*c = counts{outcomes: c.outcomes[:0]}
}

// background notes what there is of work besides records.
func (s *Stats) background(jobs []*store.Job, timersWaiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.f.Jobs = nil
	for _, job := range jobs {
		s.mu.f.Jobs = append(s.mu.f.Jobs, *job)
	}
	s.mu.f.TimersWaiting = timersWaiting
}

// consumed notes how far a partition has been consumed, durably.
func (s *Stats) consumed(tp TopicPartition, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.f.Positions[tp] = next
	if end, known := s.mu.ends[tp]; known {
		s.mu.f.Lag[tp] = max(0, end-next)
	}
}

// input notes the state of an input topic, durably. What is not configured any more is left out.
func (s *Stats) input(topic string, status InputStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, configured := s.mu.f.Inputs[topic]; configured {
		s.mu.f.Inputs[topic] = status
	}
}

// positions returns a copy of all positions.
func (s *Stats) positions() map[TopicPartition]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.mu.f.Positions)
}

// commit counts the time of a commit.
func (s *Stats) commit(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.mu.f
	f.Commits++
	f.CommitSeconds += d.Seconds()
	for i, bound := range commitBounds {
		if d.Seconds() <= bound {
			f.CommitBuckets[i]++
		}
	}
}

// emitted counts published records.
func (s *Stats) emitted(topic string, records, tombstones int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.f.Emitted[topic] += uint64(records)
	s.mu.f.Tombstones += uint64(tombstones)
}

// fetched notes the end of a partition, which is read from offset from on where nothing of it has
// been consumed.
func (s *Stats) fetched(tp TopicPartition, from, end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.mu.f.Positions[tp]; known {
		from = s.mu.f.Positions[tp]
	}
	s.mu.ends[tp] = end
	s.mu.f.Lag[tp] = max(0, end-from)
}
