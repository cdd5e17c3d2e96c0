package kafka

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/compress"
	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
)

var testTP = pipeline.TopicPartition{Topic: "t", Partition: 3}

// built is a batch for tests, with what encodeBatch does not write.
type built struct {
	base       int64
	values     []string
	producer   int64
	attributes int16
	kind       int16 // of a control batch: 0 abort, 1 commit
	delta      int32 // last offset delta; by the number of values where 0
}

func (b built) bytes(t testing.TB) []byte {
	t.Helper()
	batch := &pipeline.Batch{Session: pipeline.Session{ID: b.producer}, Time: 5_000_000}
	for _, v := range b.values {
		r := pipeline.OutRecord{Key: []byte("k"), Value: []byte(v)}
		batch.Records = append(batch.Records, r)
	}
	if b.attributes&controlBatch != 0 {
		key := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(b.kind))
		batch.Records = []pipeline.OutRecord{{Key: key, Value: make([]byte, 6)}}
	}
	raw, err := encodeBatch(batch, compress.Compression(b.attributes&codecMask))
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint64(raw, uint64(b.base))
	binary.BigEndian.PutUint16(raw[21:], uint16(b.attributes))
	if b.delta != 0 || len(b.values) == 0 {
		binary.BigEndian.PutUint32(raw[23:], uint32(b.delta))
	}
	return sealed(raw)
}

// sealed puts the right checksum on a batch.
func sealed(raw []byte) []byte {
	binary.BigEndian.PutUint32(raw[crcAt:], crc32.Checksum(raw[crcFrom:], castagnoli))
	return raw
}

func concat(t testing.TB, batches ...built) []byte {
	t.Helper()
	var all []byte
	for _, b := range batches {
		all = append(all, b.bytes(t)...)
	}
	return all
}

func decodeFrom(from int64, b []byte, aborted ...abortedTransaction) (pipeline.Fetched, error) {
	d := decoder{tp: testTP, from: from, maxBytes: 1 << 20}
	return d.decode(&kmsg.FetchResponseTopicPartition{
		RecordBatches: b, AbortedTransactions: aborted, LastStableOffset: 1 << 40,
	})
}

func contents(got pipeline.Fetched) string {
	var s []string
	for _, r := range got.Records {
		s = append(s, fmt.Sprintf("%d=%s", r.Pos.Offset, r.Value))
	}
	return strings.Join(s, " ")
}

