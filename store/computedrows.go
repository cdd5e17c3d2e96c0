package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"selfsame/computed"
	"selfsame/profile"
)

// Rows of computed attributes, within an identity's range:
//
//	08 0000         head: the summaries of all attributes, and when each changes by itself
//	08 number key   what else an attribute keeps, in the encoding of package computed
//
// A number names an attribute in one of its definitions. It is two bytes, and never used again
// within a class. An event changes most summaries of an identity at once, and a fold reads all of
// them: so they are one row.
const rowComputed = 8

// ComputedRef names what a computed attribute keeps of an identity.
type ComputedRef struct {
	Class    string
	Identity profile.Identity
	Number   uint16
}

// ComputedHead is what is known of the computed attributes of an identity.
type ComputedHead struct {
	Attributes []ComputedSummary // sorted by number
}

// ComputedSummary is what is known of one computed attribute of an identity.
type ComputedSummary struct {
	Number  uint16
	Wake    int64  // before it nothing changes but by events; [computed.Never] if nothing will
	Summary []byte // the row [computed.SummaryKey]
}

// Wake is when a timer is set for the identity; [computed.Never] without one.
func (h *ComputedHead) Wake() int64 {
	at := int64(computed.Never)
	for i := range h.Attributes {
		at = min(at, h.Attributes[i].Wake)
	}
	return at
}

// Find returns what is known of an attribute, nil where that is nothing.
func (h *ComputedHead) Find(number uint16) *ComputedSummary {
	at, found := slices.BinarySearchFunc(h.Attributes, number,
		func(one ComputedSummary, n uint16) int { return cmp.Compare(one.Number, n) })
	if !found {
		return nil
	}
	return &h.Attributes[at]
}

func (d *dictionary) computedKey(dst []byte, ref ComputedRef) ([]byte, error) {
	dst, err := d.identityPrefix(dst, ref.Class, ref.Identity)
	return binary.BigEndian.AppendUint16(append(dst, rowComputed), ref.Number), err
}

// ComputedHead reads the head of an identity, nil where it has none.
func (r *Reader) ComputedHead(class string, id profile.Identity) (*ComputedHead, error) {
	key, err := r.dict.computedKey(nil, ComputedRef{Class: class, Identity: id})
	return read(r, "head of computed attributes", key, err, r.dict.decodeComputedHead)
}

// SetComputedHead writes the head of an identity; one that says nothing is taken away.
func (b *Batch) SetComputedHead(class string, id profile.Identity, row *ComputedHead) {
	key, err := b.store.dict.computedKey(b.key[:0], ComputedRef{Class: class, Identity: id})
	if len(row.Attributes) == 0 {
		b.key = key
		b.delete(key, err)
		return
	}
	set(b, key, err, row, encodeComputedHead)
}

func encodeComputedHead(e *encoder, row *ComputedHead) {
	e.count(len(row.Attributes))
	for i := range row.Attributes {
		a := &row.Attributes[i]
		e.uint(uint64(a.Number))
		e.flag(a.Wake != computed.Never)
		if a.Wake != computed.Never {
			e.int(a.Wake)
		}
		e.bytes(a.Summary)
	}
}

func (d *dictionary) decodeComputedHead(src []byte) (*ComputedHead, error) {
	r := d.decode(src)
	row, last := &ComputedHead{}, uint16(0)
	for range r.count() {
		a := ComputedSummary{Number: r.number(), Wake: computed.Never}
		if r.flag() {
			a.Wake = r.int()
		}
		a.Summary = r.bytes()
		if a.Number <= last || len(a.Summary) == 0 {
			r.fail(errCorrupt)
		}
		last = a.Number
		row.Attributes = append(row.Attributes, a)
	}
	return row, r.done()
}

// ComputedRows are the rows of a computed attribute of an identity: those that are stored, under
// what was changed since. It implements [computed.Rows]. Changes stay in memory: those of the
// summary until [Batch.SetComputedHead] writes it, all others until [Batch.SetComputed].
type ComputedRows struct {
	reader  *Reader           // nil: nothing is stored
	prefix  []byte            // of the stored keys
	summary []byte            // nil: there is none
	changed map[string][]byte // by key without prefix; nil: taken away
	sorted  []string          // keys of changed, nil where it has to be made
	cleared []keyRange        // taken away before what is in changed
}

