package computed

import (
	"encoding/binary"
	"iter"
	"strconv"
)

// Rows are the stored rows of one attribute of one identity, in the order of their keys' bytes. The
// store implements them; keys are below 70,000 bytes. Nothing is written while a Scan is under way.
// An error is a fault of the store: the caller of the state gives up the commit.
type Rows interface {
	// Get returns the value of a row, nil where there is none. The caller only reads it, and only
	// until the next call.
	Get(key []byte) ([]byte, error)
	// Put writes a row; an empty value takes it away. The key is copied; the value may be kept, as
	// the caller does not change it any more.
	Put(key, value []byte) error
	// Scan yields the rows with from <= key < to, backwards where reverse is set. The caller only
	// reads a row, and only until the next one. It stops after an error.
	Scan(from, to []byte, reverse bool) iter.Seq2[Row, error]
	// Clear takes away the rows with from <= key < to, however many there are.
	Clear(from, to []byte) error
}

// SummaryKey is the key of the row that [State.Save] writes, and the only one that [Attribute.Open]
// reads. A store may keep it elsewhere than the others.
const SummaryKey = string(rune(spaceSummary))

// Row is one stored row.
type Row struct {
	Key, Value []byte
}

// The rows of an attribute:
//
//	s                     summary: what is covered, and totals
//	i key                 index: see [index]
//	d dataset day s       totals of the events of a day that have expired
//	d dataset day i key   their index
//
// dataset is terminated text, day eight bytes. The key of an index by value is the value, that of
// one by time the place of the event in the order of events.
const (
	spaceSummary = 's'
	spaceIndex   = 'i'
	spaceDay     = 'd'
)

// part is a set of events with their totals and index: all that counts, or a folded day.
type part []byte // the prefix of its keys

func (p part) key(space byte) []byte {
	return append(append(make([]byte, 0, len(p)+64), p...), space)
}

// index is the range of the rows of the index.
func (p part) index() (from, to []byte) { return p.key(spaceIndex), p.key(spaceIndex + 1) }

// dayPart is the part of a dataset's folded day.
func dayPart(dataset string, era uint64, day int64) part {
	return appendTime(daysPrefix(dataset, era), day)
}

// daysPrefix begins the keys of the days of a dataset in an era. Those of the first name the
// dataset alone, as all did before there were eras.
func daysPrefix(dataset string, era uint64) []byte {
	if era > 0 {
		dataset += eraMark + strconv.FormatUint(era, 10)
	}
	return appendText([]byte{spaceDay}, dataset)
}

// eraMark is between the name of a dataset, which never has it, and an era.
const eraMark = "\x00"

// appendTime appends eight bytes in the order of the numbers.
func appendTime(dst []byte, t int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t)^signBit)
}

func readTime(src []byte) (int64, error) {
	if len(src) < 8 {
		return 0, errRow
	}
	return int64(binary.BigEndian.Uint64(src) ^ signBit), nil
}

// appendText keeps the order of bytes, and no encoding is a prefix of another: 0x00 becomes 0x00
// 0xff, and 0x00 0x01 ends the text.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = append(dst, s[i])
		if s[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 1)
}

// appendOrder appends the place of an event in the order of events: by time, then the dataset's
// sequence, then dataset and id.
func appendOrder(dst []byte, e *Event) []byte {
	dst = appendTime(appendTime(dst, e.Time), e.Sequence)
	return append(appendText(dst, e.Dataset), e.ID...)
}
