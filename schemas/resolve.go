package schemas

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"selfsame/profile"
)

// Resolution reads data in a writer's schema as values of a dataset's schema, the reader's, by
// Avro's rules of schema resolution. It is compiled once per pair of schemas and safe for
// concurrent use.
//
//   - Fields are found by name, else by the aliases of the reader's field. What only the writer has
//     is skipped. What only the reader has is not given: it must be nullable or have a default, and
//     the default is not filled in.
//   - int becomes long, float and double, long becomes float and double, float becomes double;
//     string and bytes become each other.
//   - The names of enums and fixed must agree, without their namespaces, or be aliases of the
//     reader's. A symbol that the reader does not know becomes its default, else the record is
//     refused. The names of records count only where a union of the writer has several of them.
//   - Unions: each branch of the writer is resolved on its own; a record whose branch does not
//     resolve is refused, not the schema.
//   - Logical types must be the same, or one of the two has none; decimals agree in scale, and the
//     reader's precision is not smaller.
type Resolution struct {
	root    *step
	readers sync.Pool // of *avroReader
}

// step reads one place: what is written as writer becomes a value of reader.
type step struct {
	writer, reader *Type
	fault          string          // what is found here does not resolve; "": it does
	fields         []fieldStep     // of a record, in the writer's order
	items          *step           // of an array or map
	symbols        []profile.Value // of an enum by the writer's index; null where unknown
	branches       []*step         // of a union
}

// fieldStep is a field of the writer; step is nil where the reader does not have it.
type fieldStep struct {
	name   string
	writer *Type
	step   *step
	slot   int
}

// NewResolution compiles the way from a writer's schema to a reader's. Errors are
// [ResolutionError]s.
func NewResolution(writer *WriterSchema, reader *Schema) (*Resolution, error) {
	c := &resolver{known: map[[2]*Type]compiled{}}
	root, err := c.resolve(writer.root, reader.root, "")
	if err != nil {
		return nil, err
	}
	return &Resolution{root: root}, nil
}

// resolver compiles. A pair of types is compiled once, wherever it occurs: the types of a writer
// may lead to themselves, and named types may meet very often.
type resolver struct {
	known map[[2]*Type]compiled
}

// compiled is what became of a pair of types.
type compiled struct {
	step *step
	err  error
}

func (c *resolver) resolve(w, r *Type, path string) (*step, error) {
	pair := [2]*Type{w, r}
	if done, ok := c.known[pair]; ok {
		return done.step, done.err
	}
	s := &step{writer: w, reader: r}
	var err error
	if w.Kind == KindUnion {
		err = c.union(s, path)
	} else {
		err = c.plain(s, path)
	}
	if err != nil {
		s = nil
	}
	c.known[pair] = compiled{s, err}
	return s, err
}

// union resolves the branches one by one. One that holds a value must resolve.
func (c *resolver) union(s *step, path string) error {
	records := 0
	for _, branch := range s.writer.Branches {
		if branch.Kind == KindRecord {
			records++
		}
	}
	var first error
	resolved := false
	for _, branch := range s.writer.Branches {
		one, err := c.branch(branch, s.reader, path, records > 1)
		if err != nil {
			one = &step{writer: branch, reader: s.reader, fault: branch.String()}
			if first == nil && branch.Kind != KindNull {
				first = err
			}
		}
		resolved = resolved || err == nil && branch.Kind != KindNull
		s.branches = append(s.branches, one)
	}
	if !resolved && first != nil {
		return first
	}
	return nil
}

func (c *resolver) branch(w, r *Type, path string, byName bool) (*step, error) {
	if byName && w.Kind == KindRecord && !sameName(w, r) {
		return nil, &ResolutionError{path, "there is no record " + w.Name}
	}
	return c.resolve(w, r, path)
}