type keyRange struct{ from, to string }

// Computed returns the rows of a computed attribute of an identity. summary is that of its head.
func (r *Reader) Computed(ref ComputedRef, summary []byte) (*ComputedRows, error) {
	prefix, err := r.dict.computedKey(nil, ref)
	if err != nil {
		return nil, fmt.Errorf("reading computed attributes: %w", err)
	}
	return &ComputedRows{reader: r, prefix: prefix, summary: summary}, nil
}

// NewComputed returns the rows of a computed attribute of an identity that is known to have none.
func (r *Reader) NewComputed(ref ComputedRef) (*ComputedRows, error) {
	rows, err := r.Computed(ref, nil)
	if err == nil {
		rows.reader = nil
	}
	return rows, err
}

// EmptyComputedRows returns rows that lie in memory only, such as those of a definition that is
// tried out.
func EmptyComputedRows() *ComputedRows { return &ComputedRows{} }

// Changed reports whether there is anything for [Batch.SetComputed] to write.
func (c *ComputedRows) Changed() bool { return len(c.changed) > 0 || len(c.cleared) > 0 }

// Summary is the summary as it is now, nil without one.
func (c *ComputedRows) Summary() []byte { return c.summary }

// Get implements computed.Rows.
func (c *ComputedRows) Get(key []byte) ([]byte, error) {
	if string(key) == computed.SummaryKey {
		return c.summary, nil
	}
	if value, ok := c.changed[string(key)]; ok {
		return value, nil
	}
	if c.reader == nil || c.isCleared(key) {
		return nil, nil
	}
	value, err := get(c.reader.src, c.stored(key))
	if err != nil {
		err = fmt.Errorf("reading computed attributes: %w", err)
	}
	return value, err
}

// stored is the key of a row in the store.
func (c *ComputedRows) stored(key []byte) []byte { return append(slices.Clip(c.prefix), key...) }

func (c *ComputedRows) isCleared(key []byte) bool {
	for _, r := range c.cleared {
		if string(key) >= r.from && string(key) < r.to {
			return true
		}
	}
	return false
}

// Put implements computed.Rows.
func (c *ComputedRows) Put(key, value []byte) error {
	if string(key) == computed.SummaryKey {
		c.summary = value
		return nil
	}
	if _, known := c.changed[string(key)]; !known {
		c.sorted = nil
	}
	if c.changed == nil {
		c.changed = map[string][]byte{}
	}
	if len(value) == 0 {
		c.changed[string(key)] = nil
		return nil
	}
	c.changed[string(key)] = value
	return nil
}

// Clear implements computed.Rows.
func (c *ComputedRows) Clear(from, to []byte) error {
	if string(from) <= computed.SummaryKey && computed.SummaryKey < string(to) {
		c.summary = nil
	}
	for key := range c.changed {
		if key >= string(from) && key < string(to) {
			delete(c.changed, key)
		}
	}
	c.sorted = nil
	c.cleared = append(c.cleared, keyRange{string(from), string(to)})
	return nil
}

// Scan implements computed.Rows.
func (c *ComputedRows) Scan(from, to []byte, reverse bool) iter.Seq2[computed.Row, error] {
	return func(yield func(computed.Row, error) bool) {
		m := merged{rows: c, reverse: reverse, mine: c.between(from, to)}
		if reverse {
			slices.Reverse(m.mine)
		}
		if err := m.run(from, to, yield); err != nil {
			yield(computed.Row{}, fmt.Errorf("reading computed attributes: %w", err))
		}
	}
}

// between lists the changed keys of a range in order.
func (c *ComputedRows) between(from, to []byte) []string {
	if c.sorted == nil {
		for key := range c.changed {
			c.sorted = append(c.sorted, key)
		}
		slices.Sort(c.sorted)
	}
	low, _ := slices.BinarySearch(c.sorted, string(from))
	high, _ := slices.BinarySearch(c.sorted, string(to))
	return slices.Clone(c.sorted[low:max(low, high)])
}

// merged walks through stored and changed rows in one order.
type merged struct {
	rows    *ComputedRows
	reverse bool
	mine    []string // changed keys that are to come, in the order of the walk
	stopped bool     // whoever asked has had enough
}

