package schemas

import (
	"math"

	"selfsame/profile"
)

const (
	logicalDecimal  = "decimal"
	logicalUUID     = "uuid"
	logicalDuration = "duration"
)

// maxPrecision bounds the digits of a decimal type; the largest in use elsewhere is 76.
const maxPrecision = 1000

// temporals lists the logical types of time by their underlying kind.
var temporals = map[string]struct {
	kind  Kind
	value profile.Kind
}{
	"date":                   {KindInt, profile.KindDate},
	"time-millis":            {KindInt, profile.KindTimeMillis},
	"time-micros":            {KindLong, profile.KindTimeMicros},
	"timestamp-millis":       {KindLong, profile.KindTimestampMillis},
	"timestamp-micros":       {KindLong, profile.KindTimestampMicros},
	"timestamp-nanos":        {KindLong, profile.KindTimestampNanos},
	"local-timestamp-millis": {KindLong, profile.KindLocalMillis},
	"local-timestamp-micros": {KindLong, profile.KindLocalMicros},
	"local-timestamp-nanos":  {KindLong, profile.KindLocalNanos},
}

// applies reports whether the logical type means something on the kind. What does not is ignored,
// as Avro asks.
func applies(logical string, k Kind, size int) bool {
	switch logical {
	case logicalDecimal:
		return k == KindBytes || k == KindFixed
	case logicalUUID:
		return k == KindString
	case logicalDuration:
		return k == KindFixed && size == 12
	}
	temporal, known := temporals[logical]
	return known && temporal.kind == k
}

// valueKind maps an Avro type to the kind of value that the decoders make.
func valueKind(k Kind, logical string) profile.Kind {
	if temporal, ok := temporals[logical]; ok {
		return temporal.value
	}
	if logical == logicalDecimal {
		return profile.KindDecimal
	}
	switch k {
	case KindRecord, KindMap:
		return profile.KindObject
	case KindArray:
		return profile.KindArray
	case KindInt, KindLong:
		return profile.KindInt
	case KindFloat, KindDouble:
		return profile.KindFloat
	case KindBoolean:
		return profile.KindBool
	case KindBytes, KindFixed:
		return profile.KindBytes
	}
	return profile.KindString
}

// maxDigits is how many decimal digits always fit into a two's-complement number of size bytes.
func maxDigits(size int) int {
	return int(math.Floor(float64(8*size-1) * math.Log10(2)))
}
