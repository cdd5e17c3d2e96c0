package identity

import (
	"errors"
	"fmt"
	"slices"

	"selfsame/profile"
)

// Limits of this package.
const (
	DefaultMaxIdentities = 50    // identities in a cluster, where configuration says nothing
	LimitMaxIdentities   = 1_000 // the most that configuration may say
	MaxValueBytes        = 1_024 // bytes of a normalised value
	MaxRecordIdentities  = 20    // different identities in one record
)

// Rules are the namespaces of one entity class in order of priority, and what a cluster may hold.
// They are immutable and safe for concurrent use.
type Rules struct {
	spaces  []*space // by rank, strongest first
	byName  map[string]*space
	limited []*space // those with a limit, by rank; a cluster is tallied by position in this list
	max     int
	contest bool // a namespace has DropContested
}

// space is a declared namespace, made ready for use.
type space struct {
	Namespace
	rank    int // 1 is the strongest
	limited int // position in Rules.limited, -1 without a limit
	change  []func(string) string
	blocked blocklist
	exempt  map[string]bool // values that are never hubs
}

// NewRules checks the declaration and makes it ready for use. The order of namespaces is their
// priority, highest first. A maxIdentities of 0 is [DefaultMaxIdentities]. The error joins
// everything that is wrong.
func NewRules(namespaces []Namespace, maxIdentities int) (*Rules, error) {
	r := &Rules{byName: make(map[string]*space, len(namespaces)), max: maxIdentities}
	if maxIdentities == 0 {
		r.max = DefaultMaxIdentities
	}
	var errs []error
	if len(namespaces) == 0 {
		errs = append(errs, errors.New("no identity namespace is declared"))
	}
	if r.max < 1 || r.max > LimitMaxIdentities {
		errs = append(errs, fmt.Errorf("max_identities %d is not between 1 and %d",
			r.max, LimitMaxIdentities))
	}
	for i := range namespaces {
		if err := r.declare(namespaces[i]); err != nil {
			errs = append(errs, fmt.Errorf("namespace %q: %w", namespaces[i].Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Rules) declare(n Namespace) error {
	if err := n.validate(); err != nil {
		return err
	}
	if r.byName[n.Name] != nil {
		return errors.New("declared twice")
	}
	n.Unique = n.Unique || n.Limit == 1
	if n.Unique {
		n.Limit = 1
	}
	n.cloneLists()
	s := &space{Namespace: n, rank: len(r.spaces) + 1, limited: -1, change: changes(&n)}
	s.blocked = newBlocklist(s)
	if n.Limit > 0 {
		s.limited = len(r.limited)
		r.limited = append(r.limited, s)
	}
	r.spaces = append(r.spaces, s)
	r.contest = r.contest || s.DropContested
	r.byName[n.Name] = s
	return r.exemptions(s)
}

// Namespace returns the declaration of name. It must not be modified.
func (r *Rules) Namespace(name string) (n *Namespace, ok bool) {
	s, ok := r.byName[name]
	if !ok {
		return nil, false
	}
	return &s.Namespace, true
}

// Rank returns the priority of a namespace: 1 is the strongest. Undeclared ones share the rank
// after the weakest.
func (r *Rules) Rank(name string) int {
	if s := r.byName[name]; s != nil {
		return s.rank
	}
	return len(r.spaces) + 1
}

// Linkable reports whether records may link identities of the namespace: it is declared, and not
// [NonPerson].
func (r *Rules) Linkable(name string) bool {
	s := r.byName[name]
	return s != nil && s.Type != NonPerson
}

// MaxIdentities returns how many identities a cluster may hold.
func (r *Rules) MaxIdentities() int { return r.max }

// Links returns the links that one record with these identities asserts: all pairs of those that
// can link, each with the lesser first, sorted.
func (r *Rules) Links(all []profile.Identity) [][2]profile.Identity {
	linkable := make([]profile.Identity, 0, len(all))
	for _, id := range all {
		if r.Linkable(id.Namespace) {
			linkable = append(linkable, id)
		}
	}
	slices.SortFunc(linkable, profile.Identity.Compare)
	linkable = slices.Compact(linkable)
	if len(linkable) < 2 {
		return nil
	}
	pairs := make([][2]profile.Identity, 0, len(linkable)*(len(linkable)-1)/2)
	for i, a := range linkable {
		for _, b := range linkable[i+1:] {
			pairs = append(pairs, [2]profile.Identity{a, b})
		}
	}
	return pairs
}
