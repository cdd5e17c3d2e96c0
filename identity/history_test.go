package identity

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"selfsame/profile"
)

// history is a world with a memory of who claims what: datasets assert links, correct themselves
// and are removed, operators void, force and forbid, and the rules change.
type history struct {
	*world
	claims map[[2]profile.Identity]map[string]int64 // link to claimant to time
	voided map[profile.Identity]int64               // up to when its links are void
	done   []string                                 // operations, for a failure
}

func newHistory(t testing.TB, name string, o *oracle) *history {
	return &history{world: newWorld(t, name, o),
		claims: map[[2]profile.Identity]map[string]int64{},
		voided: map[profile.Identity]int64{}}
}

// noting remembers an operation, in the terms of which a failure can be told.
func (h *history) noting(format string, args ...any) {
	h.done = append(h.done, fmt.Sprintf(format, args...))
}

// told ends a test of h: when it has failed, it lists what was done.
func (h *history) told() {
	if h.t.Failed() {
		h.t.Logf("%s, %+v:\n%s", h.name, h.dumb.order, strings.Join(h.done, "\n"))
	}
}

// say is a record of a dataset, whatever its time.
func (h *history) say(dataset string, ids []profile.Identity, time int64) {
	h.t.Helper()
	h.noting("%s says %v at %d", dataset, ids, time)
	h.assert(ids[:1], time)
	all := true
	var live [][2]profile.Identity
	for i, a := range ids {
		for _, b := range ids[i+1:] {
			pair := [2]profile.Identity{a, b}
			h.claim(pair, dataset, time)
			if h.void(pair, time) {
				all = false
				continue
			}
			live = append(live, pair)
		}
	}
	if all {
		h.assert(ids, time)
		return
	}
	for _, pair := range live {
		h.assert(pair[:], time)
	}
}

func (h *history) claim(pair [2]profile.Identity, claimant string, time int64) {
	if h.claims[pair] == nil {
		h.claims[pair] = map[string]int64{}
	}
	if old, ok := h.claims[pair][claimant]; !ok || old < time {
		h.claims[pair][claimant] = time
	}
}

func (h *history) void(pair [2]profile.Identity, time int64) bool {
	for _, id := range pair {
		if until, ok := h.voided[id]; ok && time <= until {
			return true
		}
	}
	return false
}

// correct is the newest record of a primary identity in a dataset whose links are those of its
// newest records only: what the one before linked and this one does not is gone.
func (h *history) correct(dataset string, ids []profile.Identity, time int64) {
	h.t.Helper()
	h.noting("%s corrects %v at %d", dataset, ids, time)
	claimant := fmt.Sprint(dataset, "/", ids[0])
	touched := h.withdraw(func(name string) bool { return name == claimant })
	for i, a := range ids {
		for _, b := range ids[i+1:] {
			pair := [2]profile.Identity{a, b}
			h.claim(pair, claimant, time)
			touched[pair] = true
		}
	}
	h.settle(touched)
}

// remove takes back all that a dataset ever said.
func (h *history) remove(dataset string) {
	h.t.Helper()
	h.noting("%s is removed", dataset)
	h.settle(h.withdraw(func(name string) bool {
		return name == dataset || strings.HasPrefix(name, dataset+"/")
	}))
}

// withdraw forgets the claims of some claimants and returns the links concerned.
func (h *history) withdraw(of func(claimant string) bool) map[[2]profile.Identity]bool {
	touched := map[[2]profile.Identity]bool{}
	for pair, by := range h.claims {
		for claimant := range by {
			if of(claimant) {
				delete(by, claimant)
				touched[pair] = true
			}
		}
	}
	return touched
}

// unlink voids what was said about id up to a time.
func (h *history) unlink(id profile.Identity, time int64) {
	h.t.Helper()
	h.noting("unlink %v up to %d", id, time)
	if until, ok := h.voided[id]; !ok || until < time {
		h.voided[id] = time
	}
	touched := map[[2]profile.Identity]bool{}
	for pair := range h.claims {
		if pair[0] == id || pair[1] == id {
			touched[pair] = true
		}
	}
	h.settle(touched)
}

