package identity

import (
	"fmt"
	"slices"
)

// readOrders reads the orders about node n, and finds out what it is forced together with.
func (w *walk) readOrders(n int32) error {
	if w.nodes[n].ordered {
		return nil
	}
	w.nodes[n].ordered = true
	orders, err := w.view.Orders(w.nodes[n].id)
	if err != nil {
		return fmt.Errorf("reading orders: %w", err)
	}
	w.nodes[n].orders = orders
	if len(orders.Together) == 0 {
		return nil
	}
	return w.classify(n)
}

// forcedEdges appends the forced links of node n, whose orders are read.
func (w *walk) forcedEdges(edges []edge, n int32) ([]edge, error) {
	for _, link := range w.nodes[n].orders.Together {
		e, counts, err := w.edgeOf(n, link)
		if err != nil {
			return nil, err
		}
		e.forced = true
		if counts {
			edges = append(edges, e)
		}
	}
	return edges, nil
}

// classify walks the forced links around node n alone, as the whole walk begins, and gives each
// node met the class that comes of it. What is forced together counts as one value, so only a
// forbidden pair or the size can keep a forced link out. Operators force few links, so all of them
// around n can be walked.
func (w *walk) classify(n int32) error {
	met := []int32{n}
	var edges []edge
	for next := 0; next < len(met); next++ {
		m := met[next]
		if !w.nodes[m].ordered {
			orders, err := w.view.Orders(w.nodes[m].id)
			if err != nil {
				return fmt.Errorf("reading orders: %w", err)
			}
			w.nodes[m].orders, w.nodes[m].ordered = orders, true
		}
		forced, err := w.forcedEdges(nil, m)
		if err != nil {
			return err
		}
		for _, e := range forced {
			if e.a == m {
				edges = append(edges, e)
			}
			if other := e.a + e.b - m; !slices.Contains(met, other) {
				met = append(met, other)
			}
		}
	}
	slices.SortFunc(edges, w.compare)
	w.unite(edges)
	return nil
}

// unite joins the ends of forced links, in order, into classes.
func (w *walk) unite(edges []edge) {
	sets := map[int32][]int32{}
	of := func(n int32) []int32 {
		if set := sets[n]; set != nil {
			return set
		}
		return []int32{n}
	}
	for _, e := range edges {
		a, b := of(e.a), of(e.b)
		if slices.Contains(a, e.b) || len(a)+len(b) > w.rules.max || w.keptApart(a, b) {
			continue
		}
		both := slices.Concat(a, b)
		for _, m := range both {
			sets[m] = both
		}
	}
	for m, set := range sets {
		w.nodes[m].class = slices.Min(set)
	}
}

// keptApart reports whether an identity of a may not be with one of b.
func (w *walk) keptApart(a, b []int32) bool {
	for _, n := range a {
		for _, other := range w.nodes[n].orders.Apart {
			if m, met := w.index[other]; met && slices.Contains(b, m) {
				return true
			}
		}
	}
	return false
}
