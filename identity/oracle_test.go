package identity

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"selfsame/profile"
)

// oracle is the definition of clusters, word by word: a walk over all links, with no idea of what
// is local. It shares no code with Decide, and knows the rules only as its own plain fields.
type oracle struct {
	order  []string // namespaces, strongest first
	unique map[string]bool
	limit  map[string]int
	max    int
	links  map[[2]profile.Identity]int64
	forced map[[2]profile.Identity]int64
	apart  map[[2]profile.Identity]bool
	ids    map[profile.Identity]bool
}

type verdict struct {
	cluster  map[profile.Identity]map[profile.Identity]bool
	accepted map[[2]profile.Identity]bool // links that joined two clusters
	broken   map[[2]profile.Identity]string
	self     map[profile.Identity]profile.Identity // what counts as one, by its least identity
}

func (o *oracle) rank(id profile.Identity) int {
	if i := slices.Index(o.order, id.Namespace); i >= 0 {
		return i + 1
	}
	return len(o.order) + 1
}

func (o *oracle) walk() verdict {
	v := verdict{
		cluster:  map[profile.Identity]map[profile.Identity]bool{},
		accepted: map[[2]profile.Identity]bool{},
		broken:   map[[2]profile.Identity]string{},
	}
	for id := range o.ids {
		v.cluster[id] = map[profile.Identity]bool{id: true}
	}
	o.pass(&v, o.forced)
	v.self = map[profile.Identity]profile.Identity{}
	for id, cluster := range v.cluster {
		v.self[id] = slices.MinFunc(slices.Collect(maps.Keys(cluster)), profile.Identity.Compare)
	}
	rest := maps.Clone(o.links)
	maps.DeleteFunc(rest, func(link [2]profile.Identity, _ int64) bool {
		_, forced := o.forced[link]
		return forced
	})
	o.pass(&v, rest)
	return v
}

// pass walks some links. While v.self is nil they are the forced ones.
func (o *oracle) pass(v *verdict, links map[[2]profile.Identity]int64) {
	var sorted [][2]profile.Identity
	for link := range links {
		sorted = append(sorted, link)
	}
	slices.SortFunc(sorted, func(x, y [2]profile.Identity) int {
		x0, x1, y0, y1 := o.rank(x[0]), o.rank(x[1]), o.rank(y[0]), o.rank(y[1])
		return cmp.Or(
			cmp.Compare(max(x0, x1), max(y0, y1)),
			cmp.Compare(links[y], links[x]),
			cmp.Compare(x0+x1, y0+y1),
			x[0].Compare(y[0]), x[1].Compare(y[1]),
		)
	})
	for _, link := range sorted {
		if v.cluster[link[0]][link[1]] {
			continue
		}
		both := map[profile.Identity]bool{}
		for _, end := range link {
			for id := range v.cluster[end] {
				both[id] = true
			}
		}
		if rule := o.illegal(both, v.self); rule != "" {
			v.broken[link] = rule
			continue
		}
		v.accepted[link] = true
		for id := range both {
			v.cluster[id] = both
		}
	}
}

func (o *oracle) illegal(ids map[profile.Identity]bool,
	self map[profile.Identity]profile.Identity) string {
	for pair := range o.apart {
		if ids[pair[0]] && ids[pair[1]] {
			return "forbidden"
		}
	}
	count := map[string]int{}
	counted := map[string]bool{}
	for id := range ids {
		one := fmt.Sprint(id.Namespace, " ", self[id])
		if self != nil && !counted[one] {
			count[id.Namespace]++
		}
		counted[one] = true
	}
	for _, name := range o.order {
		if o.unique[name] && count[name] > 1 {
			return "unique " + name
		}
		if limit := o.limit[name]; limit > 0 && count[name] > limit {
			return "limit " + name
		}
	}
	if len(ids) > o.max {
		return "max_identities"
	}
	return ""
}

// world runs one history through a Graph and through the oracle.
type world struct {
	t       testing.TB
	name    string
	rules   *Rules
	graph   *Graph
	dumb    *oracle
	strict  bool // every decision is checked, not just the clusters now and then
	widened int  // decisions that took in more than the clusters of their ends
}

func newWorld(t testing.TB, name string, o *oracle) *world {
	var namespaces []Namespace
	for _, space := range o.order {
		namespaces = append(namespaces, Namespace{Name: space, Type: CrossDevice,
			Unique: o.unique[space], Limit: o.limit[space], HubDegree: HubsOff})
	}
	rules, err := NewRules(namespaces, o.max)
	if err != nil {
		t.Fatal(err)
	}
	o.links, o.ids = map[[2]profile.Identity]int64{}, map[profile.Identity]bool{}
	o.forced, o.apart = map[[2]profile.Identity]int64{}, map[[2]profile.Identity]bool{}
	return &world{t: t, name: name, rules: rules, graph: NewGraph(rules), dumb: o}
}

