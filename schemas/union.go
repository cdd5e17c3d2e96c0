package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"selfsame/profile"
)

// Union is the union schema of a class: every field that any of its datasets has, by path, each
// optional.
type Union struct {
	class  string
	root   *merged
	schema *Schema
	avro   []byte
	paths  []profile.Path
}

// Compose makes the union schema of a class. The order of members does not matter. All conflicts
// are reported at once, joined, as [ConflictError]s.
func Compose(class string, members []Member) (*Union, error) {
	claims, err := claimsOf(class, members)
	if err != nil {
		return nil, err
	}
	c := &composer{class: class}
	root := c.merge("", claims)
	if err := c.conflicts(); err != nil {
		return nil, err
	}
	return newUnion(class, root)
}

// ParseUnion reads back what [Union.Avro] gave. The union has no lineage. class is what it was
// composed as.
func ParseUnion(class string, avro []byte) (*Union, error) {
	s, err := Parse("union schema of "+class, avro)
	if err != nil {
		return nil, err
	}
	root := (&composer{class: class}).merge("", []claim{{typ: s.root}})
	return newUnion(class, root)
}

func newUnion(class string, root *merged) (*Union, error) {
	u := &Union{class: class, root: root, avro: unionText(class, root)}
	var err error
	if u.schema, err = Parse("union schema of "+class, u.avro); err != nil {
		return nil, err
	}
	root.markHidden()
	u.collectPaths(root, "")
	slices.Sort(u.paths)
	return u, nil
}

// Class returns the name of the class.
func (u *Union) Class() string { return u.class }

// Schema returns the union as a schema, to decode and encode with.
func (u *Union) Schema() *Schema { return u.schema }

// Type returns the type of the whole record.
func (u *Union) Type() *Type { return u.schema.root }

// Avro returns the canonical text of the schema: fields by name, each a union of null and its type
// with null as default, named types after their path. The caller does not change it.
func (u *Union) Avro() []byte { return u.avro }

// Fingerprint returns the SHA-256 of [Union.Avro] in hexadecimal.
func (u *Union) Fingerprint() string {
	sum := sha256.Sum256(u.avro)
	return hex.EncodeToString(sum[:])
}

// Lineage returns the datasets that carry the path, sorted; none for a path that is not there.
func (u *Union) Lineage(p profile.Path) []string {
	m := u.root
	for _, segment := range p.Segments() {
		if m = m.step(segment); m == nil {
			return nil
		}
	}
	return m.datasets
}

// Paths returns the paths of all leaves, sorted: scalars, arrays and maps.
func (u *Union) Paths() []profile.Path { return u.paths }

// Deprecated reports whether every dataset that carries the path deprecates it, or a record above.
// As long as one dataset does not, the field stays visible.
func (u *Union) Deprecated(p profile.Path) bool {
	m := u.root
	for _, segment := range p.Segments() {
		if m = m.step(segment); m == nil {
			return false
		}
		if m.deprecated {
			return true
		}
	}
	return false
}

func (u *Union) collectPaths(m *merged, at profile.Path) {
	for _, f := range m.fields {
		path := at.Child(f.name)
		if f.typ.Kind != KindRecord {
			u.paths = append(u.paths, path)
			continue
		}
		u.collectPaths(f, path)
	}
}
