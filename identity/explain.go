package identity

import (
	"fmt"
	"slices"

	"selfsame/profile"
)

// Reason explains why a link stays out. It is a function of the link set alone.
type Reason struct {
	Link Link
	Rule Rule
	// Conflict are the identities that would meet and may not, sorted: all of the namespace that
	// the rule speaks of, on both sides, or the forbidden pair. Nil where only the size of the
	// cluster counts.
	Conflict []profile.Identity
	// Against is the accepted link that stands in the way: of those that tie the ends of Link to
	// the identities in conflict, the one that comes last in the walk. Nil where there is none: the
	// ends themselves are in conflict.
	Against *Link
}

// Path returns the accepted links that lead from a to b, in that order: what makes them one self.
// It is empty where they are not in one cluster, or are the same.
func (r *Rules) Path(v View, a, b profile.Identity) ([]Link, error) {
	w := newWalk(r, v)
	from, to := w.node(a), w.node(b)
	forest, err := w.forest(from, nil)
	if err != nil {
		return nil, fmt.Errorf("explaining two identities: %w", err)
	}
	var links []Link
	for _, e := range forest.path(from, to) {
		links = append(links, w.link(e))
	}
	return links, nil
}

// Why explains a link of the link set; left is false where its ends are in one cluster.
func (r *Rules) Why(v View, link Link) (reason Reason, left bool, err error) {
	w := newWalk(r, v)
	e := w.edge(w.node(link.A), w.node(link.B), link.Time)
	e.forced = link.Forced
	inside, err := r.Inside(v, link.A, link.B)
	if err != nil || inside {
		return Reason{}, false, err
	}
	var sides [2]*tree
	for i, n := range []int32{e.a, e.b} {
		if sides[i], err = w.forest(n, &e); err != nil {
			return Reason{}, false, fmt.Errorf("explaining a link: %w", err)
		}
	}
	rule, broken := w.breaks(sides[0].group, sides[1].group)
	if !broken {
		return Reason{}, false, fmt.Errorf("explaining a link: %w: it breaks no rule",
			errInconsistent)
	}
	if link.Forced && rule.Kind != RuleForbidden {
		rule = Rule{Kind: RuleMax} // what is forced together counts as one: no other can break
	}
	reason = Reason{Link: link, Rule: rule}
	pair := w.forbidden(sides[0].group, sides[1].group)
	var last *edge
	for i, n := range []int32{e.a, e.b} {
		for _, m := range sides[i].group.members {
			if !rule.concerns(w.nodes[m].id, pair) {
				continue
			}
			if rule.Kind != RuleMax {
				reason.Conflict = append(reason.Conflict, w.nodes[m].id)
			}
			last = w.later(last, sides[i].path(n, m))
		}
	}
	slices.SortFunc(reason.Conflict, profile.Identity.Compare)
	if last != nil {
		against := w.link(*last)
		reason.Against = &against
	}
	return reason, true, nil
}

// concerns reports whether the rule, broken, is about id; pair is the forbidden one.
func (r Rule) concerns(id profile.Identity, pair [2]profile.Identity) bool {
	switch r.Kind {
	case RuleMax:
		return true
	case RuleForbidden:
		return id == pair[0] || id == pair[1]
	}
	return id.Namespace == r.Namespace
}

// later returns the edge of path, or known, that comes last in the walk.
func (w *walk) later(known *edge, path []edge) *edge {
	for i := range path {
		if known == nil || w.compare(path[i], *known) > 0 {
			known = &path[i]
		}
	}
	return known
}

// tree is a cluster with the links that were accepted to make it: each node but the first was
// reached through one link, from a parent.
type tree struct {
	group  *group
	parent map[int32]edge
}

// forest returns the cluster of n at a point of the walk, or at its end, with its accepted links.
func (w *walk) forest(n int32, at *edge) (*tree, error) {
	home, err := w.home(n)
	if err != nil {
		return nil, err
	}
	var inside []edge
	for _, m := range home {
		if err := w.readEdges(m); err != nil {
			return nil, err
		}
		w.nodes[m].group = w.newGroup(m)
		w.within(m, at, func(e edge) {
			if e.a == m {
				inside = append(inside, e)
			}
		})
	}
	slices.SortFunc(inside, w.compare)
	accepted := make(map[int32][]edge, len(home))
	for _, e := range inside {
		if w.nodes[e.a].group != w.nodes[e.b].group {
			accepted[e.a] = append(accepted[e.a], e)
			accepted[e.b] = append(accepted[e.b], e)
			w.join(e.a, e.b)
		}
	}
	return &tree{w.nodes[n].group, parents(n, accepted)}, nil
}

// parents hangs the accepted links of a cluster below node root.
func parents(root int32, accepted map[int32][]edge) map[int32]edge {
	parent := map[int32]edge{}
	for queue := []int32{root}; len(queue) > 0; queue = queue[1:] {
		for _, e := range accepted[queue[0]] {
			child := e.a + e.b - queue[0]
			if _, known := parent[child]; !known && child != root {
				parent[child] = e
				queue = append(queue, child)
			}
		}
	}
	return parent
}

// path returns the links from the root of the tree to node n, none where n is not in the tree.
func (t *tree) path(root, n int32) []edge {
	var path []edge
	for n != root {
		e, ok := t.parent[n]
		if !ok {
			return nil
		}
		path = append(path, e)
		n = e.a + e.b - n
	}
	slices.Reverse(path)
	return path
}
