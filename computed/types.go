package computed

import (
	"fmt"
	"slices"

	"selfsame/profile"
)

// Type describes one place in the events of a class, as their union schema does, or in what an
// attribute gives out. It is here because the layers let no pure package import another; whoever
// composes the union turns it into Types. Read the fields, never change them.
type Type struct {
	Kind      profile.Kind
	Single    bool    // of a floating number: of single precision, an Avro float
	Precision int     // of a decimal: digits in all
	Scale     int     // of a decimal: digits after the point
	Fields    []Field // of a record
	Items     *Type   // items of an array; of an object: it is a map of these
}

// Field is a named field of a record.
type Field struct {
	Name string
	Type *Type
}

// field returns the type of the named field of a record, nil where there is none.
func (t *Type) field(name string) *Type {
	i := slices.IndexFunc(t.Fields, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return t.Fields[i].Type
}

// record reports whether t is an object with named fields.
func (t *Type) record() bool { return t.Kind == profile.KindObject && t.Items == nil }

// String is short, for messages and fingerprints.
func (t *Type) String() string {
	switch {
	case t.Kind == profile.KindDecimal:
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	case t.Kind == profile.KindFloat && t.Single:
		return "float"
	case t.Kind == profile.KindObject && t.Items != nil:
		return "map of " + t.Items.String()
	case t.Kind == profile.KindArray && t.Items != nil:
		return "array of " + t.Items.String()
	}
	return t.Kind.String()
}

// lookup finds the type at a dotted path. at is the index of the segment that leads nowhere, -1
// where all do.
func (t *Type) lookup(segments []string) (found *Type, at int) {
	for i, segment := range segments {
		switch {
		case t.record():
			t = t.field(segment)
		case t.Kind == profile.KindObject:
			t = t.Items
		default:
			t = nil
		}
		if t == nil {
			return nil, i
		}
	}
	return t, -1
}
