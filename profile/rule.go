package profile

import (
	"cmp"
	"slices"
)

// Strategy says which statement about an attribute stands.
type Strategy uint8

// The strategies.
const (
	StrategyLatest     Strategy = iota // the newest
	StrategyPrecedence                 // of the dataset that is listed first, the newest
	StrategyEarliest                   // the oldest
)

// String names the strategy as configuration does.
func (s Strategy) String() string {
	return [...]string{"latest", "precedence", "earliest"}[s]
}

// Rule says how what several fragments say of one attribute becomes one value. An unset is a
// statement like a value.
type Rule struct {
	Strategy   Strategy
	Precedence []string // of StrategyPrecedence: datasets, the highest first; others say nothing
	// Union unites arrays instead of choosing one: of all datasets that may say something, those
	// that are newer than the newest unset.
	Union bool
}

// plain reports whether the rule is the default.
func (r *Rule) plain() bool { return r.Strategy == StrategyLatest && !r.Union }

func (r *Rule) rank(dataset string) int { return slices.Index(r.Precedence, dataset) }

// admits reports whether a dataset may say something.
func (r *Rule) admits(dataset string) bool {
	return r.Strategy != StrategyPrecedence || r.rank(dataset) >= 0
}

// choose gives the value of an attribute from what the sources say of it, the newest first; ok is
// false where it is absent.
func (r *Rule) choose(sources []Source, said []MergedLeaf) (leaf MergedLeaf, ok bool) {
	if r.unites(said) {
		return r.unite(sources, said)
	}
	best := r.best(sources, said)
	if best < 0 || said[best].Unset() {
		return leaf, false
	}
	return said[best], true
}

// best returns the index of the statement that stands, -1 where none may.
func (r *Rule) best(sources []Source, said []MergedLeaf) int {
	best := -1
	for i := range said {
		dataset := sources[said[i].Source].Dataset
		switch {
		case !r.admits(dataset):
		case best < 0, r.Strategy == StrategyEarliest: // the newest comes first, the oldest last
			best = i
		case r.Strategy == StrategyPrecedence &&
			r.rank(dataset) < r.rank(sources[said[best].Source].Dataset):
			best = i
		}
	}
	return best
}

// unites reports whether the rule makes one array of several.
func (r *Rule) unites(said []MergedLeaf) bool {
	return r.Union && slices.ContainsFunc(said, func(l MergedLeaf) bool {
		return l.Value.Kind() == KindArray
	})
}

// parts returns the arrays that a union is made of, the newest first.
func (r *Rule) parts(sources []Source, said []MergedLeaf) []MergedLeaf {
	var parts []MergedLeaf
	for _, s := range said {
		switch {
		case !r.admits(sources[s.Source].Dataset):
		case s.Unset():
			return parts
		case s.Value.Kind() == KindArray:
			parts = append(parts, s)
		}
	}
	return parts
}

// unite makes one array, each element once: by the stamps of the arrays, then by index.
func (r *Rule) unite(sources []Source, said []MergedLeaf) (leaf MergedLeaf, ok bool) {
	parts := r.parts(sources, said)
	if len(parts) == 0 {
		return leaf, false
	}
	var items []Value
	seen := map[string]bool{}
	for _, part := range slices.Backward(parts) {
		for i := range part.Value.Len() {
			item := part.Value.Item(i)
			if key := elementKey(item); !seen[key] {
				seen[key] = true
				items = append(items, item)
			}
		}
	}
	leaf = parts[0]
	leaf.Value = Array(items)
	return leaf, true
}

// Reason says what became of a statement about an attribute.
type Reason string

// The reasons: why a statement stands, then why one does not.
const (
	ReasonOnly       Reason = "only"       // nothing else was said
	ReasonNewest     Reason = "newest"     // it is the newest
	ReasonOldest     Reason = "oldest"     // it is the oldest
	ReasonHighest    Reason = "highest"    // its dataset comes first in the list
	ReasonUnited     Reason = "united"     // its elements are in the array
	ReasonNewer      Reason = "newer"      // a newer one stands
	ReasonOlder      Reason = "older"      // an older one stands
	ReasonPrecedence Reason = "precedence" // one of a dataset that is listed before stands
	ReasonNotListed  Reason = "not_listed" // its dataset is not listed
	ReasonUnset      Reason = "unset"      // an unset stands, which takes it away
)

