package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"selfsame/profile"
	"selfsame/store"
)

// TopicPartition names one partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String gives "topic/partition".
func (tp TopicPartition) String() string { return fmt.Sprintf("%s/%d", tp.Topic, tp.Partition) }

// compare orders by topic, then partition.
func (tp TopicPartition) compare(other TopicPartition) int {
	return cmp.Or(cmp.Compare(tp.Topic, other.Topic), cmp.Compare(tp.Partition, other.Partition))
}

// partitionOf is the partition that a position lies in.
func partitionOf(p profile.Position) TopicPartition { return TopicPartition{p.Topic, p.Partition} }

// Header is one header of a Kafka record.
type Header = store.Header

// Record is one record as it lies in a topic. Key and Value are nil where Kafka has null.
type Record struct {
	Pos         profile.Position
	LeaderEpoch int32 // of the batch that held it, -1 where unknown
	Time        int64 // the Kafka timestamp in nanoseconds since the epoch (Kafka keeps milliseconds)
	Key         []byte
	Value       []byte
	Headers     []Header
}

// Header returns the value of the last header named key. ok is false where there is none.
func (r *Record) Header(key string) (value []byte, ok bool) {
	for i := len(r.Headers) - 1; i >= 0; i-- {
		if r.Headers[i].Key == key {
			return r.Headers[i].Value, true
		}
	}
	return nil, false
}

// StartKind says where a partition is read from when no position is stored.
type StartKind uint8

// The kinds of start.
const (
	StartEarliest StartKind = iota // the first record that is left
	StartLatest                    // what is appended from now on
	StartTime                      // the first record with that Kafka timestamp or a later one
)

// Start is where a partition is read from when no position is stored.
type Start struct {
	Kind StartKind
	At   time.Time // for StartTime
}

// Fetched is what one fetch brought.
type Fetched struct {
	// Records are data records with an offset of at least the one asked for, ascending. Control
	// records and records of aborted transactions are not among them.
	Records []Record
	// Next is the offset to ask for next. It can lie past the last record, where the log has been
	// compacted or holds what Records leaves out, and equals the offset asked for at the end.
	Next int64
	// LogStart is the first offset that the log still holds.
	LogStart int64
	// End is the last stable offset: what lies below can be fetched.
	End int64
	// Topic is the id of the topic that all this is from; zero where the broker does not tell.
	Topic store.TopicID
}

// Topic is what a cluster tells of a topic.
type Topic struct {
	ID         store.TopicID // another one for a topic that was deleted and made again
	Partitions []int32       // ascending
}

// Source reads input topics. The pipeline calls it from one goroutine per partition; it must be
// safe for that. Errors other than those named are transient: the caller waits and tries again.
type Source interface {
	// Describe tells the id and the partitions of topic. ErrUnknownTopic where there is none.
	Describe(ctx context.Context, topic string) (Topic, error)
	// Offset resolves a start position to an offset.
	Offset(ctx context.Context, tp TopicPartition, start Start) (int64, error)
	// Fetch waits a bounded time for records from offset on; nothing new is no error.
	// *OutOfRangeError where the log does not reach from or to offset.
	Fetch(ctx context.Context, tp TopicPartition, offset int64) (Fetched, error)
}

// OutRecord is one record to be published. A nil Value is a tombstone.
type OutRecord = store.OutRecord

// Session is a producer's claim: the broker refuses batches of an older epoch of the same ID.
type Session struct {
	ID    int64 // Kafka's producer id
	Epoch int16
}

// NoSession is what a fresh claim expects: whatever was there before.
func NoSession() Session { return Session{ID: -1, Epoch: -1} }

// Bounds are the ends of a log: it holds records from Start up to and without End.
type Bounds struct{ Start, End int64 }

// Batch is one record batch for one partition. It is immutable, and encodes to the same bytes every
// time: an unresolved batch is sent again exactly as it was.
type Batch struct {
	TP       TopicPartition
	Session  Session
	Sequence int32 // of the first record, per partition, from 0 in each session
	Time     int64 // timestamp of all records, nanoseconds since the epoch, kept as milliseconds
	Records  []OutRecord
}

