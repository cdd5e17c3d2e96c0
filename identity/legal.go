package identity

import (
	"fmt"

	"selfsame/profile"
)

// RuleKind is a kind of rule that keeps a link out.
type RuleKind uint8

// The kinds of rules.
const (
	RuleUnique RuleKind = iota + 1 // at most one identity of the namespace
	RuleLimit                      // at most limit identities of the namespace
	RuleMax                        // at most max_identities in all
)

// Rule is what a link would break. Comparable.
type Rule struct {
	Kind      RuleKind
	Namespace string // empty for RuleMax
}

// String gives "unique crm", "limit email" or "max_identities".
func (r Rule) String() string {
	switch r.Kind {
	case RuleUnique:
		return "unique " + r.Namespace
	case RuleLimit:
		return "limit " + r.Namespace
	case RuleMax:
		return "max_identities"
	}
	return fmt.Sprintf("rule(%d)", uint8(r.Kind))
}

// group is a cluster in the making. Members are nodes of a walk, in no particular order.
type group struct {
	members []int32
	tally   []int32 // members per limited namespace, as in Rules.limited
}

// newGroup returns the cluster of one node; limit is the position of its namespace in
// Rules.limited, or -1.
func (r *Rules) newGroup(n, limit int32) *group {
	g := &group{tally: make([]int32, len(r.limited))}
	g.add(n, limit)
	return g
}

func (g *group) add(n, limit int32) {
	g.members = append(g.members, n)
	if limit >= 0 {
		g.tally[limit]++
	}
}

// breaks is the one place that says which clusters are legal: whether a and b, both legal and
// without a common member, may become one, and if not, because of which rule: the first broken one
// of the strongest namespace, the size last. Any rule added here must be hereditary: if it allows a
// cluster, it allows every part of it. All of Decide rests on that.
func (r *Rules) breaks(a, b *group) (rule Rule, broken bool) {
	for i, s := range r.limited {
		if int(a.tally[i]+b.tally[i]) <= s.Limit {
			continue
		}
		if s.Unique {
			return Rule{RuleUnique, s.Name}, true
		}
		return Rule{RuleLimit, s.Name}, true
	}
	if len(a.members)+len(b.members) > r.max {
		return Rule{Kind: RuleMax}, true
	}
	return Rule{}, false
}

// holder returns the smallest identity of g that the rule counts, zero where it counts all.
func (w *walk) holder(g *group, rule Rule) profile.Identity {
	var least profile.Identity
	if rule.Kind == RuleMax {
		return least
	}
	for _, m := range g.members {
		id := w.nodes[m].id
		if id.Namespace == rule.Namespace && (least.IsZero() || id.Compare(least) < 0) {
			least = id
		}
	}
	return least
}
