package store

import (
	"slices"

	"selfsame/profile"
)

// stamps numbers the distinct stamps of a fragment in order of first use. Most fragments have one
// or two, which are looked through faster than a map is made.
type stamps struct {
	list  []profile.Stamp
	index map[profile.Stamp]int // nil while list is short
}

// fewStamps is how many are looked through.
const fewStamps = 8

func (t *stamps) add(s profile.Stamp) {
	if t.position(s) >= 0 {
		return
	}
	t.list = append(t.list, s)
	switch {
	case t.index != nil:
		t.index[s] = len(t.list) - 1
	case len(t.list) > fewStamps:
		t.index = make(map[profile.Stamp]int, 2*len(t.list))
		for i := range t.list {
			t.index[t.list[i]] = i
		}
	}
}

// find returns the number of a stamp that was added.
func (t *stamps) find(s profile.Stamp) uint64 { return uint64(t.position(s)) }

func (t *stamps) position(s profile.Stamp) int {
	if t.index == nil {
		return slices.Index(t.list, s)
	}
	if i, ok := t.index[s]; ok {
		return i
	}
	return -1
}
