package pipeline

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// Clusters that were decided under other rules are formed anew one at a time, in the background:
// each as if its identities were asserted just now, among those that have been formed anew already.
// Links to the others do not count yet. So at any time the clusters formed anew are what the new
// rules say of the links among their identities, and when all are, of all links. An identity whose
// links change meanwhile has its turn at once.

// generation is that of the rules of a class.
type generation struct {
	number   uint64
	complete bool // every cluster has been decided under them
}

// outdated reports whether p's cluster was decided under other rules.
func (s *state) outdated(p *person) bool {
	g := s.generations[p.key.class]
	if g.complete {
		return false
	}
	if s.trial != nil {
		return !s.trial.formed(p.row.Cluster)
	}
	return p.row.Generation != g.number
}

// renew forms the clusters of identities anew where they were decided under other rules.
func (sh *Shard) renew(class string, ids []profile.Identity, why cause) error {
	if sh.state.generations[class].complete {
		return nil
	}
	for _, id := range ids {
		p, err := sh.state.person(class, id)
		if err != nil {
			return err
		}
		if !p.known || !sh.state.outdated(p) {
			continue
		}
		if err := sh.reform(class, p.row.Cluster, why); err != nil {
			return err
		}
	}
	return nil
}

// reform forms one cluster anew under the rules of now.
func (sh *Shard) reform(class string, id profile.ID, why cause) error {
	c, err := sh.state.cluster(class, id)
	if err != nil || len(c.members) == 0 {
		return err
	}
	members := c.members
	if sh.state.trial != nil {
		sh.state.trial.form(id)
	}
	for _, id := range members {
		if err := sh.rejudge(class, id, why); err != nil {
			return err
		}
	}
	view := &reformView{sh.view(class), members}
	ends, err := forcedAround(view, members)
	if err != nil {
		return err
	}
	d, err := sh.rules(class).Decide(view, ends...)
	if err != nil {
		return err
	}
	sh.counts.linkDecided(d.LinksDecided)
	var changed [][]profile.Identity
	for _, cluster := range d.Clusters {
		same, err := sh.unchanged(class, cluster)
		if err != nil {
			return err
		}
		if !same {
			changed = append(changed, cluster)
		}
	}
	if err := sh.assign(class, changed, why); err != nil {
		return err
	}
	for _, id := range members {
		if err := sh.count(class, id, why); err != nil {
			return err
		}
	}
	return nil
}

// forcedAround lists identities and all that forced links tie to them, over any number of steps:
// what is forced together counts as one wherever it is.
func forcedAround(v identity.View, ids []profile.Identity) ([]profile.Identity, error) {
	met := slices.Clone(ids)
	for next := 0; next < len(met); next++ {
		orders, err := v.Orders(met[next])
		if err != nil {
			return nil, err
		}
		for _, l := range orders.Together {
			other := l.A
			if other == met[next] {
				other = l.B
			}
			if !slices.Contains(met, other) {
				met = append(met, other)
			}
		}
	}
	return met, nil
}

// unchanged reports whether identities are a cluster already, under the id they should have.
func (sh *Shard) unchanged(class string, members []profile.Identity) (bool, error) {
	p, err := sh.state.person(class, members[0])
	if err != nil {
		return false, err
	}
	c, err := sh.state.cluster(class, p.row.Cluster)
	if err != nil || !slices.Equal(c.members, members) {
		return false, err
	}
	id, err := sh.profileID(class, members)
	return id == p.row.Cluster, err
}

// rejudge finds out what the rules of now say of one identity.
func (sh *Shard) rejudge(class string, id profile.Identity, why cause) error {
	p, err := sh.state.person(class, id)
	if err != nil {
		return err
	}
	before := p.row
	rules := sh.rules(class)
	p.row.Generation = sh.state.generations[class].number
	others, err := sh.state.neighbours(p)
	if err != nil {
		return err
	}
	p.row.Crowd = 0
	for _, other := range others {
		if rules.Crowds(id, other) {
			p.row.Crowd++
		}
	}
	if err := sh.resilence(p, why); err != nil {
		return err
	}
	if sh.state.trial == nil || before.Silence != p.row.Silence {
		sh.state.touch(p)
	}
	return nil
}

// resilence sets why p is silent, if it is. A hub stays one until it is reset or exempt.
func (sh *Shard) resilence(p *person, why cause) error {
	rules := sh.rules(p.key.class)
	set := func(reason store.Silence, on bool) {
		switch was := p.row.Silence&reason != 0; {
		case on && !was:
			p.row.Silence |= reason
			sh.tellSilent(p, reason, why)
		case was && !on:
			p.row.Silence &^= reason
			sh.tellHeard(p, reason, why)
		}
	}
	limit := uint64(rules.HubDegree(p.key.id))
	hub := p.row.Silence&store.SilentHub != 0
	set(store.SilentHub, limit > 0 && (hub || p.row.Crowd > limit))
	contested, err := sh.contested(p)
	if err != nil {
		return err
	}
	set(store.SilentContested, contested)
	if rules.Blocks(p.key.id) {
		set(store.SilentBlocked, true)
	}
	if p.row.Silence != 0 {
		sh.state.setUnlinks(p.key.class)
		sh.state.wide.silence(p)
	}
	return nil
}

