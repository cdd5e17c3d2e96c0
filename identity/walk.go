package identity

import (
	"cmp"
	"slices"
	"sync"

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

	home   int32      // its cluster before the change, as position in walk.homes; -1 until read
	group  *group     // its cluster at this point of the walk; nil outside the region
	edges  []edge     // its links in the order of the walk, once read; of a wide one the forced
	wide   *Adjacency // its other links, where they are too many to make edges of all
	read   bool       // edges and wide are read
	marked int        // the last search of reach that got here
}

// cursor goes through the links of a wide node that are still to be decided.
type cursor struct {
	node int32
	next int // position in Adjacency.ends, downwards
}

// walk is one run of Decide. Its region are the nodes with a group.
type walk struct {
	rules    *Rules
	view     View
	nodes    []node
	index    map[profile.Identity]int32
	homes    [][]int32
	todo     []edge   // links of the region that are to be decided, in order
	done     int      // of them, decided
	cursors  []cursor // and those of its wide nodes
	decided  int
	searches int

	groups []*group // made so far, for this run and, beyond used, by earlier ones
	used   int
}

func newWalk(r *Rules, v View) *walk {
	return &walk{rules: r, view: v, index: make(map[profile.Identity]int32)}
}

// walks keeps the memory of runs for later ones: a decision makes many small things.
var walks = sync.Pool{New: func() any { return newWalk(nil, nil) }}

// keepNodes is how many nodes a walk may have met for its memory to be kept.
const keepNodes = 4096

// borrowWalk returns a walk with the memory of an earlier one. Give it back.
func borrowWalk(r *Rules, v View) *walk {
	w := walks.Get().(*walk)
	w.rules, w.view = r, v
	return w
}

// giveBack lets others use the memory of w. Nothing of w may be used after.
func (w *walk) giveBack() {
	if len(w.nodes) > keepNodes {
		return
	}
	clear(w.index)
	*w = walk{nodes: w.nodes[:0], index: w.index, homes: w.homes[:0], todo: w.todo[:0],
		cursors: w.cursors[:0], groups: w.groups}
	walks.Put(w)
}

// run decides what there is to be decided, in the order of the walk.
func (w *walk) run() error {
	slices.SortFunc(w.todo, w.compare)
	last := edge{a: -1, b: -1}
	for {
		e, ok := w.next()
		if !ok {
			return nil
		}
		if e == last {
			continue
		}
		if err := w.decide(e); err != nil {
			return err
		}
		last = e
	}
}

// next takes the first of the links that are to be decided. A link between two nodes of the region
// can come twice, one after the other.
func (w *walk) next() (e edge, ok bool) {
	best := -1
	if w.done < len(w.todo) {
		e, ok = w.todo[w.done], true
	}
	for i := 0; i < len(w.cursors); i++ {
		c := &w.cursors[i]
		if c.next < 0 || w.full(w.nodes[c.node].group) {
			w.cursors = slices.Delete(w.cursors, i, i+1)
			i--
			continue
		}
		if f := w.wideEdge(c.node, c.next); !ok || w.compare(f, e) < 0 {
			e, ok, best = f, true, i
		}
	}
	switch {
	case best >= 0:
		w.cursors[best].next--
	case ok:
		w.done++
	}
	return e, ok
}

// wideEdge is a link of a wide node.
func (w *walk) wideEdge(n int32, at int) edge {
	far := &w.nodes[n].wide.ends[at]
	return w.edgeBetween(n, w.node(far.other), far.time)
}

// full reports whether nothing can join g any more. All links to elsewhere then stay out.
func (w *walk) full(g *group) bool { return g != nil && len(g.members) >= w.rules.max }

// decide accepts e or leaves it out. At least one end of e is in the region.
func (w *walk) decide(e edge) error {
	w.decided++
	a, b := w.nodes[e.a].group, w.nodes[e.b].group
	if a != nil && a == b || w.full(a) || w.full(b) {
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
	if _, broken := w.breaks(a, b); broken {
		return nil
	}
	if outside >= 0 { // an outside decision flips
		if err := w.take(outside, &e); err != nil {
			return err
		}
		slices.SortFunc(w.todo[w.done:], w.compare)
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
	}
	for _, m := range home {
		if at != nil {
			w.within(m, at, func(e edge) { w.join(e.a, e.b) })
		}
		w.queue(m, at)
	}
	return nil
}

// queue puts the links of m after point at among those to be decided. Where the other end is in the
// region already, they can be there.
func (w *walk) queue(m int32, at *edge) {
	edges := w.nodes[m].edges
	if at != nil {
		first, _ := slices.BinarySearchFunc(edges, *at, w.compare)
		if first < len(edges) && w.compare(edges[first], *at) == 0 {
			first++
		}
		edges = edges[first:]
	}
	w.todo = append(w.todo, edges...)
	if wide := w.nodes[m].wide; wide != nil {
		w.cursors = append(w.cursors, cursor{m, w.wideBefore(m, at) - 1})
	}
}

// wideBefore returns how many of the other links of a wide node come after point at of the walk.
func (w *walk) wideBefore(m int32, at *edge) int {
	wide := w.nodes[m].wide
	if at == nil {
		return len(wide.ends)
	}
	n, _ := slices.BinarySearchFunc(wide.ends, *at, func(far end, at edge) int {
		return w.compare(at, w.edgeBetween(m, w.node(far.other), far.time))
	})
	return n
}

// within calls fn for each link of m that stays in its home and comes before point at of the walk;
// all of them where at is nil.
func (w *walk) within(m int32, at *edge, fn func(edge)) {
	for _, e := range w.nodes[m].edges {
		if at != nil && w.compare(e, *at) >= 0 {
			break
		}
		if w.nodes[e.a].home == w.nodes[e.b].home {
			fn(e)
		}
	}
	wide := w.nodes[m].wide
	if wide == nil {
		return
	}
	for _, other := range w.homes[w.nodes[m].home] {
		time, linked := wide.times[w.nodes[other].id]
		if !linked {
			continue
		}
		if e := w.edgeBetween(m, other, time); at == nil || w.compare(e, *at) < 0 {
			fn(e)
		}
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
	var failed error
	w.within(m, &at, func(e edge) {
		other := e.a + e.b - m
		if w.nodes[other].marked == w.searches || failed != nil {
			return
		}
		if failed = w.readOrders(other); failed == nil {
			w.nodes[other].marked = w.searches
			found.add(other, &w.nodes[other])
		}
	})
	return failed
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
	d := Decision{LinksDecided: w.decided}
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
