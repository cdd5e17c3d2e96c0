package infer

import (
	"math/bits"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"selfsame/schemas"
)

// candidates is a set of candidate types, by their number in candidateTypes.
type candidates uint32

// candidateInt is the number of int, which is given up early.
const candidateInt = 1

// candidateType is an Avro type that a scalar can have.
type candidateType struct {
	avro string // its text
	name string
	why  string // that it is a guess; "" where it is none
}

// candidateTypes lists the candidates; of those that fit the first is chosen.
func candidateTypes() []candidateType {
	logical := func(kind, name, why string) candidateType {
		return candidateType{`{"type": "` + kind + `", "logicalType": "` + name + `"}`, name, why}
	}
	plain := func(name, why string) candidateType {
		return candidateType{`"` + name + `"`, name, why}
	}
	const rfc = "guess: a time, as every text is RFC 3339"
	return []candidateType{
		plain("boolean", ""),
		plain("int", "guess: int, as no number is beyond 32767; long holds more"),
		plain("long", ""),
		plain("double", ""),
		logical("string", "uuid", "guess: UUIDs"),
		logical("int", "date", "guess: a date, as every text is YYYY-MM-DD"),
		logical("long", "timestamp-millis", rfc),
		logical("long", "timestamp-micros", rfc),
		logical("long", "timestamp-nanos", rfc),
		logical("long", "local-timestamp-millis", "guess: a time without zone"),
		logical("long", "local-timestamp-micros", "guess: a time without zone"),
		logical("int", "time-millis", "guess: a time of day"),
		plain("string", ""),
	}
}

const (
	allCandidates candidates = 1<<13 - 1
	instants      candidates = 7 << 6 // timestamp-millis, -micros, -nanos
)

// first returns the number of the narrowest candidate; ok is false where there is none.
func (c candidates) first() (number int, ok bool) {
	return bits.TrailingZeros32(uint32(c)), c != 0
}

// prober puts scalars to candidate types.
type prober struct {
	types   []candidateType
	schemas []*schemas.Schema // a record with a field v of the type
	record  []byte            // reused
}

func newProber() (*prober, error) {
	p := &prober{types: candidateTypes()}
	for _, c := range p.types {
		s, err := schemas.Parse(c.name, []byte(
			`{"type":"record","name":"Probe","fields":[{"name":"v","type":`+c.avro+`}]}`))
		if err != nil {
			return nil, err
		}
		p.schemas = append(p.schemas, s)
	}
	return p, nil
}

// filter drops the candidates that do not take a scalar.
func (p *prober) filter(fits candidates, raw jsontext.Value) candidates {
	p.record = append(append(append(p.record[:0], `{"v":`...), raw...), '}')
	for i, s := range p.schemas {
		if fits&(1<<i) == 0 {
			continue
		}
		if _, err := s.DecodeJSON(p.record, schemas.Options{}); err != nil {
			fits &^= 1 << i
		}
	}
	return fits
}

// agreeing lists the candidates that can stand with a type in one union schema.
func (p *prober) agreeing(like *schemas.Type) candidates {
	var set candidates
	for i, s := range p.schemas {
		if like != nil && schemas.Agree(s.Root().Field("v").Type, like) {
			set |= 1 << i
		}
	}
	return set
}

// isEmail reports whether a text has the form of an e-mail address.
func isEmail(text string) bool {
	local, domain, ok := strings.Cut(strings.TrimSpace(text), "@")
	return ok && local != "" && !strings.ContainsAny(text, " \t\n<>,;") &&
		!strings.Contains(domain, "@") && strings.Index(domain, ".") > 0 &&
		!strings.HasSuffix(domain, ".")
}

// isPhone reports whether a text has the form of a phone number: 7 to 15 digits and what people
// put between them.
func isPhone(text string) bool {
	digits := 0
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case !strings.ContainsRune("+-()/. x", r):
			return false
		}
	}
	return digits >= 7 && digits <= 15
}
