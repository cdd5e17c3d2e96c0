package pipeline

import (
	"selfsame/identity"
	"selfsame/profile"
)

// see makes an identity known: an unknown one starts as a cluster of one. An earlier sighting can
// change who is the root of its cluster.
func (sh *Shard) see(class string, id profile.Identity, why cause) error {
	p, err := sh.state.person(class, id)
	if err != nil {
		return err
	}
	sh.renamed(p)
	switch {
	case !p.known:
		p.row.FirstSeen = why.time
		anew, err := sh.beginAnew(p)
		if err != nil {
			return err
		}
		p.known = true
		sh.awaitIdle(p, why.time)
		p.row.Generation = sh.state.generations[class].number
		sh.state.touch(p)
		own := sh.ownID(p)
		if !anew {
			sh.state.born(sh.model.Entity(class), own)
		}
		return sh.assignCluster(class, assigned{own, []profile.Identity{id}}, why)
	case why.time < p.row.FirstSeen:
		p.row.FirstSeen = why.time
		sh.state.touch(p)
		if err := sh.renew(class, []profile.Identity{id}, why); err != nil {
			return err
		}
		c, err := sh.state.cluster(class, p.row.Cluster)
		if err != nil {
			return err
		}
		return sh.assign(class, [][]profile.Identity{c.members}, why)
	}
	return nil
}

// renamed notes that p is named again while it may be about to be forgotten.
func (sh *Shard) renamed(p *person) {
	if p.known && !p.row.Named && (p.row.Erased || p.row.Erasing) {
		p.row.Named = true
		sh.state.touch(p)
	}
}

func (sh *Shard) view(class string) *graphView {
	return &graphView{sh.state, class, sh.rules(class)}
}

// redecide brings the clusters up to date with one link that is new or refreshed.
func (sh *Shard) redecide(class string, pair [2]profile.Identity, why cause) error {
	view := sh.view(class)
	left, err := view.Members(pair[0])
	if err != nil {
		return err
	}
	right, err := view.Members(pair[1])
	if err != nil {
		return err
	}
	members, ok, err := sh.rules(class).Unite(view, left, right)
	if err != nil {
		return err
	}
	if ok {
		sh.counts.linkDecided(1)
		return sh.assign(class, [][]profile.Identity{members}, why)
	}
	return sh.decide(class, pair[:], why)
}

// decide decides again what changed between the given identities.
func (sh *Shard) decide(class string, ends []profile.Identity, why cause) error {
	if err := sh.renew(class, ends, why); err != nil {
		return err
	}
	decision, err := sh.rules(class).Decide(sh.view(class), ends...)
	if err != nil {
		return err
	}
	sh.counts.linkDecided(decision.LinksDecided)
	return sh.assign(class, decision.Clusters, why)
}

// assign brings identities into the clusters decided: rows, profile ids, entries of the identity
// and assignment topics, dirty profiles.
func (sh *Shard) assign(class string, clusters [][]profile.Identity, why cause) error {
	change := graphChange{class: class, before: map[profile.ID][]profile.Identity{}}
	for _, members := range clusters {
		id, err := sh.profileID(class, members)
		if err != nil {
			return err
		}
		if err := sh.collectBefore(&change, members); err != nil {
			return err
		}
		change.after = append(change.after, assigned{id: id, members: members})
	}
	for _, id := range change.oldIDs() {
		if err := sh.state.setCluster(class, id, nil); err != nil {
			return err
		}
		sh.markCluster(class, id, why)
	}
	for _, c := range change.after {
		if err := sh.assignCluster(class, c, why); err != nil {
			return err
		}
	}
	return sh.announce(&change, why)
}

// collectBefore notes the clusters that the members come from.
func (sh *Shard) collectBefore(change *graphChange, members []profile.Identity) error {
	for _, id := range members {
		p, err := sh.state.person(change.class, id)
		if err != nil {
			return err
		}
		if p.row.Cluster.IsZero() || change.before[p.row.Cluster] != nil {
			continue
		}
		c, err := sh.state.cluster(change.class, p.row.Cluster)
		if err != nil {
			return err
		}
		change.before[p.row.Cluster] = c.members
	}
	return nil
}

// assignCluster writes one cluster and points its members to it.
func (sh *Shard) assignCluster(class string, c assigned, why cause) error {
	if err := sh.state.setCluster(class, c.id, c.members); err != nil {
		return err
	}
	if sh.state.trial != nil {
		sh.state.trial.form(c.id)
	}
	for _, id := range c.members {
		p, err := sh.state.person(class, id)
		if err != nil {
			return err
		}
		if p.row.Cluster == c.id {
			continue
		}
		p.row.Cluster, p.row.Version = c.id, sh.version
		sh.state.touch(p)
		sh.enqueueAssignment(class, id)
		if walked, again := sh.walked(); walked {
			if own := sh.markAlone(p.key, why); own != nil {
				own.again = own.again || again
			}
		}
	}
	sh.markCluster(class, c.id, why)
	return nil
}

// profileID returns the id of the profile whose cluster has the given members.
func (sh *Shard) profileID(class string, members []profile.Identity) (profile.ID, error) {
	root, err := sh.root(class, members)
	if err != nil {
		return profile.ID{}, err
	}
	p, err := sh.state.person(class, root)
	if err != nil {
		return profile.ID{}, err
	}
	return sh.ownID(p), nil
}

// ownID returns the id of the profile whose root is p. It is a keyed hash, so it is kept.
func (sh *Shard) ownID(p *person) profile.ID {
	if p.own.IsZero() {
		p.own = profile.ID(identity.NewProfileID(sh.model.IDKey, p.key.class, p.key.id))
	}
	return p.own
}

func (sh *Shard) root(class string, members []profile.Identity) (profile.Identity, error) {
	if len(members) == 1 {
		return members[0], nil
	}
	sh.rooting = sh.rooting[:0]
	for _, id := range members {
		p, err := sh.state.person(class, id)
		if err != nil {
			return profile.Identity{}, err
		}
		sh.rooting = append(sh.rooting, identity.Member{ID: id, FirstSeen: p.row.FirstSeen})
	}
	return sh.rules(class).Root(sh.rooting), nil
}
