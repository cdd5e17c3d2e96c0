package pipeline

import (
	"math"
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// An identity is silent while its links do not count: it is a hub, it is contested, its value is
// blocked, or its links are being removed. Its data and its own profile stay.

// closed reports whether links between two identities are not kept, and counts the assertion where
// that is because one is a hub.
func (sh *Shard) closed(a, b *person) bool {
	const shut = store.SilentHub | store.SilentBlocked | store.SilentClearing
	closed := false
	for _, p := range [2]*person{a, b} {
		if p.row.Silence&shut == 0 {
			continue
		}
		closed = true
		if p.row.Silence&store.SilentHub != 0 {
			p.row.Beyond++
			sh.counts.beyondHubs++
			sh.state.touch(p)
		}
	}
	return closed
}

// judge finds out whether a new link with q makes p a hub, or contested. Only a q that is no weaker
// can do either: another cookie of somebody with tens of thousands asks for no look at those.
func (sh *Shard) judge(p, q *person, why cause) error {
	rules := sh.rules(p.key.class)
	if !rules.Crowds(p.key.id, q.key.id) {
		return nil
	}
	limit := rules.HubDegree(p.key.id)
	if limit > 0 && p.row.Crowd > uint64(limit) && p.row.Silence&store.SilentHub == 0 {
		if err := sh.silence(p, store.SilentHub, why); err != nil {
			return err
		}
	}
	if p.row.Silence&store.SilentContested != 0 {
		return nil
	}
	contested, err := sh.contested(p)
	if err != nil || !contested {
		return err
	}
	return sh.silence(p, store.SilentContested, why)
}

// contested reports whether two values of a stronger unique namespace claim p.
func (sh *Shard) contested(p *person) (bool, error) {
	rules := sh.rules(p.key.class)
	if !rules.CanBeContested(p.key.id) {
		return false, nil
	}
	others, err := sh.liveNeighbours(p)
	return err == nil && rules.Contested(p.key.id, slices.Values(others)), err
}

// liveNeighbours lists the identities that p has a link with that nothing has voided.
func (sh *Shard) liveNeighbours(p *person) ([]profile.Identity, error) {
	others, err := sh.state.neighbours(p)
	if err != nil {
		return nil, err
	}
	out := others[:0]
	for _, other := range others {
		l, err := sh.state.link(p.key.class, p.key.id, other)
		if err != nil {
			return nil, err
		}
		q := p // voids nothing that p does not
		if sh.state.unlinks[p.key.class] {
			if q, err = sh.state.person(p.key.class, other); err != nil {
				return nil, err
			}
		}
		if live(l.row.Latest(), p, q) {
			out = append(out, other)
		}
	}
	return out, nil
}

// silence makes the links of p count for nothing, and decides what becomes of its cluster.
func (sh *Shard) silence(p *person, reason store.Silence, why cause) error {
	was := p.row.Silence
	p.row.Silence |= reason
	sh.state.touch(p)
	sh.tellSilent(p, reason, why)
	if was != 0 {
		return nil
	}
	sh.state.setUnlinks(p.key.class)
	sh.state.wide.silence(p)
	c, err := sh.state.cluster(p.key.class, p.row.Cluster)
	if err != nil || len(c.members) < 2 {
		return err
	}
	return sh.decide(p.key.class, c.members, why)
}

// review finds out whether p, which has lost a link, is still contested. ends are those whose
// clusters are to be decided again where it is not.
func (sh *Shard) review(p *person, why cause) (ends []profile.Identity, err error) {
	const cleared = store.SilentBlocked | store.SilentClearing
	if p.row.Silence&store.SilentContested == 0 || p.row.Silence&cleared != 0 {
		return nil, nil // one whose links are being removed is not once they are
	}
	contested, err := sh.contested(p)
	if err != nil || contested {
		return nil, err
	}
	return sh.voice(p, store.SilentContested, why)
}

// voice takes a reason for the silence of p away. ends are those whose clusters are to be decided
// again where it was the last.
func (sh *Shard) voice(p *person, reason store.Silence, why cause) (ends []profile.Identity,
	err error) {
	p.row.Silence &^= reason
	sh.state.touch(p)
	sh.tellHeard(p, reason, why)
	if p.row.Silence != 0 || p.row.Degree == 0 {
		return nil, nil
	}
	others, err := sh.state.neighbours(p)
	if err != nil {
		return nil, err
	}
	return append(others, p.key.id), sh.state.heard(p, others)
}

// clearLinks removes up to limit links of p, which is silent, and of the assertions about them
// nothing is kept. n is how many; more says that some are left.
func (sh *Shard) clearLinks(p *person, limit int, why cause) (n int, more bool, err error) {
	others, err := sh.state.someNeighbours(p, limit)
	if err != nil {
		return 0, false, err
	}
	if len(others) > limit {
		others, more = others[:limit], true
	}
	var ends []profile.Identity
	for _, other := range others {
		l, err := sh.state.link(p.key.class, p.key.id, other)
		if err != nil {
			return 0, false, err
		}
		l.row.Assertions = nil
		again, err := sh.weakened(linkKeyOf(p.key.class, p.key.id, other), l, false, why)
		if err != nil {
			return 0, false, err
		}
		ends = append(ends, again...)
	}
	if len(ends) > 0 {
		if err := sh.decide(p.key.class, ends, why); err != nil {
			return 0, false, err
		}
	}
	if more = more || p.row.Degree > 0; more {
		return len(others), true, nil
	}
	p.row.Crowd, p.row.Beyond = 0, 0
	const cleared = store.SilentHub | store.SilentBlocked | store.SilentClearing |
		store.SilentContested
	_, err = sh.voice(p, p.row.Silence&cleared, why) // it has no link that could count
	return len(others), false, err
}

func linkKeyOf(class string, a, b profile.Identity) linkKey {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return linkKey{class, a, b}
}

// blockValue makes an identity count for nothing in links, whatever records say: those it has are
// removed. Or lets it link again: new records count, those before do not.
func (sh *Shard) blockValue(op *operation) error {
	key := personKey{op.Class, op.ids[0]}
	if sh.blocked[key] == !op.Lift {
		return nil
	}
	if op.Lift {
		delete(sh.blocked, key)
	} else {
		sh.blocked[key] = true
	}
	sh.newBlocked = append(sh.newBlocked, key)
	if op.Lift {
		return sh.finishClearing(op)
	}
	return sh.startClearing(op, store.SilentBlocked)
}

// finishClearing removes at once the links of a blocked identity that a job has still to remove, so
// that what is asserted from now on counts. The job finds nothing to do.
func (sh *Shard) finishClearing(op *operation) error {
	p, err := sh.state.person(op.Class, op.ids[0])
	if err != nil || p.row.Silence&store.SilentBlocked == 0 {
		return err
	}
	n, _, err := sh.clearLinks(p, unlimited, op.why)
	op.row.Links += uint64(n)
	return err
}

// resetHub lets a hub link again. It starts with no links: those it had were of everybody.
func (sh *Shard) resetHub(op *operation) error {
	p, err := sh.state.person(op.Class, op.ids[0])
	if err != nil || p.row.Silence&store.SilentHub == 0 {
		return err
	}
	return sh.startClearing(op, store.SilentClearing)
}

// startClearing silences an identity and removes its links: the first at once, the rest in the
// background.
func (sh *Shard) startClearing(op *operation, reason store.Silence) error {
	p, err := sh.state.person(op.Class, op.ids[0])
	if err != nil {
		return err
	}
	if err := sh.silence(p, reason, op.why); err != nil {
		return err
	}
	n, more, err := sh.clearLinks(p, sh.stepLimit, op.why)
	op.row.Links += uint64(n)
	if err != nil || !more {
		return err
	}
	return sh.startJob(op, jobClear, clearArgs{Class: op.Class, Identity: p.key.id.String()})
}

// stepClear removes the next links of a silent identity.
func (sh *Shard) stepClear(job *store.Job, args clearArgs, limit int) (done bool, err error) {
	id, ok := profile.ParseIdentity(args.Identity)
	if !ok {
		return false, errJobIdentity
	}
	p, err := sh.state.person(args.Class, id)
	if err != nil {
		return false, err
	}
	const cleared = store.SilentHub | store.SilentBlocked | store.SilentClearing
	if p.row.Silence&cleared == 0 {
		return true, nil // another job has removed them: what there is has come since
	}
	n, more, err := sh.clearLinks(p, limit, cause{job.Cause, math.MinInt64, ControlName})
	job.Done += uint64(n)
	job.Total = job.Done + p.row.Degree
	return !more, err
}

// writeBlocked puts what the commit has changed of blocked values into b.
func (sh *Shard) writeBlocked(b *store.Batch) {
	for _, key := range sh.newBlocked {
		b.SetBlocked(key.class, key.id, sh.blocked[key])
	}
	sh.newBlocked = sh.newBlocked[:0]
}

// withoutBlocked leaves out the identities of a record whose values an operator has blocked.
func (sh *Shard) withoutBlocked(in *Input) *Rejection {
	if len(sh.blocked) == 0 {
		return nil
	}
	class := in.Dataset.Entity
	blocked := func(id profile.Identity) bool { return sh.blocked[personKey{class, id}] }
	if !slices.ContainsFunc(in.IDs.All, blocked) {
		return nil
	}
	without := sh.rules(class).RecordWithout
	if in.Dataset.Class == ClassEvent {
		without = sh.rules(class).EventWithout
	}
	var err error
	if in.IDs, err = without(in.IDs, blocked); err != nil {
		return rejectIdentity(err)
	}
	return nil
}
