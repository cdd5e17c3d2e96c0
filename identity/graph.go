package identity

import (
	"cmp"
	"fmt"
	"slices"

	"selfsame/profile"
)

// Graph is a whole identity graph in memory: the link set and the clusters, kept up by
// [Rules.Decide]. It serves simulations and tests, and is an [OrderedView]. Not safe for concurrent
// use.
type Graph struct {
	rules   *Rules
	links   map[profile.Identity]map[profile.Identity]int64 // both directions
	crowd   map[profile.Identity]int                        // neighbours that make a hub
	hubs    map[profile.Identity]int                        // and assertions since it is one
	orders  map[profile.Identity]Orders                     // both directions
	members map[profile.Identity][]profile.Identity         // of clusters larger than one
	known   map[profile.Identity]struct{}
	many    int // links above which Adjacency answers
	wide    map[profile.Identity]*Adjacency
}

// manyLinks is the number of links above which a Graph keeps them in order for a decision.
const manyLinks = 64

// NewGraph returns an empty graph.
func NewGraph(r *Rules) *Graph {
	return &Graph{
		rules:   r,
		links:   make(map[profile.Identity]map[profile.Identity]int64),
		crowd:   make(map[profile.Identity]int),
		hubs:    make(map[profile.Identity]int),
		orders:  make(map[profile.Identity]Orders),
		members: make(map[profile.Identity][]profile.Identity),
		known:   make(map[profile.Identity]struct{}),
		many:    manyLinks,
		wide:    make(map[profile.Identity]*Adjacency),
	}
}

// Assert adds what a record with these identities, at that time, says: all its links. A link that
// exists keeps the later of both times; links with a hub are only counted. changed is false where
// no cluster can have changed.
func (g *Graph) Assert(all []profile.Identity, time int64) (d Decision, changed bool, err error) {
	for _, id := range all {
		g.known[id] = struct{}{}
	}
	muted := g.mutedAmong(all)
	var fresh [][2]profile.Identity
	for _, pair := range g.rules.Links(all) {
		if g.countHubs(pair) {
			continue
		}
		if old, ok := g.links[pair[0]][pair[1]]; ok && old >= time {
			continue
		}
		g.set(pair[0], pair[1], time)
		fresh = append(fresh, pair)
	}
	var ends []profile.Identity
	for _, pair := range fresh {
		inside, err := g.rules.Inside(g, pair[0], pair[1])
		if err != nil {
			return Decision{}, false, err
		}
		if !inside && !g.muted(pair[0]) && !g.muted(pair[1]) {
			ends = append(ends, pair[0], pair[1])
		}
	}
	for _, id := range all {
		if !muted[id] && g.muted(id) {
			members, _ := g.Members(id)
			ends = append(ends, members...)
		}
	}
	if len(ends) == 0 {
		return Decision{}, false, nil
	}
	d, err = g.decide(ends)
	return d, true, err
}

// Retract removes the link between a and b, whatever its time. changed is false where no cluster
// can have changed.
func (g *Graph) Retract(a, b profile.Identity) (d Decision, changed bool, err error) {
	if _, ok := g.links[a][b]; !ok {
		return Decision{}, false, nil
	}
	pair := []profile.Identity{a, b}
	muted := g.mutedAmong(pair)
	inside, err := g.rules.Inside(g, a, b)
	if err != nil {
		return Decision{}, false, err
	}
	g.unset(a, b)
	var ends []profile.Identity
	if inside && !muted[a] && !muted[b] {
		ends = append(ends, a, b)
	}
	for _, id := range pair {
		if !muted[id] || g.muted(id) {
			continue
		}
		ends = append(ends, id) // all its links count again
		for other := range g.links[id] {
			ends = append(ends, other)
		}
	}
	if len(ends) == 0 {
		return Decision{}, false, nil
	}
	d, err = g.decide(ends)
	return d, true, err
}

// Order is what an operator can say about a pair of identities.
type Order struct {
	Together bool // they are one self
	Apart    bool // they are never in one cluster; it beats Together
	Time     int64
}

