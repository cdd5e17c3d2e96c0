package schemas

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"

	"selfsame/profile"
)

// randomSchema writes schemas of every kind that goavro and this package have in common.
type randomSchema struct {
	rand  *rand.Rand
	names int
}

func (g *randomSchema) record(depth int) string {
	g.names++
	name := fmt.Sprintf("R%d", g.names)
	fields := make([]string, g.rand.IntN(6))
	for i := range fields {
		typ := g.optional(depth)
		fields[i] = fmt.Sprintf(`{"name":"f%d","type":%s}`, (i*7)%11, typ)
	}
	return `{"type":"record","name":"` + name + `","fields":[` + strings.Join(fields, ",") + `]}`
}

func (g *randomSchema) optional(depth int) string {
	typ := g.typ(depth)
	switch g.rand.IntN(5) {
	case 0:
		return `["null",` + typ + `]`
	case 1:
		return `[` + typ + `,"null"]`
	case 2:
		return `[` + typ + `]`
	}
	return typ
}

func (g *randomSchema) typ(depth int) string {
	g.names++
	simple := []string{`"boolean"`, `"int"`, `"long"`, `"float"`, `"double"`, `"string"`, `"bytes"`,
		logical("int", "date"), logical("int", "time-millis"), logical("long", "time-micros"),
		logical("long", "timestamp-millis"), logical("long", "timestamp-micros"),
		`{"type":"bytes","logicalType":"decimal","precision":30,"scale":4}`,
		fmt.Sprintf(`{"type":"fixed","name":"X%d","size":%d}`, g.names, 1+g.rand.IntN(9)),
		fmt.Sprintf(`{"type":"enum","name":"E%d","symbols":["A","B","C"]}`, g.names)}
	n := g.rand.IntN(len(simple) + 4)
	switch {
	case n < len(simple):
		return simple[n]
	case depth == 0:
		return `"string"`
	case n == len(simple):
		return `{"type":"array","items":` + g.optional(depth-1) + `}`
	case n == len(simple)+1:
		return `{"type":"map","values":` + g.optional(depth-1) + `}`
	}
	return g.record(depth - 1)
}

// randomValue makes a value of a type, and the same as goavro wants it.
func randomValue(r *rand.Rand, t *Type) (profile.Value, any) {
	if t.Nullable && r.IntN(3) == 0 {
		return profile.Null(), nil
	}
	v, native := randomPresent(r, t)
	if t.union != unionNone {
		native = goavro.Union(branchName(t), native)
	}
	return v, native
}

func branchName(t *Type) string {
	switch {
	case t.Name != "":
		return t.Name
	case t.Logical != "":
		return t.Kind.String() + "." + t.Logical
	}
	return t.Kind.String()
}

func randomPresent(r *rand.Rand, t *Type) (profile.Value, any) {
	switch t.Kind {
	case KindRecord:
		native := map[string]any{}
		names, items := []string{}, []profile.Value{}
		for _, f := range t.Fields {
			var v profile.Value
			v, native[f.Name] = randomValue(r, f.Type)
			if !v.IsNull() {
				names, items = append(names, f.Name), append(items, v)
			}
		}
		return profile.Object(names, items), native
	case KindMap:
		native := map[string]any{}
		names, items := []string{}, []profile.Value{}
		for i := range r.IntN(4) {
			name := fmt.Sprint("k", (i*3)%5)
			var v profile.Value
			v, native[name] = randomValue(r, t.Items)
			if !v.IsNull() {
				names, items = append(names, name), append(items, v)
			}
		}
		return profile.Object(names, items), native
	case KindArray:
		native, items := []any{}, []profile.Value{}
		for range r.IntN(4) {
			v, item := randomValue(r, t.Items)
			native, items = append(native, item), append(items, v)
		}
		return profile.Array(items), native
	}
	return randomScalar(r, t)
}

func randomScalar(r *rand.Rand, t *Type) (profile.Value, any) {
	whole := int64(r.Uint64()) >> r.IntN(64)
	text := strings.Repeat("aß€😀", r.IntN(3))
	switch t.value {
	case profile.KindBool:
		return profile.Bool(whole < 0), whole < 0
	case profile.KindInt:
		if t.Kind == KindInt {
			whole = int64(int32(whole))
		}
		return profile.Int(whole), whole
	case profile.KindFloat:
		f := float64(float32(r.NormFloat64()))
		return profile.Float(f), f
	case profile.KindBytes:
		if t.Kind == KindFixed {
			text = strings.Repeat("\xff", t.Size)
		}
		return profile.Bytes(text), []byte(text)
	case profile.KindString:
		if t.Kind == KindEnum {
			text = t.Symbols[r.IntN(len(t.Symbols))]
		}
		return profile.String(text), text
	case profile.KindDecimal:
		return profile.Decimal(big.NewRat(whole, 10000).FloatString(4)), big.NewRat(whole, 10000)
	}
	return randomTemporal(r, t)
}

