package computed

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/apd/v3"
)

// ErrStale says that a state was asked for its value at an instant that it was not moved to. It is
// a mistake of the caller.
var ErrStale = errors.New("computed attribute is of another instant")

// State is what one attribute knows of the events of one identity. It is the totals and the index
// of exactly the events that count and whose time lies in its span, and of the folded days. Changes
// of rows go through [Rows] at once, the summary with [State.Save]. Not for concurrent use.
type State struct {
	attribute *Attribute
	rows      Rows
	total     summary
	saved     Span // that the stored summary covers
	period    Span // of a calendar window: the one that was asked for last
	held      held
	dirty     bool
}

// Open reads the state that lies in rows. Where there is none the state covers nothing yet, and the
// first [State.Move] builds it.
func (a *Attribute) Open(rows Rows) (*State, error) {
	s := &State{attribute: a, rows: rows}
	found, err := s.load(nil)
	if err != nil {
		return nil, fmt.Errorf("opening computed attribute %q: %w", a.def.Name, err)
	}
	if found != nil {
		s.total, s.saved = *found, found.span
	}
	if s.total.rows == 0 {
		s.held.empty()
	}
	return s, nil
}

// load reads the summary of a part, nil where there is none.
func (s *State) load(p part) (*summary, error) {
	raw, err := s.rows.Get(p.key(spaceSummary))
	if err != nil || raw == nil {
		return nil, err
	}
	return readSummary(raw)
}

// Save writes the summary if it has changed. It belongs into the same commit as the rows.
func (s *State) Save() error {
	if !s.dirty {
		return nil
	}
	s.dirty, s.saved = false, s.total.span
	return s.rows.Put([]byte{spaceSummary}, appendSummary(make([]byte, 0, 64), &s.total))
}

// Keep has Save write the summary though no event was passed, so that there is something to come
// back to.
func (s *State) Keep() { s.dirty = true }

// Span is which events the state covers.
func (s *State) Span() Span { return s.total.span }

// Ready reports whether the state covers what counts at now, so that it may be folded.
func (s *State) Ready(now int64) bool { return s.total.span == s.target(now) }

// target is which instants count at now. Periods of the calendar, which are slow to find, are asked
// for again and again: an instant lies in one.
func (s *State) target(now int64) Span {
	w := s.attribute.window
	if w.kind == lifetime || w.kind == rolling {
		return w.span(now)
	}
	if !s.period.Contains(now) {
		s.period = w.span(now)
	}
	return s.period
}

// Counts is how many events the state is made of, folded ones included.
func (s *State) Counts() int64 { return s.total.count }

// Insert takes in an event that was stored. Events outside the span are left to [State.Move].
func (s *State) Insert(e *Event) (Reading, error) {
	r := s.attribute.Read(e)
	return r, s.Take(e, r)
}

// Take is Insert of an event that has been read already, by [Attribute.Read].
func (s *State) Take(e *Event, r Reading) error {
	if !r.Counts || !s.covers(e.Time) {
		return nil
	}
	c := s.attribute.share(e, r)
	return s.add(&c)
}

// covers reports whether a change at t is one of the state. Where it is not, but would be one of
// the stored span, which may lie behind, that is written again.
func (s *State) covers(t int64) bool {
	if s.total.span.Contains(t) {
		return true
	}
	s.dirty = s.dirty || s.saved.Contains(t)
	return false
}

// Delete takes back an event that was stored and is no more, just as it was given to Insert.
func (s *State) Delete(e *Event) (Reading, error) {
	r := s.attribute.Read(e)
	if !r.Counts || !s.covers(e.Time) {
		return r, nil
	}
	c := s.attribute.share(e, r)
	return r, s.remove(&c)
}

// Drop forgets everything, folded days included.
func (s *State) Drop() error {
	s.total, s.saved, s.dirty = summary{}, Span{}, false
	s.held.empty()
	return s.rows.Clear([]byte{0}, []byte{0xff})
}

// add adds an event to the whole.
func (s *State) add(c *share) error {
	s.dirty = true
	s.total.count++
	if s.attribute.adds {
		addTo(&s.total.sum, &c.number, false)
	}
	if c.key == nil {
		return nil
	}
	created, err := s.grow(nil, c, 1)
	if created {
		s.total.rows++
	}
	return err
}

// remove takes an event out of the whole.
func (s *State) remove(c *share) error {
	s.dirty = true
	s.total.count--
	if s.attribute.adds {
		addTo(&s.total.sum, &c.number, true)
	}
	if c.key == nil {
		return nil
	}
	return s.shrink(c.key, 1)
}

// grow adds n events to a row of a part's index, and says whether it is a new one.
func (s *State) grow(p part, c *share, n int64) (created bool, err error) {
	whole := len(p) == 0
	key, value := c.row, c.value
	if !whole {
		key = append(p.key(spaceIndex), c.key...)
	}
	created = true
	if s.attribute.index == byValue {
		raw, err := s.rowOf(p, c.key, key)
		if err != nil {
			return false, err
		}
		had := int64(0)
		if created = raw == nil; !created {
			if had, err = readCount(raw); err != nil {
				return false, err
			}
		}
		value = appendCount(nil, had+n)
	}
	if whole {
		s.holdRow(c.key, value)
	}
	return created, s.rows.Put(key, value)
}

// rowOf is the value of a row of a part's index, nil where there is none. stored is its whole key.
func (s *State) rowOf(p part, key, stored []byte) ([]byte, error) {
	if len(p) == 0 {
		return s.lookUp(key)
	}
	return s.rows.Get(stored)
}

// shrink takes n events out of a row of the whole.
func (s *State) shrink(rowKey []byte, n int64) error {
	s.dirty = true
	had := n
	if s.attribute.index == byValue {
		raw, err := s.lookUp(rowKey)
		if err != nil {
			return err
		}
		had, err = readCount(raw)
		if err != nil || had < n {
			return fmt.Errorf("taking %d of %d events out of computed attribute %q: %w", n, had,
				s.attribute.def.Name, errRow)
		}
	}
	if had > n {
		value := appendCount(nil, had-n)
		s.holdRow(rowKey, value)
		return s.rows.Put(indexKey(rowKey), value)
	}
	s.total.rows--
	s.releaseRow(rowKey)
	return s.rows.Put(indexKey(rowKey), nil)
}

// restart makes the state one of no events, about to cover a span from its beginning.
func (s *State) restart(at Span) error {
	s.dirty = true
	s.total.count, s.total.rows, s.total.sum = 0, 0, apd.Decimal{}
	s.total.span = Span{at.From, at.From}
	s.held.empty()
	if s.attribute.index == noIndex {
		return nil
	}
	return s.rows.Clear(part(nil).index())
}
