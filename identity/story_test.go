package identity_test

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"selfsame/identity"
	"selfsame/internal/story"
	"selfsame/profile"
)

const shuffles = 60

// TestStories plays the stories of testdata: in order, in many random orders, and with every step
// twice; all must give the same.
func TestStories(t *testing.T) {
	stories, err := story.ReadAll("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stories {
		t.Run(s.Name, func(t *testing.T) { tell(t, s) })
	}
}

// TestVectors looks whether all that have a number are there.
func TestVectors(t *testing.T) {
	stories, err := story.ReadAll("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	for _, s := range stories {
		name, _, _ := strings.Cut(s.Name, " ")
		there[name] = true
	}
	for series, count := range map[string]int{"V": 16, "A": 27, "B": 5, "M": 28, "P": 19} {
		for i := range count {
			if name := fmt.Sprint(series, i+1); !there[name] && !leftToOthers[name] {
				t.Errorf("there is no story %s", name)
			}
		}
	}
}

// leftToOthers are cases that are not about the graph: attributes (package profile), a store that
// fails, a record that was interrupted (pipeline, TestExactlyOnce).
var leftToOthers = map[string]bool{"P10": true, "P15": true, "P16": true}

func tell(t *testing.T, s *story.Story) {
	rules, err := identity.NewRules(s.Namespaces, s.MaxIdentities)
	if err != nil {
		t.Fatal(err)
	}
	checkStory(t, rules, s, s.Steps, "in order")
	checkStory(t, rules, s, slices.Repeat(s.Steps, 2), "twice over")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range shuffles {
		shuffled := slices.Repeat(s.Steps, 1+random.IntN(2))
		random.Shuffle(len(shuffled), func(i, j int) {
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		})
		checkStory(t, rules, s, shuffled, "shuffled")
	}
}

func checkStory(t *testing.T, rules *identity.Rules, s *story.Story, steps []story.Step,
	how string) {
	t.Helper()
	p := newPlayer(rules)
	for i := range steps {
		if err := p.play(&steps[i]); err != nil {
			t.Fatalf("%s: line %d: %v", how, steps[i].Line, err)
		}
	}
	var clusters, wanted []string
	for _, members := range p.graph.Clusters() {
		clusters = append(clusters, p.root(members)+": "+words(members))
	}
	for _, c := range s.Clusters {
		wanted = append(wanted, c.Root+": "+strings.Join(c.Members, " "))
	}
	diff(t, how+": roots and clusters", clusters, wanted)
	reasons, err := p.graph.LeftOut()
	if err != nil {
		t.Fatalf("%s: %v", how, err)
	}
	var out []string
	for _, r := range reasons {
		out = append(out, words([]profile.Identity{r.Link.A, r.Link.B})+" "+r.Rule.String())
	}
	diff(t, how+": left out", out, s.LeftOut)
}

// player keeps up a graph step by step, whatever the order of the steps.
type player struct {
	rules  *identity.Rules
	graph  *identity.Graph
	first  map[profile.Identity]int64 // when a record first named it
	voided map[profile.Identity]int64 // up to when its links are void
	orders map[[2]profile.Identity]identity.Order
}

func newPlayer(rules *identity.Rules) *player {
	return &player{rules: rules, graph: identity.NewGraph(rules),
		first: map[profile.Identity]int64{}, voided: map[profile.Identity]int64{},
		orders: map[[2]profile.Identity]identity.Order{}}
}

func (p *player) play(step *story.Step) error {
	if step.Kind == story.Record {
		return p.record(step)
	}
	var ids []profile.Identity
	for _, c := range step.Claims {
		id, _, err := p.rules.Normalize(c.Namespace, c.Value)
		if err != nil {
			return err
		}
		ids = append(ids, id)
		if _, seen := p.first[id]; !seen {
			p.first[id] = math.MaxInt64 // an operator is no source
		}
	}
	if step.Kind == story.Unlink {
		return p.unlink(ids[0], step.Time)
	}
	slices.SortFunc(ids, profile.Identity.Compare)
	order := p.orders[[2]profile.Identity(ids)]
	if step.Kind == story.Link {
		order.Together, order.Time = true, max(order.Time, step.Time)
	} else {
		order.Apart = true
	}
	p.orders[[2]profile.Identity(ids)] = order
	_, err := p.graph.Order(ids[0], ids[1], order)
	return err
}

func (p *player) record(step *story.Step) error {
	res, err := p.rules.ResolveEvent(step.Claims)
	if reason := reasonOf(err); reason != step.Refused {
		return fmt.Errorf("refused %q, wanted %q: %w", reason, step.Refused, err)
	}
	if err != nil {
		return nil
	}
	for _, id := range res.All {
		if first, seen := p.first[id]; !seen || step.Time < first {
			p.first[id] = step.Time
		}
		if _, _, err := p.graph.Assert([]profile.Identity{id}, step.Time); err != nil {
			return err
		}
	}
	for _, pair := range p.rules.Links(res.All) {
		if p.void(pair[0], step.Time) || p.void(pair[1], step.Time) {
			continue
		}
		if _, _, err := p.graph.Assert(pair[:], step.Time); err != nil {
			return err
		}
	}
	return nil
}

// reasonOf gives the code of a refusal, as dead letters carry it.
func reasonOf(err error) string {
	var conflict *identity.ConflictError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, identity.ErrMissing):
		return "missing_identity"
	case errors.As(err, &conflict):
		return "identity_conflict"
	}
	return "invalid_identity"
}

func (p *player) void(id profile.Identity, time int64) bool {
	until, found := p.voided[id]
	return found && time <= until
}

func (p *player) unlink(id profile.Identity, time int64) error {
	if until, found := p.voided[id]; !found || until < time {
		p.voided[id] = time
	}
	links, err := p.graph.Links(id)
	for _, l := range links {
		if err == nil && p.void(id, l.Time) {
			_, _, err = p.graph.Retract(l.A, l.B)
		}
	}
	return err
}

func (p *player) root(members []profile.Identity) string {
	var list []identity.Member
	for _, id := range members {
		list = append(list, identity.Member{ID: id, FirstSeen: p.first[id]})
	}
	return p.rules.Root(list).String()
}

// words lists identities, sorted as text.
func words(ids []profile.Identity) string {
	text := map[string]bool{}
	for _, id := range ids {
		text[id.String()] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(text)), " ")
}

func diff(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Fatalf("%s\n got  %s\n want %s", what, strings.Join(got, "\n      "),
			strings.Join(want, "\n      "))
	}
}
