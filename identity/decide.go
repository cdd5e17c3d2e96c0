package identity

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"selfsame/profile"
)

// Link says that two identities are the same self.
type Link struct {
	A, B profile.Identity // A is the lesser
	Time int64            // of the latest assertion, nanoseconds since the epoch
}

// View is what a decision reads: the link set as it is after the change, and the clusters as they
// were decided before it. Decide calls it from one goroutine, at most once per identity and method.
// An error ends the decision and is returned wrapped.
type View interface {
	// Links returns the live links of id, in any order, the same one from both ends.
	Links(id profile.Identity) ([]Link, error)
	// Members returns the cluster of id, id included, sorted. An unknown id is a cluster of one.
	Members(id profile.Identity) ([]profile.Identity, error)
}

// Decision is the outcome of [Rules.Decide].
type Decision struct {
	// Clusters are what the identities of the region belong to now: a partition of the former
	// clusters of the ends, and of those that the decision widened to. Each is sorted, and so are
	// they; one that did not change is among them too.
	Clusters [][]profile.Identity
	// LeftOut are the links that were looked at and not accepted, in the order of the walk: all of
	// the former clusters of the ends, and of those that the decision widened to all but some
	// that were left out before too.
	LeftOut []LeftOut

	LinksDecided int // links that were looked at
	Region       int // identities in Clusters
}

// LeftOut is a link that stays out because accepting it would break a rule.
type LeftOut struct {
	Link Link
	// Rule is one that would be broken. Where several are, the choice depends on the region; ask
	// [Rules.Why] for the fixed answer.
	Rule Rule
	// Conflict names one identity on the side of A and one on the side of B that the rule keeps
	// apart. Both are zero where only the size of the cluster counts.
	Conflict [2]profile.Identity
}

// Decide decides again what the links between ends changed: any number of them, added, refreshed or
// removed, all with both ends among ends. Nothing else may have changed since the clusters of v
// were decided.
func (r *Rules) Decide(v View, ends ...profile.Identity) (Decision, error) {
	w := newWalk(r, v)
	for _, id := range ends {
		if err := w.take(w.node(id), nil); err != nil {
			return Decision{}, fmt.Errorf("deciding links: %w", err)
		}
	}
	slices.SortFunc(w.todo, compareEdges)
	for len(w.todo) > 0 {
		e := w.todo[0]
		w.todo = w.todo[1:]
		if err := w.decide(e); err != nil {
			return Decision{}, fmt.Errorf("deciding links: %w", err)
		}
	}
	return w.decision(), nil
}

// Inside reports whether a and b are in one cluster, which can spare a decision. If they are, a new
// link between them, or a later time on one that exists, changes no cluster. If they are not, the
// removal of a link between them, or an earlier time on it, changes none.
func (r *Rules) Inside(v View, a, b profile.Identity) (bool, error) {
	if a == b {
		return true, nil
	}
	members, err := v.Members(a)
	if err != nil {
		return false, fmt.Errorf("reading a cluster: %w", err)
	}
	_, found := slices.BinarySearchFunc(members, b, profile.Identity.Compare)
	return found, nil
}

// edge is a link with its place in the walk worked out.
type edge struct {
	link   Link
	weaker int32 // rank of the weaker end
	sum    int32 // of both ranks
	a, b   int32 // nodes of link.A and link.B
}

// compareEdges is the order of the walk. It is total: two edges are equal only as the same link.
func compareEdges(e, f edge) int {
	return cmp.Or(
		cmp.Compare(e.weaker, f.weaker),
		cmp.Compare(f.link.Time, e.link.Time),
		cmp.Compare(e.sum, f.sum),
		e.link.A.Compare(f.link.A),
		e.link.B.Compare(f.link.B),
	)
}

