// Package permute lists orders, for tests that play a few records in all of them.
package permute

import "slices"

// Orders lists all orders of the numbers from 0 to n-1: n! of them, each a slice of its own. The
// order of the list is always the same.
func Orders(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, order := range Orders(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(order), at, n-1))
		}
	}
	return all
}
