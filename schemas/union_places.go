package schemas

import "slices"

// Place is one leaf of a union schema, or a field of the records inside an array or map.
type Place struct {
	Path       string // dotted, items of an array as name[], values of a map as name.*
	Type       *Type
	Datasets   []string // that carry it, sorted
	Deprecated bool     // by all of them
}

// Places lists all places, in order of path: scalars, arrays and maps, and what is inside these.
func (u *Union) Places() []Place { return placesOf(nil, "", u.root, u.schema.root) }

// placesOf walks the place m, whose type is t.
func placesOf(all []Place, path string, m *merged, t *Type) []Place {
	if t.Kind == KindRecord {
		for _, f := range m.fields {
			all = placesOf(all, joinPath(path, f.name), f, t.Field(f.name).Type)
		}
		return all
	}
	all = append(all, Place{Path: path, Type: t, Datasets: slices.Clone(m.datasets),
		Deprecated: m.deprecated})
	if m.items == nil || !t.Items.structured() {
		return all
	}
	return placesOf(all, itemsPath(path, t.Kind), m.items, t.Items)
}

// structured reports whether the type has places of its own that its name does not tell.
func (t *Type) structured() bool {
	return t.Kind == KindRecord || t.Items != nil && t.Items.structured()
}
