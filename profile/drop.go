package profile

import "slices"

// Drop takes away, as if it had never been said, what bears one of the given stamps: leaves,
// unsets, edits and the floor. It reports whether f changed. Nothing that stays may have met what
// goes.
func (f *Fragment) Drop(gone func(Stamp) bool) (changed bool) {
	if !f.Floor.IsZero() && gone(f.Floor) {
		f.Floor, changed = Stamp{}, true
	}
	leaves, edits := len(f.Leaves), len(f.Edits)
	f.Leaves = without(f.Leaves, func(l Leaf) bool { return gone(l.Stamp) })
	f.Edits = without(f.Edits, func(e Edit) bool { return gone(e.Stamp) })
	return changed || len(f.Leaves) != leaves || len(f.Edits) != edits
}

// without leaves items out; the given slice, which may be shared, is not changed.
func without[T any](items []T, out func(T) bool) []T {
	if !slices.ContainsFunc(items, out) {
		return items
	}
	return slices.DeleteFunc(slices.Clone(items), out)
}

// Sink takes away what is stamped below a floor that f itself does not keep: whoever calls it keeps
// it, and turns away what comes later. The floor of f's own stays: whoever lifts the other does not
// take back what the dataset itself has said. It reports whether f changed.
func (f *Fragment) Sink(floor Stamp) (changed bool) {
	if f.IsZero() {
		return false
	}
	own, leaves, edits := f.Floor, len(f.Leaves), len(f.Edits)
	f.Join(&Fragment{Floor: floor})
	f.Floor = own
	return len(f.Leaves) != leaves || len(f.Edits) != edits
}
