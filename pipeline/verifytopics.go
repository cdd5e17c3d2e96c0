package pipeline

import (
	"context"
	"fmt"

	"selfsame/profile"
)

// TopicTrace is where records of a partition hold a value.
type TopicTrace struct {
	TP TopicPartition
	// Current counts the records that hold it; of a compacted topic those that are the last of
	// their key, and Overwritten the others, which go when Kafka compacts the topic.
	Current, Overwritten int
	Offsets              []int64 // of the first current ones
}

// traceOffsets is how many offsets a trace names.
const traceOffsets = 10

// CompactedTopics lists the output topics of which Kafka keeps the last record of each key.
func (m *Model) CompactedTopics() []string {
	var topics []string
	for _, e := range m.Entities {
		topics = append(topics, e.AssignmentTopic)
		for i := range e.Policies {
			topics = append(topics, e.Policies[i].Topic)
		}
	}
	return topics
}

// SearchTopic reads a topic from its start to its present end and tells, for each needle, in which
// partitions key, value or headers of records hold it.
func SearchTopic(ctx context.Context, source Source, topic string, compacted bool,
	needles []profile.Needle) ([][]TopicTrace, error) {
	found := make([][]TopicTrace, len(needles))
	described, err := source.Describe(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("searching topic %s: %w", topic, err)
	}
	for _, partition := range described.Partitions {
		s := &partitionSearch{tp: TopicPartition{topic, partition}, compacted: compacted,
			needles: needles, hits: make([]map[string]int64, len(needles)),
			traces: make([]TopicTrace, len(needles))}
		if err := s.run(ctx, source); err != nil {
			return nil, fmt.Errorf("searching %s: %w", s.tp, err)
		}
		for i, trace := range s.traces {
			if trace.Current+trace.Overwritten > 0 {
				found[i] = append(found[i], trace)
			}
		}
	}
	return found, nil
}

// partitionSearch is a search of one partition.
type partitionSearch struct {
	tp        TopicPartition
	compacted bool
	needles   []profile.Needle
	hits      []map[string]int64 // by needle: the offset of the last hit of each key
	traces    []TopicTrace
	lower     []byte
}

func (s *partitionSearch) run(ctx context.Context, source Source) error {
	at, err := source.Offset(ctx, s.tp, Start{Kind: StartEarliest})
	if err != nil {
		return err
	}
	for end := int64(-1); end < 0 || at < end; {
		f, err := source.Fetch(ctx, s.tp, at)
		if err != nil {
			return err
		}
		if end < 0 {
			end = f.End
		}
		for i := range f.Records {
			s.record(&f.Records[i])
		}
		at = f.Next
	}
	for i := range s.traces {
		s.traces[i].TP = s.tp
		for _, offset := range s.hits[i] {
			s.current(i, offset)
		}
	}
	return nil
}

func (s *partitionSearch) current(needle int, offset int64) {
	t := &s.traces[needle]
	t.Current++
	if len(t.Offsets) < traceOffsets {
		t.Offsets = append(t.Offsets, offset)
	}
}

func (s *partitionSearch) record(r *Record) {
	s.lower = profile.AppendLower(append(profile.AppendLower(s.lower[:0], r.Key), 0), r.Value)
	for _, h := range r.Headers {
		s.lower = profile.AppendLower(append(s.lower, 0), h.Value)
	}
	for i, needle := range s.needles {
		key := string(r.Key)
		if _, before := s.hits[i][key]; before && s.compacted {
			s.traces[i].Overwritten++
			delete(s.hits[i], key)
		}
		switch {
		case !needle.In(s.lower):
		case !s.compacted:
			s.current(i, r.Pos.Offset)
		case r.Value == nil:
			s.traces[i].Overwritten++ // a tombstone: it goes with what it ends
		default:
			if s.hits[i] == nil {
				s.hits[i] = map[string]int64{}
			}
			s.hits[i][key] = r.Pos.Offset
		}
	}
}
