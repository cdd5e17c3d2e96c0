package computed

import (
	"bytes"
	"encoding/binary"

	"github.com/cockroachdb/apd/v3"
)

// summaryVersion begins every summary.
const summaryVersion = 1

// summary is the row of a part that does not grow with its events.
type summary struct {
	span  Span        // which events it covers; of a folded day nothing
	count int64       // events that count
	sum   apd.Decimal // of their values, of a function that adds
	rows  int64       // of the index
	cut   int64       // folded days that have left out values; of such a day 1
}

// appendSummary appends the stored form, one for each summary.
func appendSummary(dst []byte, s *summary) []byte {
	dst = append(dst, summaryVersion)
	dst = binary.AppendVarint(dst, s.span.From)
	dst = binary.AppendVarint(dst, s.span.To)
	dst = binary.AppendUvarint(dst, uint64(s.count))
	dst = binary.AppendUvarint(dst, uint64(s.rows))
	dst = binary.AppendUvarint(dst, uint64(s.cut))
	return appendDecimal(dst, &s.sum)
}

// readSummary reads what appendSummary wrote, and nothing else.
func readSummary(src []byte) (*summary, error) {
	if len(src) == 0 || src[0] != summaryVersion {
		return nil, errRow
	}
	c := cutter{rest: src[1:]}
	s := &summary{span: Span{c.varint(), c.varint()}}
	s.count, s.rows, s.cut = c.count(), c.count(), c.count()
	if c.failed {
		return nil, errRow
	}
	sum, rest, err := cutDecimal(c.rest)
	if err != nil || len(rest) > 0 {
		return nil, errRow
	}
	s.sum.Set(sum)
	var room [128]byte
	if !bytes.Equal(appendSummary(room[:0], s), src) {
		return nil, errRow
	}
	return s, nil
}

// cutter reads numbers one after the other.
type cutter struct {
	rest   []byte
	failed bool
}

func (c *cutter) advance(n int) bool {
	if c.failed = c.failed || n <= 0; c.failed {
		return false
	}
	c.rest = c.rest[n:]
	return true
}

func (c *cutter) varint() int64 {
	v, n := binary.Varint(c.rest)
	if !c.advance(n) {
		return 0
	}
	return v
}

func (c *cutter) count() int64 {
	v, n := binary.Uvarint(c.rest)
	if !c.advance(n) || int64(v) < 0 {
		c.failed = true
		return 0
	}
	return int64(v)
}

// appendCount is the value of a row by value: how many events have the value.
func appendCount(dst []byte, n int64) []byte { return binary.AppendUvarint(dst, uint64(n)) }

func readCount(src []byte) (int64, error) {
	c := cutter{rest: src}
	n := c.count()
	if c.failed || n == 0 || len(c.rest) > 0 {
		return 0, errRow
	}
	return n, nil
}
