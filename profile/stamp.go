package profile

import (
	"cmp"
	"fmt"
	"strings"
)

// Position names one record of a Kafka topic.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Compare orders positions by topic (as bytes), partition, offset.
func (p Position) Compare(q Position) int {
	return cmp.Or(
		strings.Compare(p.Topic, q.Topic),
		cmp.Compare(p.Partition, q.Partition),
		cmp.Compare(p.Offset, q.Offset),
	)
}

// String gives "topic/partition/offset".
func (p Position) String() string {
	return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset)
}

// Stamp orders everything that records say. All of it is fact about the record, nothing about its
// processing, so comparing stamps gives the same answer in whatever order records are handled.
type Stamp struct {
	Time     int64 // the record's time, nanoseconds since the Unix epoch
	Sequence int64 // the dataset's tie-breaker, 0 without one
	Pos      Position
}

// Compare orders stamps by time, sequence, position.
func (s Stamp) Compare(t Stamp) int {
	if s.Time != t.Time { // almost always
		return cmp.Compare(s.Time, t.Time)
	}
	if s.Sequence != t.Sequence {
		return cmp.Compare(s.Sequence, t.Sequence)
	}
	return s.Pos.Compare(t.Pos)
}

// IsZero reports whether s is the absent stamp. A real stamp always names a topic.
func (s Stamp) IsZero() bool { return s == Stamp{} }

// Before reports s < t, where the absent stamp is before every other, also those of times before
// the epoch.
func (s Stamp) Before(t Stamp) bool {
	if s.IsZero() || t.IsZero() {
		return s.IsZero() && !t.IsZero()
	}
	return s.Compare(t) < 0
}

// Later returns the greater stamp; the absent stamp is the smallest.
func Later(s, t Stamp) Stamp {
	if s.Before(t) {
		return t
	}
	return s
}
