package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"math"

	"github.com/segmentio/kafka-go/compress"
	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
)

// encodeBatch returns b as a record batch. It depends on nothing but b and the codec.
func encodeBatch(b *pipeline.Batch, codec compress.Compression) ([]byte, error) {
	records, err := compressed(codec, encodeRecords(b.Records))
	if err != nil {
		return nil, err
	}
	millis := millis(b.Time)
	batch := kmsg.RecordBatch{
		Length:               int32(batchHeader - lengthEnd + len(records)),
		PartitionLeaderEpoch: -1,
		Magic:                2,
		Attributes:           int16(codec),
		LastOffsetDelta:      int32(len(b.Records) - 1),
		FirstTimestamp:       millis,
		MaxTimestamp:         millis,
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

func encodeRecords(records []pipeline.OutRecord) []byte {
	var out, body []byte
	for i, r := range records {
		rec := kmsg.Record{OffsetDelta: int32(i), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, kmsg.Header{Key: h.Key, Value: h.Value})
		}
		// The length prefix counts what follows it; a record of length 0 begins with one byte.
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

// maxBatchRecords is how many records a batch can number.
const maxBatchRecords = math.MaxInt32
