package computed

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"

	"selfsame/profile"
)

// numbers folds values of one type, in any order, as a sum and as an average.
func numbers(t *testing.T, typ *Type, values []profile.Value) (sum, avg Result) {
	t.Helper()
	class := &Class{Datasets: []Dataset{{Name: "d"}},
		Type: &Type{Kind: profile.KindObject, Fields: []Field{{"v", typ}}}}
	def := Definition{Name: "a", Datasets: []string{"d"}, Function: Sum, Value: "v",
		Window: "lifetime"}
	adds := compile(t, def, class)
	def.Function = Avg
	w := newWorld(adds, compile(t, def, class))
	for i, v := range values {
		e := &Event{Dataset: "d", ID: itoa(i), Body: profile.Object([]string{"v"},
			[]profile.Value{v})}
		if err := w.insert("ann", e, 0); err != nil {
			t.Fatal(err)
		}
	}
	sum, err := w.value(0, []string{"ann"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if avg, err = w.value(1, []string{"ann"}, 0); err != nil {
		t.Fatal(err)
	}
	return sum, avg
}

func TestNumbers(t *testing.T) {
	double := &Type{Kind: profile.KindFloat}
	single := &Type{Kind: profile.KindFloat, Single: true}
	long := &Type{Kind: profile.KindInt}
	money := &Type{Kind: profile.KindDecimal, Precision: 9, Scale: 2}
	huge := &Type{Kind: profile.KindDecimal, Precision: 1000, Scale: 0}
	floats := func(fs ...float64) (vs []profile.Value) {
		for _, f := range fs {
			vs = append(vs, profile.Float(f))
		}
		return vs
	}
	decimals := func(texts ...string) (vs []profile.Value) {
		for _, text := range texts {
			vs = append(vs, profile.Decimal(text))
		}
		return vs
	}
	nines := profile.Decimal(strings.Repeat("9", 1000))
	for _, c := range []struct {
		why      string
		typ      *Type
		values   []profile.Value
		sum, avg string
	}{
		{"the famous one", double, floats(0.1, 0.2), "0.3", "0.15"},
		{"small to large and back", double, floats(1e16, 1, -1e16), "1",
			"0.3333333333333333333333333333333333"},
		{"single precision", single, floats(float64(float32(0.1)), float64(float32(0.2))), "0.3",
			"0.15"},
		{"minus zero", double, floats(math.Copysign(0, -1)), "0", "0"},
		{"not a number", double, floats(1, math.NaN(), math.Inf(1), math.Inf(-1)), "1", "1"},
		{"nothing but that", double, floats(math.NaN()), "absent", "absent"},
		{"more places than are given out", double, floats(1e-25, 1), "1",
			"0.50000000000000000000000005"},
		{"half to even", double, floats(0.5e-20, 1), "1", "0.5000000000000000000025"},
		{"half to even, odd", double, floats(1.5e-20, 1), "1.00000000000000000002",
			"0.5000000000000000000075"},
		{"too large", double, floats(1e300), "absent overflow", "absent overflow"},
		{"too large, and taken back", double, floats(1e300, 3, -1e300), "3", "1"},
		{"places of the type", money, decimals("1.10", "2.20"), "3.30", "1.65"},
		{"below zero", money, decimals("-0.05", "-0.05"), "-0.10", "-0.05"},
		{"to nothing", money, decimals("-0.05", "0.05"), "0.00", "0"},
		{"34 digits", money, decimals("20.00", "0.00", "0.00"), "20.00",
			"6.666666666666666666666666666666667"},
		{"beyond a long", long, []profile.Value{profile.Int(math.MaxInt64),
			profile.Int(math.MaxInt64), profile.Int(1)}, "18446744073709551615",
			"6148914691236517205"},
		{"beyond what a schema can say", huge, []profile.Value{nines, nines}, "absent overflow",
			"absent overflow"},
		{"integers that were promoted", double, []profile.Value{profile.Int(3),
			profile.Float(0.5)}, "3.5", "1.75"},
		{"another kind", long, []profile.Value{profile.String("3")}, "absent", "absent"},
	} {
		t.Run(c.why, func(t *testing.T) {
			for _, values := range [][]profile.Value{c.values, reversed(c.values)} {
				sum, avg := numbers(t, c.typ, values)
				if show(sum) != c.sum || show(avg) != c.avg {
					t.Errorf("got %s and %s, want %s and %s", show(sum), show(avg), c.sum, c.avg)
				}
			}
		})
	}
}

func reversed(values []profile.Value) []profile.Value {
	values = slices.Clone(values)
	slices.Reverse(values)
	return values
}

// TestValueOrder proves that the order of stored bytes is that of the values, and that they read
// back.
func TestValueOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := dice{rand.New(rand.NewPCG(seed, 0))}
	long := func() int64 {
		return pick(d, 0, 1, -1, math.MaxInt64, math.MinInt64, d.Int64(), -d.Int64N(1000))
	}
	draws := map[*Type]func() profile.Value{
		{Kind: profile.KindInt}: func() profile.Value { return profile.Int(long()) },
		{Kind: profile.KindFloat}: func() profile.Value {
			return profile.Float(pick(d, 0, 1e-300, -1e-300, math.MaxFloat64, -math.MaxFloat64,
				d.NormFloat64()))
		},
		{Kind: profile.KindDecimal, Precision: 60, Scale: 3}: func() profile.Value {
			n := new(big.Int).Lsh(big.NewInt(long()), uint(d.IntN(100)))
			return profile.Decimal(scaled(n, 3))
		},
		{Kind: profile.KindString}: func() profile.Value {
			return profile.String(pick(d, "", "a", "ab", "b", "\x00", "a\x00b", "ü"))
		},
		{Kind: profile.KindBool}: func() profile.Value { return profile.Bool(d.IntN(2) == 0) },
		{Kind: profile.KindDate}: func() profile.Value {
			return profile.Temporal(profile.KindDate, long())
		},
	}
	for typ, draw := range draws {
		for range 3000 {
			v, w := draw(), draw()
			a, b := appendValue(nil, v, typ), appendValue(nil, w, typ)
			if got, want := bytes.Compare(a, b), naiveOrder(v, w); got != want {
				t.Fatalf("%s: %s and %s: got %d, want %d", typ, show(Result{Value: v}),
					show(Result{Value: w}), got, want)
			}
			if back, err := readValue(a, typ); err != nil || !back.Equal(v) {
				t.Fatalf("%s: %s reads back as %s, %v", typ, show(Result{Value: v}),
					show(Result{Value: back}), err)
			}
		}
	}
}

func TestUnusableValues(t *testing.T) {
	money := &Type{Kind: profile.KindDecimal, Precision: 9, Scale: 2}
	for _, c := range []struct {
		v    profile.Value
		typ  *Type
		want string
	}{
		{profile.Decimal("1.5"), money, "1.50"},
		{profile.Decimal("1.500"), money, "1.50"},
		{profile.Decimal("-0.00"), money, "0.00"},
		{profile.Decimal("1.505"), money, ""},
		{profile.Decimal("one"), money, ""},
		{profile.Decimal("+1"), money, ""},
		{profile.String("1.50"), money, ""},
		{profile.String(strings.Repeat("x", MaxValueBytes+1)), &Type{Kind: profile.KindString}, ""},
		{profile.Temporal(profile.KindDate, 1), &Type{Kind: profile.KindTimestampNanos}, ""},
	} {
		got, ok := usable(c.v, c.typ)
		if ok != (c.want != "") || ok && got.AsText() != c.want {
			t.Errorf("%s: got %q, %v", show(Result{Value: c.v}), got.AsText(), ok)
		}
	}
}

func TestReducedSumsAreOne(t *testing.T) {
	for _, text := range []string{"100", "1e2", "100.000", "0.1e3"} {
		d, _, err := apd.NewFromString(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := appendDecimal(nil, d); !bytes.Equal(got, []byte{4, 0, 1, 1}) {
			t.Errorf("%s is stored as %v", text, got)
		}
	}
}
