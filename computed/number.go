package computed

import (
	"encoding/binary"
	"math/big"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"selfsame/profile"
)

// The shape of numbers that are given out.
const (
	avgDigits    = 34   // significant digits of an average
	avgScale     = 38   // and its most digits after the point
	floatScale   = 20   // digits after the point of a sum of floating numbers
	minPrecision = 38   // what databases commonly have for decimals
	maxPrecision = 1000 // what a schema may declare
	longDigits   = 19   // of the greatest long
	countDigits  = 19   // that adding up many numbers can take in addition
)

// maxSumBytes bounds the digits of a stored sum, as bytes of a binary number. Decimals have up to
// 1,000 digits on either side of the point, doubles fewer, and counts add 19.
const maxSumBytes = 1 << 10

// maxSumExponent bounds the exponent of a stored sum.
const maxSumExponent = 1 << 12

// sumType is the decimal that a sum of values of type t is given out as.
func sumType(t *Type) *Type {
	digits, scale := longDigits, 0
	switch t.Kind {
	case profile.KindDecimal:
		digits, scale = t.Precision, t.Scale
	case profile.KindFloat:
		return &Type{Kind: profile.KindDecimal, Precision: 76, Scale: floatScale}
	}
	precision := min(maxPrecision, max(minPrecision, digits+countDigits))
	return &Type{Kind: profile.KindDecimal, Precision: precision, Scale: scale}
}

// avgType is the decimal that an average of values of type t is given out as.
func avgType(t *Type) *Type {
	whole := minPrecision
	if t.Kind == profile.KindDecimal {
		whole = max(whole, t.Precision-t.Scale)
	}
	precision := min(maxPrecision, whole+avgScale)
	return &Type{Kind: profile.KindDecimal, Precision: precision, Scale: avgScale}
}

// exact computes without rounding; where it has to round, half to even.
func exact() *apd.Context {
	c := apd.BaseContext
	c.Rounding = apd.RoundHalfEven
	return &c
}

// numberOf turns a usable number into an exact decimal: a double into the shortest decimal text
// that reads back as the same double.
func numberOf(dst *apd.Decimal, v profile.Value, t *Type) {
	text := v.AsText()
	switch v.Kind() {
	case profile.KindInt:
		dst.SetFinite(v.AsInt(), 0)
		return
	case profile.KindDecimal:
		if n, ok := smallUnscaled(text, t.Scale); ok {
			dst.SetFinite(n, int32(-t.Scale))
			return
		}
	case profile.KindFloat:
		bits := 64
		if t.Single {
			bits = 32
		}
		var room [32]byte
		written := strconv.AppendFloat(room[:0], v.AsFloat(), 'e', -1, bits)
		if n, exponent, ok := smallFloat(written); ok {
			dst.SetFinite(n, exponent)
			return
		}
		text = string(written)
	}
	if _, _, err := dst.SetString(text); err != nil {
		panic(err) // invariant: usable has accepted the text
	}
}

// addTo adds x to sum, or takes it away.
func addTo(sum, x *apd.Decimal, away bool) {
	if addSmall(sum, x, away) {
		return
	}
	var err error
	if away {
		_, err = exact().Sub(sum, sum, x)
	} else {
		_, err = exact().Add(sum, sum, x)
	}
	if err != nil {
		panic(err) // invariant: exponents of decimals and doubles are far from the limits of apd
	}
}

// reduced is d without zeros at its end, so that equal numbers are equal digit by digit.
func reduced(d *apd.Decimal) *apd.Decimal {
	r := new(apd.Decimal)
	if d.IsZero() {
		return r
	}
	r.Reduce(d)
	return r
}

// appendDecimal appends the stored form of a number: exponent, sign, length, digits in binary.
func appendDecimal(dst []byte, d *apd.Decimal) []byte {
	if out, ok := appendSmall(dst, d); ok {
		return out
	}
	return appendAny(dst, d)
}