// node is an identity that the walk has met.
type node struct {
	id    profile.Identity
	rank  int32
	limit int32 // position of its namespace in Rules.limited, -1 without a limit

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
	if rule, broken := w.rules.breaks(a, b); broken {
		conflict := [2]profile.Identity{w.holder(a, rule), w.holder(b, rule)}
		w.out = append(w.out, LeftOut{e.link, rule, conflict})
		return nil
	}
	if outside >= 0 { // an outside decision flips
		if err := w.take(outside, &e); err != nil {
			return err
		}
		slices.SortFunc(w.todo, compareEdges)
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
		w.nodes[m].group = w.rules.newGroup(m, w.nodes[m].limit)
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
	case at == nil || compareEdges(e, *at) > 0:
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
	w.searches++
	w.nodes[n].marked = w.searches
	found := w.rules.newGroup(n, w.nodes[n].limit)
	for next := 0; next < len(found.members); next++ {
		if _, broken := w.rules.breaks(with, found); broken {
			break
		}
		m := found.members[next]
		if err := w.readEdges(m); err != nil {
			return nil, err
		}
		for _, e := range w.nodes[m].edges {
			if compareEdges(e, at) >= 0 {
				break
			}
			o := &w.nodes[e.a+e.b-m]
			if o.home == w.nodes[n].home && o.marked != w.searches {
				o.marked = w.searches
				found.add(e.a+e.b-m, o.limit)
			}
		}
	}
	return found, nil
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
		a.add(member, w.nodes[member].limit)
	}
}

// node returns the node of id, a new one where the walk has not met id yet.
func (w *walk) node(id profile.Identity) int32 {
	if n, ok := w.index[id]; ok {
		return n
	}
	n := int32(len(w.nodes))
	limit := int32(-1)
	if s := w.rules.byName[id.Namespace]; s != nil {
		limit = int32(s.limited)
	}
	rank := int32(w.rules.Rank(id.Namespace))
	w.nodes = append(w.nodes, node{id: id, rank: rank, limit: limit, home: -1})
	w.index[id] = n
	return n
}

var errInconsistent = errors.New("the view is inconsistent")

// home returns the cluster of node n before the change.
func (w *walk) home(n int32) ([]int32, error) {
	if h := w.nodes[n].home; h >= 0 {
		return w.homes[h], nil
	}
	members, err := w.view.Members(w.nodes[n].id)
	if err != nil {
		return nil, err
	}
	home := make([]int32, len(members))
	for i, id := range members {
		m := w.node(id)
		if w.nodes[m].home >= 0 {
			return nil, fmt.Errorf("%w: an identity is in two clusters", errInconsistent)
		}
		w.nodes[m].home = int32(len(w.homes))
		home[i] = m
	}
	if w.nodes[n].home < 0 {
		return nil, fmt.Errorf("%w: an identity is not in its own cluster", errInconsistent)
	}
	w.homes = append(w.homes, home)
	return home, nil
}

// readEdges reads the links of node n. Links of things that never link do not count.
func (w *walk) readEdges(n int32) error {
	if w.nodes[n].read {
		return nil
	}
	id := w.nodes[n].id
	links, err := w.view.Links(id)
	if err != nil {
		return err
	}
	edges := make([]edge, 0, len(links))
	for _, link := range links {
		if link.A.Compare(link.B) >= 0 || link.A != id && link.B != id {
			return fmt.Errorf("%w: a link is not one of the identity asked for", errInconsistent)
		}
		if w.rules.mute(link.A) || w.rules.mute(link.B) {
			continue
		}
		edges = append(edges, w.edge(link))
	}
	slices.SortFunc(edges, compareEdges)
	w.nodes[n].edges, w.nodes[n].read = edges, true
	return nil
}

// edge works out the place of link in the walk.
func (w *walk) edge(link Link) edge {
	a, b := w.node(link.A), w.node(link.B)
	m, n := w.nodes[a].rank, w.nodes[b].rank
	return edge{link: link, a: a, b: b, weaker: max(m, n), sum: m + n}
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

func compareEnds(x, y Link) int { return cmp.Or(x.A.Compare(y.A), x.B.Compare(y.B)) }
