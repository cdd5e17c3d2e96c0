package pipeline

import (
	"context"
	"fmt"
	"math"
	"slices"

	"selfsame/computed"
	"selfsame/profile"
	"selfsame/store"
)

// Check is [store.Store.Check], and then holds what computed attributes keep of each identity to
// its events: the store knows the rows, and this package what they say. m is a model with which
// definitions are compiled where it has them; where it has not, or is nil, the store's own texts
// serve.
func Check(ctx context.Context, m *Model, s *store.Store, report func(store.Problem)) (
	store.Summary, error) {
	sum, err := s.Check(ctx, report)
	if err != nil {
		return sum, err
	}
	if m == nil {
		m = &Model{}
	}
	snap := s.Snapshot()
	defer snap.Close()
	classes, err := snap.ComputedClasses()
	if err != nil {
		return sum, err
	}
	for _, row := range classes {
		c := &computedCheck{ctx: ctx, reader: &snap.Reader, row: row, report: report,
			kept: newCatalog(m).kept(row)}
		if err := c.identities(); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// computedCheck checks what computed attributes keep of the identities of a class.
type computedCheck struct {
	ctx    context.Context
	reader *store.Reader
	row    *store.ComputedClass
	kept   []*tracked // whose states follow the events
	report func(store.Problem)
}

// checkStep is how many identities are listed at a time.
const checkStep = 1000

func (c *computedCheck) identities() error {
	for cursor := []byte(nil); ; {
		ids, next, err := c.reader.IdentitiesFrom(c.row.Class, cursor, checkStep)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if c.ctx.Err() != nil {
				return c.ctx.Err()
			}
			c.identity(id.Identity)
		}
		if cursor = next; next == nil {
			return nil
		}
	}
}

// identity checks all attributes of an identity in one pass over its events. What cannot be read is
// told, as all else that is wrong.
func (c *computedCheck) identity(id profile.Identity) {
	head, err := c.reader.ComputedHead(c.row.Class, id)
	if err == nil {
		err = c.compare(id, head)
	}
	if err != nil {
		c.report(store.ComputedProblem(c.row.Class, id, "is not held to its events: "+err.Error()))
	}
}

// audited is an attribute that is being checked.
type audited struct {
	*computed.Audit
	tracked *tracked
	wake    int64
}

func (c *computedCheck) compare(id profile.Identity, head *store.ComputedHead) error {
	person, err := c.reader.Identity(c.row.Class, id)
	if err != nil || person == nil {
		return err
	}
	if head == nil {
		head = &store.ComputedHead{}
	}
	c.unknown(id, head)
	audits, err := c.begin(id, person, head)
	if err != nil || len(audits) == 0 {
		return err
	}
	err = c.reader.EventsWithin(c.row.Class, id, math.MinInt64, math.MaxInt64,
		func(ref store.EventRef, row *store.Event) error {
			event := eventOf(ref, row)
			for i := range audits {
				audits[i].Event(event)
			}
			return nil
		})
	if err != nil {
		return err
	}
	for _, one := range audits {
		wrong, err := one.Findings(one.wake)
		if err != nil {
			return err
		}
		for _, text := range wrong {
			c.report(store.ComputedProblem(c.row.Class, id,
				fmt.Sprintf("attribute %s (%d): %s", one.tracked.Name(), one.tracked.number, text)))
		}
	}
	return nil
}

// begin lists what is to be checked of an identity: what it keeps of attributes whose states follow
// the events, and what it does not keep of those whose states are all built.
func (c *computedCheck) begin(id profile.Identity, person *store.Identity,
	head *store.ComputedHead) ([]audited, error) {
	var audits []audited
	for _, t := range c.kept {
		kept, rows, wake := head.Find(t.number), store.EmptyComputedRows(), int64(computed.Never)
		switch {
		case kept != nil:
			var err error
			ref := store.ComputedRef{Class: c.row.Class, Identity: id, Number: t.number}
			if rows, err = c.reader.Computed(ref, kept.Summary); err != nil {
				return nil, err
			}
			wake = kept.Wake
		case !c.built(t.number) || person.Erasing || !t.hears(person.Events):
			continue
		}
		audit, err := t.Audit(rows)
		if err != nil {
			return nil, err
		}
		audits = append(audits, audited{audit, t, wake})
	}
	return audits, nil
}

// built reports whether the states of an attribute are built for all identities.
func (c *computedCheck) built(number uint16) bool {
	return slices.ContainsFunc(c.row.Attributes, func(a store.ComputedAttribute) bool {
		return a.Number == number && a.From != store.NotYet
	})
}

// unknown finds what is kept of attributes that nobody remembers.
func (c *computedCheck) unknown(id profile.Identity, head *store.ComputedHead) {
	for i := range head.Attributes {
		number := head.Attributes[i].Number
		if !slices.ContainsFunc(c.row.Attributes, func(a store.ComputedAttribute) bool {
			return a.Number == number
		}) {
			c.report(store.ComputedProblem(c.row.Class, id,
				fmt.Sprintf("keeps attribute %d, which was never defined or is gone", number)))
		}
	}
}
