package identity

import (
	"slices"

	"selfsame/profile"
)

// Names lists the namespaces, strongest first.
func (r *Rules) Names() []string {
	names := make([]string, len(r.spaces))
	for i, s := range r.spaces {
		names[i] = s.Name
	}
	return names
}

// Unite is the short way of [Rules.Decide] for one new or refreshed link between two clusters: if
// all their members together keep every rule, they are the new cluster, returned sorted, and
// nothing else changes. Otherwise ok is false and Decide is to be asked, as it is where an operator
// has ordered something about a member.
//
// Why that is so: the rules are hereditary, a part of a legal cluster is legal. So every link
// within the union is accepted wherever the walk meets it, and a link from it to the outside, left
// out before against a part of the union, is left out against a larger part too.
func (r *Rules) Unite(v View, a, b []profile.Identity) (members []profile.Identity, ok bool,
	err error) {
	if len(a)+len(b) > r.max {
		return nil, false, nil
	}
	members = slices.Concat(a, b)
	tally := make([]int, len(r.limited))
	for _, id := range members {
		s := r.byName[id.Namespace]
		if s == nil || s.limited < 0 {
			continue
		}
		if tally[s.limited]++; tally[s.limited] > s.Limit {
			return nil, false, nil
		}
	}
	for _, id := range members {
		orders, err := v.Orders(id)
		if err != nil || !orders.IsZero() {
			return nil, false, err
		}
	}
	slices.SortFunc(members, profile.Identity.Compare)
	return members, true, nil
}