// Candidate is one statement about an attribute, and what became of it.
type Candidate struct {
	MergedLeaf
	Won    bool
	Reason Reason
}

// Explained is an attribute with everything that was said of it.
type Explained struct {
	Path       Path
	Value      Value       // null: absent, since an unset stands or no dataset may say something
	Candidates []Candidate // those that stand first, then the newest first
}

// Explain tells for every attribute of which something was said why it is what it is. An unset of
// an object shows at what lies below it, and by itself where nothing does.
func (p *Policy) Explain(sources []Source) []Explained {
	var all []Explained
	candidates := gather(sources)
	slices.SortFunc(candidates, byPathNewestFirst)
	eachPlace(candidates, true, func(path Path, said []MergedLeaf) {
		rule := p.RuleOf(path)
		e := Explained{Path: path, Candidates: rule.judge(sources, said)}
		if leaf, ok := rule.choose(sources, said); ok {
			e.Value = leaf.Value
		}
		slices.SortStableFunc(e.Candidates, func(a, b Candidate) int {
			won := map[bool]int{true: 0, false: 1}
			return cmp.Compare(won[a.Won], won[b.Won])
		})
		all = append(all, e)
	})
	return withoutObjects(all)
}

// withoutObjects leaves out what lies around others.
func withoutObjects(all []Explained) []Explained {
	kept := all[:0]
	for i := range all {
		if i+1 == len(all) || !all[i].Path.Contains(all[i+1].Path) {
			kept = append(kept, all[i])
		}
	}
	return kept
}

// judge says of each statement what became of it.
func (r *Rule) judge(sources []Source, said []MergedLeaf) []Candidate {
	if r.unites(said) {
		return r.judgeUnion(sources, said)
	}
	judged := make([]Candidate, len(said))
	best := r.best(sources, said)
	for i := range said {
		c := Candidate{MergedLeaf: said[i]}
		dataset := sources[c.Source].Dataset
		switch {
		case !r.admits(dataset):
			c.Reason = ReasonNotListed
		case i == best:
			c.Won, c.Reason = true, r.standing(len(said))
		case said[best].Unset():
			c.Reason = ReasonUnset
		default:
			c.Reason = r.losing(dataset, sources[said[best].Source].Dataset)
		}
		judged[i] = c
	}
	return judged
}

func (r *Rule) judgeUnion(sources []Source, said []MergedLeaf) []Candidate {
	judged := make([]Candidate, len(said))
	united, cut := false, false // an array is in; an unset takes away what is older
	for i := range said {
		c := Candidate{MergedLeaf: said[i]}
		switch {
		case !r.admits(sources[c.Source].Dataset):
			c.Reason = ReasonNotListed
		case cut:
			c.Reason = ReasonUnset
		case c.Unset():
			cut = true
			c.Won, c.Reason = !united, ReasonNewest
			if united {
				c.Reason = ReasonNewer
			}
		default:
			united = true
			c.Won, c.Reason = true, ReasonUnited
		}
		judged[i] = c
	}
	return judged
}

func (r *Rule) standing(among int) Reason {
	switch {
	case among == 1:
		return ReasonOnly
	case r.Strategy == StrategyPrecedence:
		return ReasonHighest
	case r.Strategy == StrategyEarliest:
		return ReasonOldest
	}
	return ReasonNewest
}

func (r *Rule) losing(dataset, winner string) Reason {
	switch {
	case r.Strategy == StrategyPrecedence && dataset != winner:
		return ReasonPrecedence
	case r.Strategy == StrategyEarliest:
		return ReasonOlder
	}
	return ReasonNewer
}
