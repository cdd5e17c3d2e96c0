package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"

	"selfsame/pipeline"
)

func sampleBatch(n int) *pipeline.Batch {
	b := &pipeline.Batch{
		TP: testTP, Session: pipeline.Session{ID: 1 << 40, Epoch: 7}, Sequence: 99,
		Time: 1_700_000_000_123_456_789,
	}
	for i := range n {
		b.Records = append(b.Records, pipeline.OutRecord{
			Key: fmt.Appendf(nil, "key %d", i), Value: bytes.Repeat([]byte{byte(i)}, 10*i),
			Headers: []pipeline.Header{{Key: "h", Value: []byte("v")}, {Key: "null"}},
		})
	}
	return b
}

// TestEncodeIsRead: kafka-go's decoder, which shares nothing with our encoder, reads what we write.
func TestEncodeIsRead(t *testing.T) {
	for codec := compress.None; codec <= compress.Zstd; codec++ {
		b := sampleBatch(200)
		raw, err := encodeBatch(b, codec)
		if err != nil {
			t.Fatal(err)
		}
		var set protocol.RecordSet
		framed := append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...)
		if _, err := set.ReadFrom(bytes.NewReader(framed)); err != nil {
			t.Fatalf("%s: %v", codec, err)
		}
		for i, want := range b.Records {
			r, err := set.Records.ReadRecord()
			if err != nil {
				t.Fatalf("%s: record %d: %v", codec, i, err)
			}
			if r.Offset != int64(i) || r.Time.UnixMilli() != b.Time/1_000_000 ||
				!bytes.Equal(readBytes(t, r.Key), want.Key) ||
				!bytes.Equal(readBytes(t, r.Value), want.Value) ||
				len(r.Headers) != 2 || r.Headers[0].Key != "h" || r.Headers[1].Value != nil {
				t.Errorf("%s: record %d is %+v", codec, i, r)
			}
		}
		if _, err := set.Records.ReadRecord(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: more records: %v", codec, err)
		}
	}
}

func readBytes(t *testing.T, b protocol.Bytes) []byte {
	t.Helper()
	all, err := protocol.ReadAll(b)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestEncodeProducer looks at the fields that make a batch the same batch, by their places.
func TestEncodeProducer(t *testing.T) {
	raw, err := encodeBatch(sampleBatch(3), compress.None)
	if err != nil {
		t.Fatal(err)
	}
	if id := binary.BigEndian.Uint64(raw[43:]); id != 1<<40 {
		t.Errorf("producer id %d", id)
	}
	if epoch := binary.BigEndian.Uint16(raw[51:]); epoch != 7 {
		t.Errorf("epoch %d", epoch)
	}
	if sequence := binary.BigEndian.Uint32(raw[53:]); sequence != 99 {
		t.Errorf("sequence %d", sequence)
	}
	if last := binary.BigEndian.Uint32(raw[23:]); last != 2 {
		t.Errorf("last offset delta %d", last)
	}
}

// TestEncodeIsDeterministic: also when many encode at once with codecs that pool their state.
func TestEncodeIsDeterministic(t *testing.T) {
	for codec := compress.None; codec <= compress.Zstd; codec++ {
		want, err := encodeBatch(sampleBatch(300), codec)
		if err != nil {
			t.Fatal(err)
		}
		var encoders sync.WaitGroup
		for i := range 40 {
			encoders.Go(func() {
				_, otherErr := encodeBatch(sampleBatch(i), codec)
				got, err := encodeBatch(sampleBatch(300), codec)
				if err := errors.Join(otherErr, err); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: not the same bytes, %v", codec, err)
				}
			})
		}
		encoders.Wait()
	}
}
