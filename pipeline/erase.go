package pipeline

import (
	"math"
	"slices"
	"strconv"

	"selfsame/profile"
	"selfsame/store"
)

// graphErased is the kind of entry on the identity topic that tells that identities of a profile
// were erased: how many, not which.
const graphErased = "erased"

// reach is the stamp below which an erasure removes what is stored: with suppress, everything.
func reach(floor profile.Stamp, suppress bool) profile.Stamp {
	if suppress {
		floor.Time = math.MaxInt64
	}
	return floor
}

// erase removes all identities of a cluster, or of a cluster in each of several classes, with
// everything that is stored of them, and keeps their hashes, which turn away what is not newer.
// What is beyond a limit goes in the background.
func (sh *Shard) erase(op *operation) error {
	if err := sh.inPlaces(op, sh.eraseCluster); err != nil {
		return err
	}
	args := eraseArgs{Class: op.Class, Identities: op.rest, Suppress: op.Suppress}
	left := len(op.rest) > 0
	for _, part := range op.parts {
		if len(part.rest) > 0 {
			args.Parts = append(args.Parts, erasePart{part.Class, part.rest})
			left = true
		}
	}
	if !left {
		return nil
	}
	return sh.startJob(op, jobErase, args)
}

// eraseCluster erases in one class.
func (sh *Shard) eraseCluster(op *operation) error {
	members, err := sh.toErase(op)
	if err != nil {
		return err
	}
	var people []*person
	for _, id := range members {
		p, err := sh.state.person(op.Class, id)
		if err != nil {
			return err
		}
		op.hashes = append(op.hashes, sh.hash(p))
		floor := profile.Later(op.floor(), p.row.Floor) // that of a deletion of a later time stays
		if err := sh.raiseErased(sh.hash(p), floor, op.Suppress); err != nil {
			return err
		}
		if p.known {
			people = append(people, p)
		}
	}
	if r := sh.recalledAs(op.controlInput); r != nil {
		op.hashes = r.hashes
	}
	op.affected, op.members = nil, members
	op.rest, err = sh.eraseAll(op, people)
	return err
}

// toErase lists the identities that an erasure acts on: those of the cluster. Where it is applied
// again it leaves out those on which it had not acted, and those for which it was lifted later. Of
// the others on which it had acted nothing can be stored, for their hashes were there first, but
// what operators have said since the time up to which it erases: that makes them known.
func (sh *Shard) toErase(op *operation) ([]profile.Identity, error) {
	members, err := sh.view(op.Class).Members(op.ids[0])
	r := sh.recalledAs(op.controlInput)
	if err != nil || r == nil {
		return members, err
	}
	var left []profile.Identity
	for _, id := range members {
		if hash := sh.hashOf(op.Class, id); slices.Contains(r.hashes, hash) && !r.lifted[hash] {
			left = append(left, id)
		}
	}
	for _, hash := range r.hashes {
		id, named := sh.recalled.named[hash]
		if !named || r.lifted[hash] || slices.Contains(left, id) {
			continue
		}
		p, err := sh.state.person(op.Class, id)
		if err != nil {
			return nil, err
		}
		if p.known {
			left = append(left, id)
		}
	}
	return left, nil
}

// eraseAll takes people out of the graph and removes what is stored of them, as far as the limits
// go. rest names those of whom something is left.
func (sh *Shard) eraseAll(op *operation, people []*person) (rest []string, err error) {
	if len(people) == 0 {
		return nil, nil
	}
	cluster := people[0].row.Cluster
	floor := reach(op.floor(), op.Suppress)
	for _, p := range people {
		p.row.Named = false
	}
	if err := sh.unbind(people, floor, op.why); err != nil {
		return nil, err
	}
	budget := sh.stepLimit
	for _, p := range people {
		e := &erasure{sh: sh, p: p, floor: floor, why: op.why, limit: budget, hashed: true,
			first: true}
		done, err := e.step()
		if err != nil {
			return nil, err
		}
		if !done {
			rest = append(rest, p.key.id.String())
		}
		budget = max(1, budget-e.removed.sum())
		op.row.Add(e.removed.counts())
	}
	sh.tellCount(op.Class, graphErased, cluster, len(people), op.why)
	return rest, nil
}

// tellCount puts on the identity topic that identities of a profile are no more: how many.
func (sh *Shard) tellCount(class, kind string, cluster profile.ID, n int, why cause) {
	sh.tell(class, &graphEvent{kind: kind, profile: cluster, from: cluster},
		strconv.AppendInt([]byte(`,"count":`), int64(n), 10), why)
}

