package identity

import (
	"errors"
	"fmt"
	"slices"

	"selfsame/profile"
)

// node returns the node of id, a new one where the walk has not met id yet.
func (w *walk) node(id profile.Identity) int32 {
	if n, ok := w.index[id]; ok {
		return n
	}
	n := int32(len(w.nodes))
	fresh := node{id: id, rank: int32(len(w.rules.spaces) + 1), limit: -1, home: -1, class: -1}
	if s := w.rules.byName[id.Namespace]; s != nil {
		fresh.rank, fresh.limit = int32(s.rank), int32(s.limited)
		fresh.mute = w.rules.mute(id)
	}
	if len(w.nodes) < cap(w.nodes) { // the links of a node of an earlier walk leave their memory
		w.nodes = w.nodes[:n+1]
		fresh.edges = w.nodes[n].edges[:0]
		w.nodes[n] = fresh
	} else {
		w.nodes = append(w.nodes, fresh)
	}
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

// readEdges reads the orders and links of node n. Links of things that never link do not count. A
// link that is forced too comes twice; nothing depends on the later one.
func (w *walk) readEdges(n int32) error {
	if w.nodes[n].read {
		return nil
	}
	if err := w.readOrders(n); err != nil {
		return err
	}
	edges, err := w.forcedEdges(w.nodes[n].edges[:0], n)
	if err != nil {
		return err
	}
	if ordered, ok := w.view.(OrderedView); ok {
		wide, err := ordered.Adjacency(w.nodes[n].id)
		if err != nil {
			return err
		}
		w.nodes[n].wide = wide
	}
	if w.nodes[n].wide == nil {
		if edges, err = w.appendEdges(edges, n); err != nil {
			return err
		}
	}
	slices.SortFunc(edges, w.compare)
	w.nodes[n].edges, w.nodes[n].read = edges, true
	return nil
}

// appendEdges reads the links of node n.
func (w *walk) appendEdges(edges []edge, n int32) ([]edge, error) {
	links, err := w.view.Links(w.nodes[n].id)
	if err != nil {
		return nil, err
	}
	edges = slices.Grow(edges, len(links))
	for _, link := range links {
		e, counts, err := w.edgeOf(n, link)
		if err != nil {
			return nil, err
		}
		if counts {
			edges = append(edges, e)
		}
	}
	return edges, nil
}

// edgeOf turns a link of node n into an edge; counts is false where an end never links.
func (w *walk) edgeOf(n int32, link Link) (e edge, counts bool, err error) {
	other, err := link.other(w.nodes[n].id)
	if err != nil {
		return edge{}, false, err
	}
	m := w.node(other)
	if w.nodes[n].mute || w.nodes[m].mute {
		return edge{}, false, nil
	}
	return w.edgeBetween(n, m, link.Time), true, nil
}

// edgeBetween is the edge of a link between nodes m and n.
func (w *walk) edgeBetween(m, n int32, time int64) edge {
	if w.nodes[n].id.Compare(w.nodes[m].id) < 0 {
		m, n = n, m
	}
	return w.edge(m, n, time)
}

// edge works out the place of a link in the walk.
func (w *walk) edge(a, b int32, time int64) edge {
	m, n := w.nodes[a].rank, w.nodes[b].rank
	return edge{time: time, weaker: max(m, n), sum: m + n, a: a, b: b}
}
