package identity

import (
	"cmp"
	"fmt"
	"slices"

	"selfsame/profile"
)

// Adjacency are the links of one identity that has many, in the order of the walk, with the time of
// each at hand. With it a decision looks at the links it needs, not at all of them: at those within
// one cluster, and from some point of the walk on until the cluster is full. Not safe for
// concurrent use.
type Adjacency struct {
	id    profile.Identity
	rules *Rules
	ends  []end // the last is walked first: new links mostly go near it
	times map[profile.Identity]int64
}

// end is the other end of a link, with the place of the link in the walk.
type end struct {
	other       profile.Identity
	time        int64
	weaker, sum int32
}

// NewAdjacency takes links of id, in any order, and keeps them in that of the walk. Links with
// identities that never link are left away.
func (r *Rules) NewAdjacency(id profile.Identity, links []Link) (*Adjacency, error) {
	a := &Adjacency{id: id, rules: r, ends: make([]end, 0, len(links)),
		times: make(map[profile.Identity]int64, len(links))}
	for _, link := range links {
		other, err := link.other(id)
		if err != nil {
			return nil, err
		}
		if _, twice := a.times[other]; twice {
			return nil, fmt.Errorf("%w: a link is listed twice", errInconsistent)
		}
		if !r.mute(id) && !r.mute(other) {
			a.ends = append(a.ends, a.end(other, link.Time))
			a.times[other] = link.Time
		}
	}
	slices.SortFunc(a.ends, a.compare)
	return a, nil
}

// mute reports whether an identity is of a declared namespace that never links.
func (r *Rules) mute(id profile.Identity) bool {
	s := r.byName[id.Namespace]
	return s != nil && s.Type == NonPerson
}

// other returns the end of l that id is not.
func (l *Link) other(id profile.Identity) (profile.Identity, error) {
	switch {
	case l.A.Compare(l.B) >= 0:
	case l.A == id:
		return l.B, nil
	case l.B == id:
		return l.A, nil
	}
	return profile.Identity{}, fmt.Errorf("%w: a link is not one of the identity asked for",
		errInconsistent)
}

// Len returns the number of links.
func (a *Adjacency) Len() int { return len(a.ends) }

// Set adds the link with other, or gives it another time.
func (a *Adjacency) Set(other profile.Identity, time int64) {
	if a.rules.mute(a.id) || a.rules.mute(other) {
		return
	}
	a.Remove(other)
	fresh := a.end(other, time)
	at, _ := slices.BinarySearchFunc(a.ends, fresh, a.compare)
	a.ends = slices.Insert(a.ends, at, fresh)
	a.times[other] = time
}

// Remove takes the link with other away, if there is one.
func (a *Adjacency) Remove(other profile.Identity) {
	time, known := a.times[other]
	if !known {
		return
	}
	at, _ := slices.BinarySearchFunc(a.ends, a.end(other, time), a.compare)
	a.ends = slices.Delete(a.ends, at, at+1)
	delete(a.times, other)
}

func (a *Adjacency) end(other profile.Identity, time int64) end {
	m, n := int32(a.rules.Rank(a.id.Namespace)), int32(a.rules.Rank(other.Namespace))
	return end{other: other, time: time, weaker: max(m, n), sum: m + n}
}

// compare is the order of the walk, backwards, among the links of one identity.
func (a *Adjacency) compare(e, f end) int {
	if order := cmp.Or(
		cmp.Compare(f.weaker, e.weaker),
		cmp.Compare(e.time, f.time),
		cmp.Compare(f.sum, e.sum),
	); order != 0 {
		return order
	}
	x, y := a.pair(e.other), a.pair(f.other)
	return cmp.Or(y[0].Compare(x[0]), y[1].Compare(x[1]))
}

func (a *Adjacency) pair(other profile.Identity) [2]profile.Identity {
	if other.Compare(a.id) < 0 {
		return [2]profile.Identity{other, a.id}
	}
	return [2]profile.Identity{a.id, other}
}
