package profile

import (
	"math"
	"sort"
)

// Kind says what a [Value] holds.
type Kind uint8

// The kinds. Their numbers are part of the on-disk format: append, never renumber.
const (
	KindNull            Kind = iota // no value; as a leaf of a fragment: unset
	KindBool                        //
	KindInt                         // int64; Avro int and long
	KindFloat                       // float64; Avro float and double
	KindString                      // UTF-8 text; also Avro enum and uuid
	KindBytes                       // Avro bytes and fixed
	KindDecimal                     // exact decimal text, such as "-12.30"
	KindDate                        // days since the Unix epoch
	KindTimeMillis                  // milliseconds since midnight
	KindTimeMicros                  // microseconds since midnight
	KindTimestampMillis             // milliseconds since the Unix epoch, an instant
	KindTimestampMicros             // microseconds since the Unix epoch, an instant
	KindTimestampNanos              // nanoseconds since the Unix epoch, an instant
	KindLocalMillis                 // milliseconds since the epoch on an unnamed wall clock
	KindLocalMicros                 // microseconds since the epoch on an unnamed wall clock
	KindLocalNanos                  // nanoseconds since the epoch on an unnamed wall clock
	KindArray                       // items in order
	KindObject                      // fields by name; Avro record and map
	kindCount
)

// String names the kind for messages.
func (k Kind) String() string {
	names := [...]string{"null", "boolean", "integer", "number", "string", "bytes", "decimal",
		"date", "time-millis", "time-micros", "timestamp-millis", "timestamp-micros",
		"timestamp-nanos", "local-timestamp-millis", "local-timestamp-micros",
		"local-timestamp-nanos", "array", "object"}
	if int(k) >= len(names) {
		return "invalid"
	}
	return names[k]
}

// Valid reports whether k is one of the kinds; decoders of stored bytes ask.
func (k Kind) Valid() bool { return k < kindCount }

// Value is one typed datum, immutable once built. The zero Value is null. It is small and passed by
// value; arrays and objects share their contents between copies.
type Value struct {
	kind Kind
	num  uint64
	text string
	tree *tree
}

// tree holds the contents of an array (items) or object (names sorted ascending, items alongside).
type tree struct {
	names []string
	items []Value
}

// Null is the absent value.
func Null() Value { return Value{} }

// Bool makes a boolean.
func Bool(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.num = 1
	}
	return v
}

// Int makes an integer.
func Int(n int64) Value { return Value{kind: KindInt, num: uint64(n)} }

// Float makes a floating-point number.
func Float(f float64) Value { return Value{kind: KindFloat, num: math.Float64bits(f)} }

// String makes a text. The caller checks that it is valid UTF-8.
func String(s string) Value { return Value{kind: KindString, text: s} }

// Bytes makes a byte string of the bytes held in s.
func Bytes(s string) Value { return Value{kind: KindBytes, text: s} }

// Decimal makes an exact decimal from its plain text: an optional minus, digits, and a point with
// exactly as many digits as the schema's scale. The caller checks the form.
func Decimal(text string) Value { return Value{kind: KindDecimal, text: text} }

// Temporal makes a date, time or timestamp: n in the unit of kind.
func Temporal(kind Kind, n int64) Value { return Value{kind: kind, num: uint64(n)} }

// Array makes an array that owns items.
func Array(items []Value) Value { return Value{kind: KindArray, tree: &tree{items: items}} }

// Object makes an object of names[i] = items[i] and owns both slices. Names are distinct; they are
// sorted here unless they already are.
func Object(names []string, items []Value) Value {
	t := &tree{names: names, items: items}
	if !sort.StringsAreSorted(names) {
		sort.Sort((*byName)(t))
	}
	return Value{kind: KindObject, tree: t}
}

// Kind says what v holds.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is the absent value.
func (v Value) IsNull() bool { return v.kind == KindNull }

// AsBool returns the boolean of a KindBool value.
func (v Value) AsBool() bool { return v.num != 0 }

// AsInt returns the number of a KindInt value or of a temporal one, in its unit.
func (v Value) AsInt() int64 { return int64(v.num) }

// AsFloat returns the number of a KindFloat value.
func (v Value) AsFloat() float64 { return math.Float64frombits(v.num) }

// AsText returns the text of a string or decimal, or the bytes of a byte string.
func (v Value) AsText() string { return v.text }

// Len returns the number of items of an array or fields of an object, 0 for everything else.
func (v Value) Len() int {
	if v.tree == nil {
		return 0
	}
	return len(v.tree.items)
}

// Item returns item i of an array, or the value of field i of an object in name order.
func (v Value) Item(i int) Value { return v.tree.items[i] }

// Name returns the name of field i of an object in name order.
func (v Value) Name(i int) string { return v.tree.names[i] }

// Field returns the value of the named field of an object; null where there is none.
func (v Value) Field(name string) Value {
	if v.kind != KindObject {
		return Value{}
	}
	i := sort.SearchStrings(v.tree.names, name)
	if i == len(v.tree.names) || v.tree.names[i] != name {
		return Value{}
	}
	return v.tree.items[i]
}

// At follows path through objects; null where a step is missing.
func (v Value) At(path Path) Value {
	var room [8]string // deeper paths need memory of their own
	for _, segment := range path.AppendSegments(room[:0]) {
		v = v.Field(segment)
	}
	return v
}

// Equal reports whether v and w hold the same datum of the same kind. NaN equals itself.
func (v Value) Equal(w Value) bool {
	if v.kind != w.kind || v.num != w.num || v.text != w.text || v.Len() != w.Len() {
		return false
	}
	for i := range v.Len() {
		if v.kind == KindObject && v.Name(i) != w.Name(i) {
			return false
		}
		if !v.Item(i).Equal(w.Item(i)) {
			return false
		}
	}
	return true
}

// UnixNano returns the instant of a timestamp value in nanoseconds since the epoch. ok is false
// for other kinds and for instants outside the int64 range of nanoseconds (years 1678 to 2261).
func (v Value) UnixNano() (ns int64, ok bool) {
	scale := int64(1)
	switch v.kind {
	case KindTimestampMillis:
		scale = 1e6
	case KindTimestampMicros:
		scale = 1e3
	case KindTimestampNanos:
	default:
		return 0, false
	}
	n := v.AsInt()
	if n > math.MaxInt64/scale || n < math.MinInt64/scale {
		return 0, false
	}
	return n * scale, true
}

// byName sorts an object's fields.
type byName tree

// Len implements sort.Interface.
func (t *byName) Len() int { return len(t.names) }

// Less implements sort.Interface.
func (t *byName) Less(i, j int) bool { return t.names[i] < t.names[j] }

// Swap implements sort.Interface.
func (t *byName) Swap(i, j int) {
	t.names[i], t.names[j] = t.names[j], t.names[i]
	t.items[i], t.items[j] = t.items[j], t.items[i]
}
