package identity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"selfsame/profile"
)

func hubRules(t *testing.T, cookie Namespace) *Rules {
	t.Helper()
	cookie.Name, cookie.Type = "cookie", Cookie
	return mustRules(t, 0,
		Namespace{Name: "crm", Type: CrossDevice, Unique: true},
		Namespace{Name: "email", Type: Email},
		cookie,
	)
}

// link asserts what one record says about two identities.
func link(t *testing.T, g *Graph, a, b string, time int64) {
	t.Helper()
	ids := []profile.Identity{id(a), id(b)}
	if _, _, err := g.Assert(ids, time); err != nil {
		t.Fatal(err)
	}
}

func cluster(g *Graph, of string) string {
	members, _ := g.Members(id(of))
	return fmt.Sprint(members)
}

func TestKiosk(t *testing.T) {
	g := NewGraph(hubRules(t, Namespace{HubDegree: 3}))
	link(t, g, "cookie:kiosk", "cookie:own", 1) // counts, its own layer
	for person := range 3 {
		link(t, g, "cookie:kiosk", fmt.Sprint("crm:", person), int64(person+2))
		if person == 1 {
			if got := cluster(g, "cookie:kiosk"); got != "[cookie:kiosk cookie:own crm:1]" {
				t.Errorf("before it is a hub: %s", got)
			}
		}
	}
	link(t, g, "cookie:kiosk", "crm:7", 9)
	if got := cluster(g, "cookie:kiosk"); got != "[cookie:kiosk]" {
		t.Errorf("a hub links: %s", got)
	}
	if hubs := g.Hubs(); len(hubs) != 1 || hubs[0] != id("cookie:kiosk") {
		t.Errorf("hubs %v", hubs)
	}
	if n := g.hubs[id("cookie:kiosk")]; n != 1 {
		t.Errorf("%d assertions were counted, want 1", n)
	}
	g.ResetHub(id("cookie:kiosk"))
	link(t, g, "cookie:kiosk", "crm:7", 9)
	if got := cluster(g, "cookie:kiosk"); got != "[cookie:kiosk crm:7]" {
		t.Errorf("after the reset: %s", got)
	}
}

func TestOldCookiesMakeNoHub(t *testing.T) {
	g := NewGraph(hubRules(t, Namespace{}))
	for n := range 500 {
		link(t, g, "crm:1", fmt.Sprint("cookie:", n), int64(n))
	}
	if hubs := g.Hubs(); len(hubs) != 0 {
		t.Errorf("hubs %v", hubs)
	}
	if members, _ := g.Members(id("crm:1")); len(members) != DefaultMaxIdentities {
		t.Errorf("a cluster of %d", len(members))
	}
}

func TestExempt(t *testing.T) {
	g := NewGraph(hubRules(t, Namespace{HubDegree: 1, HubExempt: []string{" kiosk "}}))
	for n := range 5 {
		link(t, g, "cookie:kiosk", fmt.Sprint("email:", n), int64(n))
	}
	if members, _ := g.Members(id("cookie:kiosk")); len(members) != 6 {
		t.Errorf("a cluster of %d", len(members))
	}
}

func TestContested(t *testing.T) {
	g := NewGraph(hubRules(t, Namespace{DropContested: true}))
	link(t, g, "crm:ada", "cookie:1", 1)
	link(t, g, "email:ada", "cookie:1", 1)
	link(t, g, "crm:ben", "cookie:1", 2)
	if got := cluster(g, "cookie:1"); got != "[cookie:1]" {
		t.Errorf("two claim it: %s", got)
	}
	if _, _, err := g.Retract(id("crm:ben"), id("cookie:1")); err != nil {
		t.Fatal(err)
	}
	if got := cluster(g, "cookie:1"); got != "[cookie:1 crm:ada email:ada]" {
		t.Errorf("one lets go: %s", got)
	}
}

