package identity

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"selfsame/profile"
)

// Claim is one identifier as a record carries it.
type Claim struct {
	Namespace string
	Value     string
	// Primary marks the record's own identity: by schema, configuration or a flag in the data.
	Primary bool
}

// Resolved are the identities of one record.
type Resolved struct {
	Primary profile.Identity
	All     []profile.Identity // sorted, distinct, those that never link included
	Blocked int                // claims that were ignored because their value is blocked
	Flagged []profile.Identity // those with the primary flag
}

// ResolveRecord resolves the claims of a record of current state. The primary identity is the one
// flagged primary (of several: of the strongest namespace, then the smallest value); with none
// left, [ErrMissing].
//
// Checks, in this order, each over all claims: *[InvalidError] for a single claim (the strongest
// namespace is named), *InvalidError for more than [MaxRecordIdentities] different identities,
// *[ConflictError] (the strongest namespace is named), ErrMissing. Blocked claims count for none.
func (r *Rules) ResolveRecord(claims []Claim) (Resolved, error) {
	res, err := r.resolve(claims)
	if err != nil {
		return Resolved{}, err
	}
	return r.ownerOfRecord(res)
}

func (r *Rules) ownerOfRecord(res Resolved) (Resolved, error) {
	if len(res.Flagged) == 0 {
		return Resolved{}, ErrMissing
	}
	res.Primary = slices.MinFunc(res.Flagged, r.compareStrength)
	return res, nil
}

// ResolveEvent resolves the claims of an event. The primary identity is of the strongest namespace
// present; of several values in it the one flagged primary, else the smallest. Checks are those of
// [Rules.ResolveRecord].
func (r *Rules) ResolveEvent(claims []Claim) (Resolved, error) {
	res, err := r.resolve(claims)
	if err != nil {
		return Resolved{}, err
	}
	return r.ownerOfEvent(res)
}

// RecordWithout leaves identities of a record out, as if their values were blocked, and finds its
// primary identity anew; [ErrMissing] where there is none left.
func (r *Rules) RecordWithout(res Resolved, out func(profile.Identity) bool) (Resolved, error) {
	return r.ownerOfRecord(res.without(out))
}

// EventWithout is RecordWithout for an event.
func (r *Rules) EventWithout(res Resolved, out func(profile.Identity) bool) (Resolved, error) {
	return r.ownerOfEvent(res.without(out))
}

func (res Resolved) without(out func(profile.Identity) bool) Resolved {
	all := slices.DeleteFunc(slices.Clone(res.All), out)
	res.Blocked += len(res.All) - len(all)
	res.All, res.Flagged = all, slices.DeleteFunc(slices.Clone(res.Flagged), out)
	return res
}

func (r *Rules) ownerOfEvent(res Resolved) (Resolved, error) {
	if len(res.All) == 0 {
		return Resolved{}, ErrMissing
	}
	res.Primary = slices.MinFunc(res.All, func(a, b profile.Identity) int {
		return cmp.Or(
			cmp.Compare(r.Rank(a.Namespace), r.Rank(b.Namespace)),
			-compareBool(slices.Contains(res.Flagged, a), slices.Contains(res.Flagged, b)),
			a.Compare(b),
		)
	})
	return res, nil
}

// resolve normalises all claims and checks what records and events have in common.
func (r *Rules) resolve(claims []Claim) (res Resolved, err error) {
	res.All = make([]profile.Identity, 0, len(claims))
	var invalid *InvalidError
	for i := range claims {
		id, blocked, err := r.Normalize(claims[i].Namespace, claims[i].Value)
		switch {
		case err != nil:
			invalid = r.worse(invalid, err)
			continue
		case blocked:
			res.Blocked++
			continue
		}
		res.All = append(res.All, id)
		if claims[i].Primary {
			res.Flagged = append(res.Flagged, id)
		}
	}
	if invalid != nil {
		return Resolved{}, invalid
	}
	slices.SortFunc(res.All, profile.Identity.Compare)
	res.All = slices.Compact(res.All)
	return res, r.checkSet(res.All)
}

// worse keeps the error to report, so that it does not depend on the order of the claims.
func (r *Rules) worse(known *InvalidError, err error) *InvalidError {
	var found *InvalidError
	if !errors.As(err, &found) {
		// invariant: Normalize returns no other type of error
		panic("identity: Normalize returned an error of another type")
	}
	if known == nil {
		return found
	}
	order := cmp.Or(
		cmp.Compare(r.Rank(found.Namespace), r.Rank(known.Namespace)),
		cmp.Compare(found.Namespace, known.Namespace),
		cmp.Compare(found.Reason, known.Reason),
	)
	if order < 0 {
		return found
	}
	return known
}

// checkSet checks the identities of one record together. all is sorted and distinct, so that two
// values of one namespace are neighbours.
func (r *Rules) checkSet(all []profile.Identity) error {
	if len(all) > MaxRecordIdentities {
		reason := fmt.Sprintf("more than %d identities in one record", MaxRecordIdentities)
		return &InvalidError{Reason: reason}
	}
	var conflict *space
	for i := 1; i < len(all); i++ {
		s := r.byName[all[i].Namespace]
		if !s.Unique || all[i-1].Namespace != s.Name {
			continue
		}
		if conflict == nil || s.rank < conflict.rank {
			conflict = s
		}
	}
	if conflict != nil {
		return &ConflictError{conflict.Name}
	}
	return nil
}

// compareStrength orders by rank, then by the identities themselves.
func (r *Rules) compareStrength(a, b profile.Identity) int {
	return cmp.Or(cmp.Compare(r.Rank(a.Namespace), r.Rank(b.Namespace)), a.Compare(b))
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