func randomTemporal(r *rand.Rand, t *Type) (profile.Value, any) {
	n := r.Int64N(86400)
	switch t.value {
	case profile.KindDate:
		n -= 43200
		return profile.Temporal(t.value, n), time.Unix(n*86400, 0).UTC()
	case profile.KindTimeMillis:
		return profile.Temporal(t.value, n), time.Duration(n) * time.Millisecond
	case profile.KindTimeMicros:
		return profile.Temporal(t.value, n), time.Duration(n) * time.Microsecond
	case profile.KindTimestampMillis:
		n *= r.Int64N(1 << 20)
		return profile.Temporal(t.value, n), time.UnixMilli(n).UTC()
	}
	n *= r.Int64N(1 << 30)
	return profile.Temporal(t.value, n), time.UnixMicro(n).UTC()
}

// TestAgainstGoavro encodes random values of random schemas with goavro and with EncodeAvro, and
// decodes both.
func TestAgainstGoavro(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 400 {
		text := (&randomSchema{rand: r}).record(3)
		s := mustParse(t, text)
		codec, err := goavro.NewCodec(text)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			want, native := randomPresent(r, s.Root())
			data, err := codec.BinaryFromNative(nil, native)
			if err != nil {
				t.Fatalf("%s: goavro: %v", text, err)
			}
			checkDecodes(t, s, data, want)
			if data, err = s.EncodeAvro(want); err != nil {
				t.Fatalf("%s: encoding %s: %v", text, profile.AppendJSON(nil, want), err)
			}
			checkDecodes(t, s, data, want)
			back, rest, err := codec.NativeFromBinary(data)
			if err != nil || len(rest) > 0 || !fromNative(s.Root(), back).Equal(want) {
				t.Fatalf("%s: goavro reads our %x as %v, %v", text, data, back, err)
			}
		}
	}
}

func checkDecodes(t *testing.T, s *Schema, data []byte, want profile.Value) {
	t.Helper()
	if got, err := s.DecodeAvro(data); err != nil || !got.Equal(want) {
		t.Fatalf("%s of %x: %v\ngot  %s\nwant %s", canonicalForm(s.Root()), data, err,
			profile.AppendJSON(nil, got), profile.AppendJSON(nil, want))
	}
	r, err := NewResolution(s.Writer(), s)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Decode(data); err != nil || !got.Equal(want) {
		t.Fatalf("%s of %x resolved: %v\ngot  %s\nwant %s", canonicalForm(s.Root()), data, err,
			profile.AppendJSON(nil, got), profile.AppendJSON(nil, want))
	}
}

// fromNative turns what goavro decodes into what we do.
func fromNative(t *Type, native any) profile.Value {
	if t.union != unionNone {
		if native == nil {
			return profile.Null()
		}
		for _, native = range native.(map[string]any) {
		}
	}
	switch t.Kind {
	case KindRecord, KindMap:
		names, items := []string{}, []profile.Value{}
		for name, item := range native.(map[string]any) {
			typ := t.Items
			if t.Kind == KindRecord {
				typ = t.Field(name).Type
			}
			if v := fromNative(typ, item); !v.IsNull() {
				names, items = append(names, name), append(items, v)
			}
		}
		return profile.Object(names, items)
	case KindArray:
		items := []profile.Value{}
		for _, item := range native.([]any) {
			items = append(items, fromNative(t.Items, item))
		}
		return profile.Array(items)
	}
	return fromNativeScalar(t, native)
}

func fromNativeScalar(t *Type, native any) profile.Value {
	switch n := native.(type) {
	case bool:
		return profile.Bool(n)
	case int32:
		return profile.Int(int64(n))
	case int64:
		return profile.Int(n)
	case float32:
		return profile.Float(float64(n))
	case float64:
		return profile.Float(n)
	case string:
		return profile.String(n)
	case []byte:
		return profile.Bytes(string(n))
	case *big.Rat:
		return profile.Decimal(n.FloatString(t.Scale))
	case time.Duration:
		if t.value == profile.KindTimeMillis {
			return profile.Temporal(t.value, n.Milliseconds())
		}
		return profile.Temporal(t.value, n.Microseconds())
	case time.Time:
		switch t.value {
		case profile.KindDate:
			return profile.Temporal(t.value, int64(math.Floor(float64(n.Unix())/86400)))
		case profile.KindTimestampMillis:
			return profile.Temporal(t.value, n.UnixMilli())
		}
		return profile.Temporal(t.value, n.UnixMicro())
	}
	return profile.Null()
}

// TestJSONRoundTrip: what the canonical JSON of a value decodes to is the value. Floats are left
// to the table: NaN has no JSON number.
func TestJSONRoundTrip(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 400 {
		s := mustParse(t, (&randomSchema{rand: r}).record(3))
		want, _ := randomPresent(r, s.Root())
		text := profile.AppendJSON(nil, want)
		got, err := s.DecodeJSON(text, Options{Complete: true})
		if err != nil || !got.Equal(want) {
			t.Fatalf("%s\n%s: %v\ngot %s", canonicalForm(s.Root()), text, err,
				profile.AppendJSON(nil, got))
		}
	}
}