func TestHubDeclarations(t *testing.T) {
	tests := []struct {
		n    Namespace
		want string
	}{
		{Namespace{Type: Cookie, HubDegree: -2}, "hub_degree -2 is negative"},
		{Namespace{Type: NonPerson, HubDegree: 5}, "never link"},
		{Namespace{Type: NonPerson, DropContested: true}, "never link"},
		{Namespace{Type: Cookie, HubDegree: HubsOff, HubExempt: []string{"a"}}, "does not go with"},
		{Namespace{Type: Cookie, HubExempt: []string{"null"}}, "value 1 is blocked"},
		{Namespace{Type: Cookie, HubExempt: []string{"\xff"}}, "hub_exempt value 1"},
	}
	for _, test := range tests {
		test.n.Name = "n"
		_, err := NewRules([]Namespace{test.n}, 0)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.n, err, test.want)
		}
	}
	for kind, want := range map[Type]int{Cookie: 10, Device: 10, Email: 20, Phone: 20,
		CrossDevice: 100, NonPerson: 0} {
		r := mustRules(t, 0, Namespace{Name: "n", Type: kind})
		if got := r.HubDegree(id("n:1")); got != want {
			t.Errorf("%v: %d, want %d", kind, got, want)
		}
	}
}

// TestMutedAgainstWalk keeps up graphs in which identities become hubs and are contested, and
// compares them with a walk over the links that count, found anew each time.
func TestMutedAgainstWalk(t *testing.T) {
	base := rand.Uint64()
	t.Logf("seeds from %d", base)
	var hubs, contested int
	for i := range uint64(300) {
		random := rand.New(rand.NewPCG(base+i, 3))
		h, c := mutedHistory(t, random)
		hubs, contested = hubs+h, contested+c
	}
	if hubs < 100 || contested < 100 {
		t.Errorf("only %d hubs and %d contested: too tame", hubs, contested)
	}
}

func mutedHistory(t *testing.T, random *rand.Rand) (hubs, contested int) {
	o := randomRules(random)
	w := newWorld(t, "muted", o)
	var namespaces []Namespace
	for _, space := range o.order {
		namespaces = append(namespaces, Namespace{Name: space, Type: CrossDevice,
			Unique: o.unique[space], Limit: o.limit[space], HubDegree: 2 + random.IntN(6),
			DropContested: space == "cookie"})
	}
	rules, err := NewRules(namespaces, o.max)
	if err != nil {
		t.Fatal(err)
	}
	w.rules, w.graph = rules, NewGraph(rules)
	w.graph.many = random.IntN(6)
	pool := identities(map[string]int{"crm": 4, "email": 4, "phone": 4, "cookie": 9})
	for range 60 {
		switch pair := sample(random, pool, 2); {
		case random.IntN(4) == 0:
			_, _, err = w.graph.Retract(pair[0], pair[1])
		default:
			_, _, err = w.graph.Assert(pair, int64(random.IntN(60)))
		}
		if err != nil {
			t.Fatal(err)
		}
		contested = w.count(o, pool)
		w.check()
	}
	return len(w.graph.hubs), contested
}

// count gives the oracle the links that count, and returns how many identities are contested.
func (w *world) count(o *oracle, pool []profile.Identity) (contested int) {
	var silent []profile.Identity
	for _, id := range pool {
		o.ids[id] = true
		claims := map[string]int{}
		for other := range w.graph.links[id] {
			if o.unique[other.Namespace] && o.rank(other) < o.rank(id) {
				claims[other.Namespace]++
			}
		}
		_, hub := w.graph.hubs[id]
		twice := id.Namespace == "cookie" && (claims["crm"] > 1 || claims["email"] > 1)
		if twice {
			contested++
		}
		if hub || twice {
			silent = append(silent, id)
		}
	}
	clear(o.links)
	for id, links := range w.graph.links {
		for other, time := range links {
			if id.Compare(other) < 0 && !slices.Contains(silent, id) &&
				!slices.Contains(silent, other) {
				o.links[[2]profile.Identity{id, other}] = time
			}
		}
	}
	return contested
}
