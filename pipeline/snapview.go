package pipeline

import (
	"slices"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// snapView shows the graph of a committed state to an explanation. Rows are kept once read. Of the
// links it shows only those inside clusters, which is all that [identity.Rules.Path] and
// [identity.Rules.Why] look at: an identity may have any number of others.
type snapView struct {
	rows    *store.Reader
	class   string
	people  map[profile.Identity]*store.Identity
	members map[profile.ID][]profile.Identity
	links   map[profile.Identity][]identity.Link
	fault   error // of reading
}

func newSnapView(rows *store.Reader, class string) *snapView {
	return &snapView{rows: rows, class: class, people: map[profile.Identity]*store.Identity{},
		members: map[profile.ID][]profile.Identity{}, links: map[profile.Identity][]identity.Link{}}
}

// person reads the row of an identity, nil where it is not known.
func (v *snapView) person(id profile.Identity) (*store.Identity, error) {
	if row, read := v.people[id]; read {
		return row, nil
	}
	row, err := v.rows.Identity(v.class, id)
	if err != nil {
		return nil, v.failed(err)
	}
	v.people[id] = row
	return row, nil
}

// Members implements identity.View.
func (v *snapView) Members(id profile.Identity) ([]profile.Identity, error) {
	row, err := v.person(id)
	if err != nil || row == nil {
		return []profile.Identity{id}, err
	}
	if members, read := v.members[row.Cluster]; read {
		return members, nil
	}
	c, err := v.rows.Cluster(v.class, row.Cluster)
	if err != nil {
		return nil, v.failed(err)
	}
	members := []profile.Identity{id}
	if c != nil {
		members = c.Members
	}
	v.members[row.Cluster] = members
	return members, nil
}

// Links implements identity.View, but for links to other clusters.
func (v *snapView) Links(id profile.Identity) ([]identity.Link, error) {
	if links, read := v.links[id]; read {
		return links, nil
	}
	members, err := v.Members(id)
	if err != nil {
		return nil, err
	}
	links := []identity.Link{}
	err = v.rows.EachNeighbour(v.class, id, func(n store.Neighbour) error {
		other := n.ID
		_, inside := slices.BinarySearchFunc(members, other, profile.Identity.Compare)
		if !inside {
			return nil
		}
		link, row, err := v.link(id, other)
		if err != nil || row == nil {
			return err
		}
		_, silence, err := v.silent(link)
		if err == nil && silence == 0 {
			links = append(links, link)
		}
		return err
	})
	if err != nil {
		return nil, v.failed(err)
	}
	v.links[id] = links
	return links, nil
}

// silent returns the end of a link that does not link, and why; 0 where both do.
func (v *snapView) silent(link identity.Link) (end profile.Identity, s store.Silence, err error) {
	for _, end := range [2]profile.Identity{link.A, link.B} {
		p, err := v.person(end)
		if err != nil {
			return end, 0, err
		}
		if p != nil && p.Silence != 0 {
			return end, p.Silence, nil
		}
	}
	return profile.Identity{}, 0, nil
}

// silentText says why an identity does not link, "" where it does. A value that an operator has
// blocked is so also when its links have been removed.
func (v *snapView) silentText(id profile.Identity) (string, error) {
	blocked, err := v.rows.IsBlocked(v.class, id)
	if err != nil {
		return "", v.failed(err)
	}
	if blocked {
		return graphBlocked, nil
	}
	row, err := v.person(id)
	if err != nil || row == nil || row.Silence == 0 {
		return "", err
	}
	return silenceText(row.Silence), nil
}

// link reads a link that is not void; row is nil where there is none.
func (v *snapView) link(x, y profile.Identity) (link identity.Link, row *store.Link, err error) {
	if y.Compare(x) < 0 {
		x, y = y, x
	}
	row, err = v.rows.Link(v.class, x, y)
	if err != nil || row == nil {
		return link, nil, v.failed(err)
	}
	latest := row.Latest()
	for _, end := range [2]profile.Identity{x, y} {
		p, err := v.person(end)
		if err != nil || p == nil || latest.Before(p.Unlinked) {
			return link, nil, err
		}
	}
	return identity.Link{A: x, B: y, Time: latest.Time}, row, nil
}

// Orders implements identity.View.
func (v *snapView) Orders(id profile.Identity) (identity.Orders, error) {
	var orders identity.Orders
	row, err := v.person(id)
	if err != nil || row == nil || !row.Ordered {
		return orders, err
	}
	err = v.rows.Orders(v.class, id, func(other profile.Identity, row *store.Orders) {
		addOrders(&orders, id, other, row)
	})
	return orders, v.failed(err)
}

// failed keeps the first fault of reading.
func (v *snapView) failed(err error) error {
	if v.fault == nil {
		v.fault = err
	}
	return err
}
