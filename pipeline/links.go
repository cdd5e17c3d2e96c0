package pipeline

import (
	"slices"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// assertion is that a record links two identities.
type assertion struct {
	class  string
	pair   [2]profile.Identity // the lesser first
	source profile.Identity    // of a dataset whose links are the current ones; else zero
	in     *Input
}

// assert records that a record links two identities, and decides the clusters again where that can
// matter: never for a link inside one cluster, nor for one whose time did not rise.
func (sh *Shard) assert(as *assertion) error {
	if err := sh.renew(as.class, as.pair[:], as.in.cause()); err != nil {
		return err
	}
	a, b, err := sh.ends(as.class, as.pair)
	if err != nil {
		return err
	}
	if sh.closed(a, b) {
		return nil
	}
	l, err := sh.state.link(as.class, as.pair[0], as.pair[1])
	if err != nil {
		return err
	}
	key := linkKey{as.class, as.pair[0], as.pair[1]}
	if n, ends, err := sh.cleanLink(key, l, as.in.cause()); err != nil {
		return err
	} else if n > 0 && len(ends) > 0 {
		if err := sh.decide(as.class, ends, as.in.cause()); err != nil {
			return err
		}
	}
	before := l.row.Latest()
	if !assertLink(&l.row, as) {
		return nil
	}
	sh.state.touchLink(key, l)
	if before.IsZero() {
		sh.join(a, b)
		sh.join(b, a)
	}
	latest := l.row.Latest()
	if live(before, a, b) && before.Time >= latest.Time || !live(latest, a, b) {
		return nil
	}
	if !live(before, a, b) {
		for _, ends := range [2][2]*person{{a, b}, {b, a}} {
			if err := sh.judge(ends[0], ends[1], as.in.cause()); err != nil {
				return err
			}
		}
	}
	if a.row.Silence|b.row.Silence != 0 {
		return nil
	}
	sh.state.wide.set(a, b, latest.Time)
	return sh.bring(as, a, b, before.IsZero())
}

// bring decides what a link that counts, new or refreshed, brings together.
func (sh *Shard) bring(as *assertion, a, b *person, isNew bool) error {
	if a.row.Cluster == b.row.Cluster {
		return nil
	}
	if err := sh.redecide(as.class, as.pair, as.in.cause()); err != nil {
		return err
	}
	if a.row.Cluster == b.row.Cluster {
		return nil
	}
	sh.noteRefusal(as)
	if !isNew {
		return nil
	}
	return sh.tellLeftOut(as)
}

func (sh *Shard) ends(class string, pair [2]profile.Identity) (a, b *person, err error) {
	if a, err = sh.state.person(class, pair[0]); err != nil {
		return nil, nil, err
	}
	b, err = sh.state.person(class, pair[1])
	return a, b, err
}

// join notes a new link of p.
func (sh *Shard) join(p, q *person) {
	sh.state.joined(p, q)
	if sh.rules(p.key.class).Crowds(p.key.id, q.key.id) {
		p.row.Crowd++
	}
}

// part notes that p and q have no link any more.
func (sh *Shard) part(p, q *person) {
	sh.state.parted(p, q)
	if sh.rules(p.key.class).Crowds(p.key.id, q.key.id) && p.row.Crowd > 0 {
		p.row.Crowd--
	}
}

// live reports whether a link whose latest assertion has the given stamp counts: nothing has voided
// it since.
func live(latest profile.Stamp, a, b *person) bool {
	return !latest.IsZero() && !latest.Before(a.row.Unlinked) && !latest.Before(b.row.Unlinked)
}

// assertLink joins an assertion into a link and reports whether the row changed. Of a dataset whose
// links are the current ones it is that of the newest record.
func assertLink(row *store.Link, as *assertion) bool {
	dataset, stamp := as.in.Dataset.Name, as.in.Stamp
	i, found := slices.BinarySearchFunc(row.Assertions, dataset,
		func(a store.Assertion, name string) int { return a.Compare(name, as.source) })
	if !found {
		a := store.Assertion{Dataset: dataset, Source: as.source, First: stamp, Latest: stamp}
		row.Assertions = slices.Insert(row.Assertions, i, a)
		return true
	}
	a := &row.Assertions[i]
	if !as.source.IsZero() {
		changed := a.Latest != stamp
		a.First, a.Latest = stamp, stamp
		return changed
	}
	changed := false
	if stamp.Before(a.First) {
		a.First, changed = stamp, true
	}
	if a.Latest.Before(stamp) {
		a.Latest, changed = stamp, true
	}
	return changed
}

// assertCurrent makes the links of a record, under its dataset and primary identity, those of its
// newest record: it asserts them, and retracts what an older record had said. A delete links
// nothing.
func (sh *Shard) assertCurrent(in *Input) error {
	ds := in.Dataset
	rules := sh.rules(ds.Entity)
	p, err := sh.state.person(ds.Entity, in.IDs.Primary)
	if err != nil {
		return err
	}
	said, err := sh.state.said(p, ds.Name)
	if err != nil || !said.row.Stamp.Before(in.Stamp) && !sh.gone(ds.Name, said.row.Stamp) {
		return err
	}
	var now [][2]profile.Identity
	next := store.Said{Stamp: in.Stamp}
	if in.Op != OpDelete {
		next.Identities = in.IDs.All
		now = rules.Links(in.IDs.All)
	}
	before := rules.Links(said.row.Identities)
	said.row = next
	sh.state.touchSaid(p, ds.Name)
	var ends []profile.Identity
	for _, pair := range before {
		if slices.Contains(now, pair) {
			continue
		}
		by := assertedBy{linkKey{ds.Entity, pair[0], pair[1]}, ds.Name, in.IDs.Primary}
		apart, err := sh.retract(by, in.cause())
		if err != nil {
			return err
		}
		ends = append(ends, apart...)
	}
	if len(ends) > 0 {
		if err := sh.decide(ds.Entity, ends, in.cause()); err != nil {
			return err
		}
	}
	for _, pair := range now {
		if err := sh.assert(&assertion{ds.Entity, pair, in.IDs.Primary, in}); err != nil {
			return err
		}
	}
	return nil
}

// assertedBy names what a dataset says about a link under a primary identity.
type assertedBy struct {
	link    linkKey
	dataset string
	source  profile.Identity
}

// retract takes an assertion back. ends are those whose clusters are to be decided again.
func (sh *Shard) retract(by assertedBy, why cause) (ends []profile.Identity, err error) {
	a, b, err := sh.ends(by.link.class, [2]profile.Identity{by.link.a, by.link.b})
	if err != nil {
		return nil, err
	}
	l, err := sh.state.link(by.link.class, by.link.a, by.link.b)
	if err != nil {
		return nil, err
	}
	i, found := slices.BinarySearchFunc(l.row.Assertions, by.dataset,
		func(x store.Assertion, name string) int { return x.Compare(name, by.source) })
	if !found {
		return nil, nil
	}
	if latest := l.row.Assertions[i].Latest; sh.gone(by.dataset, latest) {
		if err := sh.credit(by.dataset, removed{links: 1}, latest); err != nil {
			return nil, err
		}
	}
	counted := live(l.row.Latest(), a, b) && a.row.Silence|b.row.Silence == 0
	l.row.Assertions = slices.Delete(slices.Clone(l.row.Assertions), i, i+1)
	return sh.weakened(by.link, l, counted, why)
}

// weakened follows up a link that has lost assertions, and counted before. ends are those whose
// clusters are to be decided again.
func (sh *Shard) weakened(key linkKey, l *link, counted bool, why cause) (
	ends []profile.Identity, err error) {
	a, b, err := sh.ends(key.class, [2]profile.Identity{key.a, key.b})
	if err != nil {
		return nil, err
	}
	sh.state.touchLink(key, l)
	latest := l.row.Latest()
	if latest.IsZero() {
		sh.part(a, b)
		sh.part(b, a)
	}
	if counted && live(latest, a, b) {
		sh.state.wide.set(a, b, latest.Time)
	} else {
		sh.state.wide.remove(a, b)
	}
	if counted && a.row.Cluster == b.row.Cluster {
		ends = append(ends, key.a, key.b)
	}
	for _, p := range [2]*person{a, b} {
		if live(latest, a, b) {
			break
		}
		more, err := sh.review(p, why)
		if err != nil {
			return nil, err
		}
		ends = append(ends, more...)
	}
	return ends, nil
}

// linkRecord asserts what a record says about its identities.
func (sh *Shard) linkRecord(in *Input) error {
	if in.Dataset.CurrentLinks {
		return sh.assertCurrent(in)
	}
	for _, pair := range sh.rules(in.Dataset.Entity).Links(in.IDs.All) {
		as := assertion{class: in.Dataset.Entity, pair: pair, in: in}
		if err := sh.assert(&as); err != nil {
			return err
		}
	}
	return nil
}

// why explains a link that stays out.
func (sh *Shard) why(class string, l identity.Link) (identity.Reason, bool, error) {
	return sh.rules(class).Why(sh.view(class), l)
}
