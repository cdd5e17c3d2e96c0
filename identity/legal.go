package identity

import (
	"fmt"
	"slices"

	"selfsame/profile"
)

// RuleKind is a kind of rule that keeps a link out.
type RuleKind uint8

// The kinds of rules.
const (
	RuleUnique    RuleKind = iota + 1 // at most one identity of the namespace
	RuleLimit                         // at most limit identities of the namespace
	RuleMax                           // at most max_identities in all
	RuleForbidden                     // an operator forbade the pair
)

// Rule is what a link would break. Comparable.
type Rule struct {
	Kind      RuleKind
	Namespace string // of RuleUnique and RuleLimit
}

// String gives "unique crm", "limit email", "max_identities" or "forbidden".
func (r Rule) String() string {
	switch r.Kind {
	case RuleUnique:
		return "unique " + r.Namespace
	case RuleLimit:
		return "limit " + r.Namespace
	case RuleMax:
		return "max_identities"
	case RuleForbidden:
		return "forbidden"
	}
	return fmt.Sprintf("rule(%d)", uint8(r.Kind))
}

// group is a cluster in the making. Members are nodes of a walk, in no particular order.
type group struct {
	members []int32
	tally   []int32   // values per limited namespace, as in Rules.limited
	classes []counted // what tally counts once though several members are of it
	apart   []int32   // the members that may not be with somebody
}

// counted is a class that has values in a limited namespace.
type counted struct{ limit, class int32 }

// newGroup returns the cluster of one node, whose orders are read.
func (w *walk) newGroup(n int32) *group {
	if w.used == len(w.groups) {
		w.groups = append(w.groups, &group{})
	}
	g := w.groups[w.used]
	w.used++
	*g = group{members: g.members[:0], classes: g.classes[:0], apart: g.apart[:0],
		tally: slices.Grow(g.tally[:0], len(w.rules.limited))[:len(w.rules.limited)]}
	clear(g.tally)
	g.add(n, &w.nodes[n])
	return g
}

func (g *group) add(n int32, as *node) {
	g.members = append(g.members, n)
	if len(as.orders.Apart) > 0 {
		g.apart = append(g.apart, n)
	}
	if as.limit < 0 {
		return
	}
	if as.class >= 0 {
		one := counted{as.limit, as.class}
		if slices.Contains(g.classes, one) {
			return
		}
		g.classes = append(g.classes, one)
	}
	g.tally[as.limit]++
}

// common counts the classes that a and b both have in a limited namespace.
func common(a, b *group, limit int32) int32 {
	var n int32
	for _, one := range a.classes {
		if one.limit == limit && slices.Contains(b.classes, one) {
			n++
		}
	}
	return n
}

// breaks is the one place that says which clusters are legal: whether a and b, both legal and
// without a common member, may become one, and if not, because of which rule: a forbidden pair
// first, then the first broken one of the strongest namespace, the size last. Any rule added here
// must be hereditary: if it allows a cluster, it allows every part of it. All of Decide rests on
// that. (Values that are forced together count as one wherever they are, so they do not break it.)
func (w *walk) breaks(a, b *group) (rule Rule, broken bool) {
	if pair := w.forbidden(a, b); !pair[0].IsZero() {
		return Rule{Kind: RuleForbidden}, true
	}
	for i, s := range w.rules.limited {
		if int(a.tally[i]+b.tally[i]-common(a, b, int32(i))) <= s.Limit {
			continue
		}
		if s.Unique {
			return Rule{RuleUnique, s.Name}, true
		}
		return Rule{RuleLimit, s.Name}, true
	}
	if len(a.members)+len(b.members) > w.rules.max {
		return Rule{Kind: RuleMax}, true
	}
	return Rule{}, false
}

// forbidden returns the least forbidden pair between a and b, the one of a first; zeroes where
// there is none.
func (w *walk) forbidden(a, b *group) (pair [2]profile.Identity) {
	for _, n := range a.apart {
		for _, other := range w.nodes[n].orders.Apart {
			m, met := w.index[other]
			if !met || !slices.Contains(b.members, m) {
				continue
			}
			found := [2]profile.Identity{w.nodes[n].id, other}
			if pair[0].IsZero() || slices.CompareFunc(found[:], pair[:],
				profile.Identity.Compare) < 0 {
				pair = found
			}
		}
	}
	return pair
}
