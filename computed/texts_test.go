package computed

import (
	"math/big"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// cents writes a whole number of hundredths.
func cents(n int64) string { return scaled(big.NewInt(n), 2) }

// short takes the zeros away from the end of a fraction, as doubles are written.
func short(text string) string {
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

func parseFloat(t testing.TB, text string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
