package computed

import (
	"encoding/binary"
	"math/bits"
	"strconv"

	"github.com/cockroachdb/apd/v3"
)

// Most numbers are small: whole, of some unit, and of no more digits than this. They are added,
// read and written here without numbers of any size, with the same results.
const smallDigits = 18

// powers of ten, up to that of smallDigits.
var powers = [smallDigits + 1]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// smallUnscaled reads the text of a decimal as a whole number of units of 10^-scale where it is
// small and written as [scaled] does: no places missing, no zeros before it, no sign of a zero.
func smallUnscaled(text string, scale int) (n int64, ok bool) {
	digits := text
	if len(text) > 0 && text[0] == '-' {
		digits = text[1:]
	}
	whole := len(digits)
	if scale > 0 {
		whole -= scale + 1
	}
	if whole < 1 || whole+scale > smallDigits || whole > 1 && digits[0] == '0' {
		return 0, false
	}
	for i := range len(digits) {
		switch c := digits[i]; {
		case i == whole && c == '.':
		case i != whole && '0' <= c && c <= '9':
			n = 10*n + int64(c-'0')
		default:
			return 0, false
		}
	}
	if len(digits) < len(text) {
		return -n, n != 0
	}
	return n, true
}

// small is d as a whole number of units of 10^d.Exponent.
func small(d *apd.Decimal) (n int64, ok bool) {
	if d.Form != apd.Finite || !d.Coeff.IsUint64() {
		return 0, false
	}
	u := d.Coeff.Uint64()
	if u > powers[smallDigits] {
		return 0, false
	}
	if d.Negative {
		return -int64(u), true
	}
	return int64(u), true
}

// addSmall adds y to sum, or takes it away, where both are small and of the same unit.
func addSmall(sum, y *apd.Decimal, away bool) bool {
	if sum.Exponent != y.Exponent {
		return false
	}
	a, ok := small(sum)
	b, also := small(y)
	if !ok || !also {
		return false
	}
	if away {
		b = -b
	}
	sum.SetFinite(a+b, sum.Exponent) // both are below 10^18, so that nothing overflows
	return true
}

// appendSmall is appendDecimal of a number that is small.
func appendSmall(dst []byte, d *apd.Decimal) (out []byte, ok bool) {
	n, ok := small(d)
	if !ok {
		return dst, false
	}
	exponent, u, sign := d.Exponent, uint64(max(n, -n)), byte(0)
	if n == 0 {
		exponent = 0
	}
	for u != 0 && u%10 == 0 {
		u /= 10
		exponent++
	}
	if n < 0 {
		sign = 1
	}
	size := (bits.Len64(u) + 7) / 8
	dst = append(binary.AppendVarint(dst, int64(exponent)), sign, byte(size))
	for size--; size >= 0; size-- {
		dst = append(dst, byte(u>>(8*size)))
	}
	return dst, true
}

// smallText writes d with all places of a scale, where that is small and nothing is to be rounded.
func smallText(d *apd.Decimal, scale int) (text string, ok bool) {
	n, ok := small(d)
	by := scale + int(d.Exponent)
	if !ok || by < 0 || by > smallDigits || scale > smallDigits {
		return "", false
	}
	u := uint64(max(n, -n))
	if u > powers[smallDigits]/powers[by] {
		return "", false
	}
	u *= powers[by]
	var room [smallDigits + 8]byte
	b := room[:0]
	if n < 0 {
		b = append(b, '-')
	}
	b = strconv.AppendUint(b, u/powers[scale], 10)
	if scale > 0 {
		b = append(b, '.')
		fraction := u % powers[scale]
		for at := scale - 1; at > 0 && fraction < powers[at]; at-- {
			b = append(b, '0')
		}
		b = strconv.AppendUint(b, fraction, 10)
	}
	return string(b), true
}

// smallFloat reads what strconv writes of a double in the format 'e': digits and an exponent.
func smallFloat(text []byte) (n int64, exponent int32, ok bool) {
	digits, places, negative := 0, 0, false
	for i, c := range text {
		switch {
		case c == '-':
			negative = true
		case c == '.':
			places = len(text) - i - 1
		case c == 'e':
			e, err := strconv.Atoi(string(text[i+1:]))
			if negative {
				n = -n
			}
			if places > 0 {
				places -= len(text) - i
			}
			return n, int32(e - places), err == nil && digits <= smallDigits
		default:
			n = 10*n + int64(c-'0')
			digits++
		}
	}
	return 0, 0, false
}
