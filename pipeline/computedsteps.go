package pipeline

import (
	"math"
	"slices"

	"selfsame/computed"
	"selfsame/store"
)

// What a change of events does to computed attributes. Whoever stores or removes an event calls
// this in the same commit, before or after [state.setEvent]; values are folded when the commit
// settles.

// computedInsert takes in an event that is stored.
func (sh *Shard) computedInsert(p *person, ref store.EventRef, row *store.Event,
	why cause) error {
	now := sh.state.computed.now
	return sh.eachReading(p, ref, row, why, func(one *computedState, r eventReading) error {
		one.Skip(now, one.wake) // or else it would be taken in when it is moved, at a greater cost
		r.person.wakeAt(one, min(one.wake, one.Touches(ref.Time, now)))
		return one.Take(r.event, r.Reading)
	})
}

// computedDelete takes back an event that is deleted, as it was stored.
func (sh *Shard) computedDelete(p *person, ref store.EventRef, row *store.Event,
	why cause) error {
	return sh.eachReading(p, ref, row, why, func(one *computedState, r eventReading) error {
		_, err := one.Delete(r.event)
		return err
	})
}

// computedExpire lets go of an event whose retention ends. Lifetime attributes go on counting it;
// of others, whose windows are no longer than that, it has left or is about to.
func (sh *Shard) computedExpire(p *person, ref store.EventRef, row *store.Event) error {
	era := sh.eraOf(ref.Dataset)
	return sh.eachReading(p, ref, row, cause{}, func(one *computedState, r eventReading) error {
		_, err := one.Expire(r.event, era)
		return err
	})
}

// computedRemoved is what was taken out of folded days, for an audit record.
type computedRemoved struct {
	Days   int
	Events int64
}

// computedDays takes the folded days of a dataset out of an identity's attributes, from one up to
// and including another, by [computed.Day].
func (sh *Shard) computedDays(p *person, dataset string, from, to int64, why cause) (
	removed computedRemoved, err error) {
	return sh.removeDays(p, foldedDays{dataset, sh.eraOf(dataset) + 1, from, to}, why)
}

// foldedDays are the folded days of a dataset in the eras before one, from one up to and including
// another.
type foldedDays struct {
	dataset  string
	until    uint64
	from, to int64
}

func (sh *Shard) removeDays(p *person, days foldedDays, why cause) (removed computedRemoved,
	err error) {
	folds := func(t *tracked, _ *computedState) bool { return t.Lifetime() }
	err = sh.eachKept(p, folds, func(cp *computedPerson, one *computedState) error {
		var all computed.Removed
		for era := sh.firstEra(days.dataset); era < days.until; era++ {
			r, err := one.RemoveDays(days.dataset, era, days.from, days.to)
			if err != nil {
				return err
			}
			all.Days, all.Events = all.Days+r.Days, all.Events+r.Events
		}
		if all.Days > 0 {
			sh.state.touchComputed(cp)
			sh.markDirty(p, why)
		}
		removed.Days = max(removed.Days, all.Days)
		removed.Events = max(removed.Events, all.Events)
		return nil
	})
	return removed, err
}

// computedBefore takes the folded days out that lie before a time or are cut by it.
func (sh *Shard) computedBefore(p *person, before int64, why cause) (days int, err error) {
	for _, ds := range sh.model.Datasets {
		if !sh.folds(p.key.class, ds.Name) {
			continue
		}
		gone, err := sh.computedDays(p, ds.Name, math.MinInt64, computed.Day(before-1), why)
		if err != nil {
			return days, err
		}
		days += gone.Days
	}
	return days, nil
}

// folds reports whether a computed attribute keeps something of the expired events of a dataset.
func (sh *Shard) folds(class, dataset string) bool {
	w := sh.state.computed
	if w == nil || w.classes[class] == nil {
		return false
	}
	return slices.ContainsFunc(w.classes[class].hearing[dataset], func(t *tracked) bool {
		return t.Lifetime()
	})
}

// computedDrop forgets everything that computed attributes keep of an identity, folded days
// included. What is still stored of its events is counted again when the profile is settled.
func (sh *Shard) computedDrop(p *person, why cause) error {
	w := sh.state.computed
	if w == nil || w.classes[p.key.class] == nil {
		return nil
	}
	cp, err := sh.state.computedPerson(p.key)
	if err != nil {
		return err
	}
	for len(cp.states) > 0 {
		if err := sh.dropState(cp, cp.states[0].number); err != nil {
			return err
		}
	}
	sh.markDirty(p, why)
	return nil
}