// settle brings links to the time of their latest live claim, or removes them, in one decision.
func (h *history) settle(touched map[[2]profile.Identity]bool) {
	h.t.Helper()
	changes := map[[2]profile.Identity]int64{}
	for pair := range touched {
		latest := int64(-1)
		for _, time := range h.claims[pair] {
			if !h.void(pair, time) {
				latest = max(latest, time)
			}
		}
		if old, ok := h.dumb.links[pair]; ok && old != latest || !ok && latest >= 0 {
			changes[pair] = latest
		}
	}
	switch {
	case len(changes) == 1 && slices.Max(slices.Collect(maps.Values(changes))) < 0:
		for pair := range changes {
			h.retract(pair)
		}
	case len(changes) > 0:
		h.batch(changes)
	}
}

// govern changes the rules: everything is decided again, from the clusters of the old ones.
func (h *history) govern(o *oracle) {
	h.t.Helper()
	h.noting("rules: order %v unique %v limit %v max %d", o.order, o.unique, o.limit, o.max)
	fresh := newWorld(h.t, h.name, o)
	h.dumb.order, h.dumb.unique, h.dumb.limit, h.dumb.max = o.order, o.unique, o.limit, o.max
	h.rules, h.graph.rules = fresh.rules, fresh.rules
	clear(h.graph.wide) // in the order of the old ranks
	all := slices.SortedFunc(maps.Keys(h.dumb.ids), profile.Identity.Compare)
	region := h.region(all)
	decision, err := h.graph.decide(all)
	if err != nil {
		h.t.Fatalf("%s: %v", h.name, err)
	}
	h.checkDecision(decision, region)
}

var (
	oracleOps  = flag.Int("oracle.n", 10_000, "operations of TestOracle")
	oracleSeed = flag.Uint64("oracle.seed", 0, "its first seed; a random one where 0")
)

// TestOracle compares the graph with a walk over all links, through random operations: records that
// are new, refreshed, late and contradictory, corrections, removed datasets, words of operators,
// and rules that change. make oracle N=1000000 runs a million.
func TestOracle(t *testing.T) {
	first := *oracleSeed
	if first == 0 {
		first = rand.Uint64()
	}
	ops, widened := 0, 0
	kinds := map[string]int{}
	seed := first
	for ; ops < *oracleOps; seed++ {
		h := randomOperations(t, seed, kinds)
		ops, widened = ops+len(h.done), widened+h.widened
	}
	t.Logf("%d operations in %d histories, seeds %d to %d; %v; %d decisions widened", ops,
		seed-first, first, seed-1, kinds, widened)
	if widened == 0 {
		t.Error("no decision ever widened: the histories are too tame")
	}
}

func randomOperations(t *testing.T, seed uint64, kinds map[string]int) *history {
	random := rand.New(rand.NewPCG(seed, 2))
	h := newHistory(t, fmt.Sprintf("seed %d", seed), randomRules(random))
	defer h.told()
	h.strict = seed%16 == 0
	h.graph.many = random.IntN(8)
	size := 1 + random.IntN(3)
	pool := identities(map[string]int{"crm": 4 * size, "email": 4 * size, "phone": 3 * size,
		"cookie": 9 * size})
	every := 1 + random.IntN(5)
	for step := range 30 + random.IntN(50*size) {
		kinds[h.operate(random, pool)]++
		if step%every == 0 {
			h.check()
		}
	}
	v := h.check()
	if h.strict {
		h.checkReasons(v)
		h.checkPaths(v)
	}
	return h
}

var datasets = []string{"crm", "shop", "web"}

