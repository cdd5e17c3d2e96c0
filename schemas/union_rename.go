package schemas

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"selfsame/profile"
)

// Rename moves what a dataset has at From, a field or a whole record, to To in the union. Several
// renames act at once, all on the paths of the dataset; the longest From that contains a path moves
// it.
type Rename struct {
	From, To profile.Path
}

// branch is a record of a dataset while fields move.
type branch struct {
	field *Field             // what is not a record; nil otherwise
	line  int                // of a record's field, 0 where a rename made it
	below map[string]*branch // of a record
}

// renamed gives the record type of a member with its renames applied.
func renamed(class string, m Member) (*Type, error) {
	if len(m.Rename) == 0 {
		return m.Schema.root, nil
	}
	root := branchOf(m.Schema.root, false)
	fail := func(r Rename, reason string) error {
		return fmt.Errorf("composing %s: dataset %s: renaming %s to %s: %s",
			class, m.Dataset, r.From, r.To, reason)
	}
	deepestFirst := slices.SortedFunc(slices.Values(m.Rename), func(a, b Rename) int {
		return cmp.Or(cmp.Compare(len(b.From.Segments()), len(a.From.Segments())),
			strings.Compare(string(a.From), string(b.From)))
	})
	moved := make([]*branch, len(deepestFirst))
	for i, r := range deepestFirst {
		if moved[i] = root.detach(r.From.Segments()); moved[i] == nil {
			return nil, fail(r, "the schema has no such field, or it is renamed twice")
		}
	}
	for i, r := range deepestFirst {
		if err := root.attach(r.To.Segments(), moved[i]); err != nil {
			return nil, fail(r, err.Error())
		}
	}
	return root.record(), nil
}

// branchOf opens records up; deprecation is inherited, because a moved field leaves its parents.
func branchOf(t *Type, deprecated bool) *branch {
	b := &branch{below: map[string]*branch{}}
	for _, f := range t.Fields {
		if f.Type.Kind == KindRecord {
			below := branchOf(f.Type, deprecated || f.Deprecated)
			below.line = f.Line
			b.below[f.Name] = below
			continue
		}
		leaf := *f
		leaf.Deprecated = deprecated || f.Deprecated
		b.below[f.Name] = &branch{field: &leaf}
	}
	return b
}

// detach takes the branch at path out, and the records that it leaves empty; nil where there is
// none.
func (b *branch) detach(path []string) *branch {
	if len(path) == 0 || b.below[path[0]] == nil {
		return nil
	}
	next := b.below[path[0]]
	if len(path) == 1 {
		delete(b.below, path[0])
		return next
	}
	taken := next.detach(path[1:])
	if taken != nil && len(next.below) == 0 {
		delete(b.below, path[0])
	}
	return taken
}

// attach puts the branch at path. Records merge with records that are there.
func (b *branch) attach(path []string, moved *branch) error {
	if b.field != nil {
		return fmt.Errorf("%s is there already and no record", b.field.Name)
	}
	if len(path) == 0 {
		return b.absorb(moved)
	}
	if !validName(path[0]) {
		return fmt.Errorf("%q is not a valid field name", path[0])
	}
	next := b.below[path[0]]
	switch {
	case next == nil && len(path) == 1:
		b.below[path[0]] = moved
		return nil
	case next == nil:
		next = &branch{below: map[string]*branch{}}
		b.below[path[0]] = next
	case len(path) == 1 && (next.field != nil || moved.field != nil):
		return fmt.Errorf("%s is there already", path[0])
	}
	return next.attach(path[1:], moved)
}

// absorb merges the fields of a moved record into this one.
func (b *branch) absorb(moved *branch) error {
	if moved.field != nil {
		return fmt.Errorf("only a record can become the whole record")
	}
	for _, name := range slices.Sorted(maps.Keys(moved.below)) {
		if err := b.attach([]string{name}, moved.below[name]); err != nil {
			return err
		}
	}
	return nil
}

// record closes the branch into a type again.
func (b *branch) record() *Type {
	t := &Type{Kind: KindRecord}
	for _, name := range slices.Sorted(maps.Keys(b.below)) {
		below := b.below[name]
		f := &Field{Name: name}
		if below.field != nil {
			f.Type, f.Deprecated = below.field.Type, below.field.Deprecated
			f.Line = below.field.Line
		} else {
			f.Type, f.Line = below.record(), below.line
		}
		t.Fields = append(t.Fields, f)
	}
	t.seal()
	return t
}
