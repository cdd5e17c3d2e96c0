package kafka

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/segmentio/kafka-go/compress"
	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
)

// encodeBatch returns b as a record batch. It depends on nothing but b and the codec.
func encodeBatch(b *pipeline.Batch, codec compress.Compression) ([]byte, error) {
	return encodeTimed(b, nil, codec)
}

// encodeTimed does with a timestamp for each record; b.Time holds for all where there are none.
func encodeTimed(b *pipeline.Batch, times []int64, codec compress.Compression) ([]byte, error) {
	first, last := millis(b.Time), millis(b.Time)
	for i, t := range times {
		if i == 0 {
			first, last = millis(t), millis(t)
		}
		last = max(last, millis(t))
	}
	// The records are encoded behind the room for their header, which needs their size.
	raw := make([]byte, batchHeader, batchHeader+weightOf(b.Records))
	raw = appendRecords(raw, b.Records, times, first)
	if codec != compress.None {
		records, err := compressed(codec, raw[batchHeader:])
		if err != nil {
			return nil, err
		}
		raw = append(raw[:batchHeader], records...)
	}
	size := len(raw) - batchHeader
	if size > math.MaxInt32-batchHeader {
		return nil, fmt.Errorf("%w: %d bytes of records", pipeline.ErrTooLarge, size)
	}
	batch := kmsg.RecordBatch{
		Length:               int32(batchHeader - lengthEnd + size),
		PartitionLeaderEpoch: -1,
		Magic:                2,
		Attributes:           int16(codec),
		LastOffsetDelta:      int32(len(b.Records) - 1),
		FirstTimestamp:       first,
		MaxTimestamp:         last,
		ProducerID:           b.Session.ID,
		ProducerEpoch:        b.Session.Epoch,
		FirstSequence:        b.Sequence,
		NumRecords:           int32(len(b.Records)),
	}
	batch.AppendTo(raw[:0])
	binary.BigEndian.PutUint32(raw[crcAt:], crc32.Checksum(raw[crcFrom:], castagnoli))
	return raw, nil
}

// weightOf is about how many bytes records take, rather more than less.
func weightOf(records []pipeline.OutRecord) int {
	n := 0
	for i := range records {
		n += weight(&records[i])
	}
	return n
}

func appendRecords(out []byte, records []pipeline.OutRecord, times []int64,
	firstMillis int64) []byte {
	var body []byte
	var headers []kmsg.Header
	for i := range records {
		r := &records[i]
		headers = headers[:0]
		rec := kmsg.Record{OffsetDelta: int32(i), Key: r.Key, Value: r.Value}
		if len(times) > 0 {
			rec.TimestampDelta64 = millis(times[i]) - firstMillis
		}
		for _, h := range r.Headers {
			headers = append(headers, kmsg.Header{Key: h.Key, Value: h.Value})
		}
		rec.Headers = headers
		// The length prefix counts what follows it; a length of 0 was written as one byte.
		body = rec.AppendTo(body[:0])
		out = binary.AppendVarint(out, int64(len(body)-1))
		out = append(out, body[1:]...)
	}
	return out
}

// millis rounds towards the past, so that a record is never younger in Kafka than it is.
func millis(nanos int64) int64 {
	m := nanos / nanosPerMilli
	if nanos%nanosPerMilli < 0 {
		m--
	}
	return m
}
