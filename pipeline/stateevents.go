package pipeline

import (
	"math"

	"selfsame/store"
)

// hasEvents reports whether an identity holds an event of a dataset, this commit included.
func (s *state) hasEvents(p *person, dataset string) (bool, error) {
	found := false
	err := s.events(p, math.MinInt64, math.MaxInt64, func(ref store.EventRef) bool {
		found = ref.Dataset == dataset
		return !found
	})
	return found, err
}

// event returns a stored event, this commit included; nil where there is none.
func (s *state) event(ref store.EventRef) (*store.Event, error) {
	if row, changed := s.setEvents[ref]; changed {
		return row, nil
	}
	return s.reader.Event(ref)
}

// events calls fn for the events of an identity in a range of times, both ends included, this
// commit included, until fn says false. Those of this commit come first, in order of their writing.
func (s *state) events(p *person, from, until int64, fn func(store.EventRef) bool) error {
	for _, ref := range s.mine[p.key] {
		if s.setEvents[ref] != nil && from <= ref.Time && ref.Time <= until && !fn(ref) {
			return nil
		}
	}
	return s.reader.EventRefsFrom(p.key.class, p.key.id, from, func(ref store.EventRef) error {
		if ref.Time > until {
			return store.ErrStop
		}
		if _, changed := s.setEvents[ref]; changed {
			return nil
		}
		if !fn(ref) {
			return store.ErrStop
		}
		return nil
	})
}
