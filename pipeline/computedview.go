package pipeline

import (
	"iter"
	"math"

	"selfsame/computed"
	"selfsame/profile"
	"selfsame/store"
)

// computedView folds computed attributes of a committed state, at an instant. What it moves it
// keeps to itself.
type computedView struct {
	reader *store.Reader
	class  string
	shown  []*tracked
	now    int64
}

// latest is a version that comes after all that were ever decided.
const latest = store.NotYet - 1

// view is the computed attributes of a class as profiles that are decided at a version show them;
// nil where there are none.
func (c *catalog) view(r *store.Reader, class string, version uint64, now int64) (
	*computedView, error) {
	row, err := r.ComputedClass(class)
	if err != nil || row == nil {
		return nil, err
	}
	shown := c.shown(row, version)
	if len(shown) == 0 {
		return nil, nil
	}
	return &computedView{reader: r, class: class, shown: shown, now: now}, nil
}

// fold folds the attributes over some identities; nil where the class has none.
func (v *computedView) fold(members []profile.Identity) (*Computed, error) {
	if v == nil {
		return nil, nil
	}
	f := newFolding(v.shown)
	for _, id := range members {
		row, err := v.reader.Identity(v.class, id)
		if err != nil {
			return nil, err
		}
		head, err := v.reader.ComputedHead(v.class, id)
		if err != nil {
			return nil, err
		}
		if head == nil {
			head = &store.ComputedHead{}
		}
		for i, t := range v.shown {
			kept := head.Find(t.number)
			if kept == nil && (row == nil || !t.hears(row.Events)) {
				continue
			}
			s, err := v.state(id, t, kept)
			if err != nil {
				return nil, err
			}
			f.add(i, s, true)
		}
	}
	return f.result(v.now)
}

// state opens what an attribute keeps of an identity, nil: nothing, and moves it.
func (v *computedView) state(id profile.Identity, t *tracked, kept *store.ComputedSummary) (
	*computed.State, error) {
	rows, wake := store.EmptyComputedRows(), int64(math.MinInt64)
	if kept != nil {
		var err error
		ref := store.ComputedRef{Class: v.class, Identity: id, Number: t.number}
		if rows, err = v.reader.Computed(ref, kept.Summary); err != nil {
			return nil, err
		}
		wake = kept.Wake
	}
	s, err := t.Open(rows)
	if err != nil || s.Skip(v.now, wake) {
		return s, err
	}
	return s, moveAll(s, v.now, storedEvents{v.reader, v.class, id})
}

// storedEvents are the stored events of an identity.
type storedEvents struct {
	reader *store.Reader
	class  string
	id     profile.Identity
}

// Within implements computed.Events.
func (e storedEvents) Within(s computed.Span) iter.Seq2[*computed.Event, error] {
	return func(yield func(*computed.Event, error) bool) {
		err := e.reader.EventsWithin(e.class, e.id, s.From, s.To,
			func(ref store.EventRef, row *store.Event) error {
				if !yield(eventOf(ref, row), nil) {
					return store.ErrStop
				}
				return nil
			})
		if err != nil {
			yield(nil, err)
		}
	}
}
