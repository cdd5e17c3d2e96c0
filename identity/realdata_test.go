package identity_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"selfsame/identity"
	"selfsame/profile"
)

// collection is a public data set: records with identifiers, and who is who where every value
// that is shared joins, as its tables tell.
type collection struct {
	name       string
	namespaces []identity.Namespace // with all guards as they are by default
	records    []seen
	subjects   func(s *stitched) map[string]profile.Identity // what the tables speak of
	expected   map[string]string                             // subject to component
	truth      map[string]string                             // subject to person; nil: unknown
	people     string                                        // instead: namespace of one per person
	more       []guard                                       // settings that a user might choose
}

// seen is one record; its time is its place in the collection.
type seen struct{ claims []identity.Claim }

// stitched is the outcome of a collection under some rules.
type stitched struct {
	rules   *identity.Rules
	graph   *identity.Graph
	refused map[int]string // records, and why
	hubs    map[profile.Identity]bool
}

func stitch(t *testing.T, rules *identity.Rules, records []seen, order []int) *stitched {
	t.Helper()
	s := &stitched{rules, identity.NewGraph(rules), map[int]string{}, map[profile.Identity]bool{}}
	for _, at := range order {
		res, err := rules.ResolveEvent(records[at].claims)
		if err != nil {
			s.refused[at] = reasonOf(err)
			continue
		}
		if _, _, err := s.graph.Assert(res.All, int64(at)); err != nil {
			t.Fatalf("record %d: %v", at, err)
		}
	}
	for _, id := range s.graph.Hubs() {
		s.hubs[id] = true
	}
	return s
}

// clusterOf names the cluster of each identity by its least one.
func (s *stitched) clusterOf() map[profile.Identity]string {
	of := map[profile.Identity]string{}
	for _, members := range s.graph.Clusters() {
		for _, id := range members {
			of[id] = members[0].String()
		}
	}
	return of
}

// guard is a way to set the guard rules.
type guard struct {
	name string
	max  int                               // identities in a cluster; 0: the default
	set  func(spaces []identity.Namespace) // changes them; nil: as by default
}

// guardsOff is everything off that can be: what remains is the most that max_identities may say.
// No set has a cluster that large.
var guardsOff = guard{"off", identity.LimitMaxIdentities, func(spaces []identity.Namespace) {
	for i := range spaces {
		spaces[i].NoDefaultBlocked, spaces[i].HubDegree = true, identity.HubsOff
	}
}}

