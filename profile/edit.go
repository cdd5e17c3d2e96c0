package profile

import (
	"cmp"
	"slices"
	"strings"
)

// EditKind says what an edit does to an array.
type EditKind uint8

// The kinds of edit. Their numbers are part of the on-disk format: append, never renumber.
const (
	EditAppend EditKind = iota // the element goes to the end, also where it is there already
	EditUnion                  // the element goes to the end unless it is there already
	EditRemove                 // the element goes away, wherever it stands
	editCount
)

// Valid reports whether k is one of the kinds; decoders of stored bytes ask.
func (k EditKind) Valid() bool { return k < editCount }

// ParseEditKind reads the words append, union and remove.
func ParseEditKind(word string) (k EditKind, ok bool) {
	at := slices.Index([]string{"append", "union", "remove"}, word)
	return EditKind(max(at, 0)), at >= 0
}

// Edit is one element that a record adds to an array or takes out of it.
//
// Edits form a semilattice of their own: an append is known by the record's stamp and the element's
// index, and stays beside all others; of the unions and removes of one element the one with the
// greater stamp stands. Two elements are the same when their JSON is.
type Edit struct {
	Path  Path
	Stamp Stamp
	Kind  EditKind
	Index int   // of the element in the record's array
	Value Value // the element
	key   string
}

// NewEdit makes an edit.
func NewEdit(path Path, s Stamp, kind EditKind, index int, element Value) Edit {
	return Edit{Path: path, Stamp: s, Kind: kind, Index: index, Value: element,
		key: elementKey(element)}
}

// elementKey is what makes two elements the same.
func elementKey(v Value) string { return string(AppendJSON(nil, v)) }

// compareEdits is the order in which a fragment keeps its edits: by path, appends before the rest,
// appends by stamp and index, the rest by element. Edits that are equal in it are of one key.
func compareEdits(a, b *Edit) int {
	if order := strings.Compare(string(a.Path), string(b.Path)); order != 0 {
		return order
	}
	appended := a.Kind == EditAppend
	switch {
	case appended != (b.Kind == EditAppend) && appended:
		return -1
	case appended != (b.Kind == EditAppend):
		return 1
	case appended:
		return cmp.Or(a.Stamp.Compare(b.Stamp), cmp.Compare(a.Index, b.Index))
	}
	return strings.Compare(a.key, b.key)
}

// SortEdits brings the edits of one record into the order a [Fragment] wants. Of an element that
// the record adds or removes twice the first stays.
func SortEdits(edits []Edit) []Edit {
	slices.SortStableFunc(edits, func(a, b Edit) int { return compareEdits(&a, &b) })
	return slices.CompactFunc(edits, func(a, b Edit) bool { return compareEdits(&a, &b) == 0 })
}

