package schemas

import (
	"maps"
	"slices"
)

// ChangeKind is what became of a place of a schema.
type ChangeKind string

// The kinds of change.
const (
	ChangeAdded         ChangeKind = "added"          // a field that was not there
	ChangeRemoved       ChangeKind = "removed"        // a field that is not there any more
	ChangeWidened       ChangeKind = "widened"        // to a type that holds what the old one held
	ChangeRetyped       ChangeKind = "retyped"        // to any other type
	ChangeSymbolAdded   ChangeKind = "symbol added"   // to an enum
	ChangeSymbolRemoved ChangeKind = "symbol removed" // from an enum
	ChangeNullable      ChangeKind = "made nullable"
	ChangeNotNullable   ChangeKind = "made not nullable"
	ChangeDeprecated    ChangeKind = "deprecated"
	ChangeReinstated    ChangeKind = "no longer deprecated"
)

// Change is one difference between two schemas.
type Change struct {
	Path string // dotted, items of an array as name[], values of a map as name.*
	Kind ChangeKind
	Was  string // "" where there was nothing
	Is   string // "" where there is nothing
	// Additive: data kept under the old schema stays right under the new one, and none is lost.
	Additive bool
	// Backward: who has the new schema reads what was written with the old one. Forward: the other
	// way round. By Avro's rules for reading, but for two things: names of records, enums and
	// fixed do not count, and types that differ in their logical type do not read each other.
	Backward, Forward bool
}

// Compatibility sums changes up in the usual word: full, backward, forward or none.
func Compatibility(changes []Change) string {
	backward, forward := true, true
	for _, c := range changes {
		backward, forward = backward && c.Backward, forward && c.Forward
	}
	switch {
	case backward && forward:
		return "full"
	case backward:
		return "backward"
	case forward:
		return "forward"
	}
	return "none"
}

// Diff lists what changed between two versions of a dataset's schema, in order of path.
func Diff(old, next *Schema) []Change {
	d := differ{lossy: func(string) bool { return false }}
	d.record("", old.root, next.root)
	return d.changes
}

// DiffUnions lists what changed between two union schemas of a class, in order of path. Integers
// that become floating point are additive where a dataset of next says promote: lossy.
func DiffUnions(old, next *Union) []Change {
	lossy := map[string]bool{}
	next.root.eachLossy("", func(path string) { lossy[path] = true })
	d := differ{lossy: func(path string) bool { return lossy[path] }}
	d.record("", old.schema.root, next.schema.root)
	return d.changes
}

// eachLossy visits the places that a dataset with promote: lossy carries.
func (m *merged) eachLossy(path string, visit func(path string)) {
	if m.lossy {
		visit(path)
	}
	for _, f := range m.fields {
		f.eachLossy(joinPath(path, f.name), visit)
	}
	if m.items != nil {
		m.items.eachLossy(itemsPath(path, m.typ.Kind), visit)
	}
}

// itemsPath is where the items of an array or the values of a map are.
func itemsPath(path string, k Kind) string {
	if k == KindMap {
		return joinPath(path, "*")
	}
	return path + "[]"
}

// differ walks two schemas side by side.
type differ struct {
	lossy   func(path string) bool
	changes []Change
}

func (d *differ) add(c Change) { d.changes = append(d.changes, c) }

// record compares fields by name. Both are records.
func (d *differ) record(path string, old, next *Type) {
	names := map[string]bool{}
	for _, f := range slices.Concat(old.Fields, next.Fields) {
		names[f.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		below := joinPath(path, name)
		was, is := old.Field(name), next.Field(name)
		switch {
		case was == nil:
			d.add(Change{Path: below, Kind: ChangeAdded, Is: is.Type.level(), Additive: true,
				Backward: is.HasDefault || is.renames(old, next), Forward: true})
		case is == nil:
			d.add(Change{Path: below, Kind: ChangeRemoved, Was: was.Type.level(),
				Backward: true, Forward: was.HasDefault || was.renames(next, old)})
		default:
			d.field(below, was, is)
		}
	}
}

// renames reports whether an alias of f names a field that is in a and not in b.
func (f *Field) renames(a, b *Type) bool {
	return slices.ContainsFunc(f.Aliases, func(alias string) bool {
		return a.Field(alias) != nil && b.Field(alias) == nil
	})
}

// field compares what is there before and after. That a field becomes nullable or not is no matter
// of what is stored: the union makes every field optional.
func (d *differ) field(path string, was, is *Field) {
	d.nullable(path, was.Type, is.Type, true)
	d.value(path, was.Type, is.Type)
	if was.Deprecated != is.Deprecated {
		kind := ChangeDeprecated
		if was.Deprecated {
			kind = ChangeReinstated
		}
		d.add(Change{Path: path, Kind: kind, Was: was.Type.level(), Is: is.Type.level(),
			Additive: true, Backward: true, Forward: true})
	}
}

func (d *differ) nullable(path string, was, is *Type, field bool) {
	switch {
	case was.Nullable == is.Nullable:
	case is.Nullable:
		d.add(Change{Path: path, Kind: ChangeNullable, Was: "not", Is: "nullable",
			Additive: true, Backward: true})
	default:
		d.add(Change{Path: path, Kind: ChangeNotNullable, Was: "nullable", Is: "not",
			Additive: field, Forward: true})
	}
}

// value compares types apart from null.
func (d *differ) value(path string, was, is *Type) {
	if was.level() != is.level() {
		d.retyped(path, was, is)
		return
	}
	switch was.Kind {
	case KindRecord:
		d.record(path, was, is)
	case KindArray, KindMap:
		below := itemsPath(path, was.Kind)
		d.nullable(below, was.Items, is.Items, false)
		d.value(below, was.Items, is.Items)
	case KindEnum:
		d.symbols(path, was.Symbols, is.Symbols)
	}
}

func (d *differ) retyped(path string, was, is *Type) {
	c := Change{Path: path, Kind: ChangeRetyped, Was: was.level(), Is: is.level(),
		Backward: reads(is, was), Forward: reads(was, is)}
	exact := isInteger(was) == isInteger(is)
	if c.Backward && wider(was, is) && (exact || d.lossy(path)) {
		c.Kind, c.Additive = ChangeWidened, true
	}
	d.add(c)
}

func (d *differ) symbols(path string, was, is []string) {
	for _, symbol := range was {
		if !slices.Contains(is, symbol) {
			d.add(Change{Path: path, Kind: ChangeSymbolRemoved, Was: "enum with " + symbol,
				Is: "without", Forward: true})
		}
	}
	for _, symbol := range is {
		if !slices.Contains(was, symbol) {
			d.add(Change{Path: path, Kind: ChangeSymbolAdded, Was: "without",
				Is: "enum with " + symbol, Additive: true, Backward: true})
		}
	}
}

// reads reports whether a reader with one simple type reads what was written with another.
func reads(reader, writer *Type) bool {
	if reader.Logical != "" || writer.Logical != "" {
		return false
	}
	text := reader.Kind == KindString && writer.Kind == KindBytes ||
		reader.Kind == KindBytes && writer.Kind == KindString
	return text || wider(writer, reader)
}

// wider reports whether numbers of one type may become ones of another: int, long, float, double.
func wider(narrow, wide *Type) bool {
	number := func(k Kind) bool { return k >= KindInt && k <= KindDouble }
	return number(narrow.Kind) && number(wide.Kind) && narrow.Kind < wide.Kind
}

// level names the type at this level only.
func (t *Type) level() string {
	if t.Kind == KindArray || t.Kind == KindMap {
		return t.Kind.String()
	}
	return t.String()
}
