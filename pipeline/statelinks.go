package pipeline

import (
	"math"
	"slices"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// said is which identities the newest record of a dataset links under a primary identity.
type said struct {
	row   store.Said
	dirty bool
}

type dirtySaid struct {
	p       *person
	dataset string
}

// said returns what the newest record of a dataset links under p; without a stamp where there was
// none.
func (s *state) said(p *person, dataset string) (*said, error) {
	if one := p.said[dataset]; one != nil {
		return one, nil
	}
	row, err := s.reader.Said(p.key.class, p.key.id, dataset)
	if err != nil {
		return nil, err
	}
	one := &said{}
	if row != nil {
		one.row = *row
	}
	if p.said == nil {
		p.said = map[string]*said{}
	}
	p.said[dataset] = one
	return one, nil
}

func (s *state) touchSaid(p *person, dataset string) {
	if one := p.said[dataset]; !one.dirty {
		one.dirty = true
		s.dirtySaid = append(s.dirtySaid, dirtySaid{p, dataset})
	}
}

func (s *state) writeSaid(b *store.Batch) {
	for _, d := range s.dirtySaid {
		one := d.p.said[d.dataset]
		one.dirty = false
		if one.row.Stamp.IsZero() {
			b.DeleteSaid(d.p.key.class, d.p.key.id, d.dataset)
			continue
		}
		b.SetSaid(d.p.key.class, d.p.key.id, d.dataset, &one.row)
	}
	s.dirtySaid = s.dirtySaid[:0]
}

// touchLink marks a link to be written.
func (s *state) touchLink(key linkKey, l *link) {
	if !l.dirty {
		l.dirty = true
		s.dirtyLinks = append(s.dirtyLinks, key)
	}
}

// writeLink writes a link, or removes one that nothing asserts any more.
func (s *state) writeLink(b *store.Batch, key linkKey, l *link) {
	switch {
	case len(l.row.Assertions) > 0:
		b.SetLink(key.class, key.a, key.b, &l.row, l.isNew)
		if l.isNew {
			s.totals.link(key.class, 1)
		}
		l.isNew = false
	case !l.isNew:
		b.DeleteLink(key.class, key.a, key.b)
		s.totals.link(key.class, -1)
		l.isNew = true
	}
	l.dirty = false
}

// neighbours lists the identities that p has a link with, this commit included. The list is the
// caller's. Where they are few they are kept with p: a cluster in a storm is decided again for
// every record, and the links of each of its members would be looked for in the store each time.
func (s *state) neighbours(p *person) ([]profile.Identity, error) {
	if p.nearby {
		return slices.Clone(p.near), nil
	}
	others, err := s.someNeighbours(p, math.MaxInt)
	if err == nil && len(others) <= wideDegree {
		p.near, p.nearby = slices.Clone(others), true
	}
	return others, err
}

// someNeighbours lists up to limit of them.
func (s *state) someNeighbours(p *person, limit int) ([]profile.Identity, error) {
	if limit < math.MaxInt {
		limit += len(p.lostLinks)
	}
	stored, err := s.reader.Neighbours(p.key.class, p.key.id, limit)
	if err != nil {
		return nil, err
	}
	others := make([]profile.Identity, 0, len(stored)+len(p.newLinks))
	for _, n := range stored {
		if !slices.Contains(p.lostLinks, n.ID) && !slices.Contains(p.newLinks, n.ID) {
			others = append(others, n.ID)
			s.keepLink(p, n)
		}
	}
	return append(others, p.newLinks...), nil
}

// keepLink keeps a link that a scan has brought along, unless it is known already.
func (s *state) keepLink(p *person, n store.Neighbour) {
	if n.Link == nil {
		return
	}
	key := linkKey{p.key.class, p.key.id, n.ID}
	if s.links.get(key) == nil {
		s.links.put(key, &link{row: *n.Link})
	}
}

// joined notes that p and q have a link that they did not have.
func (s *state) joined(p, q *person) {
	if !drop(&p.lostLinks, q.key.id) {
		p.newLinks = append(p.newLinks, q.key.id)
	}
	if p.nearby {
		p.near = append(p.near, q.key.id)
		if len(p.near) > wideDegree {
			p.near, p.nearby = nil, false
		}
	}
	p.row.Degree++
	s.touch(p)
}

// parted notes that p and q have no link any more.
func (s *state) parted(p, q *person) {
	if !drop(&p.newLinks, q.key.id) {
		p.lostLinks = append(p.lostLinks, q.key.id)
	}
	if p.nearby {
		drop(&p.near, q.key.id)
	}
	p.row.Degree--
	s.touch(p)
}

// drop takes id out of a list and reports whether it was there.
func drop(list *[]profile.Identity, id profile.Identity) bool {
	at := slices.Index(*list, id)
	if at >= 0 {
		*list = slices.Delete(*list, at, at+1)
	}
	return at >= 0
}

// Bounds of the links that are kept in the order of the walk.
const (
	wideDegree   = 64        // an identity with more links keeps them
	wideCapacity = 1_000_000 // links kept in all
)

// wideLinks keeps the links of identities that have many in the order of the walk, as far as they
// count. What is in it can be forgotten at any time.
type wideLinks struct {
	of    map[personKey]*identity.Adjacency
	count int // links in all
}

func (w *wideLinks) clear() {
	clear(w.of)
	w.count = 0
}

func (w *wideLinks) put(key personKey, links *identity.Adjacency) {
	if w.count+links.Len() > wideCapacity {
		w.clear()
	}
	w.count += links.Len()
	w.of[key] = links
}

// set notes that the link of p and q counts, with the given time.
func (w *wideLinks) set(p, q *person, time int64) {
	for _, ends := range [2][2]*person{{p, q}, {q, p}} {
		if links := w.of[ends[0].key]; links != nil {
			w.count -= links.Len()
			links.Set(ends[1].key.id, time)
			w.count += links.Len()
		}
	}
}

// remove notes that the link of p and q does not count.
func (w *wideLinks) remove(p, q *person) {
	for _, ends := range [2][2]*person{{p, q}, {q, p}} {
		if links := w.of[ends[0].key]; links != nil {
			w.count -= links.Len()
			links.Remove(ends[1].key.id)
			w.count += links.Len()
		}
	}
}

// silence notes that no link of p counts.
func (w *wideLinks) silence(p *person) {
	if links := w.of[p.key]; links != nil {
		w.count -= links.Len()
		delete(w.of, p.key)
	}
	for key, links := range w.of {
		if key.class == p.key.class {
			w.count -= links.Len()
			links.Remove(p.key.id)
			w.count += links.Len()
		}
	}
}

// heard notes that the links of p with its neighbours count again, as far as nothing else is
// against it.
func (s *state) heard(p *person, neighbours []profile.Identity) error {
	for _, other := range neighbours {
		if s.wide.of[personKey{p.key.class, other}] == nil {
			continue
		}
		l, err := s.link(p.key.class, p.key.id, other)
		if err != nil {
			return err
		}
		q, err := s.person(p.key.class, other)
		if err != nil {
			return err
		}
		latest := l.row.Latest()
		if q.row.Silence == 0 && live(latest, p, q) && !s.outdated(p) && !s.outdated(q) {
			s.wide.set(p, q, latest.Time)
		}
	}
	return nil
}
