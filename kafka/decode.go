package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"github.com/segmentio/kafka-go/compress"
	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
	"selfsame/profile"
)

// Layout of a record batch (message format 2) up to its records:
//
//	 0 first offset 8    4+  8 length    12 leader epoch   16 magic      17 crc of what follows
//	21 attributes        23 last offset delta               27 first and 35 max timestamp
//	43 producer id       51 producer epoch                  53 first sequence     57 record count
const (
	lengthEnd   = 12 // the length field counts from here
	magicAt     = 16
	crcAt       = 17
	crcFrom     = 21
	batchHeader = 61
)

// Bits of a batch's attributes.
const (
	codecMask     = 0x07
	logAppendTime = 0x08
	transactional = 0x10
	controlBatch  = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// decoder turns the bytes of one fetched partition into records.
type decoder struct {
	tp       pipeline.TopicPartition
	from     int64 // records below are dropped
	maxBytes int64 // of one batch, decompressed

	got     pipeline.Fetched
	aborted []abortedTransaction // by first offset, not yet begun
	open    map[int64]bool       // producers inside an aborted transaction
}

func (d *decoder) decode(part *kmsg.FetchResponseTopicPartition) (pipeline.Fetched, error) {
	d.got = pipeline.Fetched{
		Next: d.from, LogStart: part.LogStartOffset, End: part.LastStableOffset,
	}
	d.open = map[int64]bool{}
	d.aborted = slices.Clone(part.AbortedTransactions)
	slices.SortStableFunc(d.aborted, func(a, b abortedTransaction) int {
		return int(min(1, max(-1, a.FirstOffset-b.FirstOffset)))
	})
	for rest := part.RecordBatches; ; {
		raw, err := nextBatch(rest)
		if err != nil {
			return pipeline.Fetched{}, d.at(rest, err)
		}
		if raw == nil {
			return d.got, nil
		}
		if err := d.batch(raw); err != nil {
			return pipeline.Fetched{}, d.at(raw, err)
		}
		rest = rest[len(raw):]
	}
}

type abortedTransaction = kmsg.FetchResponseTopicPartitionAbortedTransaction

// at adds the place of the batch that b begins with.
func (d *decoder) at(b []byte, err error) error {
	return fmt.Errorf("decoding the record batch at %s/%d: %w",
		d.tp, int64(binary.BigEndian.Uint64(b)), err)
}

// nextBatch returns the first batch of b, nil where b ends before the batch does: brokers cut the
// last one short.
func nextBatch(b []byte) ([]byte, error) {
	if len(b) < magicAt+1 {
		return nil, nil
	}
	if magic := b[magicAt]; magic < 2 {
		return nil, fmt.Errorf("message format v%d is not supported: write the topic again with "+
			"Kafka 0.11 or newer", magic)
	} else if magic > 2 {
		return nil, fmt.Errorf("message format v%d is not known", magic)
	}
	size := batchSize(b)
	if size < batchHeader {
		return nil, fmt.Errorf("its length of %d bytes is less than that of a header", size)
	}
	if size > int64(len(b)) {
		return nil, nil
	}
	return b[:size], nil
}

func batchSize(b []byte) int64 {
	return lengthEnd + int64(int32(binary.BigEndian.Uint32(b[8:])))
}

// firstBatchCut returns the size of the first batch of b where b does not hold it whole, else 0.
func firstBatchCut(b []byte) int64 {
	if len(b) < lengthEnd {
		return 0
	}
	if size := batchSize(b); size > int64(len(b)) {
		return size
	}
	return 0
}

func (d *decoder) batch(raw []byte) error {
	sum := crc32.Checksum(raw[crcFrom:], castagnoli)
	if sum != binary.BigEndian.Uint32(raw[crcAt:]) {
		return errors.New("its checksum is wrong")
	}
	var b kmsg.RecordBatch
	if err := b.ReadFrom(raw); err != nil {
		return err
	}
	if b.LastOffsetDelta < 0 || b.FirstOffset < 0 || b.NumRecords < 0 ||
		b.FirstOffset > math.MaxInt64-int64(b.LastOffsetDelta)-1 {
		return errors.New("its offsets or its record count are impossible")
	}
	last := b.FirstOffset + int64(b.LastOffsetDelta)
	if last >= d.from && d.wanted(&b, last) {
		if err := d.records(&b); err != nil {
			return err
		}
	}
	d.got.Next = max(d.got.Next, last+1)
	return nil
}

// wanted reports whether the records of b are data of a transaction that was committed, or of none.
// It follows the aborted transactions along the log as the brokers mean it: one begins at the first
// offset that the response names and ends with the producer's next abort marker.
func (d *decoder) wanted(b *kmsg.RecordBatch, last int64) bool {
	for len(d.aborted) > 0 && d.aborted[0].FirstOffset <= last {
		d.open[d.aborted[0].ProducerID] = true
		d.aborted = d.aborted[1:]
	}
	if b.Attributes&controlBatch != 0 {
		if isAbortMarker(b.Records) {
			delete(d.open, b.ProducerID)
		}
		return false
	}
	return b.Attributes&transactional == 0 || !d.open[b.ProducerID]
}

// isAbortMarker looks at the key of a control record: version and type, of which 0 is abort.
func isAbortMarker(records []byte) bool {
	body, _, err := cutRecord(records)
	if err != nil {
		return false
	}
	var r kmsg.Record
	if err := r.ReadFrom(body); err != nil || len(r.Key) < 4 {
		return false
	}
	return binary.BigEndian.Uint16(r.Key[2:]) == 0
}

func (d *decoder) records(b *kmsg.RecordBatch) error {
	codec := compress.Compression(b.Attributes & codecMask)
	rest, err := decompress(codec, b.Records, d.maxBytes)
	if err != nil {
		return err
	}
	// A record takes 7 bytes and more, which keeps a false count from reserving memory.
	d.got.Records = slices.Grow(d.got.Records, min(int(b.NumRecords), len(rest)/7))
	for i := range b.NumRecords {
		body, after, err := cutRecord(rest)
		if err != nil {
			return fmt.Errorf("record %d of %d: %w", i, b.NumRecords, err)
		}
		if err := d.record(b, body); err != nil {
			return fmt.Errorf("record %d of %d: %w", i, b.NumRecords, err)
		}
		rest = after
	}
	if len(rest) > 0 {
		return fmt.Errorf("%d bytes follow the last of %d records", len(rest), b.NumRecords)
	}
	return nil
}

// cutRecord splits b after its first record.
func cutRecord(b []byte) (record, rest []byte, err error) {
	length, n := binary.Varint(b)
	if n <= 0 || length < 0 || length > int64(len(b)-n) {
		return nil, nil, errors.New("its length is impossible")
	}
	end := n + int(length)
	return b[:end:end], b[end:], nil
}

func (d *decoder) record(b *kmsg.RecordBatch, body []byte) error {
	var r kmsg.Record
	if err := r.ReadFrom(body); err != nil {
		return err
	}
	if r.OffsetDelta < 0 || r.OffsetDelta > b.LastOffsetDelta {
		return fmt.Errorf("its offset delta of %d is outside the batch", r.OffsetDelta)
	}
	offset := b.FirstOffset + int64(r.OffsetDelta)
	if offset < d.from {
		return nil
	}
	if n := len(d.got.Records); n > 0 && d.got.Records[n-1].Pos.Offset >= offset {
		return errors.New("its offset does not rise")
	}
	millis := b.MaxTimestamp
	if b.Attributes&logAppendTime == 0 {
		millis = b.FirstTimestamp + r.TimestampDelta64
	}
	d.got.Records = append(d.got.Records, pipeline.Record{
		Pos:         profile.Position{Topic: d.tp.Topic, Partition: d.tp.Partition, Offset: offset},
		LeaderEpoch: b.PartitionLeaderEpoch,
		Time:        nanos(millis),
		Key:         r.Key,
		Value:       r.Value,
		Headers:     headers(r.Headers),
	})
	return nil
}

func headers(hs []kmsg.Header) []pipeline.Header {
	if len(hs) == 0 {
		return nil
	}
	out := make([]pipeline.Header, len(hs))
	for i, h := range hs {
		out[i] = pipeline.Header{Key: h.Key, Value: h.Value}
	}
	return out
}

const nanosPerMilli = 1_000_000

// nanos converts a Kafka timestamp. What nanoseconds cannot hold becomes the nearest that they can.
func nanos(millis int64) int64 {
	limit := int64(math.MaxInt64 / nanosPerMilli)
	return min(max(millis, -limit), limit) * nanosPerMilli
}