func TestDecode(t *testing.T) {
	const txn = transactional
	abort := func(base, producer int64) built {
		return built{base: base, producer: producer, attributes: txn | controlBatch}
	}
	commit := abort(6, 1)
	commit.kind = 1
	whole := concat(t,
		built{base: 10, values: []string{"a", "b", "c"}}, built{base: 13, values: []string{"d"}})
	for _, c := range []struct {
		name    string
		bytes   []byte
		from    int64
		aborted []abortedTransaction
		want    string
		next    int64
	}{
		{"nothing", nil, 5, nil, "", 5},
		{"whole", whole, 10, nil, "10=a 11=b 12=c 13=d", 14},
		{"from inside", whole, 12, nil, "12=c 13=d", 14},
		{"below the asked", whole, 14, nil, "", 14},
		{"last cut", whole[:len(whole)-1], 10, nil, "10=a 11=b 12=c", 13},
		{"last cut in its header", whole[:len(whole)-60], 10, nil, "10=a 11=b 12=c", 13},
		{"only a piece", whole[:20], 10, nil, "", 10},
		{"emptied by compaction", concat(t, built{base: 10, delta: 9}), 12, nil, "", 20},
		{"compacted at the end", concat(t,
			built{base: 10, values: []string{"a"}, delta: 4}), 10, nil, "10=a", 15},
		{"control", concat(t, commit, built{base: 7, values: []string{"x"}}), 6, nil, "7=x", 8},
		{"aborted", concat(t,
			built{base: 1, producer: 1, attributes: txn, values: []string{"no", "no"}},
			built{base: 3, producer: 2, attributes: txn, values: []string{"yes"}},
			built{base: 4, producer: 1, values: []string{"no transaction"}},
			abort(5, 1),
			built{base: 6, producer: 1, attributes: txn, values: []string{"later"}}),
			1, []abortedTransaction{{ProducerID: 1, FirstOffset: 1}},
			"3=yes 4=no transaction 6=later", 7},
		{"aborted before the fetch", concat(t,
			built{base: 8, producer: 1, attributes: txn, values: []string{"no"}}, abort(9, 1)),
			8, []abortedTransaction{{ProducerID: 1, FirstOffset: 2}}, "", 10},
		{"aborted twice", concat(t,
			built{base: 1, producer: 1, attributes: txn, values: []string{"no"}}, abort(2, 1),
			built{base: 3, producer: 1, attributes: txn, values: []string{"yes"}}, commitOf(4, 1),
			built{base: 5, producer: 1, attributes: txn, values: []string{"no"}}, abort(6, 1)),
			0, []abortedTransaction{
				{ProducerID: 1, FirstOffset: 5}, {ProducerID: 1, FirstOffset: 1},
			}, "3=yes", 7},
	} {
		got, err := decodeFrom(c.from, c.bytes, c.aborted...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if contents(got) != c.want || got.Next != c.next {
			t.Errorf("%s: %q next %d, want %q next %d",
				c.name, contents(got), got.Next, c.want, c.next)
		}
	}
}

func commitOf(base, producer int64) built {
	return built{base: base, producer: producer, attributes: transactional | controlBatch, kind: 1}
}

func TestDecodeRefuses(t *testing.T) {
	good := func() []byte { return built{base: 42, values: []string{"a", "b"}}.bytes(t) }
	change := func(at int, b byte) []byte {
		raw := good()
		raw[at] = b
		return raw
	}
	bomb := built{base: 42, values: []string{strings.Repeat("0", 2<<20)}, attributes: 4}.bytes(t)
	for _, c := range []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"checksum", change(70, 'x'), "checksum"},
		{"message format 0", change(magicAt, 0), "message format v0 is not supported"},
		{"message format 1", change(magicAt, 1), "message format v1 is not supported"},
		{"message format 3", change(magicAt, 3), "message format v3 is not known"},
		{"too short a length", change(11, 20), "less than that of a header"},
		{"unknown codec", sealed(change(22, 5)), "codec 5 is not known"},
		{"not compressed at all", sealed(change(22, 1)), "decompressing with gzip"},
		{"more records than there are", sealed(change(60, 3)), "record 2 of 3"},
		{"fewer records than there are", sealed(change(60, 1)), "follow the last of 1 records"},
		{"negative delta", sealed(change(23, 0xff)), "offsets"},
		{"record outside the batch", sealed(change(26, 0)), "outside the batch"},
		{"bomb", bomb, "more than 1048576 bytes"},
	} {
		_, err := decodeFrom(0, c.bytes)
		if err == nil || !strings.Contains(err.Error(), c.want) ||
			!strings.Contains(err.Error(), "t/3/42") {
			t.Errorf("%s: %v, want %q at t/3/42", c.name, err, c.want)
		}
	}
}

func TestDecodeTimes(t *testing.T) {
	raw := built{base: 1, values: []string{"a"}}.bytes(t)
	got, err := decodeFrom(0, raw)
	if err != nil || got.Records[0].Time != 5_000_000 {
		t.Errorf("create time: %+v, %v", got, err)
	}
	raw[22] |= logAppendTime
	binary.BigEndian.PutUint64(raw[35:], 77)
	got, err = decodeFrom(0, sealed(raw))
	if err != nil || got.Records[0].Time != 77_000_000 {
		t.Errorf("log append time: %+v, %v", got, err)
	}
	for _, c := range []struct{ millis, want int64 }{
		{math.MaxInt64, math.MaxInt64 / 1_000_000 * 1_000_000},
		{math.MinInt64, -(math.MaxInt64 / 1_000_000 * 1_000_000)},
		{-1, -1_000_000},
	} {
		if got := nanos(c.millis); got != c.want {
			t.Errorf("nanos(%d) = %d, want %d", c.millis, got, c.want)
		}
	}
	for _, c := range []struct{ nanos, want int64 }{
		{0, 0}, {999_999, 0}, {1_000_000, 1}, {-1, -1}, {-1_000_000, -1}, {-1_000_001, -2},
	} {
		if got := millis(c.nanos); got != c.want {
			t.Errorf("millis(%d) = %d, want %d", c.nanos, got, c.want)
		}
	}
}

// history is a random log and what a reader of committed records has to see of it.
type history struct {
	batches []built
	visible map[int64]string
	aborted []abortedTransaction
	ends    []int64 // of the aborted transactions: the offset of the marker
	next    int64
}

