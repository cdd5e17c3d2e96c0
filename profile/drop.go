package profile

import "slices"

// Drop takes away, as if it had never been said, what bears one of the given stamps: leaves, unsets
// and the floor. It reports whether f changed.
func (f *Fragment) Drop(gone func(Stamp) bool) (changed bool) {
	if !f.Floor.IsZero() && gone(f.Floor) {
		f.Floor, changed = Stamp{}, true
	}
	isGone := func(l Leaf) bool { return gone(l.Stamp) }
	if !slices.ContainsFunc(f.Leaves, isGone) {
		return changed
	}
	f.Leaves = slices.DeleteFunc(slices.Clone(f.Leaves), isGone)
	return true
}

// Sink takes away what is stamped below a floor that f itself does not keep: whoever calls it keeps
// it, and turns away what comes later. It reports whether f changed.
func (f *Fragment) Sink(floor Stamp) (changed bool) {
	if f.IsZero() {
		return false
	}
	own, leaves := f.Floor, len(f.Leaves)
	f.Join(&Fragment{Floor: floor})
	f.Floor = Stamp{}
	if !own.Before(floor) {
		f.Floor = own
	}
	return f.Floor != own || len(f.Leaves) != leaves
}
