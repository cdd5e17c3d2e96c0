package pipeline

import (
	"bytes"
	"cmp"
	"iter"
	"math"
	"slices"

	"selfsame/computed"
	"selfsame/profile"
	"selfsame/store"
)

// computedWork is the part of the working set that computed attributes are in.
type computedWork struct {
	catalog *catalog
	classes map[string]*computedClass
	people  cache[personKey, computedPerson]
	timers  *timers

	// Of the commit under way.
	now     int64
	version uint64
	looked  int             // events that moves have looked at
	last    *computedPerson // asked for; most are asked for several times running
	head    store.ComputedHead
	dirty   []*computedPerson
	changed []*computedClass
}

// computedClass is the computed attributes of a class.
type computedClass struct {
	row     *store.ComputedClass
	kept    []*tracked            // whose states follow the events
	hearing map[string][]*tracked // kept, by dataset
	shown   []*tracked            // as of version
	version uint64
	dirty   bool
}

func newComputedWork(m *Model, timers *timers, cacheRows int) *computedWork {
	attributes := 0
	for _, e := range m.Entities {
		attributes = max(attributes, len(e.Computed))
	}
	return &computedWork{catalog: newCatalog(m), classes: map[string]*computedClass{},
		people: newCache[personKey, computedPerson](2 * cacheRows / (2 + attributes)),
		timers: timers}
}

// load reads what the store remembers.
func (w *computedWork) load(r *store.Reader, entities []*Entity) error {
	for _, e := range entities {
		row, err := r.ComputedClass(e.Name)
		if err != nil {
			return err
		}
		if row != nil {
			w.classes[e.Name] = &computedClass{row: row}
			w.refresh(w.classes[e.Name])
		}
	}
	return nil
}

// refresh follows what has changed in the row of a class.
func (w *computedWork) refresh(c *computedClass) {
	c.kept, c.shown, c.version = w.catalog.kept(c.row), nil, 0
	c.hearing = map[string][]*tracked{}
	for _, t := range c.kept {
		for _, name := range t.Datasets() {
			c.hearing[name] = append(c.hearing[name], t)
		}
	}
}

// touch marks the row of a class to be written.
func (w *computedWork) touch(c *computedClass) {
	w.refresh(c)
	if !c.dirty {
		c.dirty = true
		w.changed = append(w.changed, c)
	}
}

// showing lists what profiles show that are decided in this commit.
func (w *computedWork) showing(c *computedClass) []*tracked {
	if c.shown == nil || c.version != w.version {
		c.shown, c.version = w.catalog.shown(c.row, w.version), w.version
	}
	return c.shown
}

// computedPerson is what computed attributes keep of an identity.
type computedPerson struct {
	key    personKey
	timer  int64            // that the store has for it; computed.Never without one
	states []*computedState // in order of number
	gone   []*store.ComputedRows
	dirty  bool // it is among those that the commit looks at when it is written
	fresh  bool // the head has to be written

	last   int64  // no event of the identity is later, where dated says so
	dated  bool   // last is known
	looked int    // events that moves have looked at, in the commit of version
	of     uint64 // that version
}

// computedState is what an attribute keeps of an identity. Most are left closed, as they lie in the
// head.
type computedState struct {
	*computed.State                     // nil: closed
	rows            *store.ComputedRows // of an open one
	number          uint16
	wake            int64  // before it the value changes by events only
	summary         []byte // as stored; nil: it is not stored
}

// Bounds of what one commit does to the states of one identity: what is left is done by the next
// ones. A commit does at least a little for each state, so that few profiles are caught at it.
const (
	moveLimit = 5_000 // events that moves look at, of all states together
	moveLeast = 100   // of each state, whatever the others did
	wakeLimit = 1_000 // events that are looked at to find out when a state changes next
)

// find returns what an attribute keeps, nil where that is nothing.
func (cp *computedPerson) find(number uint16) *computedState {
	if at, found := cp.place(number); found {
		return cp.states[at]
	}
	return nil
}

func (cp *computedPerson) place(number uint16) (at int, found bool) {
	// Where no definition was ever changed, they are numbered one after the other.
	if at = int(number) - 1; at < len(cp.states) && cp.states[at].number == number {
		return at, true
	}
	return slices.BinarySearchFunc(cp.states, number, func(one *computedState, n uint16) int {
		return cmp.Compare(one.number, n)
	})
}

// left is how many events a move of a state of the identity may look at in this commit.
func (cp *computedPerson) left(w *computedWork) int {
	if cp.of != w.version {
		cp.of, cp.looked = w.version, 0
	}
	return max(moveLeast, moveLimit-cp.looked)
}

