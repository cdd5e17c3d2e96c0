package identity

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"selfsame/profile"
)

// TestUniteAgreesWithDecide compares the short way with the long one wherever it says yes.
func TestUniteAgreesWithDecide(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	taken := 0
	for range 300 {
		rules, err := NewRules([]Namespace{
			{Name: "a", Type: CrossDevice, Unique: true, HubDegree: HubsOff},
			{Name: "b", Type: Email, Limit: 2, HubDegree: HubsOff},
			{Name: "c", Type: Cookie, HubDegree: HubsOff},
		}, 4+rnd.IntN(6))
		if err != nil {
			t.Fatal(err)
		}
		g := NewGraph(rules)
		for range 60 {
			pair := []profile.Identity{randomID(rnd), randomID(rnd)}
			if pair[0] == pair[1] {
				continue
			}
			left, _ := g.Members(pair[0])
			right, _ := g.Members(pair[1])
			inside := slices.Contains(left, pair[1])
			want, ok, _ := rules.Unite(g, left, right)
			if _, _, err := g.Assert(pair, int64(rnd.IntN(50))); err != nil {
				t.Fatal(err)
			}
			if inside || !ok {
				continue
			}
			taken++
			if got, _ := g.Members(pair[0]); !slices.Equal(got, want) {
				t.Fatalf("seed %d: united %v, decided %v", seed, want, got)
			}
		}
	}
	if taken < 1000 {
		t.Fatalf("the short way was taken only %d times", taken)
	}
}

func randomID(rnd *rand.Rand) profile.Identity {
	namespace := []string{"a", "b", "c"}[rnd.IntN(3)]
	return profile.Identity{Namespace: namespace, Value: strconv.Itoa(rnd.IntN(9))}
}
