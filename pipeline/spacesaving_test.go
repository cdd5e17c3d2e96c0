package pipeline

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// TestSpaceSaving holds the summary to what it promises, against an exact count.
func TestSpaceSaving(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 0))
		room := 1 + rnd.IntN(40)
		zipf := rand.NewZipf(rnd, 1.05+rnd.Float64(), 1, 500)
		s, again, exact := newSpaceSaving[uint64](room), newSpaceSaving[uint64](room),
			map[uint64]uint64{}
		n := 1 + rnd.IntN(5000)
		for range n {
			key := zipf.Uint64()
			s.add(key)
			again.add(key)
			exact[key]++
		}
		top := s.top(room)
		if !reflect.DeepEqual(top, again.top(room)) {
			t.Fatalf("seed %d: the same stream gives another summary", seed)
		}
		held := map[uint64]bool{}
		for i, f := range top {
			held[f.key] = true
			if f.count < exact[f.key] || f.count-f.error > exact[f.key] || f.error > s.bound() {
				t.Fatalf("seed %d: key %d counts %d, at most %d too many; there are %d, bound %d",
					seed, f.key, f.count, f.error, exact[f.key], s.bound())
			}
			if i > 0 && top[i-1].count < f.count {
				t.Fatalf("seed %d: the order is wrong at %d", seed, i)
			}
		}
		for key, count := range exact {
			if count > s.bound() && !held[key] {
				t.Fatalf("seed %d: key %d occurred %d times of %d, and is not held by %d places",
					seed, key, count, n, room)
			}
		}
		if len(exact) <= room && s.total > 0 && len(top) != len(exact) {
			t.Fatalf("seed %d: %d keys in %d places, %d held", seed, len(exact), room, len(top))
		}
	}
}