// computedPerson returns what is kept of an identity.
func (s *state) computedPerson(key personKey) (*computedPerson, error) {
	w := s.computed
	if w.last != nil && w.last.key == key {
		return w.last, nil
	}
	cp := w.people.get(key)
	if cp == nil {
		var err error
		if cp, err = s.readComputedPerson(key); err != nil {
			return nil, err
		}
		w.people.put(key, cp)
	}
	w.last = cp
	return cp, nil
}

func (s *state) readComputedPerson(key personKey) (*computedPerson, error) {
	cp := &computedPerson{key: key, timer: computed.Never}
	if s.isNew(key.class, key.id) {
		return cp, nil
	}
	head, err := s.reader.ComputedHead(key.class, key.id)
	if err != nil || head == nil {
		return cp, err
	}
	for i := range head.Attributes {
		a := &head.Attributes[i]
		cp.states = append(cp.states,
			&computedState{number: a.Number, wake: a.Wake, summary: a.Summary})
	}
	cp.timer = head.Wake()
	return cp, nil
}

// touchComputed marks what is kept of an identity to be written.
func (s *state) touchComputed(cp *computedPerson) {
	if !cp.dirty {
		cp.dirty = true
		s.computed.dirty = append(s.computed.dirty, cp)
	}
}

// open opens what an attribute keeps of an identity.
func (s *state) open(cp *computedPerson, t *tracked) (*computedState, error) {
	at, found := cp.place(t.number)
	if found && cp.states[at].State != nil {
		return cp.states[at], nil
	}
	one := &computedState{number: t.number, wake: computed.Never}
	if found {
		one = cp.states[at]
	}
	ref := store.ComputedRef{Class: cp.key.class, Identity: cp.key.id, Number: t.number}
	rows, err := s.reader.NewComputed(ref)
	if one.summary != nil {
		rows, err = s.reader.Computed(ref, one.summary)
	}
	if err != nil {
		return nil, err
	}
	if one.State, err = t.Open(rows); err != nil {
		return nil, err
	}
	one.rows = rows
	if !found {
		cp.states = slices.Insert(cp.states, at, one)
	}
	return one, nil
}

// ready opens what an attribute keeps of an identity and moves it to now, as far as one commit may;
// nil where it keeps nothing.
func (s *state) ready(cp *computedPerson, p *person, t *tracked) (one *computedState, done bool,
	err error) {
	if cp.find(t.number) == nil && !t.hears(p.row.Events) {
		return nil, true, nil
	}
	if one, err = s.open(cp, t); err != nil {
		return nil, false, err
	}
	done, err = s.move(cp, one, cp.left(s.computed))
	return one, done, err
}

// move moves a state towards now, past some limit of events. One that is not there yet is due at
// once.
func (s *state) move(cp *computedPerson, one *computedState, limit int) (done bool, err error) {
	w := s.computed
	if one.Skip(w.now, one.wake) {
		return true, nil
	}
	s.touchComputed(cp)
	events := workingEvents{s, cp}
	if done, err = one.Move(w.now, events, limit); err != nil {
		return false, err
	}
	at := min(one.wake, w.now)
	if done {
		if at, err = one.Wake(w.now, events, wakeLimit); err != nil {
			return false, err
		}
	}
	cp.wakeAt(one, at)
	return done, nil
}

func (cp *computedPerson) wakeAt(one *computedState, at int64) {
	cp.fresh = cp.fresh || one.wake != at
	one.wake = at
}

// computedOf implements rows on the working set.
func (s *state) computedOf(class string, members []profile.Identity) (*Computed, error) {
	if s.computed == nil || s.computed.classes[class] == nil {
		return nil, nil
	}
	shown := s.computed.showing(s.computed.classes[class])
	if len(shown) == 0 {
		return nil, nil
	}
	f := newFolding(shown)
	for _, id := range members {
		cp, err := s.computedPerson(personKey{class, id})
		if err != nil {
			return nil, err
		}
		p, err := s.person(class, id)
		if err != nil {
			return nil, err
		}
		for i, t := range shown {
			one, done, err := s.ready(cp, p, t)
			if err != nil {
				return nil, err
			}
			if one != nil {
				f.add(i, one.State, done)
			}
		}
	}
	return f.result(s.computed.now)
}

// writeComputed puts what the commit has changed of computed attributes into b.
func (s *state) writeComputed(b *store.Batch) error {
	w := s.computed
	if w == nil {
		return nil
	}
	for _, cp := range w.dirty {
		if err := s.writeComputedPerson(b, cp); err != nil {
			return err
		}
	}
	for _, c := range w.changed {
		b.SetComputedClass(c.row)
		c.dirty = false
	}
	w.dirty, w.changed, w.looked = w.dirty[:0], w.changed[:0], 0
	return nil
}

