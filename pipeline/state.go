package pipeline

import (
	"fmt"
	"slices"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// personKey names an identity within an entity class.
type personKey struct {
	class string
	id    profile.Identity
}

// person is an identity's row and the fragments stored under it, as far as they have been needed.
type person struct {
	key       personKey
	row       store.Identity
	known     bool // the identity has been seen before, or in this commit
	stored    bool // the store has its row: it was seen before this commit
	dirty     bool
	listed    bool                   // the store lists it as a hub
	own       profile.ID             // of the profile whose root it is; zero until asked for
	fragments map[string]*fragment   // by dataset
	dropped   []string               // datasets whose fragments this commit deletes
	near      []profile.Identity     // its neighbours, this commit included, where nearby says so
	nearby    bool                   // near is right; never of a wide identity
	newLinks  []profile.Identity     // neighbours linked in this commit, not in the store yet
	lostLinks []profile.Identity     // neighbours whose link this commit removes
	said      map[string]*said       // by dataset whose links are the current ones
	orders    []*orderedPair         // what operators have said, once read
	ordered   bool                   // orders are read
	floors    map[string]*dataFloors // by dataset
	hash      store.Hash             // that stands for it; zero until asked for
	erased    *store.Erased          // what is kept of it where it was erased, as of erasedAt
	erasedAt  uint64
}

// fragment is a fragment and whether it must be written.
type fragment struct {
	*profile.Fragment
	dirty bool
}

// linkKey names a link; a < b.
type linkKey struct {
	class string
	a, b  profile.Identity
}

type link struct {
	row   store.Link // without assertions: there is no link
	isNew bool       // the store does not have it
	dirty bool
}

type clusterKey struct {
	class string
	id    profile.ID
}

// cluster is a cluster's members; none: the cluster does not exist.
type cluster struct {
	members []profile.Identity
	stored  []profile.Identity // members in the store's row; none: it has none
	dirty   bool
}

type eventKey struct{ dataset, id string }

type eventID struct {
	row   store.EventID
	dirty bool
}

type decided struct {
	row   store.Profile
	found bool
}

// state is the working set: rows read from the store or made by the current commit. The single
// writer reads through it, so it is always right; it stays between commits as a bounded cache.
type state struct {
	reader   *store.Reader
	last     *person // asked for; most are asked for several times running
	people   cache[personKey, person]
	links    cache[linkKey, link]
	clusters cache[clusterKey, cluster]
	eventIDs cache[eventKey, eventID]
	profiles cache[store.ProfileRef, decided]
	unlinks  map[string]bool // classes in which some links do not count
	wide     wideLinks       // of identities that have many
	totals   graphTotals
	computed *computedWork // nil in a trial

	generations map[string]generation     // of the rules of each class
	trial       *trial                    // nil but in a trial of other rules
	applied     map[string]*store.Applied // of this commit

	// What the current commit has changed, in order of first change.
	dirtyPeople   []*person
	dirtyLinks    []linkKey
	dirtyClusters []clusterKey
	dirtyEventIDs []eventKey
	dirtyOrders   []dirtyPair
	dirtySaid     []dirtySaid
	droppedOrders []linkKey
	newUnlinks    []string
	setEvents     map[store.EventRef]*store.Event // nil: deleted
	eventOrder    []store.EventRef
	mine          map[personKey][]store.EventRef // of eventOrder, by identity
}

func newState(reader *store.Reader, size int) *state {
	return &state{
		reader:   reader,
		people:   newCache[personKey, person](size),
		links:    newCache[linkKey, link](size),
		clusters: newCache[clusterKey, cluster](size),
		eventIDs: newCache[eventKey, eventID](size / 4),
		profiles: newCache[store.ProfileRef, decided](size),
		unlinks:  map[string]bool{},
		wide:     wideLinks{of: map[personKey]*identity.Adjacency{}},

		generations: map[string]generation{},
		applied:     map[string]*store.Applied{},
		setEvents:   map[store.EventRef]*store.Event{},
		mine:        map[personKey][]store.EventRef{},
	}
}

// person returns an identity, known or not.
func (s *state) person(class string, id profile.Identity) (*person, error) {
	key := personKey{class, id}
	if s.last != nil && s.last.key == key {
		return s.last, nil
	}
	if s.last = s.people.get(key); s.last != nil {
		return s.last, nil
	}
	row, err := s.reader.Identity(class, id)
	if err != nil {
		return nil, err
	}
	p := &person{key: key, nearby: row == nil}
	if row != nil {
		p.row, p.known, p.stored = *row, true, true
		p.listed = row.Silence&store.SilentHub != 0
	}
	s.people.put(key, p)
	s.last = p
	return p, nil
}

// touch marks a person to be written.
func (s *state) touch(p *person) {
	if !p.dirty {
		p.dirty = true
		s.dirtyPeople = append(s.dirtyPeople, p)
	}
}

// fragment returns the fragment of a dataset under p; an empty one where there is none yet.
func (s *state) fragment(p *person, dataset string) (*fragment, error) {
	if f := p.fragments[dataset]; f != nil {
		return f, nil
	}
	f := &fragment{Fragment: &profile.Fragment{}}
	if slices.Contains(p.row.Fragments, dataset) {
		ref := store.FragmentRef{Class: p.key.class, Identity: p.key.id, Dataset: dataset}
		stored, err := s.reader.Fragment(ref)
		if err != nil {
			return nil, err
		}
		if stored == nil {
			return nil, fmt.Errorf("fragment of dataset %s is listed but missing", dataset)
		}
		f.Fragment = stored
	}
	if p.fragments == nil {
		p.fragments = map[string]*fragment{}
	}
	p.fragments[dataset] = f
	return f, nil
}

// link returns the link between a and b, with no assertions where there is none yet.
func (s *state) link(class string, a, b profile.Identity) (*link, error) {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	key := linkKey{class, a, b}
	if l := s.links.get(key); l != nil {
		return l, nil
	}
	l := &link{isNew: true}
	if !s.isNew(class, a) && !s.isNew(class, b) {
		row, err := s.reader.Link(class, a, b)
		if err != nil {
			return nil, err
		}
		if row != nil {
			l.row, l.isNew = *row, false
		}
	}
	s.links.put(key, l)
	return l, nil
}

// isNew reports whether an identity is known to have no row in the store, and so no links there.
func (s *state) isNew(class string, id profile.Identity) bool {
	p := s.people.get(personKey{class, id})
	return p != nil && !p.stored
}

// born notes what is certain of the profile of an identity that was never seen before: it has no
// cluster and nothing was ever decided about it. That saves asking the store.
func (s *state) born(e *Entity, id profile.ID) {
	s.clusters.put(clusterKey{e.Name, id}, &cluster{})
	for i := range e.Policies {
		ref := store.ProfileRef{Class: e.Name, Policy: e.Policies[i].Name, ID: id}
		s.profiles.put(ref, &decided{})
	}
}

// cluster returns a cluster, without members where it does not exist.
func (s *state) cluster(class string, id profile.ID) (*cluster, error) {
	key := clusterKey{class, id}
	if c := s.clusters.get(key); c != nil {
		return c, nil
	}
	row, err := s.reader.Cluster(class, id)
	if err != nil {
		return nil, err
	}
	c := &cluster{}
	if row != nil {
		c.members, c.stored = row.Members, row.Members
	}
	s.clusters.put(key, c)
	return c, nil
}

// setCluster replaces a cluster's members; none removes it.
func (s *state) setCluster(class string, id profile.ID, members []profile.Identity) error {
	c, err := s.cluster(class, id)
	if err != nil {
		return err
	}
	c.members = members
	if !c.dirty {
		c.dirty = true
		s.dirtyClusters = append(s.dirtyClusters, clusterKey{class, id})
	}
	return nil
}

// eventID returns what is known of an event id; zero where nothing is.
func (s *state) eventID(dataset, id string) (*eventID, error) {
	key := eventKey{dataset, id}
	if e := s.eventIDs.get(key); e != nil {
		return e, nil
	}
	row, err := s.reader.EventID(dataset, id)
	if err != nil {
		return nil, err
	}
	e := &eventID{}
	if row != nil {
		e.row = *row
	}
	s.eventIDs.put(key, e)
	return e, nil
}

func (s *state) touchEventID(dataset, id string, e *eventID) {
	if !e.dirty {
		e.dirty = true
		s.dirtyEventIDs = append(s.dirtyEventIDs, eventKey{dataset, id})
	}
}

// setEvent writes or, with a nil row, deletes an event.
func (s *state) setEvent(ref store.EventRef, row *store.Event) {
	key := personKey{ref.Class, ref.Identity}
	if _, seen := s.setEvents[ref]; !seen {
		s.eventOrder = append(s.eventOrder, ref)
		s.mine[key] = append(s.mine[key], ref)
	}
	s.setEvents[ref] = row
	if row != nil {
		s.timed(key, ref.Time)
	}
}

// decided returns what was last decided about a merged profile.
func (s *state) decided(ref store.ProfileRef) (*decided, error) {
	if d := s.profiles.get(ref); d != nil {
		return d, nil
	}
	row, err := s.reader.Profile(ref)
	if err != nil {
		return nil, err
	}
	d := &decided{}
	if row != nil {
		d.row, d.found = *row, true
	}
	s.profiles.put(ref, d)
	return d, nil
}

// write puts everything the commit has changed into b and forgets that it was changed.
func (s *state) write(b *store.Batch) {
	for _, p := range s.dirtyPeople {
		s.writePerson(b, p)
	}
	for _, key := range s.dirtyLinks {
		s.writeLink(b, key, s.links.get(key))
	}
	for _, key := range s.dirtyClusters {
		c := s.clusters.get(key)
		s.writeCluster(b, key, c)
	}
	for _, key := range s.dirtyEventIDs {
		e := s.eventIDs.get(key)
		e.dirty = false
		if e.row.IsZero() {
			b.DeleteEventID(key.dataset, key.id)
			continue
		}
		b.SetEventID(key.dataset, key.id, &e.row)
	}
	for _, ref := range s.eventOrder {
		if row := s.setEvents[ref]; row != nil {
			b.SetEvent(ref, row)
			continue
		}
		b.DeleteEvent(ref)
	}
	s.writeControl(b)
	s.totals.write(b)
	s.dirtyPeople, s.dirtyLinks = s.dirtyPeople[:0], s.dirtyLinks[:0]
	s.dirtyClusters, s.dirtyEventIDs = s.dirtyClusters[:0], s.dirtyEventIDs[:0]
	s.eventOrder = s.eventOrder[:0]
	clear(s.setEvents)
	clear(s.mine)
}

// writeCluster writes a cluster; one that came and went within the commit leaves no trace.
func (s *state) writeCluster(b *store.Batch, key clusterKey, c *cluster) {
	switch {
	case len(c.members) > 0:
		b.SetCluster(key.class, key.id, &store.Cluster{Members: c.members})
	case len(c.stored) > 0:
		b.DeleteCluster(key.class, key.id)
	}
	s.totals.replace(key.class, c.stored, c.members)
	c.stored, c.dirty = c.members, false
}

func (s *state) writePerson(b *store.Batch, p *person) {
	if p.known {
		b.SetIdentity(p.key.class, p.key.id, &p.row)
	} else if p.stored {
		b.DeleteIdentity(p.key.class, p.key.id)
	}
	for _, dataset := range p.row.Fragments {
		f := p.fragments[dataset]
		if f == nil || !f.dirty {
			continue
		}
		ref := store.FragmentRef{Class: p.key.class, Identity: p.key.id, Dataset: dataset}
		b.SetFragment(ref, f.Fragment)
		f.dirty = false
	}
	for _, dataset := range p.dropped {
		if !slices.Contains(p.row.Fragments, dataset) {
			ref := store.FragmentRef{Class: p.key.class, Identity: p.key.id, Dataset: dataset}
			b.DeleteFragment(ref)
		}
	}
	if hub := p.row.Silence&store.SilentHub != 0; hub != p.listed {
		b.SetHub(p.key.class, p.key.id, hub)
		s.totals.hub(p.key.class, hub)
		p.listed = hub
	}
	writeFloors(b, p)
	p.dirty, p.stored, p.dropped = false, p.known, nil
	p.newLinks, p.lostLinks = nil, nil
}

// turn drops what has not been used for long. Call it after a commit.
func (s *state) turn() {
	s.last = nil
	s.people.turn()
	s.links.turn()
	s.clusters.turn()
	s.eventIDs.turn()
	s.profiles.turn()
	if s.computed != nil {
		s.computed.people.turn()
		s.computed.last = nil
	}
}
