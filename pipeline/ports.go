package pipeline

import (
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

// Batch is one record batch for one partition. It is immutable, and encodes to the same bytes every
// time: an unresolved batch is sent again exactly as it was.
type Batch struct {
	TP       TopicPartition
	Session  Session
	Sequence int32 // of the first record, per partition, from 0 in each session
	Time     int64 // timestamp of all records, nanoseconds since the epoch, kept as milliseconds
	Records  []OutRecord
}

// Sink appends to output topics. One publisher per shard calls it.
type Sink interface {
	// Open claims the transactional id and returns a session newer than every earlier one.
	Open(ctx context.Context, transactionalID string) (Session, error)
	// Partitions returns how many partitions topic has. ErrUnknownTopic where it does not exist.
	Partitions(ctx context.Context, topic string) (int32, error)
	// Produce appends batch with full acknowledgement and returns the offset of its first record. A
	// batch that is already there gives its offset again. ErrFenced: another writer has taken over,
	// stop. ErrSequence: the broker does not know what came before. ErrTooLarge: never to be
	// accepted. Everything else is transient: send the same batch again.
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