// count makes the links of an identity that was formed anew count for those that keep theirs in
// order, and begins to remove those of a blocked one.
func (sh *Shard) count(class string, id profile.Identity, why cause) error {
	p, err := sh.state.person(class, id)
	if err != nil {
		return err
	}
	if len(sh.state.wide.of) > 0 && p.row.Silence == 0 {
		links, err := sh.view(class).Links(id)
		if err != nil {
			return err
		}
		for _, l := range links {
			a, b, err := sh.ends(class, [2]profile.Identity{l.A, l.B})
			if err != nil {
				return err
			}
			sh.state.wide.set(a, b, l.Time)
		}
	}
	if p.row.Silence&store.SilentBlocked == 0 || p.row.Degree == 0 || sh.state.trial != nil {
		return nil
	}
	_, more, err := sh.clearLinks(p, sh.stepLimit, why)
	if err != nil || !more {
		return err
	}
	return sh.startJob(&operation{controlInput: &controlInput{Control: Control{
		ID: fmt.Sprintf("%s%s/%d", RulesName, id, sh.version)}},
		in: &Input{Record: Record{Pos: why.pos}}, now: why.time}, jobClear,
		clearArgs{Class: class, Identity: id.String()})
}

// reformView shows identities of one cluster as if each were alone.
type reformView struct {
	*graphView
	alone []profile.Identity // sorted
}

// Members implements identity.View.
func (v *reformView) Members(id profile.Identity) ([]profile.Identity, error) {
	if _, found := slices.BinarySearchFunc(v.alone, id, profile.Identity.Compare); found {
		return []profile.Identity{id}, nil
	}
	return v.graphView.Members(id)
}

var _ identity.OrderedView = (*reformView)(nil)

// reformArgs are the arguments of a reform.
type reformArgs struct {
	Class      string `json:"class"`
	Generation uint64 `json:"generation"`
}

// stepReform forms the next clusters of a class anew.
func (sh *Shard) stepReform(job *store.Job, args reformArgs, limit int) (done bool, err error) {
	g, configured := sh.state.generations[args.Class]
	if !configured || g.number != args.Generation {
		return true, nil // the class is gone, or the rules have changed again
	}
	ids, next, err := sh.nextClusters(args.Class, job.Cursor, limit)
	if err != nil {
		return false, err
	}
	why := cause{job.Cause, job.Created, ControlName}
	for _, c := range ids {
		p, err := sh.state.person(args.Class, c.members[0])
		if err != nil {
			return false, err
		}
		if !sh.state.outdated(p) {
			continue
		}
		if err := sh.reform(args.Class, p.row.Cluster, why); err != nil {
			return false, err
		}
	}
	job.Done += uint64(len(ids))
	if next == nil {
		sh.complete(args.Class)
		return true, nil
	}
	job.Cursor = next
	job.Total = estimate(job.Done, next)
	return false, nil
}

// nextClusters lists up to limit stored clusters from a cursor on. next is where to go on, nil at
// the end.
func (sh *Shard) nextClusters(class string, cursor []byte, limit int) (list []assigned,
	next []byte, err error) {
	var first profile.ID
	copy(first[:], cursor)
	err = sh.state.reader.ClustersFrom(class, first, func(id profile.ID, c *store.Cluster) error {
		if len(list) == limit {
			next = id[:]
			return store.ErrStop
		}
		list = append(list, assigned{id, c.Members})
		return nil
	})
	return list, next, err
}

// estimate is how many clusters there are, where done of them lie below cursor: ids are hashes.
func estimate(done uint64, cursor []byte) uint64 {
	reached := float64(binary.BigEndian.Uint64(cursor)) / math.MaxUint64
	return max(done, uint64(float64(done)/max(reached, 1e-9)))
}

// complete notes that every cluster of a class has been decided under its rules.
func (sh *Shard) complete(class string) {
	g := sh.state.generations[class]
	g.complete = true
	sh.state.generations[class] = g
	sh.completed = append(sh.completed, class)
}

// writeRules puts the classes whose clusters are complete into b.
func (sh *Shard) writeRules(b *store.Batch) error {
	for _, class := range sh.completed {
		row, err := sh.state.reader.Rules(class)
		if err != nil {
			return err
		}
		row.Complete = true
		b.SetRules(row)
	}
	sh.completed = sh.completed[:0]
	return nil
}

// loadRules reads under which rules the clusters of each class were decided. A class of which
// nothing is remembered is as its rules say.
func (sh *Shard) loadRules() error {
	for _, e := range sh.model.Entities {
		sh.state.generations[e.Name] = generation{complete: true}
	}
	return sh.state.reader.EachRules(func(row *store.Rules) error {
		if sh.model.Entity(row.Class) != nil {
			sh.state.generations[row.Class] = generation{row.Generation, row.Complete}
		}
		return nil
	})
}