// appendAny is appendDecimal of a number of any size.
func appendAny(dst []byte, d *apd.Decimal) []byte {
	r := reduced(d)
	raw := r.Coeff.Bytes()
	dst = binary.AppendVarint(dst, int64(r.Exponent))
	sign := byte(0)
	if r.Negative {
		sign = 1
	}
	dst = append(dst, sign)
	dst = binary.AppendUvarint(dst, uint64(len(raw)))
	return append(dst, raw...)
}

// cutDecimal reads what appendDecimal wrote and returns the rest. It also takes numbers with zeros
// at their end, which appendDecimal does not write.
func cutDecimal(src []byte) (d *apd.Decimal, rest []byte, err error) {
	exponent, n := binary.Varint(src)
	if n <= 0 || exponent > maxSumExponent || exponent < -maxSumExponent || len(src) == n {
		return nil, nil, errRow
	}
	sign, rest := src[n], src[n+1:]
	size, n := binary.Uvarint(rest)
	if n <= 0 || sign > 1 || size > maxSumBytes || uint64(len(rest)-n) < size {
		return nil, nil, errRow
	}
	d = &apd.Decimal{Exponent: int32(exponent), Negative: sign == 1}
	d.Coeff.SetBytes(rest[n : n+int(size)])
	return d, rest[n+int(size):], nil
}

// giveOut writes d as a value of type t: with all places of the type where fixed is set, else
// without zeros at its end. What has more places is rounded, half to even. ok is false where there
// are more digits before the point than the type has.
func giveOut(d *apd.Decimal, t *Type, fixed bool) (v profile.Value, ok bool) {
	if fixed && t.Precision-t.Scale >= smallDigits {
		if text, ok := smallText(d, t.Scale); ok {
			return profile.Decimal(text), true
		}
	}
	return giveOutAny(d, t, fixed)
}

// giveOutAny is giveOut of a number of any size.
func giveOutAny(d *apd.Decimal, t *Type, fixed bool) (v profile.Value, ok bool) {
	r := reduced(d)
	if int(-r.Exponent) > t.Scale || fixed {
		ctx := exact()
		ctx.Precision = 4 * maxPrecision
		if _, err := ctx.Quantize(r, r, int32(-t.Scale)); err != nil {
			return v, false
		}
		if !fixed {
			r = reduced(r)
		}
	}
	if r.IsZero() {
		r.Negative = false
	}
	text := r.Text('f')
	whole, _, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	if len(whole) > t.Precision-t.Scale && whole != "0" {
		return v, false
	}
	return profile.Decimal(text), true
}

// average divides a sum by how many there were.
func average(sum *apd.Decimal, n int64) *apd.Decimal {
	ctx := exact().WithPrecision(avgDigits)
	q := new(apd.Decimal)
	if _, err := ctx.Quo(q, reduced(sum), apd.New(n, 0)); err != nil {
		panic(err) // invariant: n is not 0, and exponents are far from the limits of apd
	}
	return q
}

// unscaled reads the text of a decimal as a whole number of units of 10^-scale. ok is false for
// what is no such number.
func unscaled(text string, scale int) (n *big.Int, ok bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > scale {
		if strings.Trim(fraction[scale:], "0") != "" {
			return nil, false
		}
		fraction = fraction[:scale]
	}
	digits := whole + fraction + strings.Repeat("0", scale-len(fraction))
	if strings.ContainsAny(digits, "+_") || len(digits) > 4*maxPrecision {
		return nil, false
	}
	return new(big.Int).SetString(digits, 10)
}

// scaled writes n units of 10^-scale with all places.
func scaled(n *big.Int, scale int) string {
	digits := new(big.Int).Abs(n).String()
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	text := digits
	if scale > 0 {
		point := len(digits) - scale
		text = digits[:point] + "." + digits[point:]
	}
	if n.Sign() < 0 {
		return "-" + text
	}
	return text
}