func randomHistory(r *rand.Rand) *history {
	h := &history{visible: map[int64]string{}}
	type transaction struct {
		first int64
		held  map[int64]string
	}
	open := map[int64]*transaction{}
	for range 60 {
		producer := int64(r.IntN(4))
		tx := open[producer]
		switch {
		case tx != nil && r.IntN(3) == 0:
			end := commitOf(h.next, producer)
			end.kind = int16(r.IntN(2))
			if end.kind == 0 {
				h.aborted = append(h.aborted,
					abortedTransaction{ProducerID: producer, FirstOffset: tx.first})
				h.ends = append(h.ends, h.next)
			} else {
				for offset, v := range tx.held {
					h.visible[offset] = v
				}
			}
			delete(open, producer)
			h.batches = append(h.batches, end)
			h.next++
		case tx == nil && r.IntN(2) == 0:
			for offset, v := range h.write(r, producer, 0) {
				h.visible[offset] = v
			}
		default:
			if tx == nil {
				tx = &transaction{first: h.next, held: map[int64]string{}}
				open[producer] = tx
			}
			for offset, v := range h.write(r, producer, transactional) {
				tx.held[offset] = v
			}
		}
	}
	return h.stable(func(f func(first int64)) {
		for _, tx := range open {
			f(tx.first)
		}
	})
}

// write appends a batch, of which compaction may have taken the end, or everything.
func (h *history) write(r *rand.Rand, producer int64, attributes int16) map[int64]string {
	b := built{base: h.next, producer: producer, attributes: attributes | int16(r.IntN(3))}
	held := map[int64]string{}
	for i := range r.IntN(4) {
		v := fmt.Sprintf("p%d-%d", producer, h.next+int64(i))
		b.values = append(b.values, v)
		held[h.next+int64(i)] = v
	}
	b.delta = int32(max(0, len(b.values)-1+r.IntN(3)))
	h.batches = append(h.batches, b)
	h.next += int64(b.delta) + 1
	return held
}

// stable cuts the log before the first transaction that is still open, as a broker does.
func (h *history) stable(eachOpen func(func(int64))) *history {
	eachOpen(func(first int64) { h.next = min(h.next, first) })
	h.batches = slices.DeleteFunc(h.batches, func(b built) bool { return b.base >= h.next })
	for offset := range h.visible {
		if offset >= h.next {
			delete(h.visible, offset)
		}
	}
	return h
}

// TestDecodeAgainstOracle reads random logs of interleaved transactions from every offset, with the
// aborted transactions that a broker would name: those that overlap what is fetched.
func TestDecodeAgainstOracle(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 40 {
		h := randomHistory(r)
		var encoded [][]byte
		for _, b := range h.batches {
			encoded = append(encoded, b.bytes(t))
		}
		for from := range h.next {
			var raw []byte
			for i, b := range h.batches {
				if b.base+int64(b.delta) >= from {
					raw = append(raw, encoded[i]...)
				}
			}
			var aborted []abortedTransaction
			for i, a := range h.aborted {
				if h.ends[i] >= from && a.FirstOffset < h.next {
					aborted = append(aborted, a)
				}
			}
			got, err := decodeFrom(from, raw, aborted...)
			if err != nil {
				t.Fatalf("seed %d from %d: %v", seed, from, err)
			}
			h.check(t, from, got)
		}
	}
}

func (h *history) check(t *testing.T, from int64, got pipeline.Fetched) {
	t.Helper()
	want := 0
	for offset := range h.visible {
		if offset >= from {
			want++
		}
	}
	if len(got.Records) != want || got.Next != h.next {
		t.Fatalf("from %d: %d records next %d, want %d next %d",
			from, len(got.Records), got.Next, want, h.next)
	}
	for _, r := range got.Records {
		if h.visible[r.Pos.Offset] != string(r.Value) {
			t.Fatalf("offset %d: %q, want %q", r.Pos.Offset, r.Value, h.visible[r.Pos.Offset])
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte{}, int64(0))
	f.Add(concat(f, built{base: 1, values: []string{"a", "b"}}, commitOf(3, 1)), int64(1))
	for codec := range int16(5) {
		b := built{base: 7, values: []string{"aaaaaaaaaa"}, attributes: codec}
		f.Add(b.bytes(f), int64(7))
	}
	f.Fuzz(func(t *testing.T, b []byte, from int64) {
		for rest := b; len(rest) >= batchHeader; {
			size := batchSize(rest)
			if size < batchHeader || size > int64(len(rest)) {
				break
			}
			sealed(rest[:size]) // or little gets past the checksum
			rest = rest[size:]
		}
		from = max(0, from)
		got, err := decodeFrom(from, b, abortedTransaction{ProducerID: 1})
		if err != nil {
			return
		}
		last := from - 1
		for _, r := range got.Records {
			if r.Pos.Offset <= last {
				t.Fatalf("offset %d after %d", r.Pos.Offset, last)
			}
			last = r.Pos.Offset
		}
		if got.Next <= last {
			t.Fatalf("next %d after record %d", got.Next, last)
		}
	})
}
