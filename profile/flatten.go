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
	var leaves []Leaf
	leaves = flattenInto(leaves, "", record, nulls)
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
