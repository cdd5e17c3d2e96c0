package pipeline

import (
	"cmp"
	"iter"
	"maps"
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
	looked  int // events that moves have looked at
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
	head   store.ComputedHead
	timer  int64 // that the store has for it; computed.Never without one
	states map[uint16]*computedState
	times  *eventTimes // of all its events; nil where they are not known
	asked  bool        // for times
	gone   []goneRows  // of states that were dropped in this commit
	dirty  bool
	fresh  bool // the head has to be written
}

// computedState is an open state.
type computedState struct {
	*computed.State
	rows *store.ComputedRows
}

// goneRows are the rows of a state that was dropped.
type goneRows struct {
	number uint16
	rows   *store.ComputedRows
}

func listed(head *store.ComputedHead, number uint16) bool {
	_, found := slices.BinarySearch(head.Numbers, number)
	return found
}

// computedPerson returns what is kept of an identity.
func (s *state) computedPerson(key personKey) (*computedPerson, error) {
	w := s.computed
	if cp := w.people.get(key); cp != nil {
		return cp, nil
	}
	cp := &computedPerson{key: key, head: store.ComputedHead{Wake: computed.Never},
		states: map[uint16]*computedState{}}
	if s.isNew(key.class, key.id) {
		cp.times = &eventTimes{}
		for _, ref := range s.mine[key] {
			if s.setEvents[ref] != nil {
				cp.times.insert(ref.Time)
			}
		}
	} else {
		head, err := s.reader.ComputedHead(key.class, key.id)
		if err != nil {
			return nil, err
		}
		if head != nil {
			cp.head = *head
		}
	}
	cp.timer = cp.head.Wake
	w.people.put(key, cp)
	return cp, nil
}

// touchComputed marks what is kept of an identity to be written.
func (s *state) touchComputed(cp *computedPerson) {
	if !cp.dirty {
		cp.dirty = true
		s.computed.dirty = append(s.computed.dirty, cp)
	}
}

// wake sees to it that an identity is looked at again at a time.
func (s *state) wake(cp *computedPerson, at int64) {
	if at < cp.head.Wake {
		cp.head.Wake, cp.fresh = at, true
		s.touchComputed(cp)
	}
}

// open opens what an attribute keeps of an identity.
func (s *state) open(cp *computedPerson, t *tracked) (*computedState, error) {
	if one := cp.states[t.number]; one != nil {
		return one, nil
	}
	read := s.reader.NewComputed
	if listed(&cp.head, t.number) {
		read = s.reader.Computed
	}
	rows, err := read(store.ComputedRef{Class: cp.key.class, Identity: cp.key.id,
		Number: t.number})
	if err != nil {
		return nil, err
	}
	opened, err := t.Open(rows)
	if err != nil {
		return nil, err
	}
	one := &computedState{State: opened, rows: rows}
	cp.states[t.number] = one
	return one, nil
}

// ready opens what an attribute keeps of an identity, moved to now; nil where that is nothing.
func (s *state) ready(cp *computedPerson, t *tracked) (*computedState, error) {
	if cp.states[t.number] == nil && !listed(&cp.head, t.number) {
		p, err := s.person(cp.key.class, cp.key.id)
		if err != nil || !t.hears(p.row.Events) {
			return nil, err
		}
	}
	one, err := s.open(cp, t)
	if err != nil {
		return nil, err
	}
	for {
		done, err := s.move(cp, one, moveLimit)
		if done || err != nil {
			return one, err
		}
	}
}

