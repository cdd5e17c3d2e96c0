package pipeline

import (
	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// graphView shows the working set's graph to a decision.
type graphView struct {
	state *state
	class string
}

// Links implements identity.View. Links that an operator has voided are none.
func (v *graphView) Links(id profile.Identity) ([]identity.Link, error) {
	p, err := v.state.person(v.class, id)
	if err != nil {
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
		voided, err := v.voided(p, other, latest)
		if err != nil {
			return nil, err
		}
		if voided {
			continue
		}
		a, b := id, other
		if b.Compare(a) < 0 {
			a, b = b, a
		}
		links = append(links, identity.Link{A: a, B: b, Time: latest.Time})
	}
	return links, nil
}

// voided reports whether an operator has voided a link of p. The row of the other end is only read
// in a class in which that was ever done.
func (v *graphView) voided(p *person, other profile.Identity, latest profile.Stamp) (bool, error) {
	if latest.Before(p.row.Unlinked) {
		return true, nil
	}
	if !v.state.unlinks[v.class] {
		return false, nil
	}
	end, err := v.state.person(v.class, other)
	if err != nil {
		return false, err
	}
	return latest.Before(end.row.Unlinked), nil
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
		addOrders(&orders, id, pair.other, &pair.row)
	}
	return orders, nil
}

// addOrders adds what operators have said about id and other, as it stands.
func addOrders(orders *identity.Orders, id, other profile.Identity, row *store.Orders) {
	a, b := id, other
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	if row.Together.On {
		orders.Together = append(orders.Together, identity.Link{A: a, B: b,
			Time: row.Together.Stamp.Time, Forced: true})
	}
	if row.Apart.On {
		orders.Apart = append(orders.Apart, other)
	}
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
