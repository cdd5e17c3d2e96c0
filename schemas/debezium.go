package schemas

// DebeziumEnvelope returns the schema of a change event of Debezium whose rows are in s: before,
// after, op, ts_ms and source.ts_ms, each but op nullable. What is written in the much larger
// schema of a connector resolves to it.
func DebeziumEnvelope(s *Schema) *Schema {
	row := s.root.inUnion(unionNullFirst)
	source := recordType("Source", &Field{Name: "ts_ms", Type: nullable(KindLong)})
	root := recordType("Envelope",
		&Field{Name: "before", Type: row},
		&Field{Name: "after", Type: row},
		&Field{Name: "op", Type: plain(KindString)},
		&Field{Name: "ts_ms", Type: nullable(KindLong)},
		&Field{Name: "source", Type: source.inUnion(unionNullFirst)})
	return &Schema{file: s.file, root: root, fingerprint: rabin(canonicalForm(root))}
}

func recordType(name string, fields ...*Field) *Type {
	t := &Type{Kind: KindRecord, Name: name, Fields: fields}
	t.seal()
	return t
}

func plain(k Kind) *Type {
	t := &Type{Kind: k}
	t.seal()
	return t
}

func nullable(k Kind) *Type { return plain(k).inUnion(unionNullFirst) }

// Partial returns the schema with every field of every record nullable, for data that carries a
// part of a record, such as the key of a row. It is read by resolving to it, never directly.
func (s *Schema) Partial() *Schema {
	root := s.root.partial()
	return &Schema{file: s.file, root: root, fingerprint: rabin(canonicalForm(root))}
}

func (t *Type) partial() *Type {
	if t.Kind != KindRecord {
		return t
	}
	fields := make([]*Field, len(t.Fields))
	for i, f := range t.Fields {
		field := *f
		field.Type = f.Type.partial()
		if field.Type.union == unionNone || field.Type.union == unionSingle {
			field.Type = field.Type.inUnion(unionNullFirst)
		}
		fields[i] = &field
	}
	partial := recordType(t.Name, fields...)
	partial.Aliases = t.Aliases
	if t.union != unionNone {
		return partial.inUnion(unionNullFirst)
	}
	return partial
}
