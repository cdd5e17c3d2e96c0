package pipeline

import (
	"fmt"
	"strconv"
	"time"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// Lookup reads merged profiles from the latest committed state. Safe for concurrent use.
type Lookup struct {
	// Now is the clock, in nanoseconds since the epoch: computed attributes are of the instant at
	// which they are read.
	Now func() int64

	model   *Model
	store   *store.Store
	catalog *catalog
}

// NewLookup returns the lookup of a model over a store.
func NewLookup(model *Model, s *store.Store) *Lookup {
	return &Lookup{model: model, store: s, catalog: newCatalog(model),
		Now: func() int64 { return time.Now().UnixNano() }}
}

// Answer is a merged profile with the origin of every attribute.
type Answer struct {
	Ref     store.ProfileRef
	Version uint64
	Entity  *Entity
	Data    *Gathered
	Merged  profile.Merged
}

// Query names a merged profile by one of its identities.
type Query struct {
	Class     string
	Namespace string
	Value     string // before normalisation
	Policy    string // "": the default policy of the class
}

// QueryError says what is wrong with a query.
type QueryError struct{ Problem string }

// Error implements error.
func (e *QueryError) Error() string { return e.Problem }

// Find returns the merged profile that a query names; nil where the identity is not known or its
// profile holds nothing. *QueryError where the query itself is wrong.
func (l *Lookup) Find(q Query) (*Answer, error) {
	r, err := l.resolve(q)
	if err != nil {
		return nil, err
	}
	snap := l.store.Snapshot()
	defer snap.Close()
	return l.read(snap, r)
}

// subject is what a query names.
type subject struct {
	entity *Entity
	policy *PolicyTopic
	id     profile.Identity
}

// resolve looks up what a query names. *QueryError where the query is wrong.
func (l *Lookup) resolve(q Query) (s subject, err error) {
	if s.entity, s.policy, err = l.find(q.Class, q.Policy); err != nil {
		return s, err
	}
	s.id, err = s.entity.resolve(q.Namespace, q.Value)
	return s, err
}

// resolve normalises an identity that a query names. *QueryError where there can be none.
func (e *Entity) resolve(namespace, value string) (profile.Identity, error) {
	if _, ok := e.Rules.Namespace(namespace); !ok {
		return profile.Identity{}, &QueryError{fmt.Sprintf("class %s has no namespace %q", e.Name,
			namespace)}
	}
	id, blocked, err := e.Rules.Normalize(namespace, value)
	if err != nil {
		return profile.Identity{}, &QueryError{err.Error()}
	}
	if blocked {
		return profile.Identity{}, &QueryError{
			"this value is blocked as an identity in namespace " + namespace}
	}
	return id, nil
}

// find returns the named class and policy. *QueryError where there are none.
func (l *Lookup) find(class, policy string) (*Entity, *PolicyTopic, error) {
	entity := l.model.Entity(class)
	if entity == nil {
		return nil, nil, &QueryError{fmt.Sprintf("there is no entity class %q", class)}
	}
	if found := entity.policy(policy); found != nil {
		return entity, found, nil
	}
	return nil, nil, &QueryError{fmt.Sprintf("class %s has no merge policy %q", class, policy)}
}

// read merges the profile that a subject belongs to; nil where it is not known or holds nothing.
func (l *Lookup) read(snap *store.Snapshot, s subject) (*Answer, error) {
	c, err := l.whose(snap, s)
	if err != nil || c == nil {
		return nil, err
	}
	r, err := l.reading(snap, s.entity, s.policy)
	if err != nil {
		return nil, err
	}
	return r.cluster(*c)
}

// reading reads merged profiles of one class and policy from a snapshot, at one instant.
type reading struct {
	snap   *store.Snapshot
	entity *Entity
	policy *PolicyTopic
	view   *computedView
}

func (l *Lookup) reading(snap *store.Snapshot, e *Entity, policy *PolicyTopic) (*reading, error) {
	view, err := l.catalog.view(&snap.Reader, e.Name, latest, l.Now())
	return &reading{snap, e, policy, view}, err
}

// whose finds the identities whose fragments make up the profile of a subject; nil where it is not
// known.
func (l *Lookup) whose(snap *store.Snapshot, s subject) (*assigned, error) {
	row, err := snap.Identity(s.entity.Name, s.id)
	if err != nil || row == nil {
		return nil, err
	}
	if s.policy.alone() {
		return &assigned{l.ownID(s.entity, s.id), []profile.Identity{s.id}}, nil
	}
	c, err := snap.Cluster(s.entity.Name, row.Cluster)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, fmt.Errorf("cluster %s is assigned but missing", row.Cluster)
	}
	return &assigned{row.Cluster, c.Members}, nil
}