func (c *collection) rulesOf(t *testing.T, g guard) *identity.Rules {
	t.Helper()
	namespaces := slices.Clone(c.namespaces)
	if g.set != nil {
		g.set(namespaces)
	}
	rules, err := identity.NewRules(namespaces, g.max)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

const reorderings = 5

// inAnyOrder stitches the collection in its order and in others: all must come to the same.
func (c *collection) inAnyOrder(t *testing.T, g guard) (*stitched, map[string]string) {
	t.Helper()
	rules := c.rulesOf(t, g)
	var order []int
	for i := range c.records {
		order = append(order, i)
	}
	first := stitch(t, rules, c.records, order)
	parts := c.partition(first)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range reorderings {
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		again := c.partition(stitch(t, rules, c.records, order))
		if !maps.Equal(parts, again) {
			t.Fatalf("guards %s: another order comes to something else, seed %d", g.name, seed)
		}
	}
	return first, parts
}

// partition gives the part of each subject, named by its least one.
func (c *collection) partition(s *stitched) map[string]string {
	of := s.clusterOf()
	parts := map[string]string{}
	for subject, id := range c.subjects(s) {
		parts[subject] = of[id]
	}
	return byLeast(parts)
}

// byLeast names the parts of a partition by their least members, so that two can be compared.
func byLeast(parts map[string]string) map[string]string {
	least := map[string]string{}
	for _, subject := range slices.Sorted(maps.Keys(parts)) {
		if _, named := least[parts[subject]]; !named {
			least[parts[subject]] = subject
		}
	}
	named := map[string]string{}
	for subject, part := range parts {
		named[subject] = least[part]
	}
	return named
}

// TestRealData stitches public data sets: without guards exactly as their tables say, and with the
// guards as they are by default, where every difference has to be explained by a guard. The figures
// are those of docs/graph.md.
func TestRealData(t *testing.T) {
	root := os.Getenv("SELFSAME_TESTDATA")
	if root == "" {
		t.Skip("SELFSAME_TESTDATA names no directory of public test data")
	}
	page, err := os.ReadFile("../docs/graph.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range collections(t, root) {
		t.Run(c.name, func(t *testing.T) {
			open, openParts := c.inAnyOrder(t, guardsOff)
			if want := byLeast(c.expected); !maps.Equal(openParts, want) {
				t.Fatalf("without guards: %d subjects in %d parts, want %d in %d", len(openParts),
					countParts(openParts), len(want), countParts(want))
			}
			lines := []string{c.row("off", openParts, nil)}
			for _, g := range append([]guard{{name: "default"}}, c.more...) {
				guarded, parts := c.inAnyOrder(t, g)
				why := c.explain(t, open, guarded)
				t.Logf("%s: %v", g.name, map[string]map[string]int(why))
				lines = append(lines, c.row(g.name, parts, why))
			}
			for _, line := range lines {
				if !strings.Contains(string(page), line+"\n") {
					t.Errorf("docs/graph.md does not have the line\n%s", line)
				}
			}
		})
	}
}

func countParts(parts map[string]string) int {
	distinct := map[string]bool{}
	for _, part := range parts {
		distinct[part] = true
	}
	return len(distinct)
}

// row gives a line of the table of the docs.
func (c *collection) row(guards string, parts map[string]string, why causes) string {
	largest := map[string]int{}
	people := map[string]string{}
	for subject, part := range parts {
		largest[part]++
		if c.people != "" && strings.HasPrefix(subject, c.people+"=") {
			people[subject] = part
		}
	}
	precision, recall := "", ""
	if c.people != "" {
		precision = fmt.Sprintf("%d pairs of %s", len(pairs(people)), c.people)
	}
	if c.truth != nil {
		made, real, both := pairs(parts), pairs(c.truth), 0
		for pair := range made {
			if real[pair] {
				both++
			}
		}
		precision = fmt.Sprintf("%.3f", float64(both)/float64(len(made)))
		recall = fmt.Sprintf("%.3f", float64(both)/float64(len(real)))
	}
	return fmt.Sprintf("| %s | %s | %d | %d | %s | %s | %v |", c.name, guards, countParts(parts),
		slices.Max(slices.Collect(maps.Values(largest))), precision, recall, why)
}

// pairs lists who is with whom.
func pairs(parts map[string]string) map[[2]string]bool {
	members := map[string][]string{}
	for _, subject := range slices.Sorted(maps.Keys(parts)) {
		members[parts[subject]] = append(members[parts[subject]], subject)
	}
	all := map[[2]string]bool{}
	for _, part := range members {
		for i, a := range part {
			for _, b := range part[i+1:] {
				all[[2]string{a, b}] = true
			}
		}
	}
	return all
}

// causes are what the guards did: what to whom, and in how many records.
type causes map[string]map[string]int

func (c causes) add(what, whom string) {
	if c[what] == nil {
		c[what] = map[string]int{}
	}
	c[what][whom]++
}

// String sums up without naming anybody.
func (c causes) String() string {
	var list []string
	for _, what := range slices.Sorted(maps.Keys(c)) {
		records := 0
		for _, n := range c[what] {
			records += n
		}
		text := fmt.Sprintf("%s: %d", what, len(c[what]))
		if records > len(c[what]) {
			text += fmt.Sprintf(" in %d records", records)
		}
		list = append(list, text)
	}
	return strings.Join(list, "; ")
}

// explain names what the guards did, and checks that it is all: with the links that were left out,
// the values that were blocked and the hubs put back, the parts are those without guards.
func (c *collection) explain(t *testing.T, open, guarded *stitched) causes {
	t.Helper()
	found, whole := causes{}, sets{}
	for id, cluster := range guarded.clusterOf() {
		whole.join(id.String(), cluster)
	}
	reasons, err := guarded.graph.LeftOut()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reasons {
		found.add("links left out by "+r.Rule.String(), fmt.Sprint(r.Link))
		whole.join(r.Link.A.String(), r.Link.B.String())
	}
	for i := range c.records {
		c.putBack(open, guarded, i, found, whole)
	}
	parts := map[string]string{}
	for subject, id := range c.subjects(open) {
		parts[subject] = whole.find(id.String())
	}
	if want := c.partition(open); !maps.Equal(byLeast(parts), want) {
		t.Errorf("the guards do not explain everything: %d parts with all put back, want %d",
			countParts(parts), countParts(want))
	}
	return found
}

// putBack joins what the guards took from a record with its other identities, and notes why.
func (c *collection) putBack(open, guarded *stitched, record int, found causes, whole sets) {
	var all, back []profile.Identity
	for _, claim := range c.records[record].claims {
		id, empty, _ := open.rules.Normalize(claim.Namespace, claim.Value)
		if empty {
			continue
		}
		all = append(all, id)
		_, blocked, _ := guarded.rules.Normalize(claim.Namespace, claim.Value)
		switch {
		case blocked:
			back = append(back, id)
			found.add("blocked "+id.Namespace, id.Value)
		case guarded.hubs[id]:
			back = append(back, id)
			found.add("hubs of "+id.Namespace, id.Value)
		}
	}
	reason := guarded.refused[record]
	if reason != "" && reason != open.refused[record] {
		back = all
		found.add("refused as "+reason, fmt.Sprint(record))
	}
	for _, id := range back {
		for _, other := range all {
			whole.join(id.String(), other.String())
		}
	}
}

// sets are disjoint sets of texts, by parent.
type sets map[string]string

func (s sets) find(x string) string {
	for s[x] != "" && s[x] != x {
		x = s[x]
	}
	return x
}

func (s sets) join(a, b string) {
	if a, b = s.find(a), s.find(b); a != b {
		s[max(a, b)] = min(a, b)
	}
}

// TestEdgeSteps tells a small graph edge by edge: after each the parts are those of the table.
func TestEdgeSteps(t *testing.T) {
	root := os.Getenv("SELFSAME_TESTDATA")
	if root == "" {
		t.Skip("SELFSAME_TESTDATA names no directory of public test data")
	}
	folder := filepath.Join(root, "identity_edges")
	c := edges(t, folder)
	steps := edgeSteps(t, folder)
	if len(steps) != len(c.records) {
		t.Fatalf("%d edges, %d steps", len(c.records), len(steps))
	}
	for _, g := range []guard{guardsOff, {name: "default"}} {
		rules := c.rulesOf(t, g)
		var order []int
		for i := range c.records {
			order = append(order, i)
			got := c.partition(stitch(t, rules, c.records, order))
			if want := byLeast(partsOf(steps[i].Components)); !maps.Equal(got, want) {
				t.Errorf("guards %s, after edge %d: %v, want %v", g.name, i+1, got, want)
			}
		}
	}
}
