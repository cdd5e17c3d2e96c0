package identity

import (
	"fmt"
	"slices"

	"selfsame/profile"
)

// Link says that two identities are the same self.
type Link struct {
	A, B   profile.Identity // A is the lesser
	Time   int64            // of the latest assertion or the order, nanoseconds since the epoch
	Forced bool             // by an operator
}

// Orders are what operators have ordered about one identity. They win over what records assert.
type Orders struct {
	// Together are the forced links of the identity: they are walked before all others, and what
	// they join counts as one value of its namespace. The times are those of the orders.
	Together []Link
	// Apart are the identities that may never be in one cluster with it. A forbidden pair that is
	// forced together too stays apart.
	Apart []profile.Identity
}

// IsZero reports whether nothing was ordered.
func (o Orders) IsZero() bool { return len(o.Together) == 0 && len(o.Apart) == 0 }

// View is what a decision reads: links and orders as they are after the change, and the clusters as
// they were decided before it. Decide calls it from one goroutine, at most once per identity and
// method. An error ends the decision and is returned wrapped.
type View interface {
	// Links returns the live links that records assert of id, in any order, the same one from both
	// ends.
	Links(id profile.Identity) ([]Link, error)
	// Orders returns the orders about id, the same ones from both ends of a pair.
	Orders(id profile.Identity) (Orders, error)
	// Members returns the cluster of id, id included, sorted. An unknown id is a cluster of one.
	Members(id profile.Identity) ([]profile.Identity, error)
}

// OrderedView is a View that keeps the links of identities that have many in the order of the walk.
// Decide asks it first.
type OrderedView interface {
	View
	// Adjacency returns the live links of id, nil where they are few: Links then has them.
	Adjacency(id profile.Identity) (*Adjacency, error)
}

// Decision is the outcome of [Rules.Decide].
type Decision struct {
	// Clusters are what the identities of the region belong to now: a partition of the former
	// clusters of the ends, and of those that the decision widened to. Each is sorted, and so are
	// they; one that did not change is among them too.
	Clusters     [][]profile.Identity
	LinksDecided int // links that were looked at
	Region       int // identities in Clusters
}

// Decide decides again what the links and orders between ends changed: any number of them, added,
// refreshed or removed, all with both ends among ends. Nothing else may have changed since the
// clusters of v were decided.
func (r *Rules) Decide(v View, ends ...profile.Identity) (Decision, error) {
	w := borrowWalk(r, v)
	defer w.giveBack()
	for _, id := range ends {
		if err := w.take(w.node(id), nil); err != nil {
			return Decision{}, fmt.Errorf("deciding links: %w", err)
		}
	}
	if err := w.run(); err != nil {
		return Decision{}, fmt.Errorf("deciding links: %w", err)
	}
	return w.decision(), nil
}

// Inside reports whether a and b are in one cluster, which can spare a decision. If they are, a new
// link between them, or a later time on one that exists, changes no cluster. If they are not, the
// removal of a link between them, or an earlier time on it, changes none. A forced link is no such
// link: it also changes what counts as one.
func (r *Rules) Inside(v View, a, b profile.Identity) (bool, error) {
	if a == b {
		return true, nil
	}
	members, err := v.Members(a)
	if err != nil {
		return false, fmt.Errorf("reading a cluster: %w", err)
	}
	_, found := slices.BinarySearchFunc(members, b, profile.Identity.Compare)
	return found, nil
}
