package schemas

import (
	"fmt"
	"slices"
	"strings"

	"selfsame/profile"
)

// Type is the schema of one place in a record. Read its fields, never change them.
type Type struct {
	Kind      Kind
	Logical   string   // the logical type, "" without one or with one that does not apply
	Precision int      // of a decimal: digits in all
	Scale     int      // of a decimal: digits after the point
	Name      string   // full name of a record, enum or fixed
	Fields    []*Field // of a record, in the order of the schema
	Items     *Type    // items of an array, values of a map
	Symbols   []string // of an enum
	Default   string   // of an enum: the symbol for those that a reader does not know, "" without
	Aliases   []string // other names of a record, enum or fixed, as given
	Branches  []*Type  // of a union, in a writer's schema only
	Size      int      // of a fixed, in bytes
	Nullable  bool     // a union with null

	value   profile.Kind   // what the decoder makes of it
	union   unionForm      // how the binary encoding wraps it
	plan    *recordPlan    // of a record
	symbols map[string]int // of an enum: index by symbol
	minSize int            // fewest bytes that the binary encoding can take
	places  int            // fields at and below, named types counted at every use
	depth   int            // levels at and below
}

// Field is one field of a record.
type Field struct {
	Name       string
	Type       *Type
	HasDefault bool
	Deprecated bool // "deprecated": true
	Aliases    []string
	Doc        string
	Line       int // of its name in the schema's text, from 1

	identity *identity
	fallback profile.Value // its default, null where there is none or it is null
}

// Required reports whether every complete record must carry the field.
func (f *Field) Required() bool { return !f.Type.Nullable && !f.HasDefault }

// identity is the property that marks a field as one.
type identity struct {
	namespace string
	primary   bool
	line      int
}

// Kind is the kind of an Avro type. In the schema of a dataset null is none: it is [Type.Nullable]
// of another type.
type Kind uint8

// The kinds.
const (
	KindRecord Kind = iota
	KindMap
	KindArray
	KindEnum
	KindFixed
	KindString
	KindBytes
	KindInt
	KindLong
	KindFloat
	KindDouble
	KindBoolean
	KindNull  // in a writer's schema only
	KindUnion // in a writer's schema only
)

// String gives Avro's name of the kind.
func (k Kind) String() string {
	names := [...]string{"record", "map", "array", "enum", "fixed", "string", "bytes", "int",
		"long", "float", "double", "boolean", "null", "union"}
	return names[k]
}

// primitive finds the kind of a primitive type by its Avro name.
func primitive(name string) (k Kind, ok bool) {
	for k = KindString; k <= KindBoolean; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// unionForm says which union index the binary encoding puts before a value.
type unionForm uint8

const (
	unionNone      unionForm = iota // no union: no index
	unionNullFirst                  // ["null", T]
	unionNullLast                   // [T, "null"]
	unionSingle                     // [T]
)

// indexOfValue is the union index of a value that is not null.
func (u unionForm) indexOfValue() int64 {
	if u == unionNullFirst {
		return 1
	}
	return 0
}

// recordPlan says where a decoder puts each field: profile objects are sorted by name.
type recordPlan struct {
	names  []string       // sorted
	fields []*Field       // alongside names
	slots  []int          // of the fields in schema order: index into names
	index  map[string]int // into names
}

func planRecord(fields []*Field) *recordPlan {
	plan := &recordPlan{slots: make([]int, len(fields)), index: make(map[string]int, len(fields))}
	for _, f := range fields {
		plan.names = append(plan.names, f.Name)
	}
	slices.Sort(plan.names)
	plan.fields = make([]*Field, len(fields))
	for i, name := range plan.names {
		plan.index[name] = i
	}
	for i, f := range fields {
		plan.slots[i] = plan.index[f.Name]
		plan.fields[plan.slots[i]] = f
	}
	return plan
}

// ValueKind says which kind of value the decoders make of the type.
func (t *Type) ValueKind() profile.Kind { return t.value }

// Field returns the named field of a record, nil where there is none.
func (t *Type) Field(name string) *Field {
	if t.plan == nil {
		return nil
	}
	if i, ok := t.plan.index[name]; ok {
		return t.plan.fields[i]
	}
	return nil
}

// String is short, for messages: "long", "decimal(9,2)", "array of string", "record".
func (t *Type) String() string {
	switch {
	case t.Logical == logicalDecimal && t.Kind == KindFixed:
		return fmt.Sprintf("decimal(%d,%d) in fixed(%d)", t.Precision, t.Scale, t.Size)
	case t.Logical == logicalDecimal:
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	case t.Logical != "":
		return t.Logical
	case t.Kind == KindFixed:
		return fmt.Sprintf("fixed(%d)", t.Size)
	case t.Kind == KindArray || t.Kind == KindMap:
		return t.Kind.String() + " of " + t.Items.String()
	case t.Kind == KindUnion:
		return "union of " + t.branchNames()
	}
	return t.Kind.String()
}

func (t *Type) branchNames() string {
	names := make([]string, len(t.Branches))
	for i, branch := range t.Branches {
		names[i] = branch.String()
	}
	return strings.Join(names, ", ")
}

// seal derives the unexported fields once the exported ones are complete.
func (t *Type) seal() {
	t.value = valueKind(t.Kind, t.Logical)
	t.depth = 1
	switch t.Kind {
	case KindRecord:
		t.plan = planRecord(t.Fields)
		for _, f := range t.Fields {
			t.minSize = saturate(t.minSize + f.Type.minSize)
			t.places = saturate(t.places + 1 + f.Type.places)
			t.depth = max(t.depth, 1+f.Type.depth)
		}
		return
	case KindArray, KindMap:
		t.places, t.depth = t.Items.places, 1+t.Items.depth
	case KindUnion:
		for _, branch := range t.Branches {
			t.places = saturate(t.places + branch.places)
			t.depth = max(t.depth, branch.depth)
		}
	case KindEnum:
		t.symbols = make(map[string]int, len(t.Symbols))
		for i, symbol := range t.Symbols {
			t.symbols[symbol] = i
		}
	}
	t.minSize = minSize(t.Kind, t.Size)
}

// inUnion returns the type as the value branch of a union. Named types are shared between places,
// hence the copy.
func (t *Type) inUnion(form unionForm) *Type {
	wrapped := *t
	wrapped.union = form
	wrapped.Nullable = form != unionSingle
	wrapped.minSize = saturate(1 + t.minSize)
	if wrapped.Nullable {
		wrapped.minSize = 1
	}
	return &wrapped
}

func minSize(k Kind, size int) int {
	switch k {
	case KindNull:
		return 0
	case KindFixed:
		return size
	case KindFloat:
		return 4
	case KindDouble:
		return 8
	}
	return 1
}

// saturate keeps sums over shared named types, which may grow exponentially, within range.
func saturate(n int) int { return min(n, 1<<40) }
