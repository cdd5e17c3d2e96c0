package schemas

import "slices"

// WriterSchema is a schema that data was written in. Unlike the schema of a dataset it may be
// anything that Avro allows: unions of several types, records that contain themselves, a top level
// that is no record. Data in it is read by resolving it to a dataset's schema: [NewResolution].
type WriterSchema struct {
	file        string
	root        *Type // unions are KindUnion
	fingerprint uint64
}

// ParseWriter reads any Avro schema; file is its name for messages. Errors are [SchemaError]s.
func ParseWriter(file string, text []byte) (*WriterSchema, error) {
	p := &parser{file: file, general: true, named: map[string]*Type{}, open: map[string]*Type{}}
	tree, err := parseTree(file, withoutComments(text))
	if err != nil {
		return nil, err
	}
	root, err := p.parseType(tree, place{})
	if err != nil {
		return nil, err
	}
	return &WriterSchema{file: file, root: root, fingerprint: rabin(canonicalForm(root))}, nil
}

// Writer returns the schema as one that data was written in.
func (s *Schema) Writer() *WriterSchema {
	return &WriterSchema{file: s.file, root: s.root.asWritten(), fingerprint: s.fingerprint}
}

// File returns the name that the schema was parsed under.
func (w *WriterSchema) File() string { return w.file }

// Fingerprint returns the CRC-64-AVRO of the Parsing Canonical Form.
func (w *WriterSchema) Fingerprint() uint64 { return w.fingerprint }

// asWritten makes the form of a writer's schema: what a dataset's schema notes at a type as its
// union with null becomes a union.
func (t *Type) asWritten() *Type {
	bare := *t
	bare.union, bare.Nullable = unionNone, false
	bare.minSize, bare.places, bare.depth = 0, 0, 0
	if t.Items != nil {
		bare.Items = t.Items.asWritten()
	}
	bare.Fields = slices.Clone(t.Fields)
	for i, f := range bare.Fields {
		written := *f
		written.Type = f.Type.asWritten()
		bare.Fields[i] = &written
	}
	bare.seal()
	null := &Type{Kind: KindNull}
	null.seal()
	branches := []*Type{&bare}
	switch t.union {
	case unionNone:
		return &bare
	case unionNullFirst:
		branches = []*Type{null, &bare}
	case unionNullLast:
		branches = []*Type{&bare, null}
	}
	union := &Type{Kind: KindUnion, Branches: branches}
	union.seal()
	return union
}
