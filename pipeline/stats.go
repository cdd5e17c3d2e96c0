package pipeline

import (
	"maps"
	"slices"
	"sync"
	"time"

	"selfsame/computed"
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
	TimersBehind  time.Duration          // how long the oldest that is due has been so
	Inputs        map[string]InputStatus // by input topic
	Lost          map[string]uint64      // offsets passed over unread, by input topic

	Graph        map[string]store.GraphTotals // of the committed state, by class
	GraphChanges map[GraphCount]uint64        // entries of the identity topic, by kind
	LinksLeftOut map[GraphCount]uint64        // new links that stayed out, by rule

	ComputedReadings map[ReadingCount]uint64 // of events, by computed attribute
	// ComputedUnfinished is how often more events had entered or left the windows of an identity
	// than one commit looks at.
	ComputedUnfinished uint64
	// ComputedDeletesMissed counts deletes by id, by dataset, of events that had expired and go on
	// to count in lifetime attributes.
	ComputedDeletesMissed map[string]uint64
}

// GraphCount names something that is counted of the graph of a class: a kind of entry on the
// identity topic, or a rule.
type GraphCount struct{ Class, Name string }

// ReadingCount names something that is counted of the events that a computed attribute has read.
type ReadingCount struct{ Class, Attribute, Kind string }

// The kinds of ReadingCount.
const (
	ReadingAbsent   = "absent"   // the filter met a field that the event does not have
	ReadingUnusable = "unusable" // the value is too long, infinite, or not of its type
)

// Stats are figures that may be read while they are counted.
type Stats struct {
	mu struct {
		sync.Mutex
		f    Figures
		ends map[TopicPartition]int64 // of the input, as of the last fetch

		refused, moved  *spaceSaving[restless]
		refusedControls refusedControls
	}
}

func newStats(model *Model) *Stats {
	s := &Stats{}
	s.mu.ends = map[TopicPartition]int64{}
	s.mu.refused = newSpaceSaving[restless](restlessRoom)
	s.mu.moved = newSpaceSaving[restless](restlessRoom)
	s.mu.f = Figures{Datasets: map[string]DatasetStats{}, Emitted: map[string]uint64{},
		Lag: map[TopicPartition]int64{}, Positions: map[TopicPartition]int64{},
		Inputs: map[string]InputStatus{}, Lost: map[string]uint64{},
		GraphChanges: map[GraphCount]uint64{}, LinksLeftOut: map[GraphCount]uint64{}}
	s.mu.f.ComputedReadings = map[ReadingCount]uint64{}
	s.mu.f.ComputedDeletesMissed = map[string]uint64{}
	for _, entity := range model.Entities {
		for _, d := range entity.Computed {
			for _, kind := range []string{ReadingAbsent, ReadingUnusable} {
				s.mu.f.ComputedReadings[ReadingCount{entity.Name, d.Name, kind}] = 0
			}
		}
		for _, kind := range graphKinds {
			s.mu.f.GraphChanges[GraphCount{entity.Name, kind}] = 0
		}
		for _, rule := range entity.Rules.All() {
			s.mu.f.LinksLeftOut[GraphCount{entity.Name, rule.String()}] = 0
		}
	}
	for _, topic := range model.ConsumedTopics() {
		s.mu.f.Inputs[topic], s.mu.f.Lost[topic] = InputStatus{}, 0
	}
	for _, ds := range model.Datasets {
		if ds.Class == ClassEvent {
			s.mu.f.ComputedDeletesMissed[ds.Name] = 0
		}
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
	f.Graph = maps.Clone(f.Graph)
	f.GraphChanges = maps.Clone(f.GraphChanges)
	f.LinksLeftOut = maps.Clone(f.LinksLeftOut)
	f.ComputedReadings = maps.Clone(f.ComputedReadings)
	f.ComputedDeletesMissed = maps.Clone(f.ComputedDeletesMissed)
	f.Datasets = make(map[string]DatasetStats, len(s.mu.f.Datasets))
	for name, d := range s.mu.f.Datasets {
		d.Rejected = maps.Clone(d.Rejected)
		f.Datasets[name] = d
	}
	return f
}

// counts are what one commit adds. They are added only once it is made.
type counts struct {
	outcomes   []counted
	blocked    uint64
	decided    uint64
	beyondHubs uint64
	jobsDone   uint64
	fired      uint64
	unfinished uint64
	missed     map[string]uint64 // by dataset
	lost       map[string]uint64 // by input topic

	changes []GraphCount
	leftOut []GraphCount // by rule
	reads   map[ReadingCount]uint64
	refused []restless
	moved   []restless

	refusedControls []RefusedControl
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

// reading counts what a computed attribute has made of an event, where that is worth telling.
func (c *counts) reading(class, name string, r computed.Reading) {
	kind := ""
	switch {
	case r.Absent:
		kind = ReadingAbsent
	case r.Unusable:
		kind = ReadingUnusable
	default:
		return
	}
	if c.reads == nil {
		c.reads = map[ReadingCount]uint64{}
	}
	c.reads[ReadingCount{class, name, kind}]++
}

func (c *counts) deleteMissed(dataset string) {
	if c.missed == nil {
		c.missed = map[string]uint64{}
	}
	c.missed[dataset]++
}

func (c *counts) inputLost(topic string, n uint64) {
	if c.lost == nil {
		c.lost = map[string]uint64{}
	}
	c.lost[topic] += n
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
	f.BeyondHubs += c.beyondHubs
	f.JobsDone += c.jobsDone
	f.TimersFired += c.fired
	f.ComputedUnfinished += c.unfinished
	for dataset, n := range c.missed {
		f.ComputedDeletesMissed[dataset] += n
	}
	for topic, n := range c.lost {
		f.Lost[topic] += n
	}
	for _, change := range c.changes {
		f.GraphChanges[change]++
	}
	for _, rule := range c.leftOut {
		f.LinksLeftOut[rule]++
	}
	for key, n := range c.reads {
		f.ComputedReadings[key] += n
	}
	for _, one := range c.refused {
		s.mu.refused.add(one)
	}
	for _, one := range c.moved {
		s.mu.moved.add(one)
	}
	for _, one := range c.refusedControls {
		s.mu.refusedControls.add(one)
	}
	*c = counts{outcomes: c.outcomes[:0], changes: c.changes[:0], leftOut: c.leftOut[:0],
		refused: c.refused[:0], moved: c.moved[:0]}
}

// background notes what there is of work besides records.
func (s *Stats) background(jobs []*store.Job, timers *timers, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.f.Jobs = nil
	for _, job := range jobs {
		s.mu.f.Jobs = append(s.mu.f.Jobs, *job)
	}
	s.mu.f.TimersWaiting = timers.waiting
	s.mu.f.TimersBehind = 0
	if timers.next <= now {
		s.mu.f.TimersBehind = time.Duration(now - timers.next)
	}
}

// graph notes the totals of the graph, as committed.
func (s *Stats) graph(totals *graphTotals) {
	s.mu.Lock()
	defer s.mu.Unlock()
	graph := make(map[string]store.GraphTotals, len(totals.rows))
	for class, row := range totals.rows {
		graph[class] = row.Clone()
	}
	s.mu.f.Graph = graph
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