// dropState forgets what an attribute keeps of an identity.
func (sh *Shard) dropState(cp *computedPerson, number uint16) error {
	rows, err := sh.state.reader.Computed(store.ComputedRef{Class: cp.key.class,
		Identity: cp.key.id, Number: number}, nil)
	if err == nil {
		err = rows.Clear([]byte{0}, []byte{math.MaxUint8})
	}
	if err != nil {
		return err
	}
	if at, found := cp.place(number); found {
		cp.states = slices.Delete(cp.states, at, at+1)
	}
	cp.gone, cp.fresh = append(cp.gone, rows), true
	sh.state.touchComputed(cp)
	return nil
}

// eventReading is what one attribute makes of one event.
type eventReading struct {
	computed.Reading
	tracked *tracked
	person  *computedPerson
	event   *computed.Event
}

// eachReading calls change with the state of each attribute in which an event counts, and marks
// the profile where there is one. Of a cause without a position nothing is marked.
func (sh *Shard) eachReading(p *person, ref store.EventRef, row *store.Event, why cause,
	change func(*computedState, eventReading) error) error {
	w := sh.state.computed
	if w == nil || w.classes[p.key.class] == nil {
		return nil
	}
	hearing := w.classes[p.key.class].hearing[ref.Dataset]
	if len(hearing) == 0 {
		return nil
	}
	var cp *computedPerson
	event := eventOf(ref, row)
	for _, t := range hearing {
		r := t.Read(event)
		sh.counts.reading(p.key.class, t.Name(), r)
		if !r.Counts {
			continue
		}
		if cp == nil {
			var err error
			if cp, err = sh.state.computedPerson(p.key); err != nil {
				return err
			}
			sh.state.touchComputed(cp)
		}
		one, err := sh.state.open(cp, t)
		if err != nil {
			return err
		}
		if err := change(one, eventReading{r, t, cp, event}); err != nil {
			return err
		}
	}
	if cp != nil && why.pos.Topic != "" {
		sh.markDirty(p, why)
	}
	return nil
}

// eachKept calls fn with the state, open, of each attribute that keeps something of an identity and
// is wanted.
func (sh *Shard) eachKept(p *person, want func(*tracked, *computedState) bool,
	fn func(*computedPerson, *computedState) error) error {
	w := sh.state.computed
	if w == nil || w.classes[p.key.class] == nil {
		return nil
	}
	cp, err := sh.state.computedPerson(p.key)
	if err != nil {
		return err
	}
	for _, t := range w.classes[p.key.class].kept {
		one := cp.find(t.number)
		if one == nil || !want(t, one) {
			continue
		}
		if one, err = sh.state.open(cp, t); err != nil {
			return err
		}
		if err := fn(cp, one); err != nil {
			return err
		}
	}
	return nil
}

// fireComputed moves what an identity keeps to now, and has its profile settled. Where more events
// enter or leave than one commit looks at, the timer stays, and the profile is settled when the
// last of them are through.
func (sh *Shard) fireComputed(t store.Timer) error {
	class, id, err := sh.state.reader.CutComputedTimer(t)
	if err != nil {
		return err
	}
	p, err := sh.state.person(class, id)
	if err != nil || sh.model.Entity(class) == nil {
		return err
	}
	cp, err := sh.state.computedPerson(p.key)
	if err != nil || cp.timer != t.At {
		return err
	}
	cp.timer, cp.fresh = computed.Never, true
	sh.state.touchComputed(cp)
	w, finished := sh.state.computed, true
	due := func(_ *tracked, one *computedState) bool { return one.wake <= w.now }
	err = sh.eachKept(p, due, func(cp *computedPerson, one *computedState) error {
		done, err := sh.state.move(cp, one, cp.left(w))
		finished = finished && done
		return err
	})
	if err != nil {
		return err
	}
	if !finished {
		sh.counts.unfinished++
		return nil
	}
	for _, one := range cp.states { // those of attributes that are gone are to be cleared
		if one.wake <= w.now {
			one.wake = computed.Never
		}
	}
	sh.markDirty(p, cause{time: math.MinInt64, dataset: ControlName})
	return nil
}