// unbind voids all links of people up to a floor, forced ones too, and decides their clusters
// again without a word: the identity topic must not name them. Their hashes are kept already.
func (sh *Shard) unbind(people []*person, floor profile.Stamp, why cause) error {
	for _, p := range people {
		p.row.Floor = profile.Later(p.row.Floor, floor)
		p.row.Erased = true
		row, err := sh.erased(p)
		if err != nil {
			return err
		}
		p.row.FirstSeen = row.Floor.Time // also where it was erased up to a later time before
	}
	return sh.cutLoose(people, floor, why)
}

// cutLoose is unbind for people who may come back.
func (sh *Shard) cutLoose(people []*person, floor profile.Stamp, why cause) error {
	class := people[0].key.class
	var ends, others []profile.Identity
	for _, p := range people {
		ends = append(ends, p.key.id)
		sh.markCluster(class, p.row.Cluster, why).hushed = true
		if alone := sh.markAlone(p.key, why); alone != nil {
			alone.hushed = true
		}
		p.row.Unlinked = profile.Later(p.row.Unlinked, floor)
		p.row.Silence = 0
		sh.state.touch(p)
		pairs, err := sh.state.ordersOf(p)
		if err != nil {
			return err
		}
		for _, pair := range slices.Clone(pairs) {
			if err := sh.state.dropOrders(p, pair.other); err != nil {
				return err
			}
			others = append(others, pair.other)
		}
	}
	sh.state.setUnlinks(class)
	sh.state.wide.clear()
	sh.quiet = true
	err := sh.decide(class, ends, why)
	sh.quiet = false
	if err != nil {
		return err
	}
	for _, p := range people {
		more, err := sh.reviewAround(p, why)
		if err != nil {
			return err
		}
		others = append(others, more...)
	}
	others = slices.DeleteFunc(others, func(id profile.Identity) bool {
		return slices.Contains(ends, id)
	})
	if len(others) == 0 {
		return nil
	}
	return sh.decide(class, others, why)
}

// erasure removes what is stored of one identity, in steps.
type erasure struct {
	sh      *Shard
	p       *person
	floor   profile.Stamp // what is stamped below goes
	why     cause
	limit   int
	job     *store.Job // that goes on with it; nil where the operation itself does
	hashed  bool       // it leaves a hash, which keeps away what floors kept away
	first   bool       // it has just begun
	removed removed
}

// step takes one step, and the identity itself away where nothing is left of it. Newer data keeps
// it, and is shown once all else is gone.
func (e *erasure) step() (done bool, err error) {
	if !e.p.row.Erasing {
		e.p.row.Erasing = true
		e.sh.state.touch(e.p)
		e.sh.markDirty(e.p, e.why)
	}
	if err := e.fragments(); err != nil {
		return false, err
	}
	newerWord, err := e.said()
	if err != nil {
		return false, err
	}
	moreLinks, err := e.links()
	if err != nil {
		return false, err
	}
	more, err := e.events()
	if err != nil {
		return false, err
	}
	if e.hashed && !more {
		if more, err = e.sh.deleting(e.p); err != nil {
			return false, err
		}
	}
	if more = more || moreLinks; more {
		return false, e.keep(newerWord)
	}
	p := e.p
	if newerWord || len(p.row.Fragments) > 0 || len(p.row.Events) > 0 || p.row.Degree > 0 ||
		p.row.Ordered || p.row.Named {
		return true, e.sh.reveal(p, e.job, e.why)
	}
	if err := e.sh.hashFloors(p); err != nil {
		return false, err
	}
	if err := e.sh.state.clearFloors(p); err != nil {
		return false, err
	}
	return true, e.sh.forget(p, e.why)
}

func (e *erasure) fragments() error {
	sh, p := e.sh, e.p
	old := func(s profile.Stamp) bool { return s.Before(e.floor) }
	for _, dataset := range slices.Clone(p.row.Fragments) {
		f, err := sh.state.fragment(p, dataset)
		if err != nil {
			return err
		}
		visible := f.Visible()
		if f.Drop(old) {
			sh.keepFragment(p, dataset, f)
			sh.markDirty(p, e.why)
		}
		if visible && !f.Visible() {
			e.removed.fragments++
		}
	}
	if e.hashed {
		return sh.state.sinkFloors(p, e.floor)
	}
	return sh.state.clearFloors(p)
}