func (m *merged) run(from, to []byte, yield func(computed.Row, error) bool) error {
	c := m.rows
	if c.reader == nil {
		m.give(nil, yield)
		return nil
	}
	it, err := c.reader.src.NewIter(&pebble.IterOptions{LowerBound: c.stored(from),
		UpperBound: c.stored(to)})
	if err != nil {
		return err
	}
	start, next := it.First, it.Next
	if m.reverse {
		start, next = it.Last, it.Prev
	}
	for ok := start(); ok && !m.stopped; ok = next() {
		key := it.Key()[len(c.prefix):]
		m.give(key, yield)
		if _, changed := c.changed[string(key)]; m.stopped || changed || c.isCleared(key) {
			continue
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return errors.Join(err, it.Close())
		}
		m.stopped = !yield(computed.Row{Key: key, Value: value}, nil)
	}
	if err := it.Close(); err != nil {
		return err
	}
	m.give(nil, yield)
	return nil
}

// give yields the changed rows that come before a stored key, or at it; all that are left for nil.
func (m *merged) give(until []byte, yield func(computed.Row, error) bool) {
	for len(m.mine) > 0 && !m.stopped {
		key := m.mine[0]
		if until != nil && key != string(until) && (key < string(until)) == m.reverse {
			return
		}
		m.mine = m.mine[1:]
		if value := m.rows.changed[key]; value != nil {
			m.stopped = !yield(computed.Row{Key: []byte(key), Value: value}, nil)
		}
	}
}

// SetComputed writes what was changed of the rows, which then count as stored.
func (b *Batch) SetComputed(c *ComputedRows) {
	for _, r := range c.cleared {
		b.fail(b.pb.DeleteRange(c.stored([]byte(r.from)), c.stored([]byte(r.to)), nil))
	}
	if len(c.changed) == 1 {
		for key, value := range c.changed {
			b.setComputedRow(c, key, value)
		}
	} else {
		for _, key := range slices.Sorted(maps.Keys(c.changed)) {
			b.setComputedRow(c, key, c.changed[key])
		}
	}
	if len(c.changed) > keepChanged {
		c.changed = nil
	}
	clear(c.changed)
	c.sorted, c.cleared = nil, nil
	c.reader = b.store.Reader()
}

// keepChanged is how many rows a commit may change so that the memory for that is kept.
const keepChanged = 8

func (b *Batch) setComputedRow(c *ComputedRows, key string, value []byte) {
	b.key = append(append(b.key[:0], c.prefix...), key...)
	if value == nil {
		b.delete(b.key, nil)
		return
	}
	b.setRaw(b.key, value, nil)
}

// ClearComputed takes away all rows of a computed attribute of an identity.
func (b *Batch) ClearComputed(ref ComputedRef) {
	key, err := b.store.dict.computedKey(nil, ref)
	if err == nil {
		err = b.pb.DeleteRange(key, prefixEnd(key), nil)
	}
	b.fail(err)
}

// EventsWithin calls fn for each event of an identity with from <= time < to, in order of time,
// until fn fails. ErrStop ends it early.
func (r *Reader) EventsWithin(class string, id profile.Identity, from, to int64,
	fn func(EventRef, *Event) error) error {
	prefix, err := r.dict.identityPrefix(nil, class, id)
	if err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	prefix = append(prefix, rowEvent)
	it, err := r.src.NewIter(&pebble.IterOptions{LowerBound: appendTime(slices.Clip(prefix), from),
		UpperBound: appendTime(slices.Clip(prefix), to)})
	if err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	err = nil
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		err = r.eventAt(it, EventRef{Class: class, Identity: id}, len(prefix), fn)
	}
	if errors.Is(err, ErrStop) {
		return it.Close()
	}
	if err = errors.Join(err, it.Close()); err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	return nil
}

func (r *Reader) eventAt(it *pebble.Iterator, ref EventRef, skip int,
	fn func(EventRef, *Event) error) error {
	if err := r.dict.cutEventRef(&ref, it.Key()[skip:]); err != nil {
		return err
	}
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	event, err := r.dict.decodeEvent(value)
	if err != nil {
		return err
	}
	return fn(ref, event)
}