// joinEdits joins two sorted runs into a new one.
func joinEdits(a, b []Edit) []Edit {
	if len(b) == 0 {
		return slices.Clone(a)
	}
	out := make([]Edit, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch order := compareEdits(&a[0], &b[0]); {
		case order < 0:
			out, a = append(out, a[0]), a[1:]
		case order > 0:
			out, b = append(out, b[0]), b[1:]
		default:
			edit := a[0]
			if edit.Stamp.Before(b[0].Stamp) {
				edit = b[0]
			}
			out, a, b = append(out, edit), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// dropOverruled removes, in place, the edits that are older than what the fragment says of their
// array as a whole: a value or an unset of it, an unset above it, the floor.
func (f *Fragment) dropOverruled(edits []Edit) []Edit {
	kept := edits[:0]
	var at Path
	var bar Stamp
	for i := range edits {
		if i == 0 || edits[i].Path != at {
			at = edits[i].Path
			bar = Later(f.Floor, f.wholeSince(at))
		}
		if !edits[i].Stamp.Before(bar) {
			kept = append(kept, edits[i])
		}
	}
	return kept
}

// wholeSince returns the greatest stamp of what the leaves say of all of path: itself written or
// unset, or an object above it unset.
func (f *Fragment) wholeSince(path Path) Stamp {
	var since Stamp
	for place := path; ; {
		if i, found := f.find(place); found && (place == path || f.Leaves[i].Unset()) {
			since = Later(since, f.Leaves[i].Stamp)
		}
		end := strings.LastIndex(string(place), pathSeparator)
		if end < 0 {
			return since
		}
		place = place[:end]
	}
}

// find returns the index of the leaf at path, or where it would be.
func (f *Fragment) find(path Path) (at int, found bool) {
	return slices.BinarySearchFunc(f.Leaves, path, func(l Leaf, p Path) int {
		return strings.Compare(string(l.Path), string(p))
	})
}

// sameEdits compares by what determines the rest.
func sameEdits(a, b []Edit) bool {
	return slices.EqualFunc(a, b, func(x, y Edit) bool {
		return x.Stamp == y.Stamp && x.Kind == y.Kind && compareEdits(&x, &y) == 0
	})
}

// Shown returns what the fragment says, path by path: its leaves, with the edits of arrays applied.
// The stamp of an edited array is that of its newest edit. An array that was only ever removed from
// is not there.
func (f *Fragment) Shown() []Leaf {
	if len(f.Edits) == 0 {
		return f.Leaves
	}
	shown := make([]Leaf, 0, len(f.Leaves)+1)
	at := 0
	for rest := f.Edits; len(rest) > 0; {
		run := editRun(rest)
		path := rest[0].Path
		end, found := f.find(path)
		shown = append(shown, f.Leaves[at:end]...)
		base := Leaf{Path: path}
		if found {
			base, end = f.Leaves[end], end+1
		}
		if leaf, ok := applyEdits(base, rest[:run]); ok {
			shown = append(shown, leaf)
		} else if found {
			shown = append(shown, base)
		}
		at, rest = end, rest[run:]
	}
	return append(shown, f.Leaves[at:]...)
}

// editRun is how many of the edits, sorted, are of the first one's array.
func editRun(edits []Edit) int {
	n := 1
	for n < len(edits) && edits[n].Path == edits[0].Path {
		n++
	}
	return n
}

// MostEdited returns how many edits there are of the array that has most, and its path.
func (f *Fragment) MostEdited() (most int, path Path) {
	for rest := f.Edits; len(rest) > 0; {
		n := editRun(rest)
		if n > most {
			most, path = n, rest[0].Path
		}
		rest = rest[n:]
	}
	return most, path
}

// Places is how many attributes, unsets and edited arrays the fragment holds.
func (f *Fragment) Places() int {
	n := len(f.Leaves)
	for rest := f.Edits; len(rest) > 0; rest = rest[editRun(rest):] {
		if _, found := f.find(rest[0].Path); !found {
			n++
		}
	}
	return n
}

// applyEdits gives the array that a base, an unset where there is none, and its edits amount to; ok
// is false where nothing was ever added to none.
func applyEdits(base Leaf, edits []Edit) (leaf Leaf, ok bool) {
	ordered := slices.Clone(edits)
	slices.SortStableFunc(ordered, func(a, b Edit) int {
		return cmp.Or(a.Stamp.Compare(b.Stamp), cmp.Compare(a.Index, b.Index))
	})
	removed := map[string]Stamp{}
	for i := range edits {
		if edits[i].Kind == EditRemove {
			removed[edits[i].key] = edits[i].Stamp
		}
	}
	var items []Value
	present := map[string]bool{}
	add := func(v Value, key string, at Stamp) {
		if !at.Before(removed[key]) {
			items, present[key] = append(items, v), true
		}
	}
	for i := range base.Value.Len() {
		item := base.Value.Item(i)
		add(item, elementKey(item), base.Stamp)
	}
	ok = !base.Unset()
	for i := range ordered {
		e := &ordered[i]
		ok = ok || e.Kind != EditRemove
		if e.Kind == EditAppend || e.Kind == EditUnion && !present[e.key] {
			add(e.Value, e.key, e.Stamp)
		}
	}
	newest := Later(base.Stamp, ordered[len(ordered)-1].Stamp)
	return Leaf{Path: base.Path, Stamp: newest, Value: Array(items)}, ok
}
