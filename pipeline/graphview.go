package pipeline

import (
	"selfsame/identity"
	"selfsame/profile"
)

// graphView shows the working set's graph to a decision.
type graphView struct {
	state *state
	class string
	rules *identity.Rules
}

// Links implements identity.View. Links that an operator has voided, and those of silent
// identities, are none.
func (v *graphView) Links(id profile.Identity) ([]identity.Link, error) {
	p, err := v.state.person(v.class, id)
	if err != nil || p.row.Silence != 0 {
		return nil, err
	}
	others, err := v.state.neighbours(p)
	if err != nil {
		return nil, err
	}
	links := make([]identity.Link, 0, len(others))
	for _, other := range others {
		l, err := v.state.link(v.class, id, other)
		if err != nil {
			return nil, err
		}
		latest := l.row.Latest()
		counts, err := v.counts(p, other, latest)
		if err != nil {
			return nil, err
		}
		if counts {
			links = append(links, linkOf(id, other, latest.Time))
		}
	}
	return links, nil
}

// linkOf is the link between two identities, the lesser first.
func linkOf(a, b profile.Identity, time int64) identity.Link {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	return identity.Link{A: a, B: b, Time: time}
}

// counts reports whether a link of p, which is not silent, counts. The row of the other end is only
// read in a class in which some links do not, or whose clusters are being formed anew.
func (v *graphView) counts(p *person, other profile.Identity, latest profile.Stamp) (bool, error) {
	if latest.Before(p.row.Unlinked) {
		return false, nil
	}
	if !v.state.unlinks[v.class] && v.state.generations[v.class].complete {
		return true, nil
	}
	end, err := v.state.person(v.class, other)
	if err != nil || v.state.outdated(end) {
		return false, err
	}
	return end.row.Silence == 0 && !latest.Before(end.row.Unlinked), nil
}

// Adjacency implements identity.OrderedView.
func (v *graphView) Adjacency(id profile.Identity) (*identity.Adjacency, error) {
	p, err := v.state.person(v.class, id)
	if err != nil || p.row.Degree <= wideDegree {
		return nil, err
	}
	if links := v.state.wide.of[p.key]; links != nil {
		return links, nil
	}
	links, err := v.Links(id)
	if err != nil {
		return nil, err
	}
	ordered, err := v.rules.NewAdjacency(id, links)
	if err != nil {
		return nil, err
	}
	v.state.wide.put(p.key, ordered)
	return ordered, nil
}

// Orders implements identity.View.
func (v *graphView) Orders(id profile.Identity) (identity.Orders, error) {
	p, err := v.state.person(v.class, id)
	if err != nil || !p.row.Ordered {
		return identity.Orders{}, err
	}
	pairs, err := v.state.ordersOf(p)
	if err != nil {
		return identity.Orders{}, err
	}
	var orders identity.Orders
	for _, pair := range pairs {
		a, b := id, pair.other
		if b.Compare(a) < 0 {
			a, b = b, a
		}
		counts, err := v.renewed(pair.other)
		if err != nil {
			return identity.Orders{}, err
		}
		if pair.row.Together.On && counts {
			orders.Together = append(orders.Together, identity.Link{A: a, B: b,
				Time: pair.row.Together.Stamp.Time, Forced: true})
		}
		if pair.row.Apart.On {
			orders.Apart = append(orders.Apart, pair.other)
		}
	}
	return orders, nil
}

// renewed reports whether the cluster of an identity has been decided under the rules of now.
func (v *graphView) renewed(id profile.Identity) (bool, error) {
	if v.state.generations[v.class].complete {
		return true, nil
	}
	p, err := v.state.person(v.class, id)
	return err == nil && !v.state.outdated(p), err
}

// Members implements identity.View.
func (v *graphView) Members(id profile.Identity) ([]profile.Identity, error) {
	p, err := v.state.person(v.class, id)
	if err != nil {
		return nil, err
	}
	c, err := v.state.cluster(v.class, p.row.Cluster)
	if err != nil {
		return nil, err
	}
	if len(c.members) == 0 {
		return []profile.Identity{id}, nil
	}
	return c.members, nil
}