// assert is a record: all pairs of ids, sorted and distinct, at one time.
func (w *world) assert(ids []profile.Identity, time int64) {
	w.t.Helper()
	var ends []profile.Identity
	for i, a := range ids {
		w.dumb.ids[a] = true
		for _, b := range ids[i+1:] {
			pair := [2]profile.Identity{a, b}
			if old, ok := w.dumb.links[pair]; ok && old >= time {
				continue
			}
			w.dumb.links[pair] = time
			if inside, _ := w.rules.Inside(w.graph, a, b); !inside {
				ends = append(ends, a, b)
			}
		}
	}
	region := w.region(ends)
	decision, changed, err := w.graph.Assert(ids, time)
	if err != nil || changed != (len(ends) > 0) {
		w.t.Fatalf("%s: decided: %v, %v", w.name, changed, err)
	}
	w.checkDecision(decision, region)
}

func (w *world) retract(pair [2]profile.Identity) {
	w.t.Helper()
	region := w.region(pair[:])
	decision, _, err := w.graph.Retract(pair[0], pair[1])
	if err != nil {
		w.t.Fatalf("%s: %v", w.name, err)
	}
	delete(w.dumb.links, pair)
	w.checkDecision(decision, region)
}

// order is what an operator says about a pair.
func (w *world) order(pair [2]profile.Identity, order Order) {
	w.t.Helper()
	region := w.region(pair[:])
	w.dumb.ids[pair[0]], w.dumb.ids[pair[1]] = true, true
	delete(w.dumb.forced, pair)
	delete(w.dumb.apart, pair)
	if order.Together {
		w.dumb.forced[pair] = order.Time
	}
	if order.Apart {
		w.dumb.apart[pair] = true
	}
	decision, err := w.graph.Order(pair[1], pair[0], order)
	if err != nil {
		w.t.Fatalf("%s: %v", w.name, err)
	}
	w.checkDecision(decision, region)
}

// time of a link, as it is walked.
func (o *oracle) time(link [2]profile.Identity) (time int64, forced bool) {
	if time, forced = o.forced[link]; forced {
		return time, true
	}
	return o.links[link], false
}

// batch changes several links at will, to any time or to none, and decides once. Undeclared
// namespaces may take part, as links that outlived their declaration.
func (w *world) batch(changes map[[2]profile.Identity]int64) {
	w.t.Helper()
	var ends []profile.Identity
	for pair, time := range changes {
		ends = append(ends, pair[:]...)
		for _, id := range pair {
			w.dumb.ids[id], w.graph.known[id] = true, struct{}{}
		}
		w.dumb.links[pair] = time
		w.graph.set(pair[0], pair[1], time)
		if time < 0 {
			delete(w.dumb.links, pair)
			w.graph.unset(pair[0], pair[1])
		}
	}
	region := w.region(ends)
	decision, err := w.graph.decide(ends)
	if err != nil {
		w.t.Fatalf("%s: %v", w.name, err)
	}
	w.checkDecision(decision, region)
}

// region returns the identities in the clusters of ids.
func (w *world) region(ids []profile.Identity) map[profile.Identity]bool {
	distinct := map[profile.Identity]bool{}
	for _, id := range ids {
		members, _ := w.graph.Members(id)
		for _, m := range members {
			distinct[m] = true
		}
	}
	return distinct
}

// check compares all clusters.
func (w *world) check() verdict {
	w.t.Helper()
	v := w.dumb.walk()
	for id := range w.dumb.ids {
		members, _ := w.graph.Members(id)
		same := len(members) == len(v.cluster[id])
		for _, m := range members {
			same = same && v.cluster[id][m]
		}
		if !same {
			w.t.Fatalf("%s: %v is in %v, the walk says %v", w.name, id, members, v.cluster[id])
		}
	}
	return v
}

// checkDecision compares a decision with the walk: its clusters, and the links it left out. ends
// are the identities of the clusters that its ends had before.
func (w *world) checkDecision(d Decision, ends map[profile.Identity]bool) {
	w.t.Helper()
	if d.Region == 0 {
		return
	}
	if d.Region > len(ends) {
		w.widened++
	}
	if !w.strict {
		return
	}
	v := w.dumb.walk()
	region := map[profile.Identity]bool{}
	for _, cluster := range d.Clusters {
		for _, id := range cluster {
			region[id] = true
			if len(cluster) != len(v.cluster[id]) || !v.cluster[id][cluster[0]] {
				w.t.Fatalf("%s: decided %v, the walk says %v", w.name, cluster, v.cluster[id])
			}
		}
	}
	if len(region) != d.Region {
		w.t.Fatalf("%s: region of %d, clusters of %d", w.name, d.Region, len(region))
	}
}

