package schemas

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"unicode/utf8"

	"selfsame/profile"
)

// maxEmptyItems bounds, per record, the array items that take no bytes (records without fields),
// which the size of the record does not bound.
const maxEmptyItems = 1 << 16

// firstItems is how many items are allocated on the word of a block count; more grow as they come.
const firstItems = 1024

// DecodeAvro decodes one record of bare Avro binary. The result is an object; a null is no entry.
// Errors are [MalformedError] or [ViolationError].
func (s *Schema) DecodeAvro(data []byte) (profile.Value, error) {
	r := takeAvroReader(&s.avroReaders, data)
	v, err := r.record(s.root)
	return r.finish(&s.avroReaders, v, err)
}

// avroReader reads Avro binary.
type avroReader struct {
	frames
	data  []byte
	at    int
	empty int // what is left of maxEmptyItems
	depth int // levels of what is being skipped
}

func takeAvroReader(pool *sync.Pool, data []byte) *avroReader {
	r, ok := pool.Get().(*avroReader)
	if !ok {
		r = &avroReader{}
	}
	r.data, r.at, r.empty, r.depth = data, 0, maxEmptyItems, 0
	return r
}

// finish gives the reader back, and refuses bytes that are left over.
func (r *avroReader) finish(
	pool *sync.Pool, v profile.Value, err error,
) (profile.Value, error) {
	if err == nil && r.at < len(r.data) {
		v, err = profile.Value{}, r.malformed("bytes after the record")
	}
	r.release()
	r.data = nil
	pool.Put(r)
	return v, err
}

func (r *avroReader) malformed(reason string) error {
	return &MalformedError{Offset: int64(r.at), Reason: reason}
}

func (r *avroReader) record(t *Type) (profile.Value, error) {
	base := r.open(len(t.Fields))
	for i, f := range t.Fields {
		v, err := r.value(f.Type)
		if err != nil {
			return profile.Value{}, within(err, f.Name)
		}
		if !v.IsNull() {
			r.slots[base+t.plan.slots[i]] = slot{v, true}
		}
	}
	return r.pack(t.plan, base), nil
}

func (r *avroReader) value(t *Type) (profile.Value, error) {
	if t.union != unionNone {
		null, err := r.isNull(t.union)
		if null || err != nil {
			return profile.Value{}, err
		}
	}
	switch t.Kind {
	case KindRecord:
		return r.record(t)
	case KindArray:
		return r.array(t)
	case KindMap:
		return r.mapping(t)
	}
	return r.scalar(t)
}

func (r *avroReader) isNull(form unionForm) (bool, error) {
	index, err := r.long()
	if err != nil {
		return false, err
	}
	branches := int64(2)
	if form == unionSingle {
		branches = 1
	}
	if index < 0 || index >= branches {
		return false, r.malformed("no such branch of a union")
	}
	return index != form.indexOfValue(), nil
}

func (r *avroReader) array(t *Type) (profile.Value, error) {
	var items []profile.Value
	for {
		count, err := r.blockCount(t.Items.minSize)
		if err != nil || count == 0 {
			return arrayOf(items, err)
		}
		items = slices.Grow(items, min(count, firstItems))
		for range count {
			v, err := r.value(t.Items)
			if err != nil {
				return profile.Value{}, withinItem(err, len(items))
			}
			items = append(items, v)
		}
	}
}

func arrayOf(items []profile.Value, err error) (profile.Value, error) {
	if err != nil {
		return profile.Value{}, err
	}
	return profile.Array(items), nil
}

func (r *avroReader) mapping(t *Type) (profile.Value, error) {
	var names []string
	var items []profile.Value
	nulls := false
	for {
		count, err := r.blockCount(1 + t.Items.minSize)
		if err != nil {
			return profile.Value{}, err
		}
		if count == 0 {
			return r.packMap(names, items, nulls)
		}
		names = slices.Grow(names, min(count, firstItems))
		items = slices.Grow(items, min(count, firstItems))
		for range count {
			name, err := r.text()
			if err != nil {
				return profile.Value{}, err
			}
			v, err := r.value(t.Items)
			if err != nil {
				return v, within(err, name)
			}
			nulls = nulls || v.IsNull()
			names, items = append(names, name), append(items, v)
		}
	}
}

// packMap drops the keys whose value is null, but not before duplicates have been looked for.
func (r *avroReader) packMap(
	names []string, items []profile.Value, nulls bool,
) (profile.Value, error) {
	v, ok := packMap(names, items)
	if !ok {
		return v, r.malformed("a map has a key twice")
	}
	if !nulls {
		return v, nil
	}
	return withoutNulls(v), nil
}

func withoutNulls(object profile.Value) profile.Value {
	var names []string
	var items []profile.Value
	for i := range object.Len() {
		if item := object.Item(i); !item.IsNull() {
			names, items = append(names, object.Name(i)), append(items, item)
		}
	}
	return profile.Object(names, items)
}

func (r *avroReader) scalar(t *Type) (profile.Value, error) {
	switch t.Kind {
	case KindInt, KindLong:
		return r.integer(t)
	case KindString:
		return r.string(t)
	case KindBytes, KindFixed:
		return r.bytes(t)
	case KindEnum:
		index, err := r.long()
		if err != nil {
			return profile.Value{}, err
		}
		if index < 0 || index >= int64(len(t.Symbols)) {
			return profile.Value{}, r.malformed("no such symbol of an enum")
		}
		return profile.String(t.Symbols[index]), nil
	}
	raw, err := r.take(int64(minSize(t.Kind, t.Size)))
	if err != nil {
		return profile.Value{}, err
	}
	switch t.Kind {
	case KindFloat:
		bits := binary.LittleEndian.Uint32(raw)
		return profile.Float(float64(math.Float32frombits(bits))), nil
	case KindDouble:
		return profile.Float(math.Float64frombits(binary.LittleEndian.Uint64(raw))), nil
	}
	if raw[0] > 1 {
		return profile.Value{}, r.malformed("a boolean is neither 0 nor 1")
	}
	return profile.Bool(raw[0] == 1), nil
}

func (r *avroReader) integer(t *Type) (profile.Value, error) {
	n, err := r.long()
	if err != nil {
		return profile.Value{}, err
	}
	if t.Kind == KindInt && n != int64(int32(n)) {
		return profile.Value{}, r.malformed("an int has more than 32 bits")
	}
	return integerValue(t, n)
}

func (r *avroReader) string(t *Type) (profile.Value, error) {
	raw, err := r.chunk()
	if err != nil {
		return profile.Value{}, err
	}
	if !utf8.Valid(raw) {
		return profile.Value{}, r.malformed("a string is not UTF-8")
	}
	if t.Logical == logicalUUID {
		return uuidValue(t, raw)
	}
	return profile.String(string(raw)), nil
}

func (r *avroReader) text() (string, error) {
	raw, err := r.chunk()
	if err != nil {
		return "", err
	}
	if !utf8.Valid(raw) {
		return "", r.malformed("a map key is not UTF-8")
	}
	return string(raw), nil
}

func (r *avroReader) bytes(t *Type) (profile.Value, error) {
	var raw []byte
	var err error
	if t.Kind == KindFixed {
		raw, err = r.take(int64(t.Size))
	} else {
		raw, err = r.chunk()
	}
	switch {
	case err != nil:
		return profile.Value{}, err
	case t.value == profile.KindDecimal:
		return decimalFromBinary(t, raw)
	}
	return profile.Bytes(string(raw)), nil
}
