package schemas

import (
	"slices"

	"selfsame/profile"
)

// slot is the place of one field while its record is being decoded.
type slot struct {
	value profile.Value
	given bool
}

// frames is the stack of records being decoded, so that fields may come in any order and yet be
// packed, sorted, into slices of the right size. Frames are addressed by index: the stack may move.
type frames struct {
	slots []slot
}

// open pushes a frame of n empty slots. What lies beyond the top of the stack is always empty.
func (f *frames) open(n int) (base int) {
	base = len(f.slots)
	f.slots = slices.Grow(f.slots, n)[:base+n]
	return base
}

// pack pops the frame at base and makes the object of what was given.
func (f *frames) pack(plan *recordPlan, base int) profile.Value {
	frame := f.slots[base:]
	f.slots = f.slots[:base]
	given := 0
	for i := range frame {
		if frame[i].given {
			given++
		}
	}
	items := make([]profile.Value, 0, given)
	names := plan.names
	if given < len(frame) {
		names = make([]string, 0, given)
	}
	for i := range frame {
		if !frame[i].given {
			continue
		}
		items = append(items, frame[i].value)
		if given < len(frame) {
			names = append(names, plan.names[i])
		}
	}
	clear(frame)
	return profile.Object(names, items)
}

// release drops the frames that a fault left open.
func (f *frames) release() {
	clear(f.slots)
	f.slots = f.slots[:0]
}

// packMap makes the object of a map's keys and values. ok is false where a key stands twice.
func packMap(names []string, items []profile.Value) (v profile.Value, ok bool) {
	v = profile.Object(names, items)
	for i := 1; i < v.Len(); i++ {
		if v.Name(i) == v.Name(i-1) {
			return v, false
		}
	}
	return v, true
}
