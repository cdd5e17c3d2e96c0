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
	records, err := compressed(codec, encodeRecords(b.Records, times, first))
	if err != nil {
		return nil, err
	}
	if len(records) > math.MaxInt32-batchHeader {
		return nil, fmt.Errorf("%w: %d bytes of records", pipeline.ErrTooLarge, len(records))
	}
	batch := kmsg.RecordBatch{
		Length:               int32(batchHeader - lengthEnd + len(records)),
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
		Records:              records,
	}
	raw := batch.AppendTo(make([]byte, 0, batchHeader+len(records)))
	binary.BigEndian.PutUint32(raw[crcAt:], crc32.Checksum(raw[crcFrom:], castagnoli))
	return raw, nil
}

func encodeRecords(records []pipeline.OutRecord, times []int64, firstMillis int64) []byte {
	var out, body []byte
	for i, r := range records {
		rec := kmsg.Record{OffsetDelta: int32(i), Key: r.Key, Value: r.Value}
		if len(times) > 0 {
			rec.TimestampDelta64 = millis(times[i]) - firstMillis
		}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, kmsg.Header{Key: h.Key, Value: h.Value})
		}
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
