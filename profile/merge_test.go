package profile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomSources are fragments of the datasets a to d, some of them of the same one. No two stamps
// of different fragments are equal.
func randomSources(rnd *rand.Rand) []Source {
	var sources []Source
	for i := range 1 + rnd.IntN(5) {
		f := randomFragment(rnd, 3)
		f.Floor.Pos.Partition = int32(i)
		for j := range f.Leaves {
			f.Leaves[j].Stamp.Pos.Partition = int32(i)
		}
		for j := range f.Edits {
			f.Edits[j].Stamp.Pos.Partition = int32(i)
		}
		sources = append(sources, Source{Dataset: string(rune('a' + rnd.IntN(4))), Fragment: f})
	}
	return sources
}

func randomRule(rnd *rand.Rand) Rule {
	r := Rule{Strategy: Strategy(rnd.IntN(3)), Union: rnd.IntN(3) == 0}
	if r.Strategy == StrategyPrecedence {
		order := []string{"a", "b", "c", "d"}
		rnd.Shuffle(4, func(i, j int) { order[i], order[j] = order[j], order[i] })
		r.Precedence = order[:1+rnd.IntN(3)]
	}
	return r
}

func randomPolicy(rnd *rand.Rand) Policy {
	p := Policy{Rule: randomRule(rnd)}
	for _, o := range []Override{{Path: "a"}, {Path: "list"}, {Path: "b", Below: true},
		{Path: MakePath("b", "c"), Below: true}, {Path: MakePath("b", "list")}} {
		if rnd.IntN(3) == 0 {
			o.Rule = randomRule(rnd)
			p.Overrides = append(p.Overrides, o)
		}
	}
	return p
}

// naiveRule picks the rule by hand.
func naiveRule(p Policy, path Path) Rule {
	segments := path.Segments()
	for n := len(segments); n > 0; n-- {
		at := MakePath(segments[:n]...)
		for _, o := range p.Overrides {
			if o.Path == at && o.Below == (n < len(segments)) {
				return o.Rule
			}
		}
	}
	return p.Rule
}

// naiveMerge looks at every path on its own, at every source on its own, and sorts.
func naiveMerge(p Policy, sources []Source) map[Path]string {
	type statement struct {
		Leaf
		rank int
	}
	merged := map[Path]string{}
	paths := map[Path]bool{}
	for _, s := range sources {
		for _, l := range s.Fragment.Shown() {
			paths[l.Path] = true
		}
	}
	for path := range paths {
		rule := naiveRule(p, path)
		var all []statement
		for _, s := range sources {
			rank := 0
			if rule.Strategy == StrategyPrecedence {
				if rank = slices.Index(rule.Precedence, s.Dataset); rank < 0 {
					continue
				}
			}
			var own Leaf
			for _, l := range s.Fragment.Shown() {
				if l.Path == path && !l.Unset() {
					own = l
					break
				}
				if l.Unset() && l.Path.Contains(path) && own.Stamp.Before(l.Stamp) {
					own = l
				}
			}
			if !own.Stamp.IsZero() {
				all = append(all, statement{own, rank})
			}
		}
		array := slices.ContainsFunc(all, func(s statement) bool {
			return s.Value.Kind() == KindArray
		})
		slices.SortFunc(all, func(x, y statement) int {
			order := y.Stamp.Compare(x.Stamp)
			if rule.Strategy == StrategyEarliest && !(rule.Union && array) {
				order = -order
			}
			if !(rule.Union && array) && x.rank != y.rank {
				return x.rank - y.rank
			}
			return order
		})
		if len(all) == 0 || all[0].Unset() {
			continue
		}
		value := all[0].Value
		if rule.Union && array {
			var items []Value
			for i := range all {
				if all[i].Unset() {
					all = all[:i]
					break
				}
			}
			for _, s := range slices.Backward(all) {
				for i := range s.Value.Len() {
					if !slices.ContainsFunc(items, s.Value.Item(i).Equal) {
						items = append(items, s.Value.Item(i))
					}
				}
			}
			value = Array(items)
		}
		merged[path] = elementKey(value)
	}
	return merged
}

// TestMergeAgreesWithNaive holds every strategy, overrides and unions among them, to the naive
// reading, in whatever order the sources come; and Explain to Merge.
func TestMergeAgreesWithNaive(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 5))
	leaves := 0
	for range 20_000 {
		sources, p := randomSources(rnd), randomPolicy(rnd)
		want := naiveMerge(p, sources)
		for range 2 {
			got := map[Path]string{}
			merged := p.Merge(sources)
			for _, l := range merged.Leaves {
				got[l.Path] = elementKey(l.Value)
			}
			if !slices.IsSortedFunc(merged.Leaves, byPathNewestFirst) ||
				fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("seed %d: %+v\n%v\ngot  %q\nwant %q", seed, p, sources, got, want)
			}
			checkExplained(t, p, sources, want)
			rnd.Shuffle(len(sources), func(i, j int) {
				sources[i], sources[j] = sources[j], sources[i]
			})
		}
		leaves += len(want)
	}
	if leaves < 20_000 {
		t.Errorf("only %d leaves", leaves)
	}
}

