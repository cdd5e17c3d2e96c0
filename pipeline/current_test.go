package pipeline_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/identity"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// currentLinks makes the links of crm and shop those of their newest records, has these carry
// cookies and customer numbers too, and leaves contested addresses and cookies to nobody. There are
// no hubs: which identity becomes one depends on the order of arrival.
func currentLinks(t testing.TB) func(*pipeline.Model) {
	return func(m *pipeline.Model) {
		rules, err := identity.NewRules([]identity.Namespace{
			{Name: "crm", Type: identity.CrossDevice, Unique: true, HubDegree: identity.HubsOff},
			{Name: "email", Type: identity.Email, DropContested: true, HubDegree: identity.HubsOff},
			{Name: "cookie", Type: identity.Cookie, DropContested: true,
				HubDegree: identity.HubsOff},
		}, 6)
		if err != nil {
			t.Fatal(err)
		}
		m.Entities[0].Rules = rules
		crm, shop := m.Dataset("crm"), m.Dataset("shop")
		crm.CurrentLinks, shop.CurrentLinks = true, true
		crm.Identities = append(crm.Identities, pipeline.IdentityField{Path: "tags",
			Namespace: "cookie"})
		shop.Identities = append(shop.Identities, pipeline.IdentityField{Path: "name",
			Namespace: "crm"}, pipeline.IdentityField{Path: "tier", Namespace: "cookie"})
	}
}

// TestFoldCurrent is TestFold where datasets take back what they have said, and identities can
// belong to nobody.
func TestFoldCurrent(t *testing.T) {
	for range seeds(8) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			all := append(facts(rnd, 150), corrections(rnd, 150)...)
			foldsAlike(t, seed, all, currentLinks(t))
		})
	}
}

// corrections are records about few identities, most of which say something else than the one
// before. Their times lie between those of other facts, so that no two are the same.
func corrections(rnd *rand.Rand, n int) []fact {
	base := time.Unix(1_699_900_000, 0).UTC().Add(500 * time.Millisecond)
	order := rnd.Perm(n)
	var all []fact
	for i := range n {
		at := base.Add(time.Duration(order[i]) * time.Second)
		op := []string{"", "", "", "", "replace", "delete"}[rnd.IntN(6)]
		if rnd.IntN(3) == 0 {
			all = append(all, fact{dataset: "shop", at: at, op: op, value: fmt.Sprintf(
				`{"mail":"p%d@x.org","name":%s,"tier":%s,"at":%d}`, 1+rnd.IntN(14),
				perhaps(rnd, `"%d"`, 12), perhaps(rnd, `"k%d"`, 20), at.UnixMilli())})
			continue
		}
		var cookies []string
		for range rnd.IntN(4) {
			cookies = append(cookies, fmt.Sprintf(`"k%d"`, rnd.IntN(20)))
		}
		all = append(all, fact{dataset: "crm", at: at, op: op, value: fmt.Sprintf(
			`{"id":"%d","email":%s,"tags":[%s],"at":%d}`, 1+rnd.IntN(12),
			perhaps(rnd, `"p%d@x.org"`, 14), strings.Join(cookies, ","), at.UnixMilli())})
	}
	return all
}

// perhaps is one of n values, or null. There is no 0: it is blocked.
func perhaps(rnd *rand.Rand, format string, n int) string {
	if rnd.IntN(4) == 0 {
		return "null"
	}
	return fmt.Sprintf(format, 1+rnd.IntN(n))
}

// TestCurrentLinks compares the links, the contested identities and the clusters of the store with
// those that the newest records of all primary identities make, computed anew each time.
func TestCurrentLinks(t *testing.T) {
	for range seeds(12) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			w := newWorldOn(t, memlog.Options{}, 2, currentLinks(t))
			defer func() { w.close() }()
			w.now = time.Unix(1_700_000_000, 0).UTC()
			for range 25 {
				w.lay(rnd, corrections(rnd, 1+rnd.IntN(12)), 2)
				w.lay(rnd, visits(rnd, rnd.IntN(4)), 2)
				w.inPieces(rnd)
				w.compareLinks()
			}
		})
	}
}

