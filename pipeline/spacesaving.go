package pipeline

import (
	"cmp"
	"container/heap"
	"slices"
)

// spaceSaving finds what occurs most often in a stream, in bounded memory: the summary Space-Saving
// of Metwally, Agrawal and El Abbadi (Efficient Computation of Frequent and Top-k Elements in Data
// Streams, ICDT 2005). With room for k keys, after n occurrences:
//
//  1. a count is never too small, and too large by at most its error, which is at most n/k
//  2. every key that occurred more than n/k times is held
//
// What it holds is a function of the stream.
type spaceSaving[K comparable] struct {
	room  int
	total uint64
	held  map[K]*frequent[K]
	heap  frequentHeap[K] // the least count first
}

// frequent is a key and how often it occurred.
type frequent[K comparable] struct {
	key   K
	count uint64
	error uint64 // of the count, some may have been another key's
	since uint64 // when it was taken in; of equal counts the oldest goes first
	at    int    // in the heap
}

func newSpaceSaving[K comparable](room int) *spaceSaving[K] {
	return &spaceSaving[K]{room: room, held: make(map[K]*frequent[K])}
}

// add counts one occurrence of key.
func (s *spaceSaving[K]) add(key K) {
	s.total++
	f := s.held[key]
	switch {
	case f != nil:
		f.count++
		heap.Fix(&s.heap, f.at)
	case len(s.heap) < s.room:
		f = &frequent[K]{key: key, count: 1, since: s.total}
		s.held[key] = f
		heap.Push(&s.heap, f)
	default:
		f = s.heap[0]
		delete(s.held, f.key)
		f.key, f.error, f.since = key, f.count, s.total
		f.count++
		s.held[key] = f
		heap.Fix(&s.heap, 0)
	}
}

// bound is the most by which a count can be too large.
func (s *spaceSaving[K]) bound() uint64 { return s.total / uint64(s.room) }

// top returns the n keys of the greatest counts, the greatest first.
func (s *spaceSaving[K]) top(n int) []frequent[K] {
	all := make([]frequent[K], 0, len(s.heap))
	for _, f := range s.heap {
		all = append(all, *f)
	}
	slices.SortFunc(all, func(a, b frequent[K]) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.since, b.since))
	})
	return all[:min(n, len(all))]
}

// frequentHeap has the least count first.
type frequentHeap[K comparable] []*frequent[K]

// Len implements heap.Interface.
func (h frequentHeap[K]) Len() int { return len(h) }

// Less implements heap.Interface.
func (h frequentHeap[K]) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(h[i].count, h[j].count), cmp.Compare(h[i].since, h[j].since)) < 0
}

// Swap implements heap.Interface.
func (h frequentHeap[K]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *frequentHeap[K]) Push(x any) {
	f := x.(*frequent[K])
	f.at = len(*h)
	*h = append(*h, f)
}

// Pop implements heap.Interface.
func (h *frequentHeap[K]) Pop() any {
	last := len(*h) - 1
	f := (*h)[last]
	*h = (*h)[:last]
	return f
}
