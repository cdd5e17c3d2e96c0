package pipeline

import (
	"cmp"

	"selfsame/profile"
	"selfsame/store"
)

// An operation about a person that names no class acts in every class whose namespaces have that of
// the identity: whoever wants to be forgotten does not know of classes. It stays one operation,
// with one id, one record of what became of it and one job.

// bindEverywhere finds where an operation that names no class acts. A class in which the value is
// blocked or invalid can hold nothing under it.
func (c *controlInput) bindEverywhere(m *Model) *Rejection {
	given, ok := profile.ParseIdentity(c.Identities[0])
	if !ok {
		return wrongControl("identities", "NAMESPACE:VALUE", "a text of another form")
	}
	var refused *Rejection
	for _, e := range m.Entities {
		if _, known := e.Rules.Namespace(given.Namespace); !known {
			continue
		}
		id, rejection := bindIdentity(e.Rules, c.Identities[0])
		if rejection != nil {
			refused = cmp.Or(refused, rejection)
			continue
		}
		c.places = append(c.places, personKey{e.Name, id})
	}
	switch len(c.places) {
	case 0:
		return cmp.Or(refused, wrongControl("identities", "a namespace of a class", "another"))
	case 1:
		c.settle(c.places[0])
	}
	return nil
}

// settle has the operation act in one class.
func (c *controlInput) settle(place personKey) {
	c.Class, c.ids, c.places = place.class, []profile.Identity{place.id}, nil
}

// inPlaces has an operation act: in each class by itself, where it acts in several.
func (sh *Shard) inPlaces(op *operation, act func(*operation) error) error {
	for _, part := range sh.partsOf(op) {
		if part == op {
			return act(op)
		}
		if err := act(part); err != nil {
			return err
		}
		op.parts = append(op.parts, part)
		op.row.Parts = append(op.row.Parts, store.AppliedPart{Class: part.Class,
			Removed: part.row.Removed})
		op.row.Add(part.row.Removed)
	}
	return nil
}

// partsOf are the operations that an operation consists of, each in one class; itself where it acts
// in one. What is applied again acts in the classes in which it had acted.
func (sh *Shard) partsOf(op *operation) []*operation {
	var parts, again []*operation
	for _, place := range op.places {
		part := op.within(place)
		parts = append(parts, part)
		if sh.recalledAs(part.controlInput) != nil {
			again = append(again, part)
		}
	}
	if len(again) > 0 {
		parts = again
	}
	switch len(parts) {
	case 0:
		return []*operation{op}
	case 1:
		op.controlInput, op.row.Class = parts[0].controlInput, parts[0].Class
		return []*operation{op}
	}
	return parts
}

// within is the operation in one class.
func (op *operation) within(place personKey) *operation {
	c := *op.controlInput
	c.settle(place)
	part := &operation{in: op.in, controlInput: &c, why: op.why, now: op.now, row: op.row}
	part.row.Class = c.Class
	return part
}

// auditClass is what an operation did in one of several classes, as the audit topic tells.
type auditClass struct {
	Class      string          `json:"class"`
	Identities []auditIdentity `json:"identities,omitempty"` // that it acted on
	Hashes     []string        `json:"hashes,omitempty"`     // likewise, of those that were erased
	Removed    *auditRemoved   `json:"removed,omitempty"`
}

// split tells what a record of an operation in several classes does as one record for each class.
func (e *auditEntry) split() []auditEntry {
	if len(e.Classes) == 0 {
		return []auditEntry{*e}
	}
	parts := make([]auditEntry, len(e.Classes))
	for i, c := range e.Classes {
		parts[i] = *e
		parts[i].Classes, parts[i].Class = nil, c.Class
		parts[i].Identities, parts[i].Hashes = c.Identities, c.Hashes
	}
	return parts
}
