package computed

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"testing"
	"time"

	"selfsame/profile"
	"selfsame/schemas"
)

// world is what a pipeline does with this package, in the least words: identities with their stored
// events and the states of some attributes. It is the example to follow.
type world struct {
	attributes []*Attribute
	people     map[string]*person
	limit      int // of events that one Move looks at
}

// person is one identity.
type person struct {
	events []*Event   // stored, by time, dataset and id
	rows   []*memRows // by attribute
}

func newWorld(attributes ...*Attribute) *world {
	return &world{attributes: attributes, people: map[string]*person{}, limit: 1000}
}

func (w *world) person(name string) *person {
	p := w.people[name]
	if p == nil {
		p = &person{}
		for range w.attributes {
			p.rows = append(p.rows, &memRows{})
		}
		w.people[name] = p
	}
	return p
}

func byTimeAndID(a, b *Event) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Dataset, b.Dataset),
		cmp.Compare(a.ID, b.ID))
}

// Within implements Events.
func (p *person) Within(s Span) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		at, _ := slices.BinarySearchFunc(p.events, s.From, func(e *Event, t int64) int {
			return cmp.Compare(e.Time, t)
		})
		for ; at < len(p.events) && p.events[at].Time < s.To; at++ {
			if !yield(p.events[at], nil) {
				return
			}
		}
	}
}

func (p *person) store(e *Event) {
	at, found := slices.BinarySearchFunc(p.events, e, byTimeAndID)
	if found {
		panic("stored twice: " + e.ID)
	}
	p.events = slices.Insert(p.events, at, e)
}

func (p *person) unstore(e *Event) {
	at, found := slices.BinarySearchFunc(p.events, e, byTimeAndID)
	if !found {
		panic("not stored: " + e.ID)
	}
	p.events = slices.Delete(p.events, at, at+1)
}

// each opens, changes and saves every state of an identity, as one commit does.
func (w *world) each(name string, change func(s *State, p *person) error) error {
	p := w.person(name)
	for i, a := range w.attributes {
		s, err := a.Open(p.rows[i])
		if err != nil {
			return err
		}
		if err := change(s, p); err != nil {
			return err
		}
		if err := s.Save(); err != nil {
			return err
		}
	}
	return nil
}

// insert stores an event at now. No limit of steps here: a state that is being built goes on when
// it is moved the next time.
func (w *world) insert(name string, e *Event, now int64) error {
	w.person(name).store(e)
	return w.each(name, func(s *State, p *person) error {
		if _, err := s.Insert(e); err != nil {
			return err
		}
		_, err := s.Move(now, p, w.limit)
		return err
	})
}

func (w *world) remove(name string, e *Event) error {
	w.person(name).unstore(e)
	return w.each(name, func(s *State, _ *person) error {
		_, err := s.Delete(e)
		return err
	})
}

// expire ends the retention of an event.
func (w *world) expire(name string, e *Event, now int64) error {
	err := w.each(name, func(s *State, p *person) error {
		if s.attribute.Lifetime() {
			return nil
		}
		return w.move(s, p, now)
	})
	if err != nil {
		return err
	}
	w.person(name).unstore(e)
	return w.each(name, func(s *State, _ *person) error {
		_, err := s.Expire(e, 0)
		return err
	})
}

func (w *world) move(s *State, p *person, now int64) error {
	for range 1_000_000 {
		if done, err := s.Move(now, p, w.limit); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("a move does not end")
}

// value folds attribute i over some identities at now.
func (w *world) value(i int, names []string, now int64) (Result, error) {
	states, err := w.states(i, names, now)
	if err != nil {
		return Result{}, err
	}
	return w.attributes[i].Fold(states, now)
}

func (w *world) states(i int, names []string, now int64) ([]*State, error) {
	var states []*State
	for _, name := range names {
		p := w.person(name)
		s, err := w.attributes[i].Open(p.rows[i])
		if err != nil {
			return nil, err
		}
		if err := w.move(s, p, now); err != nil {
			return nil, err
		}
		if err := s.Save(); err != nil {
			return nil, err
		}
		states = append(states, s)
	}
	return states, nil
}

// wake is when the value of attribute i may change next.
func (w *world) wake(i int, names []string, now int64) (int64, error) {
	states, err := w.states(i, names, now)
	if err != nil {
		return 0, err
	}
	at := int64(math.MaxInt64)
	for j, s := range states {
		next, err := s.Wake(now, w.person(names[j]), w.limit)
		if err != nil {
			return 0, err
		}
		at = min(at, next)
	}
	return at, nil
}

// typeOf turns the type of a union schema into a Type.
func typeOf(t *schemas.Type) *Type {
	out := &Type{Kind: t.ValueKind(), Single: t.Kind == schemas.KindFloat,
		Precision: t.Precision, Scale: t.Scale}
	if t.Items != nil {
		out.Items = typeOf(t.Items)
	}
	for _, f := range t.Fields {
		out.Fields = append(out.Fields, Field{f.Name, typeOf(f.Type)})
	}
	return out
}

func parseSchema(t testing.TB, text string) *schemas.Schema {
	t.Helper()
	s, err := schemas.Parse("events.avsc", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func compile(t testing.TB, def Definition, class *Class) *Attribute {
	t.Helper()
	a, err := Compile(def, class)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func instant(t testing.TB, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixNano()
}

// show writes a result in short.
func show(r Result) string {
	text := string(profile.AppendJSON(nil, r.Value))
	if r.Value.IsNull() {
		text = "absent"
	}
	if r.Truncated {
		text += " truncated"
	}
	if r.Overflow {
		text += " overflow"
	}
	return text
}