// plain resolves what is no union.
func (c *resolver) plain(s *step, path string) error {
	w, r := s.writer, s.reader
	if w.Kind == KindNull && r.Nullable {
		return nil
	}
	if reason := refusal(w, r); reason != "" {
		return &ResolutionError{path, reason}
	}
	var err error
	switch r.Kind {
	case KindRecord:
		return c.record(s, path)
	case KindArray:
		s.items, err = c.resolve(w.Items, r.Items, path+"[]")
	case KindMap:
		s.items, err = c.resolve(w.Items, r.Items, joinPath(path, "*"))
	case KindEnum:
		s.symbols = make([]profile.Value, len(w.Symbols))
		for i, symbol := range w.Symbols {
			if _, known := r.symbols[symbol]; !known {
				symbol = r.Default
			}
			if symbol != "" {
				s.symbols[i] = profile.String(symbol)
			}
		}
	}
	return err
}

func (c *resolver) record(s *step, path string) error {
	sources := map[string]*Field{} // of the reader's fields, by the name of the writer's
	for _, f := range s.reader.Fields {
		source := sourceOf(s.writer, s.reader, f)
		if source == "" && f.Required() {
			return &ResolutionError{joinPath(path, f.Name),
				"the writer has no such field, and there is no default"}
		}
		if other := sources[source]; source != "" && other != nil {
			return &ResolutionError{joinPath(path, f.Name),
				fmt.Sprintf("field %s of the writer goes to %s already", source, other.Name)}
		}
		sources[source] = f
	}
	for _, f := range s.writer.Fields {
		field := fieldStep{name: f.Name, writer: f.Type}
		if target := sources[f.Name]; target != nil {
			var err error
			field.step, err = c.resolve(f.Type, target.Type, joinPath(path, target.Name))
			if err != nil {
				return err
			}
			field.name, field.slot = target.Name, s.reader.plan.index[target.Name]
		}
		s.fields = append(s.fields, field)
	}
	return nil
}

// sourceOf names the field of the writer that a field of the reader is read from: the one of its
// name, else the first of its aliases that no other field of the reader has as its name.
func sourceOf(w, r *Type, f *Field) string {
	if w.Field(f.Name) != nil {
		return f.Name
	}
	for _, alias := range f.Aliases {
		if w.Field(alias) != nil && r.Field(alias) == nil {
			return alias
		}
	}
	return ""
}

// refusal says why one type can never be read as the other, "" where it can.
func refusal(w, r *Type) string {
	plain := fmt.Sprintf("%s cannot be read as %s", w, r)
	switch {
	case !promotes(w.Kind, r.Kind):
		return plain
	case w.Logical != "" && r.Logical != "" && w.Logical != r.Logical:
		return plain
	case (w.Logical == logicalDecimal || r.Logical == logicalDecimal) && w.Kind != r.Kind:
		return plain // the digits of a decimal are no text
	case w.Logical == logicalDecimal && r.Logical == logicalDecimal &&
		(w.Scale != r.Scale || w.Precision > r.Precision):
		return plain
	case (r.Kind == KindEnum || r.Kind == KindFixed) && !sameName(w, r):
		return fmt.Sprintf("%s %s is not called %s, nor is that an alias", r.Kind, r.Name, w.Name)
	case r.Kind == KindFixed && w.Size != r.Size:
		return plain
	}
	return ""
}

// promotes reports whether what is written as one kind can be read as another.
func promotes(w, r Kind) bool {
	switch w {
	case r:
		return true
	case KindInt:
		return r == KindLong || r == KindFloat || r == KindDouble
	case KindLong:
		return r == KindFloat || r == KindDouble
	case KindFloat:
		return r == KindDouble
	case KindString:
		return r == KindBytes
	case KindBytes:
		return r == KindString
	}
	return false
}

// sameName reports whether the reader's named type has the writer's name, or has it as an alias.
func sameName(w, r *Type) bool {
	return w.Kind == r.Kind &&
		slices.ContainsFunc(append([]string{r.Name}, r.Aliases...), func(name string) bool {
			return unqualified(name) == unqualified(w.Name)
		})
}

func unqualified(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
