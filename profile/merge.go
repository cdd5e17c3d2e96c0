package profile

import (
	"slices"
	"strings"
)

// Stitching says which identities a merged profile is made of.
type Stitching uint8

// The ways to stitch.
const (
	StitchGraph Stitching = iota // all identities of a cluster make one profile
	StitchNone                   // each identity has a profile of its own
)

// Strategy says which candidate for an attribute wins.
type Strategy uint8

// The strategies.
const (
	// StrategyLatest takes the newest across all fragments.
	StrategyLatest Strategy = iota
)

// Policy is a merge policy: how the fragments of a cluster become one profile.
type Policy struct {
	Name      string
	Stitching Stitching
	Strategy  Strategy
}

// Source is one fragment with its origin.
type Source struct {
	Dataset  string
	Identity Identity
	Fragment *Fragment
}

// MergedLeaf is one attribute of a merged profile and where it came from.
type MergedLeaf struct {
	Leaf
	Source int // index into Merged.Sources
}

// Merged is a merged profile's attributes.
type Merged struct {
	Sources []Source
	Leaves  []MergedLeaf // sorted by path; no unsets
}

// Merge combines the fragments of a cluster under the policy. Only what a fragment shows takes
// part: visible attributes and explicit unsets. A floor acts within its own fragment, so what a
// replace or delete took away is absent there and lets another dataset's value through; an
// explicit unset competes with all, and the newer wins.
func (p Policy) Merge(sources []Source) Merged {
	merged := Merged{Sources: sources}
	candidates := gather(sources)
	if len(sources) > 1 { // the leaves of one fragment are sorted
		slices.SortFunc(candidates, byPathNewestFirst)
	}
	merged.Leaves = winners(candidates)
	return merged
}

func byPathNewestFirst(a, b MergedLeaf) int {
	if order := strings.Compare(string(a.Path), string(b.Path)); order != 0 {
		return order
	}
	return b.Stamp.Compare(a.Stamp)
}

func gather(sources []Source) []MergedLeaf {
	n := 0
	for _, s := range sources {
		n += len(s.Fragment.Leaves)
	}
	all := make([]MergedLeaf, 0, n)
	for i, s := range sources {
		for _, leaf := range s.Fragment.Shown() {
			all = append(all, MergedLeaf{Leaf: leaf, Source: i})
		}
	}
	return all
}

// winners keeps, of candidates sorted by path and newest first, the newest per path, drops what an
// unset above hides, and drops the unsets themselves. It reuses the slice.
func winners(candidates []MergedLeaf) []MergedLeaf {
	var above []Leaf
	kept := candidates[:0]
	var last Path
	for i, c := range candidates {
		if i > 0 && c.Path == last {
			continue
		}
		last = c.Path
		for len(above) > 0 && !above[len(above)-1].Path.Contains(c.Path) {
			above = above[:len(above)-1]
		}
		if hiddenBy(above, c.Stamp) {
			continue
		}
		if c.Unset() {
			above = append(above, c.Leaf)
			continue
		}
		kept = append(kept, c)
	}
	return kept
}
