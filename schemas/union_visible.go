package schemas

import "selfsame/profile"

// Hides reports whether anything in the union is deprecated by all datasets that carry it.
func (u *Union) Hides() bool { return u.root.hides }

// Visible gives the part of a value at path that is not deprecated; ok is false where the path
// itself is. What the union does not have is visible.
func (u *Union) Visible(path profile.Path, v profile.Value) (visible profile.Value, ok bool) {
	m := u.root
	for _, segment := range path.Segments() {
		switch m = m.step(segment); {
		case m == nil || !m.hides:
			return v, true
		case m.deprecated:
			return profile.Value{}, false
		}
	}
	return m.prune(v), true
}

// markHidden notes where something at or below is deprecated.
func (m *merged) markHidden() bool {
	m.hides = m.deprecated
	for _, f := range m.fields {
		m.hides = f.markHidden() || m.hides
	}
	if m.items != nil {
		m.hides = m.items.markHidden() || m.hides
	}
	return m.hides
}

// prune takes deprecated fields out of the records inside an array.
func (m *merged) prune(v profile.Value) profile.Value {
	switch {
	case m == nil || !m.hides:
		return v
	case v.Kind() == profile.KindArray:
		items := make([]profile.Value, v.Len())
		for i := range items {
			items[i] = m.items.prune(v.Item(i))
		}
		return profile.Array(items)
	case v.Kind() == profile.KindObject:
		return m.pruneObject(v)
	}
	return v
}

func (m *merged) pruneObject(v profile.Value) profile.Value {
	var names []string
	var items []profile.Value
	for i := range v.Len() {
		below := m.step(v.Name(i))
		if below != nil && below.deprecated {
			continue
		}
		names = append(names, v.Name(i))
		items = append(items, below.prune(v.Item(i)))
	}
	return profile.Object(names, items)
}
