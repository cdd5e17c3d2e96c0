package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"selfsame/profile"
)

// Every value starts with the version of its row's encoding. Most rows know one; those that have
// changed since are written in the second only where the first cannot say it.
const (
	rowVersion      = 1
	rowVersionGrown = 2
)

// maxValueDepth bounds the nesting of a stored value; schemas bound it far lower.
const maxValueDepth = 200

var errCorrupt = errors.New("corrupt row")

// encoder appends the parts of a row. The first error sticks.
type encoder struct {
	dict *dictionary
	buf  []byte
	err  error
}

// start begins a row in the memory of the one before.
func (e *encoder) start() { e.buf = append(e.buf[:0], rowVersion) }

// grow marks the row as one of the second version.
func (e *encoder) grow() { e.buf[0] = rowVersionGrown }

// done returns the row, good until the next start.
func (e *encoder) done() ([]byte, error) { return e.buf, e.err }

func (e *encoder) byte(b byte)       { e.buf = append(e.buf, b) }
func (e *encoder) uint(n uint64)     { e.buf = binary.AppendUvarint(e.buf, n) }
func (e *encoder) int(n int64)       { e.buf = binary.AppendVarint(e.buf, n) }
func (e *encoder) raw(b []byte)      { e.buf = append(e.buf, b...) }
func (e *encoder) id(id profile.ID)  { e.raw(id[:]) }
func (e *encoder) text(s string)     { e.uint(uint64(len(s))); e.buf = append(e.buf, s...) }
func (e *encoder) bytes(b []byte)    { e.uint(uint64(len(b))); e.raw(b) }
func (e *encoder) fixed64(n uint64)  { e.buf = binary.LittleEndian.AppendUint64(e.buf, n) }
func (e *encoder) count(n int)       { e.uint(uint64(n)) }
func (e *encoder) nullable(b []byte) { e.flag(b != nil); e.bytes(b) }

func (e *encoder) flag(b bool) {
	if b {
		e.byte(1)
		return
	}
	e.byte(0)
}

func (e *encoder) name(name string) {
	n, err := e.dict.number(name)
	if err != nil && e.err == nil {
		e.err = err
	}
	e.uint(uint64(n))
}

func (e *encoder) names(names []string) {
	e.count(len(names))
	for _, name := range names {
		e.name(name)
	}
}

func (e *encoder) identity(id profile.Identity) {
	e.name(id.Namespace)
	e.text(id.Value)
}

func (e *encoder) optionalIdentity(id profile.Identity) {
	e.flag(!id.IsZero())
	if !id.IsZero() {
		e.identity(id)
	}
}

func (e *encoder) position(p profile.Position) {
	e.name(p.Topic)
	e.uint(uint64(uint32(p.Partition)))
	e.int(p.Offset)
}

// stamp writes an absent stamp as a single zero byte.
func (e *encoder) stamp(s profile.Stamp) {
	e.flag(!s.IsZero())
	if s.IsZero() {
		return
	}
	e.int(s.Time)
	e.int(s.Sequence)
	e.position(s.Pos)
}

func (e *encoder) value(v profile.Value) {
	e.byte(byte(v.Kind()))
	switch v.Kind() {
	case profile.KindNull:
	case profile.KindBool:
		e.flag(v.AsBool())
	case profile.KindFloat:
		e.fixed64(math.Float64bits(v.AsFloat()))
	case profile.KindString, profile.KindBytes, profile.KindDecimal:
		e.text(v.AsText())
	case profile.KindArray, profile.KindObject:
		e.count(v.Len())
		for i := range v.Len() {
			if v.Kind() == profile.KindObject {
				e.text(v.Name(i))
			}
			e.value(v.Item(i))
		}
	default:
		e.int(v.AsInt())
	}
}

// decoder reads the parts of a row. The first error sticks and every later read gives zero values.
type decoder struct {
	dict *dictionary
	src  []byte
	err  error
}

func (s *dictionary) decode(src []byte) *decoder {
	d, _ := s.decodeUpTo(rowVersion, src)
	return d
}

// decodeUpTo starts a row whose encoding may have any version up to newest; grown says that it is
// not the first.
func (s *dictionary) decodeUpTo(newest byte, src []byte) (d *decoder, grown bool) {
	d = &decoder{dict: s, src: src}
	v := d.byte()
	if d.err == nil && (v < rowVersion || v > newest) {
		d.fail(fmt.Errorf("row version %d is not known to this program", v))
	}
	return d, v > rowVersion
}