// ownID is the id of the profile whose root is id.
func (l *Lookup) ownID(e *Entity, id profile.Identity) profile.ID {
	return profile.ID(identity.NewProfileID(l.model.IDKey, e.Name, id))
}

// Each calls fn for every merged profile of a class under its default policy, in order of id, all
// of one committed state.
func (l *Lookup) Each(class string, fn func(*Answer) error) error {
	entity, policy, err := l.find(class, "")
	if err != nil {
		return err
	}
	snap := l.store.Snapshot()
	defer snap.Close()
	r, err := l.reading(snap, entity, policy)
	if err != nil {
		return err
	}
	return r.each(fn)
}

// each calls fn for every merged profile, in order of id.
func (r *reading) each(fn func(*Answer) error) error {
	if r.policy.Stitching == profile.StitchNone {
		return r.eachOwn(fn)
	}
	return r.snap.Clusters(r.entity.Name, func(id profile.ID, c *store.Cluster) error {
		a, err := r.cluster(assigned{id, c.Members})
		if err != nil || a == nil {
			return err
		}
		return fn(a)
	})
}

// eachOwn calls fn for every profile of a single identity, as far as they have been decided.
func (r *reading) eachOwn(fn func(*Answer) error) error {
	return r.snap.Profiles(r.entity.Name, r.policy.Name,
		func(id profile.ID, row *store.Profile) error {
			if row.Dead || row.Identity.IsZero() {
				return nil
			}
			a, err := r.cluster(assigned{id, []profile.Identity{row.Identity}})
			if err != nil || a == nil {
				return err
			}
			return fn(a)
		})
}

// cluster merges a cluster, or a single identity; nil where it holds nothing.
func (r *reading) cluster(c assigned) (*Answer, error) {
	e, policy := r.entity, r.policy
	var err error
	a := &Answer{Entity: e, Ref: store.ProfileRef{Class: e.Name, Policy: policy.Name, ID: c.id}}
	rows := storedRows{&r.snap.Reader, r.view}
	if a.Data, err = gather(rows, e.Name, c.members); err != nil {
		return nil, err
	}
	if a.Data = a.Data.under(&policy.Policy); !a.Data.Exists() {
		return nil, nil
	}
	decided, err := r.snap.Profile(a.Ref)
	if err != nil {
		return nil, err
	}
	if decided != nil {
		a.Version = decided.Version
	}
	a.Merged = visible(e, policy, policy.Merge(a.Data.Sources))
	return a, nil
}

// policy returns the named policy, the default one for "", nil where there is none.
func (e *Entity) policy(name string) *PolicyTopic {
	if name == "" {
		return e.DefaultPolicy()
	}
	for i := range e.Policies {
		if e.Policies[i].Name == name {
			return &e.Policies[i]
		}
	}
	return nil
}

// JSON renders the answer: the value of the output record, and with provenance also where each
// attribute came from, by dotted path.
func (a *Answer) JSON(provenance bool) []byte {
	body := contentOf(a.Entity, a.Data, a.Merged)
	if provenance {
		body = append(body, `,"provenance":`...)
		body = a.appendProvenance(body)
	}
	return profileValue(a.Ref, a.Version, body)
}

func (a *Answer) appendProvenance(b []byte) []byte {
	b = append(b, '{')
	for i, leaf := range a.Merged.Leaves {
		if i > 0 {
			b = append(b, ',')
		}
		source := a.Merged.Sources[leaf.Source]
		b = profile.AppendString(b, leaf.Path.String())
		b = profile.AppendString(append(b, `:{"dataset":`...), source.Dataset)
		b = profile.AppendString(append(b, `,"namespace":`...), source.Identity.Namespace)
		b = profile.AppendString(append(b, `,"value":`...), source.Identity.Value)
		b = append(append(b, `,"time":"`...), formatTime(leaf.Stamp.Time)...)
		b = profile.AppendString(append(b, `","topic":`...), leaf.Stamp.Pos.Topic)
		b = strconv.AppendInt(append(b, `,"partition":`...), int64(leaf.Stamp.Pos.Partition), 10)
		b = strconv.AppendInt(append(b, `,"offset":`...), leaf.Stamp.Pos.Offset, 10)
		b = append(b, '}')
	}
	return append(b, '}')
}