// said takes back what records of the identity, whose links are the current ones, say of others.
// newer says that one stays that is newer: those before it must not link again.
func (e *erasure) said() (newer bool, err error) {
	sh, p := e.sh, e.p
	var datasets []string
	err = sh.state.reader.SaidOf(p.key.class, p.key.id, func(dataset string, _ *store.Said) {
		datasets = append(datasets, dataset)
	})
	if err != nil {
		return false, err
	}
	var ends []profile.Identity
	for _, dataset := range append(datasets, sortedNames(p.said)...) {
		said, err := sh.state.said(p, dataset)
		if err != nil {
			return false, err
		}
		if said.row.Stamp.IsZero() {
			continue
		}
		if !said.row.Stamp.Before(e.floor) {
			newer = true
			continue
		}
		for _, pair := range sh.rules(p.key.class).Links(said.row.Identities) {
			by := assertedBy{linkKey{p.key.class, pair[0], pair[1]}, dataset, p.key.id}
			more, err := sh.retract(by, e.why)
			if err != nil {
				return false, err
			}
			ends = append(ends, more...)
		}
		said.row = store.Said{}
		sh.state.touchSaid(p, dataset)
	}
	ends = slices.DeleteFunc(ends, func(id profile.Identity) bool { return id == p.key.id })
	if len(ends) == 0 {
		return newer, nil
	}
	return newer, sh.decide(p.key.class, ends, e.why)
}

// links removes the next links of the identity. None of them counts any more.
func (e *erasure) links() (more bool, err error) {
	sh, p := e.sh, e.p
	others, err := sh.state.neighbours(p)
	if err != nil {
		return false, err
	}
	old := func(a store.Assertion) bool { return a.Latest.Before(e.floor) }
	for _, other := range others {
		key := linkKeyOf(p.key.class, p.key.id, other)
		l, err := sh.state.link(key.class, key.a, key.b)
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(l.row.Assertions, old) {
			continue
		}
		if e.removed.links >= e.limit {
			return true, nil
		}
		e.removed.links++
		for _, a := range l.row.Assertions {
			if err := e.unsay(a); err != nil {
				return false, err
			}
		}
		l.row.Assertions = slices.DeleteFunc(slices.Clone(l.row.Assertions), old)
		if _, err := sh.weakened(key, l, false, e.why); err != nil {
			return false, err
		}
	}
	return false, nil
}

// unsay takes the identity out of what a record of another says of the present links.
func (e *erasure) unsay(a store.Assertion) error {
	if a.Source.IsZero() || a.Source == e.p.key.id || !a.Latest.Before(e.floor) {
		return nil
	}
	q, err := e.sh.state.person(e.p.key.class, a.Source)
	if err != nil {
		return err
	}
	said, err := e.sh.state.said(q, a.Dataset)
	if err != nil {
		return err
	}
	at := slices.Index(said.row.Identities, e.p.key.id)
	if at < 0 {
		return nil
	}
	said.row.Identities = slices.Delete(slices.Clone(said.row.Identities), at, at+1)
	e.sh.state.touchSaid(q, a.Dataset)
	return nil
}

// events removes the next events of the identity, their ids too.
func (e *erasure) events() (more bool, err error) {
	sh, p := e.sh, e.p
	days, err := sh.computedBefore(p, e.floor.Time, e.why)
	if err != nil {
		return false, err
	}
	e.removed.days += days
	var refs []store.EventRef
	err = sh.state.events(p, math.MinInt64, e.floor.Time-1, func(ref store.EventRef) bool {
		if more = e.removed.events+len(refs) >= e.limit; more {
			return false
		}
		refs = append(refs, ref)
		return true
	})
	if err != nil || len(refs) == 0 {
		return more, err
	}
	r, err := sh.remover(p)
	if err != nil {
		return false, err
	}
	for _, ref := range refs {
		id, err := sh.state.eventID(ref.Dataset, ref.ID)
		if err != nil {
			return false, err
		}
		r.free(ref, id, jobErase)
		if err := sh.dropEvent(p, ref, e.why); err != nil {
			return false, err
		}
	}
	e.removed.events += len(refs)
	return more, sh.relistEvents(p, e.why)
}

// forget takes an identity away of which nothing is left but its row.
func (sh *Shard) forget(p *person, why cause) error {
	c, err := sh.state.cluster(p.key.class, p.row.Cluster)
	if err != nil {
		return err
	}
	sh.markDirty(p, why)
	left := slices.DeleteFunc(slices.Clone(c.members), func(id profile.Identity) bool {
		return id == p.key.id
	})
	if err := sh.state.setCluster(p.key.class, p.row.Cluster, left); err != nil {
		return err
	}
	sh.enqueueAssignment(p.key.class, p.key.id)
	sh.disarm(p, timerExpire, &p.row.Expiry)
	sh.disarm(p, timerIdle, &p.row.Idle)
	if err := sh.computedDrop(p, why); err != nil {
		return err
	}
	sh.state.touch(p)
	p.known, p.row = false, store.Identity{}
	p.near, p.nearby = nil, false
	return nil
}
