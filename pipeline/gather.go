package pipeline

import (
	"fmt"
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// rows is where a merged profile is read from: the working set, or a snapshot.
type rows interface {
	identityRow(class string, id profile.Identity) (*store.Identity, error)
	fragmentOf(ref store.FragmentRef) (*profile.Fragment, error)
	// computedOf folds the computed attributes over some identities; nil where the class has none.
	computedOf(class string, members []profile.Identity) (*Computed, error)
}

// Gathered is everything that makes up one merged profile, before a policy is applied.
type Gathered struct {
	Members  []profile.Identity
	Sources  []profile.Source
	Datasets []string  // that contribute an attribute or an event, sorted
	Computed *Computed // nil where the class has no computed attributes

	events []string // datasets with events
}

// under returns what is left of g under a policy: the datasets that it listens to.
func (g *Gathered) under(policy *profile.Policy) *Gathered {
	if !policy.Lists() {
		return g
	}
	heard := *g
	heard.Datasets = slices.Clone(g.events)
	for _, source := range g.Sources {
		if policy.Contributes(source) {
			heard.Datasets = append(heard.Datasets, source.Dataset)
		}
	}
	heard.Datasets = sortedOnce(heard.Datasets)
	return &heard
}

// Exists reports whether there is anything to show.
func (g *Gathered) Exists() bool {
	return len(g.Datasets) > 0 || g.Computed != nil && g.Computed.Outlives
}

// gather collects the fragments and events' datasets of the members. Of those whose data is being
// removed nothing counts any more.
func gather(r rows, class string, members []profile.Identity) (*Gathered, error) {
	g := &Gathered{Members: members}
	counted := make([]profile.Identity, 0, len(members))
	for _, id := range members {
		row, err := r.identityRow(class, id)
		if err != nil {
			return nil, err
		}
		if row == nil || row.Erasing {
			continue
		}
		counted = append(counted, id)
		g.events = append(g.events, row.Events...)
		for _, dataset := range row.Fragments {
			f, err := r.fragmentOf(store.FragmentRef{Class: class, Identity: id, Dataset: dataset})
			if err != nil {
				return nil, err
			}
			source := profile.Source{Dataset: dataset, Identity: id, Fragment: f}
			g.Sources = append(g.Sources, source)
			if f.Visible() {
				g.Datasets = append(g.Datasets, dataset)
			}
		}
	}
	g.Datasets = sortedOnce(append(g.Datasets, g.events...))
	var err error
	g.Computed, err = r.computedOf(class, counted)
	return g, err
}

func sortedOnce(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// identityRow implements rows on the working set.
func (s *state) identityRow(class string, id profile.Identity) (*store.Identity, error) {
	p, err := s.person(class, id)
	if err != nil {
		return nil, err
	}
	return &p.row, nil
}

// fragmentOf implements rows on the working set.
func (s *state) fragmentOf(ref store.FragmentRef) (*profile.Fragment, error) {
	p, err := s.person(ref.Class, ref.Identity)
	if err != nil {
		return nil, err
	}
	f, err := s.fragment(p, ref.Dataset)
	if err != nil {
		return nil, err
	}
	return f.Fragment, nil
}

// storedRows implements rows on a committed state.
type storedRows struct {
	*store.Reader
	computed *computedView // nil: computed attributes are left out
}

func (r storedRows) computedOf(_ string, members []profile.Identity) (*Computed, error) {
	return r.computed.fold(members)
}

func (r storedRows) identityRow(class string, id profile.Identity) (*store.Identity, error) {
	return r.Identity(class, id)
}

func (r storedRows) fragmentOf(ref store.FragmentRef) (*profile.Fragment, error) {
	f, err := r.Fragment(ref)
	if err == nil && f == nil {
		err = fmt.Errorf("fragment of dataset %s is listed but missing", ref.Dataset)
	}
	return f, err
}
