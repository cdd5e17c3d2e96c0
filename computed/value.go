package computed

import (
	"encoding/binary"
	"errors"
	"math"
	"math/big"

	"selfsame/profile"
)

// MaxValueBytes bounds the texts and byte strings that functions keep; longer ones contribute to
// nothing, and are counted.
const MaxValueBytes = 4096

// errRow says that a stored row does not have the form of its kind.
var errRow = errors.New("malformed row of a computed attribute")

// usable brings a value into the form of its type in the union. ok is false for what no function
// can use: of another kind, not a number, infinite, or too long.
func usable(v profile.Value, t *Type) (profile.Value, bool) {
	if t.Kind == profile.KindFloat {
		return usableFloat(v)
	}
	if v.Kind() != t.Kind {
		return v, false
	}
	switch t.Kind {
	case profile.KindString, profile.KindBytes:
		return v, len(v.AsText()) <= MaxValueBytes
	case profile.KindDecimal:
		if _, ok := smallUnscaled(v.AsText(), t.Scale); ok {
			return v, true // it is written as it should be
		}
		n, ok := unscaled(v.AsText(), t.Scale)
		if !ok {
			return v, false
		}
		return profile.Decimal(scaled(n, t.Scale)), true
	}
	return v, true
}

// usableFloat also takes the integers of datasets that promote them.
func usableFloat(v profile.Value) (profile.Value, bool) {
	f := v.AsFloat()
	switch {
	case v.Kind() == profile.KindInt:
		f = float64(v.AsInt())
	case v.Kind() != profile.KindFloat || math.IsNaN(f) || math.IsInf(f, 0):
		return v, false
	}
	if f == 0 {
		f = 0 // minus zero is zero
	}
	return profile.Float(f), true
}

// appendValue appends a usable value so that the order of bytes is the order of values.
func appendValue(dst []byte, v profile.Value, t *Type) []byte {
	switch v.Kind() {
	case profile.KindBool:
		if v.AsBool() {
			return append(dst, 1)
		}
		return append(dst, 0)
	case profile.KindString, profile.KindBytes:
		return append(dst, v.AsText()...)
	case profile.KindFloat:
		return binary.BigEndian.AppendUint64(dst, orderedFloat(v.AsFloat()))
	case profile.KindDecimal:
		n, _ := unscaled(v.AsText(), t.Scale)
		return appendBig(dst, n)
	}
	return appendTime(dst, v.AsInt())
}

// readValue reads what appendValue wrote.
func readValue(src []byte, t *Type) (v profile.Value, err error) {
	switch t.Kind {
	case profile.KindBool:
		if len(src) != 1 || src[0] > 1 {
			return v, errRow
		}
		return profile.Bool(src[0] == 1), nil
	case profile.KindString:
		return profile.String(string(src)), nil
	case profile.KindBytes:
		return profile.Bytes(string(src)), nil
	case profile.KindDecimal:
		n, err := readBig(src)
		if err != nil {
			return v, err
		}
		return profile.Decimal(scaled(n, t.Scale)), nil
	}
	if len(src) != 8 {
		return v, errRow
	}
	bits := binary.BigEndian.Uint64(src)
	switch t.Kind {
	case profile.KindFloat:
		return profile.Float(floatOf(bits)), nil
	case profile.KindInt:
		return profile.Int(int64(bits ^ signBit)), nil
	}
	return profile.Temporal(t.Kind, int64(bits^signBit)), nil
}

const signBit = 1 << 63

// orderedFloat maps finite doubles to integers of the same order.
func orderedFloat(f float64) uint64 {
	bits := math.Float64bits(f)
	if bits&signBit != 0 {
		return ^bits
	}
	return bits | signBit
}

func floatOf(bits uint64) float64 {
	if bits&signBit == 0 {
		return math.Float64frombits(^bits)
	}
	return math.Float64frombits(bits &^ signBit)
}

// Signs of numbers of any size. Of negative ones all that follows is complemented.
const (
	negative = 0
	zero     = 1
	positive = 2
)

// appendBig appends a number of any size: sign, length, digits.
func appendBig(dst []byte, n *big.Int) []byte {
	raw := n.Bytes()
	if len(raw) == 0 {
		return append(dst, zero)
	}
	start := len(dst) + 1
	dst = append(dst, positive)
	dst = append(binary.BigEndian.AppendUint16(dst, uint16(len(raw))), raw...)
	if n.Sign() < 0 {
		dst[start-1] = negative
		complement(dst[start:])
	}
	return dst
}

func readBig(src []byte) (*big.Int, error) {
	if len(src) == 1 && src[0] == zero {
		return new(big.Int), nil
	}
	if len(src) < 4 || src[0] != negative && src[0] != positive {
		return nil, errRow
	}
	body := append([]byte(nil), src[1:]...)
	if src[0] == negative {
		complement(body)
	}
	if int(binary.BigEndian.Uint16(body)) != len(body)-2 || body[2] == 0 {
		return nil, errRow
	}
	n := new(big.Int).SetBytes(body[2:])
	if src[0] == negative {
		n.Neg(n)
	}
	return n, nil
}

func complement(raw []byte) {
	for i := range raw {
		raw[i] = ^raw[i]
	}
}
