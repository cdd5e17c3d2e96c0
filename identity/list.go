package identity

import "selfsame/profile"

// All lists the rules that can keep a link out, as [Reason] names them: those of the namespaces
// from the strongest on, the size, and what operators forbid.
func (r *Rules) All() []Rule {
	var all []Rule
	for _, s := range r.limited {
		kind := RuleLimit
		if s.Unique {
			kind = RuleUnique
		}
		all = append(all, Rule{kind, s.Name})
	}
	return append(all, Rule{Kind: RuleMax}, Rule{Kind: RuleForbidden})
}

// Namespaces lists the names of the namespaces, the strongest first.
func (r *Rules) Namespaces() []string {
	names := make([]string, len(r.spaces))
	for i, s := range r.spaces {
		names[i] = s.Name
	}
	return names
}

// Other returns the end of a link that is not id.
func (l Link) Other(id profile.Identity) profile.Identity {
	if l.A == id {
		return l.B
	}
	return l.A
}