// Sink appends to output topics and reads back what has landed in them. One publisher per shard
// calls it, from one goroutine.
//
// Fence waits for what passes by itself, until ctx ends. The other methods try once; errors other
// than those named are transient: the caller waits and tries again.
type Sink interface {
	// Cluster names the cluster: offsets of another one mean nothing.
	Cluster(ctx context.Context) (string, error)
	// Partitions returns how many partitions topic has. ErrUnknownTopic where it does not exist.
	Partitions(ctx context.Context, topic string) (int32, error)
	// Open claims the transactional id and returns a session newer than every earlier one. That
	// alone shuts nobody out: Fence does. Without an id it returns a session that claims nothing.
	// ErrNotAuthorized.
	Open(ctx context.Context, transactionalID string) (Session, error)
	// Fence claims the transactional id and shuts every earlier session out of partitions: once it
	// returns, no batch of theirs will be appended there any more, and what they have appended
	// lies below the end that Bounds gives afterwards. It also keeps the claim from expiring.
	//
	// expected is the session that is renewed, or NoSession. ErrFenced: expected is not the
	// latest session, or another owner claims at this moment; stop. ErrNotAuthorized.
	// ErrUnknownTopic: one of partitions does not exist.
	Fence(ctx context.Context, transactionalID string, expected Session,
		partitions []TopicPartition) (Session, error)
	// Bounds returns the ends of a partition's log; open transactions count. ErrUnknownTopic.
	Bounds(ctx context.Context, tp TopicPartition) (Bounds, error)
	// Read returns data records from offset on, as Source.Fetch does, but waits for no
	// transaction to end: End is the end of the log. Next passes control records and emptied
	// batches. *OutOfRangeError where the log does not reach from or to offset.
	Read(ctx context.Context, tp TopicPartition, offset int64) (Fetched, error)
	// Produce appends batch with full acknowledgement and returns the offset of its first record,
	// or -1 where the broker knows that the batch is there but not where. A batch that is already
	// there gives its offset again. ErrFenced: another owner has taken over, stop. ErrSequence:
	// the broker does not know what came before. ErrTooLarge: never to be accepted. Everything
	// else leaves the batch's fate unknown: send the same batch again.
	Produce(ctx context.Context, batch *Batch) (offset int64, err error)
}

// SchemaRegistry tells the schemas that records were written in. Readers call it before they decode
// records whose schema they do not hold; it must be safe for concurrent use.
type SchemaRegistry interface {
	// SchemaText returns the text of an Avro schema that needs no other. ErrUnknownSchema where
	// the registry has no such id: it is asked again for a while, then the records are rejected.
	// ErrUnusableSchema where it will never be of use: they are rejected at once. Everything else
	// is transient: reading is held up, and nothing is rejected.
	SchemaText(ctx context.Context, id uint32) ([]byte, error)
}

// Errors of sources, sinks and registries, to be told apart with errors.Is.
var (
	ErrUnknownTopic = errors.New("unknown topic or partition")
	ErrFenced       = errors.New("fenced by a newer writer")
	ErrSequence     = errors.New("out of order sequence")
	ErrTooLarge     = errors.New("record batch too large for the topic")
	// ErrNotAuthorized: the user may not claim the transactional id, or not write to a topic.
	ErrNotAuthorized = errors.New("not authorized")

	ErrUnknownSchema  = errors.New("unknown schema id")
	ErrUnusableSchema = errors.New("schema of no use")
)

// OutOfRangeError says that a log does not hold the offset asked for.
type OutOfRangeError struct {
	TP       TopicPartition
	Offset   int64 // asked for
	LogStart int64 // the first offset left
	End      int64 // the end of the log
}

// Error implements error.
func (e *OutOfRangeError) Error() string {
	return fmt.Sprintf("offset %d of %s is out of range: the log holds %d to %d",
		e.Offset, e.TP, e.LogStart, e.End)
}