// Order replaces what is ordered about a and b.
func (g *Graph) Order(a, b profile.Identity, order Order) (Decision, error) {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	link := Link{A: a, B: b, Time: order.Time, Forced: true}
	for _, pair := range [2][2]profile.Identity{{a, b}, {b, a}} {
		known := g.orders[pair[0]]
		next := Orders{
			Together: slices.DeleteFunc(slices.Clone(known.Together), func(l Link) bool {
				return l.A == a && l.B == b
			}),
			Apart: slices.DeleteFunc(slices.Clone(known.Apart), func(id profile.Identity) bool {
				return id == pair[1]
			}),
		}
		if order.Together {
			next.Together = append(next.Together, link)
		}
		if order.Apart {
			next.Apart = append(next.Apart, pair[1])
		}
		g.orders[pair[0]] = next
		g.known[pair[0]] = struct{}{}
	}
	return g.decide([]profile.Identity{a, b})
}

// Orders implements [View].
func (g *Graph) Orders(id profile.Identity) (Orders, error) { return g.orders[id], nil }

// Links implements [View].
func (g *Graph) Links(id profile.Identity) ([]Link, error) {
	if g.muted(id) {
		return nil, nil
	}
	links := make([]Link, 0, len(g.links[id]))
	for other, time := range g.links[id] {
		if g.muted(other) {
			continue
		}
		link := Link{A: id, B: other, Time: time}
		if other.Compare(id) < 0 {
			link.A, link.B = other, id
		}
		links = append(links, link)
	}
	return links, nil
}

// Adjacency implements [OrderedView].
func (g *Graph) Adjacency(id profile.Identity) (*Adjacency, error) {
	if len(g.links[id]) <= g.many {
		return nil, nil
	}
	quiet := len(g.hubs) == 0 && !g.rules.contest // else links can fall silent at any time
	if wide := g.wide[id]; wide != nil && quiet {
		return wide, nil
	}
	links, _ := g.Links(id)
	wide, err := g.rules.NewAdjacency(id, links)
	if quiet {
		g.wide[id] = wide
	}
	return wide, err
}

// Members implements [View].
func (g *Graph) Members(id profile.Identity) ([]profile.Identity, error) {
	if members := g.members[id]; members != nil {
		return members, nil
	}
	return []profile.Identity{id}, nil
}

// Clusters lists all clusters, each sorted, in the order of their first identities.
func (g *Graph) Clusters() [][]profile.Identity {
	var clusters [][]profile.Identity
	for id := range g.known {
		members, _ := g.Members(id)
		if members[0] == id {
			clusters = append(clusters, members)
		}
	}
	slices.SortFunc(clusters, func(a, b []profile.Identity) int { return a[0].Compare(b[0]) })
	return clusters
}

// LeftOut explains all links that stay out, sorted by their ends.
func (g *Graph) LeftOut() ([]Reason, error) {
	var reasons []Reason
	for id := range g.known {
		links := g.everyLink(id)
		for _, link := range links {
			if link.A != id {
				continue
			}
			reason, left, err := g.rules.Why(g, link)
			if err != nil {
				return nil, err
			}
			if left {
				reasons = append(reasons, reason)
			}
		}
	}
	slices.SortFunc(reasons, func(x, y Reason) int {
		return cmp.Or(x.Link.A.Compare(y.Link.A), x.Link.B.Compare(y.Link.B))
	})
	return reasons, nil
}

// everyLink lists the links of id, the forced ones too; a link that is both is the forced one.
func (g *Graph) everyLink(id profile.Identity) []Link {
	all := slices.Clone(g.orders[id].Together)
	asserted, _ := g.Links(id)
	for _, link := range asserted {
		if !slices.ContainsFunc(g.orders[id].Together, func(l Link) bool {
			return l.A == link.A && l.B == link.B
		}) {
			all = append(all, link)
		}
	}
	return all
}

func (g *Graph) decide(ends []profile.Identity) (Decision, error) {
	d, err := g.rules.Decide(g, ends...)
	if err != nil {
		return Decision{}, fmt.Errorf("keeping up a graph: %w", err)
	}
	for _, cluster := range d.Clusters {
		for _, id := range cluster {
			g.members[id] = cluster
			if len(cluster) == 1 {
				delete(g.members, id)
			}
		}
	}
	return d, nil
}
