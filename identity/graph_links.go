package identity

import (
	"maps"
	"slices"

	"selfsame/profile"
)

// set gives a link a time, and finds out whether that makes hubs of its ends.
func (g *Graph) set(a, b profile.Identity, time int64) {
	_, known := g.links[a][b]
	for _, pair := range [2][2]profile.Identity{{a, b}, {b, a}} {
		if g.links[pair[0]] == nil {
			g.links[pair[0]] = make(map[profile.Identity]int64)
		}
		g.links[pair[0]][pair[1]] = time
		if wide := g.wide[pair[0]]; wide != nil {
			wide.Set(pair[1], time)
		}
		if known || !g.rules.Crowds(pair[0], pair[1]) {
			continue
		}
		g.crowd[pair[0]]++
		if limit := g.rules.HubDegree(pair[0]); limit > 0 && g.crowd[pair[0]] > limit {
			g.hubs[pair[0]] = 0
		}
	}
}

// unset removes a link. A hub stays one.
func (g *Graph) unset(a, b profile.Identity) {
	for _, pair := range [2][2]profile.Identity{{a, b}, {b, a}} {
		delete(g.links[pair[0]], pair[1])
		if wide := g.wide[pair[0]]; wide != nil {
			wide.Remove(pair[1])
		}
		if g.rules.Crowds(pair[0], pair[1]) {
			g.crowd[pair[0]]--
		}
	}
}

// countHubs reports whether an end of the pair is a hub, and counts the assertion there.
func (g *Graph) countHubs(pair [2]profile.Identity) bool {
	found := false
	for _, id := range pair {
		if n, hub := g.hubs[id]; hub {
			g.hubs[id] = n + 1
			found = true
		}
	}
	return found
}

// muted reports whether the links of id do not count: it is a hub, or contested.
func (g *Graph) muted(id profile.Identity) bool {
	if _, hub := g.hubs[id]; hub {
		return true
	}
	return g.rules.Contested(id, maps.Keys(g.links[id]))
}

func (g *Graph) mutedAmong(ids []profile.Identity) map[profile.Identity]bool {
	muted := make(map[profile.Identity]bool, len(ids))
	for _, id := range ids {
		muted[id] = g.muted(id)
	}
	return muted
}

// Hubs lists the hubs, sorted.
func (g *Graph) Hubs() []profile.Identity {
	return slices.SortedFunc(maps.Keys(g.hubs), profile.Identity.Compare)
}

// ResetHub lets id link again, and starts with no links: those it had were of everybody.
func (g *Graph) ResetHub(id profile.Identity) {
	if _, hub := g.hubs[id]; !hub {
		return
	}
	for other := range maps.Clone(g.links[id]) {
		g.unset(id, other)
	}
	delete(g.hubs, id)
}
