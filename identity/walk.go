package identity

import (
	"cmp"
	"slices"

	"selfsame/profile"
)

// edge is a link with its place in the walk worked out. It is small and holds no pointer: a
// decision sorts many.
type edge struct {
	time   int64
	weaker int32 // rank of the weaker end
	sum    int32 // of both ranks
	a, b   int32 // nodes; the identity of a is the lesser
	forced bool  // by an operator
}

// compare is the order of the walk. It is total: two edges are equal only as the same link.
func (w *walk) compare(e, f edge) int {
	if e.forced != f.forced {
		return compareBool(f.forced, e.forced)
	}
	if order := cmp.Or(
		cmp.Compare(e.weaker, f.weaker),
		cmp.Compare(f.time, e.time),
		cmp.Compare(e.sum, f.sum),
	); order != 0 {
		return order
	}
	return cmp.Or(
		w.nodes[e.a].id.Compare(w.nodes[f.a].id),
		w.nodes[e.b].id.Compare(w.nodes[f.b].id),
	)
}

func (w *walk) link(e edge) Link {
	return Link{A: w.nodes[e.a].id, B: w.nodes[e.b].id, Time: e.time, Forced: e.forced}
}

// node is an identity that the walk has met.
type node struct {
	id    profile.Identity
	rank  int32
	limit int32 // position of its namespace in Rules.limited, -1 without a limit
	mute  bool  // its links never count

	orders  Orders // once read; see walk.orders
	ordered bool   // orders are read, and class is known
	class   int32  // what it is forced together with: a node of it; -1 where nothing

	home   int32  // its cluster before the change, as position in walk.homes; -1 until read
	group  *group // its cluster at this point of the walk; nil outside the region
	edges  []edge // its links in the order of the walk, once read
	read   bool   // edges are read
	marked int    // the last search of reach that got here
}

// walk is one run of Decide. Its region are the nodes with a group.
type walk struct {
	rules    *Rules
	view     View
	nodes    []node
	index    map[profile.Identity]int32
	homes    [][]int32
	todo     []edge // links of the region that are to be decided, in order
	out      []LeftOut
	decided  int
	searches int
}

func newWalk(r *Rules, v View) *walk {
	return &walk{rules: r, view: v, index: make(map[profile.Identity]int32)}
}

// decide accepts e or leaves it out. At least one end of e is in the region.
func (w *walk) decide(e edge) error {
	w.decided++
	a, b := w.nodes[e.a].group, w.nodes[e.b].group
	if a != nil && a == b {
		return nil
	}
	var err error
	var outside int32 = -1
	switch {
	case a == nil:
		outside = e.a
		a, err = w.reach(e.a, e, b)
	case b == nil:
		outside = e.b
		b, err = w.reach(e.b, e, a)
	}
	if err != nil {
		return err
	}
	if rule, broken := w.breaks(a, b); broken {
		w.out = append(w.out, LeftOut{w.link(e), rule, w.conflict(a, b, rule)})
		return nil
	}
	if outside >= 0 { // an outside decision flips
		if err := w.take(outside, &e); err != nil {
			return err
		}
		slices.SortFunc(w.todo, w.compare)
	}
	w.join(e.a, e.b)
	return nil
}

// take brings the former cluster of node n into the region, as it is at point at of the walk: links
// before it stand as they were decided, later ones are to be decided again. Without at, all are.
func (w *walk) take(n int32, at *edge) error {
	if w.nodes[n].group != nil {
		return nil
	}
	home, err := w.home(n)
	if err != nil {
		return err
	}
	for _, m := range home {
		if err := w.readEdges(m); err != nil {
			return err
		}
		w.nodes[m].group = w.newGroup(m)
		for _, e := range w.nodes[m].edges {
			w.takeEdge(m, e, at)
		}
	}
	return nil
}

// takeEdge handles a link of m, which is being taken. Where the other end is in the region already
// the link was handled from there, unless that end was taken in this same call.
func (w *walk) takeEdge(m int32, e edge, at *edge) {
	other := e.a + e.b - m
	inside := w.nodes[other].home == w.nodes[m].home
	taken := w.nodes[other].group != nil
	switch {
	case at == nil || w.compare(e, *at) > 0:
		if !taken {
			w.todo = append(w.todo, e)
		}
	case inside && taken:
		w.join(m, other)
	}
}

// reach returns the cluster, at point at of the walk, of node n outside the region. It stops early,
// with a part of that cluster, as soon as this part cannot join the cluster with. Decisions outside
// the region stand, so links inside the former cluster, before at, are all there is to follow.
func (w *walk) reach(n int32, at edge, with *group) (*group, error) {
	if _, err := w.home(n); err != nil {
		return nil, err
	}
	if err := w.readOrders(n); err != nil {
		return nil, err
	}
	w.searches++
	w.nodes[n].marked = w.searches
	found := w.newGroup(n)
	for next := 0; next < len(found.members); next++ {
		if _, broken := w.breaks(with, found); broken {
			break
		}
		m := found.members[next]
		if err := w.readEdges(m); err != nil {
			return nil, err
		}
		if err := w.spread(found, m, at); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// spread adds to found what m reaches in one step, within its home, before point at of the walk.
func (w *walk) spread(found *group, m int32, at edge) error {
	for _, e := range w.nodes[m].edges {
		if w.compare(e, at) >= 0 {
			return nil
		}
		other := e.a + e.b - m
		if w.nodes[other].home != w.nodes[m].home || w.nodes[other].marked == w.searches {
			continue
		}
		if err := w.readOrders(other); err != nil {
			return err
		}
		w.nodes[other].marked = w.searches
		found.add(other, &w.nodes[other])
	}
	return nil
}

// join makes one cluster of those of two nodes of the region.
func (w *walk) join(m, n int32) {
	a, b := w.nodes[m].group, w.nodes[n].group
	if a == b {
		return
	}
	if len(a.members) < len(b.members) {
		a, b = b, a
	}
	for _, member := range b.members {
		w.nodes[member].group = a
		a.add(member, &w.nodes[member])
	}
}

// decision lists the region.
func (w *walk) decision() Decision {
	d := Decision{LeftOut: w.out, LinksDecided: w.decided}
	for n := range w.nodes {
		g := w.nodes[n].group
		if g == nil {
			continue
		}
		d.Region++
		if g.members[0] != int32(n) {
			continue // listed with its first member
		}
		cluster := make([]profile.Identity, len(g.members))
		for i, m := range g.members {
			cluster[i] = w.nodes[m].id
		}
		slices.SortFunc(cluster, profile.Identity.Compare)
		d.Clusters = append(d.Clusters, cluster)
	}
	slices.SortFunc(d.Clusters, func(a, b []profile.Identity) int { return a[0].Compare(b[0]) })
	return d
}