// move moves a state towards now, past some limit of events. One that is new, or was moved back,
// is woken when it changes next.
func (s *state) move(cp *computedPerson, one *computedState, limit int) (done bool, err error) {
	w := s.computed
	before := one.Span()
	if one.Ready(w.now) {
		return true, nil
	}
	events := workingEvents{s, cp}
	if done, err = one.Move(w.now, events, limit); err != nil {
		return false, err
	}
	s.touchComputed(cp)
	if after := one.Span(); !done || !before.Empty() && after.From >= before.From &&
		after.To >= before.To {
		return done, nil
	}
	at, err := one.Wake(w.now, events, moveLimit)
	s.wake(cp, at)
	return true, err
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
		for i, t := range shown {
			one, err := s.ready(cp, t)
			if err != nil {
				return nil, err
			}
			if one != nil {
				f.add(i, one.State)
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
		b.SetComputed(old.rows)
	}
	cp.gone = nil
	for _, number := range slices.Sorted(maps.Keys(cp.states)) {
		one := cp.states[number]
		if err := one.Save(); err != nil {
			return err
		}
		if one.rows.Changed() && b.SetComputed(one.rows) {
			cp.list(number)
		}
	}
	if cp.timer != cp.head.Wake {
		if err := s.setWake(cp); err != nil {
			return err
		}
		cp.timer, cp.fresh = cp.head.Wake, true
	}
	if cp.fresh {
		b.SetComputedHead(cp.key.class, cp.key.id, &cp.head)
		cp.fresh = false
	}
	return nil
}

// setWake replaces the timer of an identity.
func (s *state) setWake(cp *computedPerson) error {
	class, id, timers := cp.key.class, cp.key.id, s.computed.timers
	if cp.timer != computed.Never {
		old, err := s.reader.ComputedTimer(class, id, cp.timer)
		if err != nil {
			return err
		}
		timers.gone = append(timers.gone, old)
	}
	if cp.head.Wake == computed.Never {
		return nil
	}
	next, err := s.reader.ComputedTimer(class, id, cp.head.Wake)
	timers.set = append(timers.set, next)
	return err
}

func (cp *computedPerson) list(number uint16) {
	if at, found := slices.BinarySearch(cp.head.Numbers, number); !found {
		cp.head.Numbers, cp.fresh = slices.Insert(cp.head.Numbers, at, number), true
	}
}

func (cp *computedPerson) unlist(number uint16) {
	if at, found := slices.BinarySearch(cp.head.Numbers, number); found {
		cp.head.Numbers, cp.fresh = slices.Delete(cp.head.Numbers, at, at+1), true
	}
}

// workingEvents are the events of an identity, those of the commit under way included.
type workingEvents struct {
	state  *state
	person *computedPerson
}

// Within implements computed.Events.
func (e workingEvents) Within(span computed.Span) iter.Seq2[*computed.Event, error] {
	return func(yield func(*computed.Event, error) bool) {
		there, err := e.state.countWithin(e.person, span)
		if err != nil {
			yield(nil, err)
		}
		if err != nil || there == 0 {
			return
		}
		w := walk{events: e, mine: e.mine(span), yield: yield}
		if there != len(w.mine) { // or else the store need not be asked
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

// eventTimes are the times of the events of an identity, sorted: most moves pass none, and need not
// ask the store.
type eventTimes struct{ all []int64 }

// maxEventTimes bounds the events of an identity whose times are held.
const maxEventTimes = 1024

// countWithin is how many events an identity has in a span, -1 where that is not known.
func (s *state) countWithin(cp *computedPerson, span computed.Span) (int, error) {
	if !cp.asked && cp.times == nil {
		cp.asked = true
		p, err := s.person(cp.key.class, cp.key.id)
		if err != nil {
			return 0, err
		}
		times := &eventTimes{}
		err = s.events(p, math.MinInt64, math.MaxInt64, func(ref store.EventRef) bool {
			times.all = append(times.all, ref.Time)
			return len(times.all) <= maxEventTimes
		})
		if err != nil {
			return 0, err
		}
		if len(times.all) <= maxEventTimes {
			slices.Sort(times.all)
			cp.times = times
		}
	}
	if cp.times == nil {
		return -1, nil
	}
	return cp.times.within(span), nil
}

// timed follows an event that is stored or removed.
func (s *state) timed(key personKey, at int64, stored bool) {
	if s.computed == nil {
		return
	}
	cp := s.computed.people.get(key)
	if cp == nil || cp.times == nil {
		return
	}
	if !stored {
		cp.times.remove(at)
		return
	}
	if cp.times.insert(at); len(cp.times.all) > maxEventTimes {
		cp.times, cp.asked = nil, true
	}
}

func (t *eventTimes) insert(at int64) {
	i, _ := slices.BinarySearch(t.all, at)
	t.all = slices.Insert(t.all, i, at)
}

func (t *eventTimes) remove(at int64) {
	if i, found := slices.BinarySearch(t.all, at); found {
		t.all = slices.Delete(t.all, i, i+1)
	}
}

// within is how many of the times lie in a span.
func (t *eventTimes) within(s computed.Span) int {
	from, _ := slices.BinarySearch(t.all, s.From)
	to, _ := slices.BinarySearch(t.all, s.To)
	return max(0, to-from)
}