func (s *state) writeComputedPerson(b *store.Batch, cp *computedPerson) error {
	cp.dirty = false
	for _, old := range cp.gone {
		b.SetComputed(old)
	}
	cp.gone = nil
	for _, one := range cp.states {
		if one.State == nil {
			continue
		}
		if one.summary == nil && one.wake != computed.Never {
			one.Keep() // an event is still to come
		}
		if err := one.Save(); err != nil {
			return err
		}
		if one.rows.Changed() {
			b.SetComputed(one.rows)
		}
		if now := one.rows.Summary(); !bytes.Equal(now, one.summary) {
			one.summary, cp.fresh = now, true
		}
	}
	if !cp.fresh {
		return nil
	}
	cp.fresh = false
	head := &s.computed.head
	head.Attributes = head.Attributes[:0]
	for _, one := range cp.states {
		if one.summary != nil {
			head.Attributes = append(head.Attributes, store.ComputedSummary{Number: one.number,
				Wake: one.wake, Summary: one.summary})
		}
	}
	b.SetComputedHead(cp.key.class, cp.key.id, head)
	return s.setWake(cp, head.Wake())
}

// setWake replaces the timer of an identity.
func (s *state) setWake(cp *computedPerson, at int64) error {
	if cp.timer == at {
		return nil
	}
	class, id, timers := cp.key.class, cp.key.id, s.computed.timers
	if cp.timer != computed.Never {
		old, err := s.reader.ComputedTimer(class, id, cp.timer)
		if err != nil {
			return err
		}
		timers.gone = append(timers.gone, old)
	}
	cp.timer = at
	if at == computed.Never {
		return nil
	}
	next, err := s.reader.ComputedTimer(class, id, at)
	timers.set = append(timers.set, next)
	return err
}

// workingEvents are the events of an identity, those of the commit under way included.
type workingEvents struct {
	state  *state
	person *computedPerson
}

// Within implements computed.Events.
func (e workingEvents) Within(span computed.Span) iter.Seq2[*computed.Event, error] {
	return func(yield func(*computed.Event, error) bool) {
		none, err := e.state.noneAfter(e.person, span.From)
		if err == nil && none {
			return
		}
		w := walk{events: e, mine: e.mine(span), yield: yield}
		if err == nil {
			err = w.stored(span)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		w.until(computed.Never)
	}
}

// mine lists the events of a span that this commit stores, by time.
func (e workingEvents) mine(span computed.Span) []*computed.Event {
	var mine []*computed.Event
	for _, ref := range e.state.mine[e.person.key] {
		if row := e.state.setEvents[ref]; row != nil && span.Contains(ref.Time) {
			mine = append(mine, eventOf(ref, row))
		}
	}
	slices.SortStableFunc(mine, func(a, b *computed.Event) int {
		return cmp.Compare(a.Time, b.Time)
	})
	return mine
}

// walk gives out the events of a span.
type walk struct {
	events  workingEvents
	mine    []*computed.Event // of this commit, that are to come
	yield   func(*computed.Event, error) bool
	stopped bool // whoever asked has had enough
}

func (w *walk) give(e *computed.Event) {
	w.events.state.computed.looked++
	w.events.person.looked++
	w.stopped = !w.yield(e, nil)
}

// until gives out what this commit stores up to a time.
func (w *walk) until(at int64) {
	for len(w.mine) > 0 && w.mine[0].Time <= at && !w.stopped {
		w.give(w.mine[0])
		w.mine = w.mine[1:]
	}
}

// stored gives out the stored events that this commit does not change, and before each what this
// commit stores.
func (w *walk) stored(span computed.Span) error {
	s, key := w.events.state, w.events.person.key
	if s.isNew(key.class, key.id) {
		return nil
	}
	return s.reader.EventsWithin(key.class, key.id, span.From, span.To,
		func(ref store.EventRef, row *store.Event) error {
			if _, changed := s.setEvents[ref]; changed {
				return nil
			}
			if w.until(ref.Time); !w.stopped {
				w.give(eventOf(ref, row))
			}
			if w.stopped {
				return store.ErrStop
			}
			return nil
		})
}

// noneAfter reports whether no event of an identity is at or after a time: most moves ask for what
// has come since the last one, which is nothing.
func (s *state) noneAfter(cp *computedPerson, at int64) (bool, error) {
	if !cp.dated {
		last, found := int64(math.MinInt64), false
		if !s.isNew(cp.key.class, cp.key.id) {
			var err error
			last, found, err = s.reader.LastEvent(cp.key.class, cp.key.id)
			if err != nil {
				return false, err
			}
		}
		if !found {
			last = math.MinInt64
		}
		for _, ref := range s.mine[cp.key] {
			last = max(last, ref.Time)
		}
		cp.last, cp.dated = last, true
	}
	return cp.last < at, nil
}

// timed follows an event that is stored.
func (s *state) timed(key personKey, at int64) {
	if s.computed == nil {
		return
	}
	if cp := s.computed.people.get(key); cp != nil {
		cp.last = max(cp.last, at)
	}
}
