package permute

import (
	"fmt"
	"slices"
	"testing"
)

func TestOrders(t *testing.T) {
	want := 1
	for n := range 6 {
		want *= max(n, 1)
		seen := map[string]bool{}
		for _, order := range Orders(n) {
			seen[fmt.Sprint(order)] = true
			sorted := slices.Sorted(slices.Values(order))
			for i, number := range sorted {
				if len(order) != n || number != i {
					t.Errorf("%v is no order of %d", order, n)
				}
			}
		}
		if len(seen) != want {
			t.Errorf("%d orders of %d, want %d", len(seen), n, want)
		}
	}
}
