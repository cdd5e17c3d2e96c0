package schemas

import (
	"encoding/base64"
	"math"
	"strconv"

	"selfsame/profile"
)

// What is found where something else is wanted.
const (
	foundUnknown    = "unknown field"
	foundMissing    = "missing"
	foundNull       = "null"
	foundFraction   = "number with fraction or exponent"
	foundOutOfRange = "number out of range"
)

// fromNumber reads a JSON number as the type wants it.
func (t *Type) fromNumber(raw []byte) (profile.Value, error) {
	switch t.value {
	case profile.KindFloat:
		return floatValue(t, raw)
	case profile.KindDecimal:
		return decimalFromText(t, raw, "number")
	case profile.KindString, profile.KindBytes, profile.KindBool, profile.KindArray,
		profile.KindObject:
		return profile.Value{}, mismatch(t, "number")
	}
	n, err := strconv.ParseInt(string(raw), 10, t.bits())
	if err == nil {
		return integerValue(t, n)
	}
	for _, c := range raw {
		if c == '.' || c == 'e' || c == 'E' {
			return profile.Value{}, mismatch(t, foundFraction)
		}
	}
	return profile.Value{}, mismatch(t, foundOutOfRange)
}

// fromString reads the contents of a JSON string as the type wants it.
func (t *Type) fromString(text []byte) (profile.Value, error) {
	switch t.value {
	case profile.KindString:
		return stringValue(t, text)
	case profile.KindBytes:
		return bytesValue(t, text)
	case profile.KindDecimal:
		return decimalFromText(t, text, "string")
	case profile.KindInt, profile.KindFloat, profile.KindBool, profile.KindArray,
		profile.KindObject:
		return profile.Value{}, mismatch(t, "string")
	}
	return temporalFromText(t, text)
}

func (t *Type) bits() int {
	if t.Kind == KindInt || t.Kind == KindFloat {
		return 32
	}
	return 64
}

// integerValue makes the value of an integer that fits the kind; a time of day has a range besides.
func integerValue(t *Type, n int64) (profile.Value, error) {
	switch t.value {
	case profile.KindInt:
		return profile.Int(n), nil
	case profile.KindTimeMillis, profile.KindTimeMicros:
		if n < 0 || n >= secondsPerDay*unitsPerSecond(t.value) {
			return profile.Value{}, mismatch(t, foundOutOfRange)
		}
	}
	return profile.Temporal(t.value, n), nil
}

// floatValue rounds to the nearest number of the type's size, so that JSON and Avro binary of one
// record give the same value.
func floatValue(t *Type, raw []byte) (profile.Value, error) {
	f, err := strconv.ParseFloat(string(raw), t.bits())
	if err != nil || math.IsInf(f, 0) {
		return profile.Value{}, mismatch(t, foundOutOfRange)
	}
	return profile.Float(f), nil
}

func stringValue(t *Type, text []byte) (profile.Value, error) {
	if t.Kind == KindEnum {
		index, ok := t.symbols[string(text)]
		if !ok {
			return profile.Value{}, mismatch(t, "unknown symbol")
		}
		return profile.String(t.Symbols[index]), nil
	}
	if t.Logical == logicalUUID {
		return uuidValue(t, text)
	}
	return profile.String(string(text)), nil
}

func bytesValue(t *Type, text []byte) (profile.Value, error) {
	for _, c := range text {
		if c == '\r' || c == '\n' { // which the decoder would pass over
			return profile.Value{}, mismatch(t, "string that is not base64")
		}
	}
	raw, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	if err != nil {
		return profile.Value{}, mismatch(t, "string that is not base64")
	}
	if t.Kind == KindFixed && len(raw) != t.Size {
		return profile.Value{}, mismatch(t, strconv.Itoa(len(raw))+" bytes")
	}
	return profile.Bytes(string(raw)), nil
}

// uuidValue checks the form 8-4-4-4-12 and lower-cases.
func uuidValue(t *Type, text []byte) (profile.Value, error) {
	if len(text) != 36 {
		return profile.Value{}, mismatch(t, "string that is not a UUID")
	}
	var uuid [36]byte
	for i, c := range text {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash && c != '-' || !dash && !hex {
			return profile.Value{}, mismatch(t, "string that is not a UUID")
		}
		if c >= 'A' && c <= 'F' {
			c += 'a' - 'A'
		}
		uuid[i] = c
	}
	return profile.String(string(uuid[:])), nil
}
