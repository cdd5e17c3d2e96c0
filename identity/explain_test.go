package identity

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"selfsame/profile"
)

// lentDevice is a graph where login b1 of one person was used on browser 111 of another.
func lentDevice(t *testing.T) (*Rules, *Graph) {
	t.Helper()
	r := mustRules(t, 0,
		Namespace{Name: "crm", Type: CrossDevice, Unique: true},
		Namespace{Name: "login", Type: CrossDevice},
		Namespace{Name: "ecid", Type: Cookie},
	)
	g := NewGraph(r)
	for i, pair := range [][2]string{
		{"crm:ada", "login:a1"}, {"ecid:111", "login:a1"}, {"crm:ben", "login:b1"},
		{"ecid:222", "login:b1"}, {"ecid:111", "login:b1"}, {"crm:ben", "ecid:222"},
	} {
		ids := []profile.Identity{id(pair[0]), id(pair[1])}
		if _, _, err := g.Assert(ids, int64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	return r, g
}

func TestWhy(t *testing.T) {
	r, g := lentDevice(t)
	reason, left, err := r.Why(g, Link{A: id("ecid:111"), B: id("login:a1"), Time: 2})
	if err != nil || !left {
		t.Fatalf("%v, %v", left, err)
	}
	got := fmt.Sprintf("%v %v %v", reason.Rule, reason.Conflict, *reason.Against)
	if want := "unique crm [crm:ada crm:ben] {ecid:111 login:b1 5 false}"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	accepted := Link{A: id("crm:ada"), B: id("login:a1"), Time: 1}
	if _, left, err := r.Why(g, accepted); left || err != nil {
		t.Errorf("an accepted link is left out: %v, %v", left, err)
	}
	unknown := Link{A: id("crm:new"), B: id("ecid:9"), Time: 1}
	if _, _, err := r.Why(g, unknown); !errors.Is(err, errInconsistent) {
		t.Errorf("nothing keeps this link out: %v", err)
	}
}

// TestWhyEndsInConflict has no link to blame: two unique values claim to be the same.
func TestWhyEndsInConflict(t *testing.T) {
	r, g := lentDevice(t)
	pair := []profile.Identity{id("crm:ada"), id("crm:ben")}
	d, changed, err := g.Assert(pair, 9)
	if err != nil || !changed {
		t.Fatalf("%+v, %v, %v", d, changed, err)
	}
	reason, left, err := r.Why(g, Link{A: pair[0], B: pair[1], Time: 9})
	if err != nil || !left || reason.Against != nil || reason.Rule != (Rule{RuleUnique, "crm"}) ||
		!slices.Equal(reason.Conflict, pair) {
		t.Errorf("%+v, %v, %v", reason, left, err)
	}
}

// TestWhyForced: of a forced link only the size or a forbidden pair can be to blame.
func TestWhyForced(t *testing.T) {
	r := mustRules(t, 4, Namespace{Name: "crm", Type: CrossDevice, Unique: true},
		Namespace{Name: "email", Type: Email}, Namespace{Name: "cookie", Type: Cookie})
	g := NewGraph(r)
	for i, pair := range [][2]string{{"crm:1", "email:2"}, {"crm:3", "email:2"},
		{"cookie:2", "email:2"}, {"cookie:2", "crm:4"}} {
		order := Order{Together: true, Time: int64(10 - i)}
		if _, err := g.Order(id(pair[0]), id(pair[1]), order); err != nil {
			t.Fatal(err)
		}
	}
	reason, left, err := r.Why(g, Link{A: id("cookie:2"), B: id("crm:4"), Time: 7, Forced: true})
	if err != nil || !left || reason.Rule.Kind != RuleMax || len(reason.Conflict) > 0 {
		t.Errorf("%+v, %v, %v", reason, left, err)
	}
}

func TestPath(t *testing.T) {
	r, g := lentDevice(t)
	tests := []struct{ from, to, want string }{
		{"crm:ben", "ecid:111", "[{crm:ben login:b1 3 false} {ecid:111 login:b1 5 false}]"},
		{"ecid:111", "crm:ben", "[{ecid:111 login:b1 5 false} {crm:ben login:b1 3 false}]"},
		{"ecid:222", "login:b1", "[{crm:ben ecid:222 6 false} {crm:ben login:b1 3 false}]"},
		{"crm:ada", "ecid:111", "[]"},
		{"crm:ada", "crm:ada", "[]"},
		{"crm:new", "crm:ada", "[]"},
	}
	for _, test := range tests {
		path, err := r.Path(g, id(test.from), id(test.to))
		if got := fmt.Sprint(path); err != nil || got != test.want {
			t.Errorf("%s to %s: %s, %v; want %s", test.from, test.to, got, err, test.want)
		}
	}
}

// brokenView answers like a Graph, but for what its fields replace.
type brokenView struct {
	*Graph
	links   func(profile.Identity) ([]Link, error)
	members func(profile.Identity) ([]profile.Identity, error)
}

func (v brokenView) Links(i profile.Identity) ([]Link, error) {
	if v.links != nil {
		return v.links(i)
	}
	return v.Graph.Links(i)
}

func (v brokenView) Members(i profile.Identity) ([]profile.Identity, error) {
	if v.members != nil {
		return v.members(i)
	}
	return v.Graph.Members(i)
}

func TestViewErrorsEndEverything(t *testing.T) {
	r, g := lentDevice(t)
	full := errors.New("disk on fire")
	noLinks := func(profile.Identity) ([]Link, error) { return nil, full }
	noMembers := func(profile.Identity) ([]profile.Identity, error) { return nil, full }
	// failAfter lets some reads pass, so that the error strikes later in the walk.
	failAfter := func(count int) func(profile.Identity) ([]Link, error) {
		return func(i profile.Identity) ([]Link, error) {
			if count--; count < 0 {
				return nil, full
			}
			return g.Links(i)
		}
	}
	views := map[string]View{
		"links":   brokenView{Graph: g, links: noLinks},
		"members": brokenView{Graph: g, members: noMembers},
		"late":    brokenView{Graph: g, links: failAfter(1)},
	}
	for name, v := range views {
		d, err := r.Decide(v, id("login:a1"), id("ecid:111"))
		if !errors.Is(err, full) || d.Region > 0 {
			t.Errorf("%s: Decide gives %+v, %v", name, d, err)
		}
	}
	for _, name := range []string{"links", "members"} {
		if _, err := r.Path(views[name], id("crm:ben"), id("ecid:111")); !errors.Is(err, full) {
			t.Errorf("%s: Path gives %v", name, err)
		}
		link := Link{A: id("ecid:111"), B: id("login:a1"), Time: 2}
		if _, _, err := r.Why(views[name], link); !errors.Is(err, full) {
			t.Errorf("%s: Why gives %v", name, err)
		}
	}
	if _, err := r.Inside(views["members"], id("crm:ada"), id("crm:ben")); !errors.Is(err, full) {
		t.Errorf("Inside gives %v", err)
	}
}

func TestInconsistentViews(t *testing.T) {
	r, g := lentDevice(t)
	always := func(ids ...profile.Identity) func(profile.Identity) ([]profile.Identity, error) {
		return func(profile.Identity) ([]profile.Identity, error) { return ids, nil }
	}
	stray := func(link Link) func(profile.Identity) ([]Link, error) {
		return func(profile.Identity) ([]Link, error) { return []Link{link}, nil }
	}
	overlap := func(i profile.Identity) ([]profile.Identity, error) {
		return []profile.Identity{i, id("shared:1")}, nil
	}
	views := map[string]View{
		"not in its own cluster": brokenView{Graph: g, members: always(id("ecid:9"))},
		"overlap":                brokenView{Graph: g, members: overlap},
		"stray link": brokenView{
			Graph: g,
			links: stray(Link{A: id("ecid:8"), B: id("ecid:9"), Time: 1}),
		},
		"reversed link": brokenView{
			Graph: g,
			links: stray(Link{A: id("login:a1"), B: id("crm:ada"), Time: 1}),
		},
	}
	for name, v := range views {
		if _, err := r.Decide(v, id("login:a1"), id("ecid:111")); !errors.Is(
			err,
			errInconsistent,
		) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSimulateTellsWhatItRejects(t *testing.T) {
	events, err := ParseEvents("# people\n@7 crm:ada ecid:1\n\ncrm:a crm:b\necid:null ecid:2\n")
	if err != nil {
		t.Fatal(err)
	}
	if events[0].Time != 7 || events[1].Time != 4 || events[1].Line != 4 {
		t.Errorf("%+v", events)
	}
	s, err := Simulate(shop(t), events)
	got := fmt.Sprintf("%v %v %d %v", s.Clusters, s.Rejected, s.Blocked, err)
	want := "[[crm:ada ecid:1] [ecid:2]] " +
		"[{4 two values of unique namespace crm in one record}] 1 <nil>"
	if got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for text, want := range map[string]string{
		"crm:a\n@x":  "line 2: the time after @ is not a whole number",
		"crm:a\ncrm": "line 2: a word is neither namespace:value nor @time",
	} {
		if _, err := ParseEvents(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
