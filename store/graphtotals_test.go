package store

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/profile"
)

// TestGraphTotals writes totals that are right, then some that are not, and counts the rows.
func TestGraphTotals(t *testing.T) {
	s := openTest(t, vfs.NewMem())
	defer s.Close()
	must(t, s.Commit(person(s), true))
	want := GraphTotals{Links: 1, Sizes: [7]int64{0, 1}}
	if counted, err := s.Reader().CountGraph("profile"); err != nil || !counted.Equal(&want) {
		t.Fatalf("counted %+v, %v", counted, err)
	}
	if row, err := s.Reader().GraphTotals("profile"); row != nil || err != nil {
		t.Fatalf("%+v, %v before any were written", row, err)
	}
	for _, said := range []struct {
		totals   GraphTotals
		problems int
	}{
		{want, 0},
		{GraphTotals{Links: 2, Sizes: want.Sizes}, 1},
		{GraphTotals{Links: 1, Sizes: [7]int64{1}}, 1},
		{GraphTotals{Links: 1, Sizes: want.Sizes, Several: []NamespaceCount{{"email", 1}}}, 1},
	} {
		b := s.NewBatch()
		b.SetGraphTotals("profile", &said.totals)
		must(t, s.Commit(b, true))
		row, err := s.Reader().GraphTotals("profile")
		must(t, err)
		if !row.Equal(&said.totals) {
			t.Errorf("read %+v, wrote %+v", row, said.totals)
		}
		var problems []string
		_, err = s.Check(context.Background(), func(p Problem) {
			if p.Space == "graph totals" {
				problems = append(problems, p.String())
			}
		})
		must(t, err)
		if len(problems) != said.problems {
			t.Errorf("%+v: %s", said.totals, strings.Join(problems, "; "))
		}
	}
}

// TestAddCluster adds clusters and takes them away again, in any order, and compares with a count
// made in another way.
func TestAddCluster(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	bounds := map[int]int{1: 0, 2: 1, 3: 2, 5: 2, 6: 3, 10: 3, 11: 4, 20: 4, 21: 5, 50: 5, 51: 6,
		1000: 6}
	for size, at := range bounds {
		var one GraphTotals
		one.AddCluster(some(rnd, size), 1)
		if one.Sizes[at] != 1 || one.Clusters() != 1 {
			t.Errorf("%d identities are counted as %v", size, one.Sizes)
		}
	}
	var total GraphTotals
	var held [][]profile.Identity
	for range 300 {
		if len(held) > 0 && rnd.IntN(3) == 0 {
			i := rnd.IntN(len(held))
			total.AddCluster(held[i], -1)
			held = slices.Delete(held, i, i+1)
		} else {
			held = append(held, some(rnd, 1+rnd.IntN(8)))
			total.AddCluster(held[len(held)-1], 1)
		}
		want := map[string]int64{}
		for _, members := range held {
			perSpace := map[string]int{}
			for _, id := range members {
				if perSpace[id.Namespace]++; perSpace[id.Namespace] == 2 {
					want[id.Namespace]++
				}
			}
		}
		got := map[string]int64{}
		for _, c := range total.Several {
			got[c.Namespace] = c.Clusters
		}
		if !maps.Equal(got, want) || total.Clusters() != int64(len(held)) {
			t.Fatalf("seed %d: %+v, want %v in %d clusters", seed, total, want, len(held))
		}
	}
}

// some makes n identities of up to three namespaces, sorted.
func some(rnd *rand.Rand, n int) []profile.Identity {
	members := make([]profile.Identity, n)
	for i := range members {
		members[i] = profile.Identity{Namespace: []string{"a", "b", "c"}[rnd.IntN(3)],
			Value: fmt.Sprint(i)}
	}
	slices.SortFunc(members, profile.Identity.Compare)
	return members
}
