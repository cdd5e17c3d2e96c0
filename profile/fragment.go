package profile

import (
	"slices"
	"strings"
)

// Leaf is one attribute of a fragment, or, with a null value, the unset of a place: of an
// attribute, or of an object or map, then a floor for everything below it.
type Leaf struct {
	Path  Path
	Stamp Stamp
	Value Value // never an object; null means unset
}

// Unset reports whether the leaf takes its place away instead of filling it.
func (l Leaf) Unset() bool { return l.Value.IsNull() }

// Fragment is everything one dataset says about one identity.
//
// It is a join semilattice: a record is a small fragment whose leaves all bear the record's stamp,
// and the stored fragment is the join of all records. Per path the leaf with the greater stamp
// wins; leaves stamped below Floor are gone; so are leaves below an unset object with a greater
// stamp. Edits of an array are kept beside its value, as long as they are newer than the value. The
// zero Fragment is the empty one.
type Fragment struct {
	// Floor is the stamp of the latest replace or delete, absent without one.
	Floor Stamp
	// Leaves are sorted by path, one per path, none of them hidden by Floor or by an unset above.
	Leaves []Leaf
	// Edits of arrays are sorted by [SortEdits], one per key, none of them overruled by Floor or by
	// a leaf.
	Edits []Edit
}

// IsZero reports whether nothing was ever said.
func (f *Fragment) IsZero() bool {
	return f.Floor.IsZero() && len(f.Leaves) == 0 && len(f.Edits) == 0
}

// Visible reports whether the fragment holds an attribute. Unsets are not attributes.
func (f *Fragment) Visible() bool {
	return slices.ContainsFunc(f.Leaves, func(l Leaf) bool { return !l.Unset() }) ||
		slices.ContainsFunc(f.Edits, func(e Edit) bool { return e.Kind != EditRemove })
}

// Newest returns the greatest stamp of the fragment, floor included.
func (f *Fragment) Newest() Stamp {
	newest := f.Floor
	for i := range f.Leaves {
		newest = Later(newest, f.Leaves[i].Stamp)
	}
	for i := range f.Edits {
		newest = Later(newest, f.Edits[i].Stamp)
	}
	return newest
}

// Join merges g into f, and reports whether f changed. g is not modified; leaves may be shared.
func (f *Fragment) Join(g *Fragment) (changed bool) {
	if f.IsZero() {
		*f = Fragment{Floor: g.Floor, Leaves: slices.Clip(g.Leaves), Edits: slices.Clip(g.Edits)}
		return !g.IsZero()
	}
	if f.Floor.Before(g.Floor) {
		f.Floor = g.Floor
		changed = true
	}
	joined := make([]Leaf, 0, len(f.Leaves)+len(g.Leaves))
	i, j := 0, 0
	for i < len(f.Leaves) || j < len(g.Leaves) {
		switch order := compareHeads(f.Leaves[i:], g.Leaves[j:]); {
		case order < 0:
			joined = append(joined, f.Leaves[i])
			i++
		case order > 0:
			joined = append(joined, g.Leaves[j])
			j++
		default:
			leaf := f.Leaves[i]
			if leaf.Stamp.Before(g.Leaves[j].Stamp) {
				leaf = g.Leaves[j]
			}
			joined = append(joined, leaf)
			i, j = i+1, j+1
		}
	}
	joined = dropHidden(joined, f.Floor)
	changed = changed || !sameLeaves(f.Leaves, joined)
	f.Leaves = joined
	if len(f.Edits)+len(g.Edits) > 0 {
		edits := f.dropOverruled(joinEdits(f.Edits, g.Edits))
		changed = changed || !sameEdits(f.Edits, edits)
		f.Edits = edits
	}
	return changed
}

// Clone returns a fragment that can be joined into without changing f.
func (f *Fragment) Clone() *Fragment {
	return &Fragment{Floor: f.Floor, Leaves: slices.Clone(f.Leaves), Edits: slices.Clone(f.Edits)}
}

// compareHeads orders two sorted runs by the path of their first leaf; an empty run sorts last.
func compareHeads(a, b []Leaf) int {
	if len(a) == 0 {
		return 1
	}
	if len(b) == 0 {
		return -1
	}
	return strings.Compare(string(a[0].Path), string(b[0].Path))
}

// dropHidden removes, in place, the leaves below floor and those below an unset with a greater
// stamp. One pass with a stack of the unsets above the current leaf, for a parent sorts directly
// before its subtree.
func dropHidden(leaves []Leaf, floor Stamp) []Leaf {
	var above []Leaf
	kept := leaves[:0]
	for _, leaf := range leaves {
		for len(above) > 0 && !above[len(above)-1].Path.Contains(leaf.Path) {
			above = above[:len(above)-1]
		}
		if leaf.Stamp.Before(floor) || hiddenBy(above, leaf.Stamp) {
			continue
		}
		kept = append(kept, leaf)
		if leaf.Unset() {
			above = append(above, leaf)
		}
	}
	return kept
}

func hiddenBy(unsets []Leaf, stamp Stamp) bool {
	return slices.ContainsFunc(unsets, func(u Leaf) bool { return stamp.Before(u.Stamp) })
}

// sameLeaves compares by path and stamp, which determine the value.
func sameLeaves(a, b []Leaf) bool {
	return slices.EqualFunc(a, b, func(x, y Leaf) bool {
		return x.Path == y.Path && x.Stamp == y.Stamp
	})
}
