package identity

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"selfsame/profile"
)

// Default numbers of neighbours above which an identity is a hub, by type of its namespace.
const (
	DefaultHubDegree            = 10  // of cookies and devices
	DefaultHubDegreeContact     = 20  // of e-mail addresses and phone numbers
	DefaultHubDegreeCrossDevice = 100 // of logins and customer numbers
)

// HubsOff as a [Namespace.HubDegree] lets identities of the namespace have any number of
// neighbours.
const HubsOff = -1

// hubDegree is the limit that applies, 0 for none.
func (n *Namespace) hubDegree() int {
	switch {
	case n.HubDegree > 0:
		return n.HubDegree
	case n.HubDegree < 0 || n.Type == NonPerson:
		return 0
	}
	switch n.Type {
	case Cookie, Device:
		return DefaultHubDegree
	case Email, Phone:
		return DefaultHubDegreeContact
	}
	return DefaultHubDegreeCrossDevice
}

// HubDegree returns how many neighbours, of those that [Rules.Crowds] counts, the identity may have
// before it is a hub; 0 where any number is fine.
func (r *Rules) HubDegree(id profile.Identity) int {
	s := r.byName[id.Namespace]
	if s == nil || s.exempt[id.Value] {
		return 0
	}
	return s.hubDegree()
}

// Crowds reports whether a neighbour counts towards id being a hub: its namespace is no weaker. So
// a person with hundreds of old cookies is no hub, and a cookie that hundreds of people share is.
func (r *Rules) Crowds(id, neighbour profile.Identity) bool {
	return r.Rank(neighbour.Namespace) <= r.Rank(id.Namespace)
}

// CanBeContested reports whether [Rules.Contested] has anything to say about id.
func (r *Rules) CanBeContested(id profile.Identity) bool {
	s := r.byName[id.Namespace]
	return s != nil && s.DropContested
}

// Contested reports whether id, of a namespace that says so, belongs to nobody because two values
// of one stronger unique namespace are among its neighbours.
func (r *Rules) Contested(id profile.Identity, neighbours iter.Seq[profile.Identity]) bool {
	if !r.CanBeContested(id) {
		return false
	}
	rank := r.Rank(id.Namespace)
	claims := map[string]profile.Identity{}
	for other := range neighbours {
		s := r.byName[other.Namespace]
		if s == nil || !s.Unique || s.rank >= rank {
			continue
		}
		if first, claimed := claims[other.Namespace]; claimed && first != other {
			return true
		}
		claims[other.Namespace] = other
	}
	return false
}

// exemptions normalises the values that are never hubs.
func (r *Rules) exemptions(s *space) error {
	var errs []error
	s.exempt = make(map[string]bool, len(s.HubExempt))
	for i, value := range s.HubExempt {
		id, blocked, err := r.Normalize(s.Name, value)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("hub_exempt value %d: %w", i+1, err))
		case blocked:
			errs = append(errs, fmt.Errorf("hub_exempt value %d is blocked", i+1))
		}
		s.exempt[id.Value] = true
	}
	return errors.Join(errs...)
}

// validateHubs checks what a namespace says about hubs and contested identities.
func (n *Namespace) validateHubs() error {
	var errs []error
	if n.HubDegree < HubsOff {
		errs = append(errs, fmt.Errorf("hub_degree %d is negative", n.HubDegree))
	}
	if n.Type == NonPerson && (n.HubDegree != 0 || len(n.HubExempt) > 0 || n.DropContested) {
		errs = append(errs, errors.New(
			"non_person identities never link: hub_degree, hub_exempt and contested do not apply"))
	}
	if n.HubDegree == HubsOff && len(n.HubExempt) > 0 {
		errs = append(errs, errors.New("hub_exempt does not go with hub_degree off"))
	}
	return errors.Join(errs...)
}

// cloneLists gives n lists of its own.
func (n *Namespace) cloneLists() {
	n.Normalize = slices.Clone(n.Normalize)
	n.Blocked = slices.Clone(n.Blocked)
	n.BlockedPatterns = slices.Clone(n.BlockedPatterns)
	n.HubExempt = slices.Clone(n.HubExempt)
}
