package pipeline

import (
	"maps"
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// Of an identity that was erased nothing is kept but a keyed hash, and up to when what is said
// about it does not come back. While the identity is not known its hash is looked for whenever a
// record names it; once newer data has begun it anew, its row says that there is one.

// erasures are the hashes of identities that were erased.
type erasures struct {
	any bool // there is one
	// all: look also for those of identities that are known. What another store had erased was
	// told to this one.
	all bool
	// writes counts the commits that have changed one, from 1: what was read before may be wrong.
	writes uint64
	// changed are those of the commit under way; nil: forgotten.
	changed map[store.Hash]*store.Erased
}

// loadErased finds out whether any identity was erased.
func (sh *Shard) loadErased() (err error) {
	sh.erasures.changed, sh.erasures.writes = map[store.Hash]*store.Erased{}, 1
	sh.erasures.any, err = sh.state.reader.AnyErased()
	return err
}

// erased is what is kept of an identity that was erased, the commit under way included; nil where
// it was not.
func (sh *Shard) erased(p *person) (*store.Erased, error) {
	e := &sh.erasures
	if !e.any || p.known && !p.row.Erased && !e.all {
		return nil, nil
	}
	if row, changed := e.changed[sh.hash(p)]; changed {
		return row, nil
	}
	if p.erasedAt == e.writes {
		return p.erased, nil
	}
	row, err := sh.state.reader.Erased(sh.hash(p))
	if err == nil {
		p.erased, p.erasedAt = row, e.writes
	}
	return row, err
}

// setErased changes what is kept of an identity that was erased; nil forgets it.
func (sh *Shard) setErased(hash store.Hash, row *store.Erased) {
	sh.erasures.changed[hash] = row
	sh.erasures.any = sh.erasures.any || row != nil
}

// raiseErased keeps an identity's data away up to a floor, and all of it where suppress says so.
func (sh *Shard) raiseErased(hash store.Hash, floor profile.Stamp, suppress bool) error {
	row, changed := sh.erasures.changed[hash]
	if !changed {
		var err error
		if row, err = sh.state.reader.Erased(hash); err != nil {
			return err
		}
	}
	next := store.Erased{Floor: floor, Suppress: suppress}
	if row != nil {
		next.Floor = profile.Later(row.Floor, floor)
		next.Suppress = suppress || row.Suppress
		for i := range row.Floors {
			addNamed(&next, row.Floors[i].Dataset, &row.Floors[i].DataFloors)
		}
	}
	sh.setErased(hash, &next)
	return nil
}

// writeErased puts what the commit has changed into b.
func (sh *Shard) writeErased(b *store.Batch) {
	e := &sh.erasures
	for _, hash := range slices.SortedFunc(maps.Keys(e.changed),
		func(a, b store.Hash) int { return slices.Compare(a[:], b[:]) }) {
		b.SetErased(hash, e.changed[hash])
	}
	if len(e.changed) > 0 {
		e.writes++
	}
	clear(e.changed)
}

// bound reports whether a stamp lies where what was erased does not come back from.
func bound(e *store.Erased, s profile.Stamp) bool {
	return e != nil && (e.Suppress || s.Before(e.Floor))
}

// withoutErased leaves out the identities of a record that were erased since its time. A record
// that belongs to one is refused.
func (sh *Shard) withoutErased(in *Input) (*Rejection, error) {
	if !sh.erasures.any {
		return nil, nil
	}
	var out []profile.Identity
	for _, id := range in.IDs.All {
		p, err := sh.state.person(in.Dataset.Entity, id)
		if err != nil {
			return nil, err
		}
		e, err := sh.erased(p)
		if err != nil {
			return nil, err
		}
		if bound(e, in.Stamp) {
			out = append(out, id)
		}
	}
	if slices.Contains(out, in.IDs.Primary) {
		return &Rejection{Reason: ReasonErased}, nil
	}
	if len(out) > 0 {
		in.IDs.All = slices.DeleteFunc(slices.Clone(in.IDs.All), func(id profile.Identity) bool {
			return slices.Contains(out, id)
		})
	}
	return nil, nil
}

// refuseErased refuses a control record that names an identity which was erased since its time.
func (sh *Shard) refuseErased(in *Input) (*Rejection, error) {
	c := in.control
	if !sh.erasures.any || c.Op == ControlErase || c.Op == ControlLiftDelete {
		return nil, nil
	}
	if reachesFurther(c.Op) && sh.recalledAs(c) != nil {
		return nil, nil // it was applied before the erasure
	}
	for _, id := range c.ids {
		p, err := sh.state.person(c.Class, id)
		if err != nil {
			return nil, err
		}
		e, err := sh.erased(p)
		if err != nil {
			return nil, err
		}
		if bound(e, in.Stamp) {
			return &Rejection{Reason: ReasonErased}, nil
		}
	}
	return nil, nil
}

// reachesFurther reports whether an operation about somebody who is erased later does something
// that the erasure does not undo: to events of later times, to others, to what is no data.
func reachesFurther(op ControlOp) bool {
	return op == ControlDeleteEvents || op == ControlDeleteProfile || op == ControlBlockValue
}

// beginAnew notes that newer data has begun an identity anew that was erased. It counts as first
// seen when it was erased, so that this does not depend on what of the newer data comes first.
func (sh *Shard) beginAnew(p *person) (anew bool, err error) {
	e, err := sh.erased(p)
	if err != nil || e == nil {
		return false, err
	}
	p.row.Erased, p.row.Named = true, true
	p.row.Floor = profile.Later(p.row.Floor, e.Floor)
	p.row.FirstSeen = e.Floor.Time
	return true, sh.unhashFloors(p, e)
}
