package computed

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/cockroachdb/apd/v3"

	"selfsame/profile"
)

// TestSmallNumbersAreTheSame compares what is done with small numbers with what is done with those
// of any size: around powers of ten, at random, and at the limits.
func TestSmallNumbersAreTheSame(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	number := func() *apd.Decimal {
		n := rnd.Int64() >> rnd.IntN(64)
		if rnd.IntN(3) == 0 {
			n = int64(powers[rnd.IntN(len(powers))]) + rnd.Int64N(3) - 1
		}
		if rnd.IntN(2) == 0 {
			n = -n
		}
		return apd.New(n, int32(rnd.IntN(14)-9))
	}
	took := map[string]int{}
	for range 50_000 {
		x, y := number(), number()
		if rnd.IntN(2) == 0 {
			y.Exponent = x.Exponent
		}
		compareSums(t, x, y, rnd.IntN(2) == 0, took)
		compareTexts(t, x, rnd.IntN(12), took)
	}
	for _, what := range []string{"added", "written", "given out", "read"} {
		if took[what] < 3_000 {
			t.Errorf("only %d numbers were %s", took[what], what)
		}
	}
}

func compareSums(t *testing.T, x, y *apd.Decimal, away bool, took map[string]int) {
	t.Helper()
	fast, slow := new(apd.Decimal).Set(x), new(apd.Decimal).Set(x)
	if addSmall(fast, y, away) {
		took["added"]++
		op := exact().Add
		if away {
			op = exact().Sub
		}
		if _, err := op(slow, slow, y); err != nil || fast.Cmp(slow) != 0 {
			t.Fatalf("%s and %s (away: %v) come to %s, want %s (%v)", x, y, away, fast, slow, err)
		}
	}
	if got, ok := appendSmall(nil, fast); ok {
		took["written"]++
		if want := appendAny(nil, fast); !bytes.Equal(got, want) {
			t.Fatalf("%s is written %x, want %x", fast, got, want)
		}
	}
}

func compareTexts(t *testing.T, x *apd.Decimal, scale int, took map[string]int) {
	t.Helper()
	typ := &Type{Kind: profile.KindDecimal, Precision: 57, Scale: scale}
	if got, ok := smallText(x, scale); ok {
		took["given out"]++
		if want, fits := giveOutAny(x, typ, true); !fits || got != want.AsText() {
			t.Fatalf("%s is given out as %s, want %s", x, got, want.AsText())
		}
	}
	text := x.Text('f')
	n, ok := smallUnscaled(text, scale)
	if !ok {
		return
	}
	took["read"]++
	want, usable := unscaled(text, scale)
	if !usable || want.Cmp(big.NewInt(n)) != 0 || scaled(want, scale) != text {
		t.Fatalf("%s is %d units, want %s", text, n, want)
	}
}

// TestSmallFloats compares doubles that are read as small numbers with what their text says.
func TestSmallFloats(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 20_000 {
		f := rnd.NormFloat64() * float64(powers[rnd.IntN(10)])
		if rnd.IntN(2) == 0 {
			f, _ = strconv.ParseFloat(strconv.FormatFloat(f, 'f', 2, 64), 64)
		}
		var got, want apd.Decimal
		numberOf(&got, profile.Float(f), &Type{Kind: profile.KindFloat})
		if _, _, err := want.SetString(strconv.FormatFloat(f, 'e', -1, 64)); err != nil ||
			got.Cmp(&want) != 0 {
			t.Fatalf("%v is %s, want %s (%v)", f, &got, &want, err)
		}
	}
}
