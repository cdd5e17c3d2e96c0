package schemas

import (
	"unicode/utf8"

	"selfsame/profile"
)

// Decode decodes one record of bare Avro binary, written in the writer's schema. The result is an
// object of the reader's schema; a null is no entry. Errors are [MalformedError] or
// [ViolationError]; paths are the reader's.
func (r *Resolution) Decode(data []byte) (profile.Value, error) {
	reader := takeAvroReader(&r.readers, data)
	v, err := reader.resolved(r.root)
	return reader.finish(&r.readers, v, err)
}

// resolved reads one place as its step says.
func (r *avroReader) resolved(s *step) (profile.Value, error) {
	if s.writer.Kind == KindUnion {
		index, err := r.index(len(s.branches), "branch of a union")
		if err != nil {
			return profile.Value{}, err
		}
		s = s.branches[index]
	}
	switch {
	case s.fault != "":
		return profile.Value{}, mismatch(s.reader, s.fault)
	case s.writer.Kind == KindNull:
		return profile.Value{}, nil
	}
	switch s.writer.Kind {
	case KindRecord:
		return r.resolvedRecord(s)
	case KindArray:
		return r.resolvedArray(s)
	case KindMap:
		return r.resolvedMap(s)
	case KindEnum:
		return r.resolvedEnum(s)
	case s.reader.Kind:
		return r.scalar(s.reader)
	}
	return r.promoted(s.writer, s.reader)
}

// index reads the number of one of count things.
func (r *avroReader) index(count int, what string) (int64, error) {
	index, err := r.long()
	if err == nil && (index < 0 || index >= int64(count)) {
		err = r.malformed("no such " + what)
	}
	return index, err
}

func (r *avroReader) resolvedRecord(s *step) (profile.Value, error) {
	base := r.open(len(s.reader.Fields))
	for i := range s.fields {
		f := &s.fields[i]
		if f.step == nil {
			if err := r.skip(f.writer); err != nil {
				return profile.Value{}, within(err, f.name)
			}
			continue
		}
		v, err := r.resolved(f.step)
		if err != nil {
			return profile.Value{}, within(err, f.name)
		}
		if !v.IsNull() {
			r.slots[base+f.slot] = slot{v, true}
		}
	}
	return r.pack(s.reader.plan, base), nil
}

func (r *avroReader) resolvedArray(s *step) (profile.Value, error) {
	var items []profile.Value
	for {
		count, err := r.blockCount(s.writer.Items.minSize)
		if err != nil || count == 0 {
			return arrayOf(items, err)
		}
		for range count {
			v, err := r.resolved(s.items)
			if err != nil {
				return profile.Value{}, withinItem(err, len(items))
			}
			items = append(items, v)
		}
	}
}

func (r *avroReader) resolvedMap(s *step) (profile.Value, error) {
	var names []string
	var items []profile.Value
	nulls := false
	for {
		count, err := r.blockCount(1 + s.writer.Items.minSize)
		if err != nil {
			return profile.Value{}, err
		}
		if count == 0 {
			return r.packMap(names, items, nulls)
		}
		for range count {
			name, err := r.text()
			if err != nil {
				return profile.Value{}, err
			}
			v, err := r.resolved(s.items)
			if err != nil {
				return v, within(err, name)
			}
			nulls = nulls || v.IsNull()
			names, items = append(names, name), append(items, v)
		}
	}
}

func (r *avroReader) resolvedEnum(s *step) (profile.Value, error) {
	index, err := r.index(len(s.symbols), "symbol of an enum")
	if err != nil {
		return profile.Value{}, err
	}
	if s.symbols[index].IsNull() {
		return profile.Value{}, mismatch(s.reader, "unknown symbol")
	}
	return s.symbols[index], nil
}

// promoted reads a scalar of one kind as one of another.
func (r *avroReader) promoted(w, as *Type) (profile.Value, error) {
	switch w.Kind {
	case KindInt, KindLong:
		n, err := r.long()
		switch {
		case err != nil:
			return profile.Value{}, err
		case w.Kind == KindInt && n != int64(int32(n)):
			return profile.Value{}, r.malformed("an int has more than 32 bits")
		case as.Kind == KindFloat:
			return profile.Float(float64(float32(n))), nil
		case as.Kind == KindDouble:
			return profile.Float(float64(n)), nil
		}
		return integerValue(as, n)
	case KindFloat:
		return r.scalar(w)
	}
	raw, err := r.chunk()
	switch {
	case err != nil:
		return profile.Value{}, err
	case as.Kind == KindBytes && !utf8.Valid(raw):
		return profile.Value{}, r.malformed("a string is not UTF-8")
	case as.Kind == KindBytes:
		return profile.Bytes(string(raw)), nil
	case !utf8.Valid(raw):
		return profile.Value{}, mismatch(as, "bytes that are not UTF-8")
	}
	return stringValue(as, raw)
}

// maxSkipDepth bounds how deep records that contain themselves are followed.
const maxSkipDepth = 1000

// skip passes over a value of a writer's type, and sees to it that it is one.
func (r *avroReader) skip(t *Type) error {
	if r.depth++; r.depth > maxSkipDepth {
		return r.malformed("nested too deep")
	}
	defer func() { r.depth-- }()
	switch t.Kind {
	case KindNull:
		return nil
	case KindUnion:
		index, err := r.index(len(t.Branches), "branch of a union")
		if err != nil {
			return err
		}
		return r.skip(t.Branches[index])
	case KindRecord:
		for _, f := range t.Fields {
			if err := r.skip(f.Type); err != nil {
				return err
			}
		}
		return nil
	case KindArray, KindMap:
		return r.skipItems(t)
	}
	return r.skipScalar(t)
}

func (r *avroReader) skipItems(t *Type) error {
	least := t.Items.minSize
	if t.Kind == KindMap {
		least++
	}
	for {
		count, err := r.blockCount(least)
		if err != nil || count == 0 {
			return err
		}
		for range count {
			if err := r.skipItem(t); err != nil {
				return err
			}
		}
	}
}

func (r *avroReader) skipItem(t *Type) error {
	if t.Kind == KindMap {
		if _, err := r.text(); err != nil {
			return err
		}
	}
	return r.skip(t.Items)
}

func (r *avroReader) skipScalar(t *Type) error {
	switch t.Kind {
	case KindString:
		_, err := r.text()
		return err
	case KindBytes:
		_, err := r.chunk()
		return err
	case KindInt, KindLong:
		n, err := r.long()
		if err == nil && t.Kind == KindInt && n != int64(int32(n)) {
			err = r.malformed("an int has more than 32 bits")
		}
		return err
	case KindEnum:
		_, err := r.index(len(t.Symbols), "symbol of an enum")
		return err
	case KindBoolean:
		_, err := r.scalar(t)
		return err
	}
	_, err := r.take(int64(minSize(t.Kind, t.Size)))
	return err
}
