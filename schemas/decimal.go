package schemas

import (
	"bytes"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"selfsame/profile"
)

// decimalFromText reads plain or exponent notation exactly. What does not fit precision and scale
// without rounding is refused; found names the JSON form.
func decimalFromText(t *Type, text []byte, found string) (profile.Value, error) {
	n, ok := splitDecimal(text)
	if !ok {
		return profile.Value{}, mismatch(t, found+" that is not a decimal")
	}
	// The number is 0.digits * 10^point, digits without zeros at either end.
	switch {
	case len(n.digits) == 0:
		return profile.Decimal(formatDecimal(false, "0", t.Scale)), nil
	case len(n.digits)-n.point > t.Scale:
		return profile.Value{}, mismatch(t, fmt.Sprintf("%s finer than %d places", found, t.Scale))
	case n.point+t.Scale > t.Precision:
		found += fmt.Sprintf(" longer than %d digits", t.Precision)
		return profile.Value{}, mismatch(t, found)
	}
	unscaled := string(n.digits) + strings.Repeat("0", n.point+t.Scale-len(n.digits))
	return profile.Decimal(formatDecimal(n.negative, unscaled, t.Scale)), nil
}

// plainNumber is a number taken apart: 0.digits * 10^point, digits without zeros at either end.
type plainNumber struct {
	negative bool
	digits   []byte
	point    int
}

// splitDecimal takes a number apart. ok is false where the text is none.
func splitDecimal(text []byte) (n plainNumber, ok bool) {
	if len(text) > 0 && text[0] == '-' {
		n.negative, text = true, text[1:]
	}
	exponent := 0
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		var err error
		if exponent, err = strconv.Atoi(string(text[e+1:])); err != nil {
			return n, false
		}
		exponent = max(-maxExponent, min(exponent, maxExponent))
		text = text[:e]
	}
	whole, fraction, pointed := bytes.Cut(text, []byte{'.'})
	if len(whole) == 0 || pointed && len(fraction) == 0 ||
		!allDigits(whole) || !allDigits(fraction) {
		return n, false
	}
	digits := append(append(make([]byte, 0, len(text)), whole...), fraction...)
	significant := bytes.TrimLeft(digits, "0")
	n.point = len(whole) - (len(digits) - len(significant)) + exponent
	n.digits = bytes.TrimRight(significant, "0")
	return n, true
}

// maxExponent is beyond what any precision allows; larger exponents are cut to it, then refused.
const maxExponent = 1 << 30

func allDigits(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// decimalFromBinary reads a two's-complement big-endian unscaled number; no bytes are zero.
func decimalFromBinary(t *Type, raw []byte) (profile.Value, error) {
	negative, digits := false, ""
	if len(raw) <= 8 {
		negative, digits = smallDigits(raw)
	} else if n := signedBig(raw); n.BitLen() <= 4*t.Precision { // four bits hold any digit
		negative, digits = n.Sign() < 0, n.Abs(n).String()
	}
	if digits == "" || len(digits) > t.Precision {
		return profile.Value{}, mismatch(t, fmt.Sprintf("more than %d digits", t.Precision))
	}
	return profile.Decimal(formatDecimal(negative, digits, t.Scale)), nil
}

// smallDigits reads what fits an int64, without the cost of a big number.
func smallDigits(raw []byte) (negative bool, digits string) {
	var n int64
	if len(raw) > 0 {
		n = int64(int8(raw[0])) // extends the sign
	}
	for _, b := range raw[min(1, len(raw)):] {
		n = n<<8 | int64(b)
	}
	if n < 0 {
		return true, strconv.FormatUint(-uint64(n), 10)
	}
	return false, strconv.FormatInt(n, 10)
}

func signedBig(raw []byte) *big.Int {
	n := new(big.Int).SetBytes(raw)
	if len(raw) > 0 && raw[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
	}
	return n
}

// formatDecimal puts the point before the last scale digits.
func formatDecimal(negative bool, digits string, scale int) string {
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale+1-len(digits)) + digits
	}
	point := len(digits) - scale
	text := make([]byte, 0, len(digits)+2)
	if negative {
		text = append(text, '-')
	}
	text = append(text, digits[:point]...)
	if scale > 0 {
		text = append(append(text, '.'), digits[point:]...)
	}
	return string(text)
}

// appendDecimal appends the two's-complement form of an exact decimal of the type's scale: the
// shortest for bytes, sign-extended for fixed.
func appendDecimal(dst []byte, t *Type, text string) ([]byte, error) {
	v, err := decimalFromText(t, []byte(text), "decimal")
	if err != nil {
		return dst, err
	}
	n, _ := new(big.Int).SetString(strings.Replace(v.AsText(), ".", "", 1), 10)
	size := t.Size
	if t.Kind == KindBytes {
		size = signedSize(n)
		dst = appendLong(dst, int64(size))
	}
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	return append(dst, n.FillBytes(make([]byte, size))...), nil
}

// signedSize is the fewest bytes that hold n in two's complement.
func signedSize(n *big.Int) int {
	if n.Sign() < 0 {
		return new(big.Int).Not(n).BitLen()/8 + 1
	}
	return n.BitLen()/8 + 1
}
