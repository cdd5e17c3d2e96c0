package profile

import (
	"cmp"
	"strings"
)

// Identity names a self: a value in a namespace, both after normalisation. Comparable, usable as a
// map key.
type Identity struct {
	Namespace string
	Value     string
}

// Compare orders identities by namespace, then value, both as bytes.
func (i Identity) Compare(j Identity) int {
	return cmp.Or(strings.Compare(i.Namespace, j.Namespace), strings.Compare(i.Value, j.Value))
}

// IsZero reports whether i names nothing.
func (i Identity) IsZero() bool { return i == Identity{} }

// String gives "namespace:value". It is for people and holds a personal value: never log it.
func (i Identity) String() string { return i.Namespace + ":" + i.Value }

// ParseIdentity reads "namespace:value"; the value may hold further colons. ok is false where the
// text has no colon or either side is empty.
func ParseIdentity(text string) (id Identity, ok bool) {
	namespace, value, found := strings.Cut(text, ":")
	if !found || namespace == "" || value == "" {
		return Identity{}, false
	}
	return Identity{Namespace: namespace, Value: value}, true
}
