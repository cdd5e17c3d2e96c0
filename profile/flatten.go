package profile

import (
	"slices"
	"strings"
)

// Nulls says what an explicit null in a record means.
type Nulls uint8

// The meanings of null.
const (
	NullsUnset  Nulls = iota // the attribute is taken away (RFC 7396)
	NullsAbsent              // the record says nothing about the attribute
)

// Flatten turns a record into leaves, sorted by path, all stamped s: objects are descended into,
// scalars and arrays are leaves, empty objects say nothing. A null becomes an unset or nothing.
func Flatten(record Value, s Stamp, nulls Nulls) []Leaf {
	leaves := flattenInto(make([]Leaf, 0, countLeaves(record)), "", record, nulls)
	for i := range leaves {
		leaves[i].Stamp = s
	}
	SortLeaves(leaves)
	return leaves
}

// SortLeaves brings leaves into the order a [Fragment] wants.
func SortLeaves(leaves []Leaf) {
	slices.SortFunc(leaves, func(a, b Leaf) int {
		return strings.Compare(string(a.Path), string(b.Path))
	})
}

// countLeaves counts the leaves of v, nulls included.
func countLeaves(v Value) int {
	if v.Kind() != KindObject {
		return 1
	}
	n := 0
	for i := range v.Len() {
		n += countLeaves(v.Item(i))
	}
	return n
}

func flattenInto(leaves []Leaf, at Path, v Value, nulls Nulls) []Leaf {
	switch {
	case v.Kind() == KindObject:
		for i := range v.Len() {
			leaves = flattenInto(leaves, at.Child(v.Name(i)), v.Item(i), nulls)
		}
		return leaves
	case v.IsNull() && (nulls == NullsAbsent || at == ""):
		return leaves
	}
	return append(leaves, Leaf{Path: at, Value: v})
}

// Unflatten rebuilds a record from leaves sorted by path. Unsets become nulls.
func Unflatten(leaves []Leaf) Value {
	v, _ := unflatten(leaves, 0)
	return v
}

// unflatten builds the object at depth from the leaves that share their first depth segments.
func unflatten(leaves []Leaf, depth int) (Value, int) {
	var names []string
	var items []Value
	prefix := leaves
	for len(leaves) > 0 {
		segments := leaves[0].Path.Segments()
		if depth > 0 && !sharesPrefix(prefix[0].Path, leaves[0].Path, depth) {
			break
		}
		names = append(names, segments[depth])
		if len(segments) == depth+1 {
			items = append(items, leaves[0].Value)
			leaves = leaves[1:]
			continue
		}
		child, used := unflatten(leaves, depth+1)
		items = append(items, child)
		leaves = leaves[used:]
	}
	return Object(names, items), len(prefix) - len(leaves)
}

func sharesPrefix(a, b Path, depth int) bool {
	return slices.Equal(a.Segments()[:depth], b.Segments()[:min(depth, len(b.Segments()))])
}
