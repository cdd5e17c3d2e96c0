package schemas

import (
	"encoding/binary"
	"fmt"
	"math"

	"selfsame/profile"
)

// EncodeAvro encodes a value as one record of bare Avro binary. What a nullable field lacks becomes
// null; what another lacks its default: the binary form has no way to leave it out. An integer is
// accepted where a float or double is wanted. Errors are [ViolationError]s.
func (s *Schema) EncodeAvro(v profile.Value) ([]byte, error) {
	return appendRecord(nil, s.root, v)
}

func appendValue(dst []byte, t *Type, v profile.Value) ([]byte, error) {
	if v.IsNull() {
		return appendNull(dst, t)
	}
	if t.union != unionNone {
		dst = appendLong(dst, t.union.indexOfValue())
	}
	switch t.Kind {
	case KindRecord:
		return appendRecord(dst, t, v)
	case KindArray:
		return appendArray(dst, t, v)
	case KindMap:
		return appendMap(dst, t, v)
	}
	return appendScalar(dst, t, v)
}

func appendNull(dst []byte, t *Type) ([]byte, error) {
	switch t.union {
	case unionNullFirst:
		return appendLong(dst, 0), nil
	case unionNullLast:
		return appendLong(dst, 1), nil
	}
	return dst, mismatch(t, foundMissing)
}

func appendRecord(dst []byte, t *Type, v profile.Value) ([]byte, error) {
	if v.Kind() != profile.KindObject {
		return dst, mismatch(t, v.Kind().String())
	}
	for i := range v.Len() {
		if t.Field(v.Name(i)) == nil {
			return dst, within(mismatch(t, foundUnknown), v.Name(i))
		}
	}
	var err error
	for _, f := range t.Fields {
		given := v.Field(f.Name)
		if given.IsNull() && !f.Type.Nullable {
			given = f.fallback
		}
		if dst, err = appendValue(dst, f.Type, given); err != nil {
			return dst, within(err, f.Name)
		}
	}
	return dst, nil
}

func appendArray(dst []byte, t *Type, v profile.Value) ([]byte, error) {
	if v.Kind() != profile.KindArray {
		return dst, mismatch(t, v.Kind().String())
	}
	if v.Len() > 0 {
		dst = appendLong(dst, int64(v.Len()))
	}
	var err error
	for i := range v.Len() {
		if dst, err = appendValue(dst, t.Items, v.Item(i)); err != nil {
			return dst, withinItem(err, i)
		}
	}
	return append(dst, 0), nil
}

func appendMap(dst []byte, t *Type, v profile.Value) ([]byte, error) {
	if v.Kind() != profile.KindObject {
		return dst, mismatch(t, v.Kind().String())
	}
	if v.Len() > 0 {
		dst = appendLong(dst, int64(v.Len()))
	}
	var err error
	for i := range v.Len() {
		dst = appendText(dst, v.Name(i))
		if dst, err = appendValue(dst, t.Items, v.Item(i)); err != nil {
			return dst, within(err, v.Name(i))
		}
	}
	return append(dst, 0), nil
}

func appendScalar(dst []byte, t *Type, v profile.Value) ([]byte, error) {
	widened := t.value == profile.KindFloat && v.Kind() == profile.KindInt
	if widened {
		v = profile.Float(float64(v.AsInt()))
	}
	if v.Kind() != t.value {
		return dst, mismatch(t, v.Kind().String())
	}
	switch t.Kind {
	case KindBoolean:
		if v.AsBool() {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case KindInt, KindLong:
		if n := v.AsInt(); t.Kind == KindInt && n != int64(int32(n)) {
			return dst, mismatch(t, foundOutOfRange)
		}
		return appendLong(dst, v.AsInt()), nil
	case KindFloat:
		bits := math.Float32bits(float32(v.AsFloat()))
		return binary.LittleEndian.AppendUint32(dst, bits), nil
	case KindDouble:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.AsFloat())), nil
	}
	return appendSequence(dst, t, v)
}

func appendSequence(dst []byte, t *Type, v profile.Value) ([]byte, error) {
	text := v.AsText()
	switch {
	case t.value == profile.KindDecimal:
		return appendDecimal(dst, t, text)
	case t.Kind == KindEnum:
		index, ok := t.symbols[text]
		if !ok {
			return dst, mismatch(t, "unknown symbol")
		}
		return appendLong(dst, int64(index)), nil
	case t.Kind == KindFixed:
		if len(text) != t.Size {
			return dst, mismatch(t, fmt.Sprintf("%d bytes", len(text)))
		}
		return append(dst, text...), nil
	}
	return appendText(dst, text), nil
}

func appendText(dst []byte, text string) []byte {
	return append(appendLong(dst, int64(len(text))), text...)
}

// appendLong appends a zig-zag variable-length integer.
func appendLong(dst []byte, n int64) []byte {
	return binary.AppendUvarint(dst, uint64(n)<<1^uint64(n>>63))
}
