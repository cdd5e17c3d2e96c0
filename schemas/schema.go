package schemas

import (
	"fmt"
	"sync"

	"selfsame/profile"
)

// Schema is an Avro record schema, compiled once.
type Schema struct {
	file        string
	text        []byte // that it was parsed from
	root        *Type
	marks       []Mark
	fingerprint uint64

	jsonReaders sync.Pool // of *jsonReader
	avroReaders sync.Pool // of *avroReader
}

// Mark is a field that its schema declares an identity.
type Mark struct {
	Path      profile.Path
	Namespace string
	Primary   bool
}

// The limits of a schema. Named types count at every use.
const (
	maxPlaces = 1 << 16 // fields in all
	maxDepth  = 64      // levels of records, maps and arrays
)

// Parse reads an Avro record schema; file is its name for messages. Errors are [SchemaError]s.
func Parse(file string, text []byte) (*Schema, error) {
	p := &parser{file: file, named: map[string]*Type{}, open: map[string]*Type{}}
	tree, err := parseTree(file, text)
	if err != nil {
		return nil, err
	}
	root, err := p.parseType(tree, place{})
	if err != nil {
		return nil, err
	}
	if root.Kind != KindRecord || root.union != unionNone {
		return nil, p.fail(tree, place{}, "the top level of a schema must be a record")
	}
	if err := secondOpinion(text, root); err != nil {
		return nil, p.fail(nil, place{}, "%s", err)
	}
	s := &Schema{file: file, text: text, root: root, fingerprint: rabin(canonicalForm(root))}
	if err := s.collectMarks(root, "", false); err != nil {
		return nil, err
	}
	return s, s.checkMarks()
}

// Root returns the type of the whole record.
func (s *Schema) Root() *Type { return s.root }

// Text returns what the schema was parsed from. The caller does not change it.
func (s *Schema) Text() []byte { return s.text }

// File returns the name that the schema was parsed under.
func (s *Schema) File() string { return s.file }

// Fingerprint returns the CRC-64-AVRO of the Parsing Canonical Form, as the single-object encoding
// carries it.
func (s *Schema) Fingerprint() uint64 { return s.fingerprint }

// Marks returns the identity fields that the schema itself declares, in schema order.
func (s *Schema) Marks() []Mark { return s.marks }

// Lookup finds the type at a path: through records by field, through maps by any key.
func (s *Schema) Lookup(p profile.Path) (*Type, bool) {
	t := s.root
	for _, segment := range p.Segments() {
		switch t.Kind {
		case KindRecord:
			f := t.Field(segment)
			if f == nil {
				return nil, false
			}
			t = f.Type
		case KindMap:
			t = t.Items
		default:
			return nil, false
		}
	}
	return t, true
}

// collectMarks walks the tree; hidden is set inside arrays and maps, where a mark has no path.
func (s *Schema) collectMarks(t *Type, at profile.Path, hidden bool) error {
	if t.Items != nil {
		return s.collectMarks(t.Items, at, true)
	}
	for _, f := range t.Fields {
		path := at.Child(f.Name)
		if err := s.collectMarks(f.Type, path, hidden); err != nil {
			return err
		}
		if f.identity == nil {
			continue
		}
		if err := s.addMark(f, path, hidden); err != nil {
			return err
		}
	}
	return nil
}

func (s *Schema) addMark(f *Field, path profile.Path, hidden bool) error {
	fault := SchemaError{File: s.file, Line: f.identity.line, Path: path.String()}
	switch {
	case hidden:
		fault.Reason = "an identity cannot be marked inside an array or a map"
		return &fault
	case f.Type.value != profile.KindString && f.Type.value != profile.KindInt:
		fault.Reason = fmt.Sprintf("an identity must be a string, int or long, not %s", f.Type)
		return &fault
	}
	mark := Mark{Path: path, Namespace: f.identity.namespace, Primary: f.identity.primary}
	s.marks = append(s.marks, mark)
	return nil
}

func (s *Schema) checkMarks() error {
	var primary profile.Path
	for _, m := range s.marks {
		if m.Primary && primary != "" {
			return &SchemaError{File: s.file, Path: m.Path.String(),
				Reason: fmt.Sprintf("a second primary identity besides %s", primary)}
		}
		if m.Primary {
			primary = m.Path
		}
	}
	return nil
}
