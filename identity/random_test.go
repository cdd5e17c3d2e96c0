package identity

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"

	"selfsame/profile"
)

func randomRules(random *rand.Rand) *oracle {
	caps := []int{4, 5, 6, 8, 10, 20, 50}
	o := &oracle{
		order:  []string{"crm", "email", "phone", "cookie"},
		unique: map[string]bool{"crm": random.IntN(8) > 0, "email": random.IntN(3) == 0},
		limit:  map[string]int{"phone": random.IntN(3) * 2},
		max:    caps[random.IntN(len(caps))],
	}
	if !o.unique["email"] {
		o.limit["email"] = random.IntN(2) * 2
	}
	return o
}

func identities(counts map[string]int) []profile.Identity {
	var ids []profile.Identity
	for _, namespace := range slices.Sorted(maps.Keys(counts)) {
		for i := range counts[namespace] {
			ids = append(ids, profile.Identity{Namespace: namespace, Value: strconv.Itoa(i)})
		}
	}
	return ids
}

// sample draws different identities, sorted.
func sample(random *rand.Rand, pool []profile.Identity, count int) []profile.Identity {
	drawn := make([]profile.Identity, count)
	for i, at := range random.Perm(len(pool))[:count] {
		drawn[i] = pool[at]
	}
	slices.SortFunc(drawn, profile.Identity.Compare)
	return drawn
}

func anyLink(
	random *rand.Rand, links map[[2]profile.Identity]int64,
) [2]profile.Identity {
	sorted := slices.SortedFunc(maps.Keys(links), func(x, y [2]profile.Identity) int {
		return cmp.Or(x[0].Compare(y[0]), x[1].Compare(y[1]))
	})
	return sorted[random.IntN(len(sorted))]
}
