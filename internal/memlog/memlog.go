package memlog

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// Options are the limits of a log. The zero value is good for most tests.
type Options struct {
	FetchWait       time.Duration // how long a fetch at the end waits; not at all where 0
	FetchMaxRecords int           // 500 where 0
	MaxBatchBytes   int           // keys, values and headers; 1 MiB where 0
	NoTopicIDs      bool          // tell no ids, as brokers before Kafka 2.8
}

// Log is a set of topics. It is safe for concurrent use.
type Log struct {
	options Options

	mu struct {
		sync.Mutex
		topics  map[string][]*partition
		ids     map[string]store.TopicID
		made    byte              // topics so far, for their ids
		claims  map[string]*claim // by transactional id
		nextID  int64             // of producers
		cluster string
		faults  faults
	}
}

// New returns an empty log.
func New(o Options) *Log {
	if o.FetchMaxRecords == 0 {
		o.FetchMaxRecords = 500
	}
	if o.MaxBatchBytes == 0 {
		o.MaxBatchBytes = 1 << 20
	}
	l := &Log{options: o}
	l.mu.topics = map[string][]*partition{}
	l.mu.ids = map[string]store.TopicID{}
	l.mu.claims = map[string]*claim{}
	l.mu.cluster = "memory"
	return l
}

// CreateTopic adds a topic, or empties the one of that name, as deleting and creating it does.
func (l *Log) CreateTopic(name string, partitions int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropLocked(name)
	l.mu.made++
	if !l.options.NoTopicIDs {
		l.mu.ids[name] = store.TopicID{0: 1, 15: l.mu.made}
	}
	for range partitions {
		l.mu.topics[name] = append(l.mu.topics[name], newPartition())
	}
}

// AddPartitions adds partitions to a topic that exists.
func (l *Log) AddPartitions(name string, n int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range n {
		l.mu.topics[name] = append(l.mu.topics[name], newPartition())
	}
}

// DeleteTopic removes a topic. Fetches that wait in it end with pipeline.ErrUnknownTopic.
func (l *Log) DeleteTopic(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropLocked(name)
}

func (l *Log) dropLocked(name string) {
	for _, p := range l.mu.topics[name] {
		p.wake()
	}
	delete(l.mu.topics, name)
	delete(l.mu.ids, name)
}

// Source returns the log as a source.
func (l *Log) Source() *Source { return &Source{l: l, wait: l.options.FetchWait} }

// Quick returns the log as a source that does not wait at the end.
func (l *Log) Quick() *Source { return &Source{l: l} }

// Sink returns the log as a sink.
func (l *Log) Sink() *Sink { return &Sink{l} }

// Append adds records, of which key, value, headers and time count, and returns the first one's
// offset. The partition must exist.
func (l *Log) Append(tp pipeline.TopicPartition, records ...pipeline.Record) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mustLocked(tp).append(tp, records)
}

// Records returns what the partition holds.
func (l *Log) Records(tp pipeline.TopicPartition) []pipeline.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.mustLocked(tp).records)
}

// Expire moves the start of the partition up to offset, as retention does.
func (l *Log) Expire(tp pipeline.TopicPartition, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mustLocked(tp).expire(offset)
}

// Truncate loses the records from offset on, as an unclean election does, and begins a leader
// epoch. The new leader may append records before anyone can fetch.
func (l *Log) Truncate(tp pipeline.TopicPartition, offset int64, records ...pipeline.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mustLocked(tp).truncate(offset)
	l.mustLocked(tp).append(tp, records)
}

// Skip takes n offsets at the end for what readers do not see: markers, aborted records.
func (l *Log) Skip(tp pipeline.TopicPartition, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.mustLocked(tp)
	p.end += n
	p.wake()
}

// Compact drops the records that a later one with the same key replaces.
func (l *Log) Compact(tp pipeline.TopicPartition) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mustLocked(tp).compact()
}

func (l *Log) mustLocked(tp pipeline.TopicPartition) *partition {
	p := l.findLocked(tp)
	if p == nil {
		// invariant: tests create the topics that they use
		panic(fmt.Sprintf("memlog: a test uses %s without creating it", tp))
	}
	return p
}

// findLocked returns nil where there is no such partition.
func (l *Log) findLocked(tp pipeline.TopicPartition) *partition {
	if ps := l.mu.topics[tp.Topic]; tp.Partition >= 0 && int(tp.Partition) < len(ps) {
		return ps[tp.Partition]
	}
	return nil
}

// Source reads a Log.
type Source struct {
	l    *Log
	wait time.Duration
}

var _ pipeline.Source = (*Source)(nil)

// Describe implements pipeline.Source.
func (s *Source) Describe(_ context.Context, topic string) (pipeline.Topic, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	ps, ok := s.l.mu.topics[topic]
	if !ok {
		return pipeline.Topic{}, fmt.Errorf("%w: %s", pipeline.ErrUnknownTopic, topic)
	}
	found := pipeline.Topic{ID: s.l.mu.ids[topic]}
	for i := range ps {
		found.Partitions = append(found.Partitions, int32(i))
	}
	return found, nil
}

// Offset implements pipeline.Source.
func (s *Source) Offset(_ context.Context, tp pipeline.TopicPartition, start pipeline.Start) (
	int64, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	p := s.l.findLocked(tp)
	if p == nil {
		return 0, fmt.Errorf("%w: %s", pipeline.ErrUnknownTopic, tp)
	}
	return p.resolve(start)
}

// Fetch implements pipeline.Source.
func (s *Source) Fetch(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, error) {
	var timeout <-chan time.Time
	for waited := false; ; {
		if err := ctx.Err(); err != nil {
			return pipeline.Fetched{}, err
		}
		got, changed, err := s.fetchNow(tp, offset)
		if err != nil || got.Next > offset || waited || s.wait <= 0 {
			return got, err
		}
		if timeout == nil {
			timer := time.NewTimer(s.wait)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-changed:
		case <-timeout:
			waited = true
		case <-ctx.Done():
		}
	}
}

// fetchNow does not wait. The channel is closed when the partition changes.
func (s *Source) fetchNow(tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, <-chan struct{}, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if err := s.l.mu.faults.fetch.take(); err != nil {
		return pipeline.Fetched{}, nil, err
	}
	p := s.l.findLocked(tp)
	if p == nil {
		return pipeline.Fetched{}, nil, fmt.Errorf("%w: %s", pipeline.ErrUnknownTopic, tp)
	}
	if offset < p.start || offset > p.end {
		return pipeline.Fetched{}, nil, &pipeline.OutOfRangeError{
			TP: tp, Offset: offset, LogStart: p.start, End: p.end,
		}
	}
	got := p.fetch(offset, s.l.options.FetchMaxRecords)
	got.Topic = s.l.mu.ids[tp.Topic]
	return got, p.changed, nil
}

// position names the record at offset of tp.
func position(tp pipeline.TopicPartition, offset int64) profile.Position {
	return profile.Position{Topic: tp.Topic, Partition: tp.Partition, Offset: offset}
}