// operate does one operation by chance and names its kind.
func (h *history) operate(random *rand.Rand, pool []profile.Identity) string {
	h.t.Helper()
	dataset, now := datasets[random.IntN(len(datasets))], int64(len(h.done))
	switch kind := random.IntN(100); {
	case kind < 8 && len(h.dumb.links) > 0:
		pair := anyLink(random, h.dumb.links)
		h.say(dataset, pair[:], now)
		return "refresh"
	case kind < 16:
		h.say(dataset, sample(random, pool, 2+random.IntN(2)), max(0, now-int64(random.IntN(40))))
		return "late"
	case kind < 24:
		ids := sample(random, pool, 2+random.IntN(3))
		h.correct(dataset, ids, now)
		return "correction"
	case kind < 27:
		h.unlink(pool[random.IntN(len(pool))], now-int64(random.IntN(20)))
		return "unlink"
	case kind < 28:
		h.remove(dataset)
		return "dataset removed"
	case kind < 30:
		o := randomRules(random)
		if random.IntN(3) == 0 {
			random.Shuffle(len(o.order), func(i, j int) {
				o.order[i], o.order[j] = o.order[j], o.order[i]
			})
		}
		h.govern(o)
		return "rules"
	case kind < 38:
		pair := [2]profile.Identity(sample(random, pool, 2))
		order := Order{Together: random.IntN(3) > 0, Apart: random.IntN(5) == 0, Time: now}
		h.noting("order %v %+v", pair, order)
		h.order(pair, order)
		return "order"
	}
	h.say(dataset, sample(random, pool, 2+random.IntN(3)), now)
	return "record"
}

// FuzzOperations reads bytes as operations: the first three are the rules; then each step takes
// four: what, when, and two identities.
func FuzzOperations(f *testing.F) {
	f.Add([]byte("\x01\x00\x04\x00\x01\x01\x20\x00\x02\x02\x21\x00\x03\x01\x21"))
	f.Add([]byte("\x03\x02\x02abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ012345"))
	f.Add([]byte("\x01\x01\x30" + strings.Repeat("\x00\x01\x02\x23\x13\x05\x02\x13\x06\x09\x31\x01",
		9)))
	spaces := []string{"crm", "email", "phone", "cookie"}
	rules := func(data []byte) *oracle {
		return &oracle{
			order:  spaces,
			unique: map[string]bool{"crm": data[0]&1 > 0, "email": data[0]&2 > 0},
			limit:  map[string]int{"phone": int(data[1]%2) * 2, "cookie": int(data[1]%3) * 2},
			max:    4 + int(data[2]%47),
		}
	}
	read := func(b byte) profile.Identity {
		value := string('a' + rune(b&3|b>>4&4))
		return profile.Identity{Namespace: spaces[b>>2&3], Value: value}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 3 || len(data) > 300 {
			return
		}
		h := newHistory(t, "operations", rules(data))
		defer h.told()
		h.strict = true
		h.graph.many = int(data[2] >> 6)
		for data = data[3:]; len(data) >= 4; data = data[4:] {
			ids := []profile.Identity{read(data[2]), read(data[3])}
			slices.SortFunc(ids, profile.Identity.Compare)
			if ids = slices.Compact(ids); len(ids) == 1 {
				h.say("web", ids, int64(data[1]))
				continue
			}
			h.operateAs(data[0], ids, int64(data[1]), rules(data[1:]))
		}
		v := h.check()
		h.checkReasons(v)
		h.checkPaths(v)
	})
}

func (h *history) operateAs(what byte, ids []profile.Identity, time int64, rules *oracle) {
	h.t.Helper()
	dataset := datasets[int(what>>4)%len(datasets)]
	switch what & 7 {
	case 0, 1, 2:
		h.say(dataset, ids, time)
	case 3:
		h.correct(dataset, ids, time)
	case 4:
		h.unlink(ids[0], time)
	case 5:
		h.remove(dataset)
	case 6:
		h.govern(rules)
	case 7:
		order := Order{Together: what&16 > 0, Apart: what&32 > 0, Time: time}
		h.noting("order %v %+v", ids, order)
		h.order([2]profile.Identity(ids), order)
	}
}