// checkExplained: every value is explained, what is not a value is absent, and of the statements
// exactly those stand that make the value.
func checkExplained(t *testing.T, p Policy, sources []Source, want map[Path]string) {
	t.Helper()
	values := map[Path]string{}
	for _, e := range p.Explain(sources) {
		won := 0
		for i, c := range e.Candidates {
			if c.Won {
				won++
			}
			if c.Won != (c.Reason == ReasonOnly || c.Reason == ReasonNewest ||
				c.Reason == ReasonOldest || c.Reason == ReasonHighest || c.Reason == ReasonUnited) {
				t.Fatalf("%s: won %v by %s", e.Path, c.Won, c.Reason)
			}
			if c.Won && i != won-1 {
				t.Fatalf("%s: what stands does not come first", e.Path)
			}
			if c.Won && c.Unset() != e.Value.IsNull() {
				t.Fatalf("%s: %v stands, the value is %v", e.Path, c.Leaf, e.Value)
			}
		}
		if e.Value.IsNull() {
			continue
		}
		values[e.Path] = elementKey(e.Value)
		if won == 0 || won > 1 && e.Candidates[0].Reason != ReasonUnited {
			t.Fatalf("%s: %d statements stand", e.Path, won)
		}
	}
	if fmt.Sprint(values) != fmt.Sprint(want) {
		t.Fatalf("explained %q, merged %q", values, want)
	}
}

// TestStrategies spells out the rules that are easily got wrong.
func TestStrategies(t *testing.T) {
	at := func(n int64) Stamp { return Stamp{Time: n, Pos: Position{Topic: "t", Offset: n}} }
	leaf := func(path Path, n int64, v Value) Leaf {
		return Leaf{Path: path, Stamp: at(n), Value: v}
	}
	of := func(dataset string, leaves ...Leaf) Source {
		return Source{Dataset: dataset, Fragment: &Fragment{Leaves: leaves}}
	}
	address, city := Path("address"), MakePath("address", "city")
	list := Rule{Strategy: StrategyPrecedence, Precedence: []string{"crm", "shop"}}
	cases := []struct {
		name    string
		rule    Rule
		sources []Source
		want    string
	}{
		{"a newer unset of another dataset wins", Rule{},
			[]Source{of("crm", leaf("a", 1, Int(1))), of("web", leaf("a", 2, Null()))}, ""},
		{"an older unset loses", Rule{},
			[]Source{of("crm", leaf("a", 2, Int(1))), of("web", leaf("a", 1, Null()))}, "1"},
		{"precedence goes before time", list,
			[]Source{of("crm", leaf("a", 1, Int(1))), of("shop", leaf("a", 2, Int(2)))}, "1"},
		{"an unset of the highest that has the path", list,
			[]Source{of("crm", leaf("a", 1, Null())), of("shop", leaf("a", 2, Int(2)))}, ""},
		{"an unset further down does not matter", list,
			[]Source{of("crm", leaf("a", 1, Int(1))), of("shop", leaf("a", 2, Null()))}, "1"},
		{"the highest has not the path", list,
			[]Source{of("crm", leaf("b", 1, Null())), of("shop", leaf("a", 2, Int(2)))}, "2"},
		{"what is not listed says nothing", list,
			[]Source{of("web", leaf("a", 3, Null())), of("shop", leaf("a", 2, Int(2)))}, "2"},
		{"the newest within a dataset", list,
			[]Source{of("crm", leaf("a", 1, Int(1))), of("crm", leaf("a", 2, Int(2)))}, "2"},
		{"an object unset by the highest", list, []Source{of("crm", leaf(address, 1, Null())),
			of("shop", leaf(city, 2, Int(2)))}, ""},
		{"an object unset, then written", Rule{Strategy: StrategyEarliest}, []Source{
			of("crm", leaf(address, 1, Null()), leaf(city, 3, Int(3))),
			of("shop", leaf(city, 2, Int(2)))}, "2"},
		{"the oldest stands", Rule{Strategy: StrategyEarliest},
			[]Source{of("crm", leaf("a", 2, Int(1))), of("web", leaf("a", 1, Int(2)))}, "2"},
		{"also where it is an unset", Rule{Strategy: StrategyEarliest},
			[]Source{of("crm", leaf("a", 2, Int(1))), of("web", leaf("a", 1, Null()))}, ""},
		{"a union is in order of time", Rule{Union: true}, []Source{
			of("crm", leaf("a", 2, Array([]Value{Int(1), Int(2)}))),
			of("web", leaf("a", 1, Array([]Value{Int(3), Int(2), Int(3)})))}, "[3,2,1]"},
		{"an unset takes older arrays out of a union", Rule{Union: true}, []Source{
			of("crm", leaf("a", 3, Array([]Value{Int(1)}))), of("shop", leaf("a", 2, Null())),
			of("web", leaf("a", 1, Array([]Value{Int(3)})))}, "[1]"},
		{"a union chooses what is no array", Rule{Union: true},
			[]Source{of("crm", leaf("a", 1, Int(1))), of("web", leaf("a", 2, Int(2)))}, "2"},
	}
	for _, c := range cases {
		p := Policy{Rule: c.rule}
		var got string
		for _, l := range p.Merge(c.sources).Leaves {
			got += elementKey(l.Value)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