// done returns the first error; bytes left over are one.
func (d *decoder) done() error {
	if d.err == nil && len(d.src) > 0 {
		return fmt.Errorf("%w: %d bytes left over", errCorrupt, len(d.src))
	}
	return d.err
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.src = nil
}

func (d *decoder) raw(n int) []byte {
	if n < 0 || n > len(d.src) {
		d.fail(fmt.Errorf("%w: cut short", errCorrupt))
		return nil
	}
	b := d.src[:n]
	d.src = d.src[n:]
	return b
}

func (d *decoder) byte() byte {
	if b := d.raw(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint() uint64 {
	n, size := binary.Uvarint(d.src)
	if size <= 0 {
		d.fail(fmt.Errorf("%w: bad number", errCorrupt))
		return 0
	}
	d.src = d.src[size:]
	return n
}

func (d *decoder) int() int64 {
	n, size := binary.Varint(d.src)
	if size <= 0 {
		d.fail(fmt.Errorf("%w: bad number", errCorrupt))
		return 0
	}
	d.src = d.src[size:]
	return n
}

// count reads a number of items of at least one byte each.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.src)) {
		d.fail(fmt.Errorf("%w: bad count", errCorrupt))
		return 0
	}
	return int(n)
}

func (d *decoder) flag() bool { return d.byte() != 0 }

func (d *decoder) text() string { return string(d.raw(d.count())) }

func (d *decoder) bytes() []byte { return append([]byte{}, d.raw(d.count())...) }

// nullable reads bytes that can be null.
func (d *decoder) nullable() []byte {
	present := d.flag()
	b := d.bytes()
	if !present {
		return nil
	}
	return b
}

func (d *decoder) id() (id profile.ID) {
	copy(id[:], d.raw(len(id)))
	return id
}

func (d *decoder) fixed64() uint64 {
	if b := d.raw(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (d *decoder) name() string {
	n := d.uint()
	if d.err != nil {
		return ""
	}
	name, err := d.dict.name(NameID(min(n, math.MaxUint16)))
	if err != nil {
		d.fail(err)
	}
	return name
}

func (d *decoder) names() []string {
	n := d.count()
	names := make([]string, 0, n)
	for range n {
		names = append(names, d.name())
	}
	return names
}

func (d *decoder) identity() profile.Identity {
	return profile.Identity{Namespace: d.name(), Value: d.text()}
}

func (d *decoder) optionalIdentity() (id profile.Identity) {
	if d.flag() {
		id = d.identity()
	}
	return id
}

func (d *decoder) position() profile.Position {
	return profile.Position{Topic: d.name(), Partition: int32(d.uint()), Offset: d.int()}
}

func (d *decoder) stamp() profile.Stamp {
	if !d.flag() {
		return profile.Stamp{}
	}
	return profile.Stamp{Time: d.int(), Sequence: d.int(), Pos: d.position()}
}

func (d *decoder) value(depth int) profile.Value {
	kind := profile.Kind(d.byte())
	if !kind.Valid() || depth > maxValueDepth {
		d.fail(fmt.Errorf("%w: bad value", errCorrupt))
		return profile.Null()
	}
	switch kind {
	case profile.KindNull:
		return profile.Null()
	case profile.KindBool:
		return profile.Bool(d.flag())
	case profile.KindFloat:
		return profile.Float(math.Float64frombits(d.fixed64()))
	case profile.KindString:
		return profile.String(d.text())
	case profile.KindBytes:
		return profile.Bytes(d.text())
	case profile.KindDecimal:
		return profile.Decimal(d.text())
	case profile.KindInt:
		return profile.Int(d.int())
	case profile.KindArray, profile.KindObject:
		return d.tree(kind, depth)
	}
	return profile.Temporal(kind, d.int())
}

func (d *decoder) tree(kind profile.Kind, depth int) profile.Value {
	n := d.count()
	var names []string
	items := make([]profile.Value, 0, n)
	for range n {
		if kind == profile.KindObject {
			names = append(names, d.text())
		}
		items = append(items, d.value(depth+1))
	}
	if kind == profile.KindArray {
		return profile.Array(items)
	}
	return profile.Object(names, items)
}