// TestCurrentLinksOfMany has one customer number with more links than are read at once, in most of
// which it is not the primary identity.
func TestCurrentLinksOfMany(t *testing.T) {
	const addresses = 150
	seed := rand.Uint64()
	t.Logf("seed=%d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorldOn(t, memlog.Options{}, 1, currentLinks(t))
	defer func() { w.close() }()
	base := time.Unix(1_699_900_000, 0)
	for range seeds(20) {
		var all []fact
		for range 40 {
			at := base.Add(time.Duration(rnd.IntN(80_000)) * time.Second)
			all = append(all, fact{dataset: "shop", value: fmt.Sprintf(
				`{"mail":"p%d@x.org","name":"%d","at":%d}`, rnd.IntN(addresses),
				max(1, rnd.IntN(10)-7), at.UnixMilli())})
		}
		w.lay(rnd, all, 1)
		w.inPieces(rnd)
		w.compareLinks()
	}
	row, err := w.store.Reader().Identity("profile", profile.Identity{Namespace: "crm", Value: "1"})
	w.must(err)
	if row.Degree < addresses/2 {
		t.Errorf("the customer has %d links: too few for this test", row.Degree)
	}
}

// visits are events: what they link stays.
func visits(rnd *rand.Rand, n int) []fact {
	base := time.Unix(1_699_900_000, 0).UTC()
	var all []fact
	for range n {
		at := base.Add(time.Duration(rnd.IntN(200)) * time.Second)
		all = append(all, fact{dataset: "web", at: at, value: fmt.Sprintf(
			`{"event":"e%d","crm":%s,"cookie":"k%d","at":"%s"}`, rnd.IntN(500),
			perhaps(rnd, `"%d"`, 12), rnd.IntN(20), at.Format(time.RFC3339))})
	}
	return all
}

// inPieces consumes everything in commits of any size, now and then with a crash or a restart.
func (w *world) inPieces(rnd *rand.Rand) {
	w.t.Helper()
	for again := true; again; {
		again = false
		for _, tp := range w.inputs() {
			again = w.consume(tp, 1+rnd.IntN(8)) > 0 || again
			switch rnd.IntN(40) {
			case 0:
				w.crash(vfs.CrashCloneCfg{})
			case 1:
				w.must(w.store.Close())
				w.open()
			}
		}
	}
	w.publish()
	w.check()
}

// graphOf is a graph as text: links with their assertions, contested identities, clusters.
type graphOf struct {
	links     map[[2]profile.Identity][]store.Assertion
	contested []profile.Identity
	clusters  [][]profile.Identity
}

// compareLinks compares the store's graph with the one of all records that lie on the log.
func (w *world) compareLinks() {
	w.t.Helper()
	got, want := w.storedGraph(), w.dumbGraph()
	for _, pair := range sortedPairs(want.links) {
		if !slices.Equal(got.links[pair], want.links[pair]) {
			w.t.Fatalf("link %s\ngot  %+v\nwant %+v", pair, got.links[pair], want.links[pair])
		}
	}
	for pair := range got.links {
		if want.links[pair] == nil {
			w.t.Fatalf("link %s is asserted by nobody: %+v", pair, got.links[pair])
		}
	}
	if !slices.Equal(got.contested, want.contested) {
		w.t.Fatalf("contested are %s, want %s", got.contested, want.contested)
	}
	for i := range min(len(got.clusters), len(want.clusters)) {
		if !slices.Equal(got.clusters[i], want.clusters[i]) {
			w.t.Fatalf("clusters from %d on\ngot  %.200s\nwant %.200s", i,
				fmt.Sprint(got.clusters[i:]), fmt.Sprint(want.clusters[i:]))
		}
	}
	if len(got.clusters) != len(want.clusters) {
		w.t.Fatalf("%d clusters, want %d", len(got.clusters), len(want.clusters))
	}
}

func sortedPairs(links map[[2]profile.Identity][]store.Assertion) [][2]profile.Identity {
	return slices.SortedFunc(maps.Keys(links), func(a, b [2]profile.Identity) int {
		return cmp.Or(a[0].Compare(b[0]), a[1].Compare(b[1]))
	})
}

// storedGraph reads the graph of the store.
func (w *world) storedGraph() graphOf {
	g := graphOf{links: map[[2]profile.Identity][]store.Assertion{}}
	reader := w.store.Reader()
	w.must(reader.Clusters("profile", func(_ profile.ID, c *store.Cluster) error {
		g.clusters = append(g.clusters, c.Members)
		for _, id := range c.Members {
			row, err := reader.Identity("profile", id)
			w.must(err)
			if row.Silence&store.SilentContested != 0 {
				g.contested = append(g.contested, id)
			}
			others, err := reader.Neighbours("profile", id, math.MaxInt)
			w.must(err)
			for _, other := range others {
				if other.Link != nil {
					g.links[[2]profile.Identity{id, other.ID}] = other.Link.Assertions
				}
			}
		}
		return nil
	}))
	slices.SortFunc(g.contested, profile.Identity.Compare)
	slices.SortFunc(g.clusters, func(a, b []profile.Identity) int { return a[0].Compare(b[0]) })
	return g
}

// dumbGraph is the definition: of each primary identity in a dataset of current links the newest
// record counts, of the others all.
func (w *world) dumbGraph() graphOf {
	type owner struct {
		dataset string
		primary profile.Identity
	}
	newest := map[owner]pipeline.Input{}
	rules := w.model.Entities[0].Rules
	memory := identity.NewGraph(rules)
	g := graphOf{links: map[[2]profile.Identity][]store.Assertion{}}
	assert := func(in *pipeline.Input, source profile.Identity) {
		for _, pair := range rules.Links(in.IDs.All) {
			g.links[pair] = assertedBy(g.links[pair], in, source)
		}
	}
	for _, in := range w.decoded() {
		known := in.IDs.All
		if in.Op == pipeline.OpDelete {
			known = []profile.Identity{in.IDs.Primary}
		}
		for _, id := range known {
			_, _, err := memory.Assert([]profile.Identity{id}, 0)
			w.must(err)
		}
		if !in.Dataset.CurrentLinks {
			assert(&in, profile.Identity{})
			continue
		}
		of := owner{in.Dataset.Name, in.IDs.Primary}
		if last, found := newest[of]; !found || last.Stamp.Before(in.Stamp) {
			newest[of] = in
		}
	}
	for _, in := range newest {
		if in.Op != pipeline.OpDelete {
			assert(&in, in.IDs.Primary)
		}
	}
	neighbours := map[profile.Identity][]profile.Identity{}
	for pair, assertions := range g.links {
		link := store.Link{Assertions: assertions}
		_, _, err := memory.Assert(pair[:], link.Latest().Time)
		w.must(err)
		neighbours[pair[0]] = append(neighbours[pair[0]], pair[1])
		neighbours[pair[1]] = append(neighbours[pair[1]], pair[0])
	}
	for id, others := range neighbours {
		if rules.Contested(id, slices.Values(others)) {
			g.contested = append(g.contested, id)
		}
	}
	slices.SortFunc(g.contested, profile.Identity.Compare)
	g.clusters = memory.Clusters()
	return g
}

// decoded are all records of the log that are not rejected.
func (w *world) decoded() []pipeline.Input {
	w.t.Helper()
	var all []pipeline.Input
	for _, tp := range w.inputs() {
		for _, r := range w.log.Records(tp) {
			in := w.decoder.Decode(r)
			if in.Reject != nil {
				w.t.Fatalf("a record of the test is rejected: %v", in.Reject)
			}
			all = append(all, in)
		}
	}
	return all
}

// assertedBy joins the assertion of a record into those of a link.
func assertedBy(known []store.Assertion, in *pipeline.Input, source profile.Identity,
) []store.Assertion {
	for i := range known {
		if a := &known[i]; a.Dataset == in.Dataset.Name && a.Source == source {
			a.First = earlier(a.First, in.Stamp)
			a.Latest = profile.Later(a.Latest, in.Stamp)
			return known
		}
	}
	known = append(known, store.Assertion{Dataset: in.Dataset.Name, Source: source,
		First: in.Stamp, Latest: in.Stamp})
	slices.SortFunc(known, func(a, b store.Assertion) int { return a.Compare(b.Dataset, b.Source) })
	return known
}

func earlier(a, b profile.Stamp) profile.Stamp {
	if b.Before(a) {
		return b
	}
	return a
}
