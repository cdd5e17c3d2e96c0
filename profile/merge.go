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

// Policy is a merge policy: how fragments become one profile.
type Policy struct {
	Name      string
	Stitching Stitching
	Rule      Rule       // of attributes without an override
	Overrides []Override // the longest path that matches counts; no two are of the same places
}

// Override is the rule of one attribute, or of all below an object or map.
type Override struct {
	Path  Path
	Below bool // everything below Path; else Path itself
	Rule  Rule
}

func (o *Override) matches(path Path) bool {
	if o.Below {
		return path != o.Path && o.Path.Contains(path)
	}
	return path == o.Path
}

// RuleOf returns the rule of an attribute.
func (p *Policy) RuleOf(path Path) *Rule {
	rule, longest := &p.Rule, -1
	for i := range p.Overrides {
		o := &p.Overrides[i]
		if len(o.Path) > longest && o.matches(path) {
			rule, longest = &o.Rule, len(o.Path)
		}
	}
	return rule
}

// Lists reports whether the policy keeps some datasets from saying something.
func (p *Policy) Lists() bool {
	return p.Rule.Strategy == StrategyPrecedence ||
		slices.ContainsFunc(p.Overrides, func(o Override) bool {
			return o.Rule.Strategy == StrategyPrecedence
		})
}

// Contributes reports whether a fragment holds an attribute that the policy takes into account,
// whether or not it wins.
func (p *Policy) Contributes(s Source) bool {
	if !p.Lists() {
		return s.Fragment.Visible()
	}
	return slices.ContainsFunc(s.Fragment.Shown(), func(l Leaf) bool {
		return !l.Unset() && p.RuleOf(l.Path).admits(s.Dataset)
	})
}

// Source is one fragment with its origin.
type Source struct {
	Dataset  string
	Identity Identity
	Fragment *Fragment
}

// MergedLeaf is one attribute of a merged profile and where it came from: of a united array, its
// newest part.
type MergedLeaf struct {
	Leaf
	Source int // index into Merged.Sources
}

// Merged is a merged profile's attributes.
type Merged struct {
	Sources []Source
	Leaves  []MergedLeaf // sorted by path; no unsets
}

// Merge combines fragments under the policy. Only what a fragment shows takes part: visible
// attributes and explicit unsets. A floor acts within its own fragment, so what a replace or delete
// took away is absent there and lets another dataset's value through; an explicit unset competes
// with all, and where it wins the attribute is absent.
func (p *Policy) Merge(sources []Source) Merged {
	merged := Merged{Sources: sources}
	candidates := gather(sources)
	if len(sources) > 1 { // the leaves of one fragment are sorted
		slices.SortFunc(candidates, byPathNewestFirst)
	}
	if p.Rule.plain() && len(p.Overrides) == 0 {
		merged.Leaves = winners(candidates)
		return merged
	}
	merged.Leaves = make([]MergedLeaf, 0, len(candidates))
	eachAttribute(candidates, func(path Path, said []MergedLeaf) {
		rule := p.RuleOf(path)
		if leaf, ok := rule.choose(sources, said); ok {
			merged.Leaves = append(merged.Leaves, leaf)
		}
	})
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

// eachAttribute calls fn for every path at which some source has a value, in order, with what each
// source says of it: at most one statement per source, the newest first. A source that has no value
// there may have unset the attribute, or an object above it. fn does not keep said.
func eachAttribute(candidates []MergedLeaf, fn func(path Path, said []MergedLeaf)) {
	eachPlace(candidates, false, fn)
}

// eachPlace does so, and with unsets also for the paths at which nothing but unsets is said.
func eachPlace(candidates []MergedLeaf, unsets bool, fn func(path Path, said []MergedLeaf)) {
	var above, said []MergedLeaf // above: unsets of the places around the present one
	for len(candidates) > 0 {
		path := candidates[0].Path
		n := 1
		for n < len(candidates) && candidates[n].Path == path {
			n++
		}
		above = slices.DeleteFunc(above, func(u MergedLeaf) bool {
			return !u.Path.Contains(path)
		})
		said = append(said[:0], candidates[:n]...)
		valued := false
		for i := range said {
			valued = valued || !said[i].Unset()
		}
		if valued || unsets {
			said = addUnsets(said, above)
			fn(path, said)
		}
		for _, c := range candidates[:n] {
			if c.Unset() {
				above = append(above, c)
			}
		}
		candidates = candidates[n:]
	}
}

// addUnsets adds what sources that have no value say by unsetting something above: the newest of
// each. A value that its own fragment still shows is newer than all of these.
func addUnsets(said, above []MergedLeaf) []MergedLeaf {
	for _, u := range above {
		i := slices.IndexFunc(said, func(s MergedLeaf) bool { return s.Source == u.Source })
		switch {
		case i < 0:
			said = append(said, u)
		case said[i].Unset() && said[i].Stamp.Before(u.Stamp):
			said[i] = u
		}
	}
	slices.SortFunc(said, func(a, b MergedLeaf) int { return b.Stamp.Compare(a.Stamp) })
	return said
}

// winners keeps, of candidates sorted by path and newest first, the newest per path, drops what an
// unset above hides, and drops the unsets themselves. It reuses the slice. It is the short way for
// the strategy latest.
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
