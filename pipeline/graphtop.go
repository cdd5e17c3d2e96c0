package pipeline

import (
	"cmp"
	"container/heap"
	"context"
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// Limits of what is shown of a graph's top.
const (
	DefaultGraphTop = 20
	LimitGraphTop   = 1_000
)

// Top returns the n largest clusters of a class, and the identities whose links are left out most
// often. It reads every cluster of a snapshot, which takes a while and keeps nobody waiting, and
// stops when ctx does. *QueryError where the query itself is wrong.
func (l *Lookup) Top(ctx context.Context, stats *Stats, class string, n int) (*GraphTop, error) {
	r, close, err := l.graphReader(class, 0)
	if err != nil {
		return nil, err
	}
	defer close()
	top := &GraphTop{Class: class, Several: map[string]int64{}, Largest: []GraphLarge{}}
	largest, totals, err := r.scan(ctx, n)
	if err != nil {
		return nil, err
	}
	top.setTotals(totals)
	for _, c := range largest {
		top.Largest = append(top.Largest, c.shown())
	}
	if top.Hubs, err = r.hubs(n); err != nil {
		return nil, err
	}
	refused, bound := stats.MostRefused(class, n)
	top.RefusedError = bound
	if top.Refused, err = r.restless(refused); err != nil {
		return nil, err
	}
	moved, bound := stats.MostMoved(class, n)
	top.MovedError = bound
	top.Moved, err = r.restless(moved)
	return top, err
}

func (t *GraphTop) setTotals(totals *store.GraphTotals) {
	t.Links, t.Clusters, t.HubsAll = totals.Links, totals.Clusters(), totals.Hubs
	for i, label := range store.ClusterSizes() {
		t.Sizes = append(t.Sizes, GraphSize{label, totals.Sizes[i]})
	}
	for _, c := range totals.Several {
		t.Several[c.Namespace] = c.Clusters
	}
}

// scan reads all clusters and keeps the n largest, the largest first.
func (r *graphReader) scan(ctx context.Context, n int) ([]largeCluster, *store.GraphTotals, error) {
	totals, err := r.view.rows.GraphTotals(r.entity.Name)
	if err != nil {
		return nil, nil, err
	}
	if totals == nil {
		totals = &store.GraphTotals{}
	}
	var kept largeHeap
	err = r.view.rows.Clusters(r.entity.Name, func(id profile.ID, c *store.Cluster) error {
		kept.offer(largeCluster{id, c.Members}, n)
		return ctx.Err()
	})
	slices.SortFunc(kept, func(a, b largeCluster) int { return -a.compare(b) })
	return kept, totals, err
}

// hubs lists the n hubs that have turned the most away.
func (r *graphReader) hubs(n int) ([]GraphHub, error) {
	var ids []profile.Identity
	err := r.view.rows.Hubs(r.entity.Name, func(id profile.Identity) { ids = append(ids, id) })
	if err != nil {
		return nil, err
	}
	all := make([]GraphHub, 0, len(ids))
	for _, id := range ids {
		row, err := r.view.rows.Identity(r.entity.Name, id)
		if err != nil {
			return nil, err
		}
		all = append(all, GraphHub{id.String(), row.Degree, row.Beyond, row.Cluster.String()})
	}
	slices.SortFunc(all, func(a, b GraphHub) int {
		return cmp.Or(cmp.Compare(b.TurnedAway, a.TurnedAway),
			cmp.Compare(b.Neighbours, a.Neighbours), cmp.Compare(a.Identity, b.Identity))
	})
	return all[:min(n, len(all))], nil
}

// restless says where identities are now. What was counted after the snapshot may not be in it.
func (r *graphReader) restless(all []Restless) ([]GraphRestless, error) {
	list := []GraphRestless{}
	for i := range all {
		f := &all[i]
		shown := GraphRestless{Identity: f.Identity.String(), Dataset: f.Dataset, Count: f.Count,
			Error: f.Error}
		row, err := r.view.person(f.Identity)
		if err != nil {
			return nil, err
		}
		if row != nil {
			shown.Profile, shown.Neighbours = row.Cluster.String(), row.Degree
		}
		list = append(list, shown)
	}
	return list, nil
}

// largeCluster is a cluster that may be among the largest.
type largeCluster struct {
	id      profile.ID
	members []profile.Identity
}

// compare orders by size, among equals the one of the smaller id is the larger.
func (c largeCluster) compare(d largeCluster) int {
	return cmp.Or(cmp.Compare(len(c.members), len(d.members)), slices.Compare(d.id[:], c.id[:]))
}

func (c largeCluster) shown() GraphLarge {
	l := GraphLarge{Profile: c.id.String(), Size: len(c.members), Namespaces: map[string]int{},
		Identity: c.members[0].String()}
	for _, id := range c.members {
		l.Namespaces[id.Namespace]++
	}
	return l
}

// largeHeap keeps the largest clusters met so far, the smallest of them first.
type largeHeap []largeCluster

// offer takes c in where it is among the n largest.
func (h *largeHeap) offer(c largeCluster, n int) {
	switch {
	case len(*h) < n:
		heap.Push(h, c)
	case n > 0 && c.compare((*h)[0]) > 0:
		(*h)[0] = c
		heap.Fix(h, 0)
	}
}

// Len implements heap.Interface.
func (h largeHeap) Len() int { return len(h) }

// Less implements heap.Interface.
func (h largeHeap) Less(i, j int) bool { return h[i].compare(h[j]) < 0 }

// Swap implements heap.Interface.
func (h largeHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *largeHeap) Push(x any) { *h = append(*h, x.(largeCluster)) }

// Pop implements heap.Interface.
func (h *largeHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	*h = (*h)[:last]
	return c
}