// checkReasons compares Why for every link with the walk.
func (w *world) checkReasons(v verdict) {
	w.t.Helper()
	all := maps.Clone(w.dumb.links)
	maps.Copy(all, w.dumb.forced)
	for link := range all {
		l := Link{A: link[0], B: link[1]}
		l.Time, l.Forced = w.dumb.time(link)
		reason, left, err := w.rules.Why(w.graph, l)
		if err != nil {
			w.t.Fatalf("%s: %v", w.name, err)
		}
		want, broken := v.broken[link]
		if left != broken || broken && reason.Rule.String() != want {
			w.t.Fatalf("%s: %v is left out: %v, %v; the walk says %q", w.name, l, left,
				reason.Rule, want)
		}
		if reason.Against == nil {
			continue
		}
		against := *reason.Against
		if !v.accepted[[2]profile.Identity{against.A, against.B}] {
			w.t.Fatalf("%s: %v stays out against %v, which is not accepted", w.name, l, against)
		}
	}
}

// checkPaths checks that a path exists exactly inside clusters, over links that the walk accepted.
func (w *world) checkPaths(v verdict) {
	w.t.Helper()
	ids := slices.SortedFunc(maps.Keys(w.dumb.ids), profile.Identity.Compare)
	for i, a := range ids {
		w.checkPath(v, a, ids[i*7%len(ids)])
		for b := range v.cluster[a] {
			w.checkPath(v, a, b)
		}
	}
}

func (w *world) checkPath(v verdict, a, b profile.Identity) {
	w.t.Helper()
	path, err := w.rules.Path(w.graph, a, b)
	if err != nil {
		w.t.Fatalf("%s: %v", w.name, err)
	}
	at := a
	for _, link := range path {
		if !v.accepted[[2]profile.Identity{link.A, link.B}] {
			w.t.Fatalf("%s: path over %v, which is not accepted", w.name, link)
		}
		switch at {
		case link.A:
			at = link.B
		case link.B:
			at = link.A
		default:
			w.t.Fatalf("%s: a gap in the path %v", w.name, path)
		}
	}
	if v.cluster[a][b] && at != b || !v.cluster[a][b] && len(path) > 0 {
		w.t.Fatalf("%s: path from %v to %v: %v", w.name, a, b, path)
	}
}

const histories = 3_200

// TestDecideAgainstWalk keeps up random graphs by Decide and compares them with the walk over all
// links: assertions, refreshes and removals, out of order, under random rules.
func TestDecideAgainstWalk(t *testing.T) {
	base := rand.Uint64()
	count := histories
	if testing.Short() {
		count /= 10
	}
	widened := 0
	for i := range count {
		seed := base + uint64(i)
		widened += randomHistory(t, seed)
	}
	t.Logf("seeds %d to %d; %d decisions widened", base, base+uint64(count)-1, widened)
	if widened == 0 {
		t.Error("no decision ever widened: the histories are too tame")
	}
}

// randomHistory returns how many decisions widened beyond the clusters of their ends.
func randomHistory(t *testing.T, seed uint64) (widened int) {
	random := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t, fmt.Sprintf("seed %d", seed), randomRules(random))
	pool := identities(map[string]int{"crm": 5, "email": 5, "phone": 6, "cookie": 14})
	all := append(identities(map[string]int{"gone": 2}), pool...)
	w.strict = seed%16 == 0
	w.graph.many = random.IntN(6)
	for step := range 20 + random.IntN(60) {
		if step%16 == 15 {
			w.check()
		}
		switch kind := random.IntN(20); {
		case kind < 4 && len(w.dumb.links) > 0:
			w.retract(anyLink(random, w.dumb.links))
		case kind == 5 && seed%2 == 0:
			w.order([2]profile.Identity(sample(random, pool, 2)), Order{
				Together: random.IntN(3) > 0, Apart: random.IntN(5) == 0,
				Time: int64(random.IntN(60))})
		case kind == 4:
			changes := map[[2]profile.Identity]int64{}
			for range 1 + random.IntN(4) {
				pair := sample(random, all, 2)
				changes[[2]profile.Identity(pair)] = int64(random.IntN(90) - 30)
			}
			w.batch(changes)
		default:
			w.assert(sample(random, pool, 2+random.IntN(2)), int64(random.IntN(60)))
		}
	}
	v := w.check()
	if w.strict {
		w.checkReasons(v)
		w.checkPaths(v)
	}
	return w.widened
}
