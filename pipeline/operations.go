package pipeline

import (
	"math"
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// stepControl applies a control record. Of several of one id the first counts.
func (sh *Shard) stepControl(in *Input, now int64) (Outcome, error) {
	if in.Reject == nil {
		in.Reject = checkFuture(in.Stamp.Time, sh.appended(in, now), DefaultMaxFuture)
	}
	c := in.control
	if in.Reject == nil {
		var err error
		if in.Reject, err = sh.refuseErased(in); err != nil {
			return Rejected, err
		}
	}
	if in.Reject != nil {
		sh.reject(in)
		sh.auditRefused(in)
		return Rejected, nil
	}
	known, err := sh.state.appliedOf(c.ID)
	if err != nil {
		return Rejected, err
	}
	if known != nil {
		return Duplicate, nil
	}
	op := &operation{in: in, controlInput: c, why: in.cause(), now: now}
	op.row = store.Applied{Op: string(c.Op), Class: c.Class, Cause: in.Record.Pos,
		Time: in.Stamp.Time}
	if err := sh.perform(op); err != nil {
		return Accepted, err
	}
	sh.state.setApplied(c.ID, &op.row)
	sh.auditOperation(op)
	return Accepted, nil
}

// operation is a control record being applied.
type operation struct {
	*controlInput
	in       *Input
	why      cause
	now      int64
	row      store.Applied
	affected []profile.Identity // whom it acted on, as the audit topic tells
	members  []profile.Identity // the same, where the audit topic must not tell all
	cut      *store.Cut         // up to where it acts, of one that acts by position
	hashes   []store.Hash       // whom it acted on where that must not be told
	rest     []string           // identities of whom something is left, of an erasure
	parts    []*operation       // that it consists of, of one that acted in several classes
}

// floor is the stamp below which lies everything that is not newer than the operation.
func (op *operation) floor() profile.Stamp {
	return floorAfter(op.in.Stamp.Time, op.in.Record.Pos)
}

// floorAfter is the stamp below which lies everything up to and including a time, of an operation
// that was read at pos.
func floorAfter(at int64, pos profile.Position) profile.Stamp {
	return profile.Stamp{Time: at + 1, Sequence: math.MinInt64, Pos: pos}
}

func (sh *Shard) perform(op *operation) error {
	switch op.Op { // these must not make known whom they name
	case ControlErase:
		return sh.erase(op)
	case ControlLiftDelete:
		return sh.inPlaces(op, sh.liftDelete)
	case ControlDeleteEvents:
		return sh.deleteEvents(op)
	case ControlDeleteProfile:
		return sh.deleteProfile(op)
	}
	for _, id := range op.ids {
		if err := sh.meet(op.Class, id, op.why); err != nil {
			return err
		}
	}
	op.affected = op.ids
	switch op.Op {
	case ControlLink, ControlForbidLink:
		return sh.orderPair(op)
	case ControlUnlink:
		return sh.unlink(op)
	case ControlBlockValue:
		return sh.blockValue(op)
	case ControlResetHub:
		return sh.resetHub(op)
	case ControlDeleteFragment:
		return sh.deleteFragment(op)
	case ControlDeleteDataset:
		return sh.deleteDataset(op)
	case ControlPauseDataset:
		sh.pauseInput(op.dataset.Topic, pauseReason(op), op.now)
	case ControlResumeDataset:
		how := map[string]store.Resume{fromRewind: store.ResumeRewind, fromSkip: store.ResumeSkip}
		sh.resumeInput(op.dataset.Topic, how[op.From], op.now)
	case ControlRemerge:
		return sh.startJob(op, jobRemerge, remergeArgs{Class: op.Class, All: op.All})
	}
	return nil
}

func pauseReason(op *operation) string {
	reason := "paused by control record " + op.ID
	if op.Note != "" {
		reason += ": " + op.Note
	}
	return reason
}

// meet makes an identity known that no record may have carried yet.
func (sh *Shard) meet(class string, id profile.Identity, why cause) error {
	p, err := sh.state.person(class, id)
	if err != nil {
		return err
	}
	if sh.renamed(p); p.known {
		return nil
	}
	p.row.FirstSeen = store.NeverSeen
	if _, err := sh.beginAnew(p); err != nil {
		return err
	}
	p.known = true
	sh.awaitIdle(p, why.time)
	p.row.Generation = sh.state.generations[class].number
	sh.state.touch(p)
	return sh.assign(class, [][]profile.Identity{{id}}, why)
}

// orderPair keeps the latest word on a pair, and decides the clusters again where it is new.
func (sh *Shard) orderPair(op *operation) error {
	stamp, on := op.in.Stamp, !op.Lift
	changed := false
	change := func(row *store.Orders) {
		order := &row.Together
		if op.Op == ControlForbidLink {
			order = &row.Apart
		}
		if !order.Stamp.Before(stamp) {
			return
		}
		changed = changed || order.On != on || on
		*order = store.Order{Stamp: stamp, On: on}
	}
	for i, id := range op.ids {
		p, err := sh.state.person(op.Class, id)
		if err != nil {
			return err
		}
		if err := sh.state.order(p, op.ids[1-i], change); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	return sh.decide(op.Class, op.ids, op.why)
}

// unlink voids what was asserted about an identity up to the time of the operation. Only links
// inside its cluster can change anything, and these are few.
func (sh *Shard) unlink(op *operation) error {
	p, err := sh.state.person(op.Class, op.ids[0])
	if err != nil {
		return err
	}
	floor := op.floor()
	if !p.row.Unlinked.Before(floor) {
		return nil
	}
	before, err := sh.view(op.Class).Links(p.key.id)
	if err != nil {
		return err
	}
	p.row.Unlinked = floor
	sh.state.touch(p)
	sh.state.setUnlinks(op.Class)
	sh.state.wide.clear()
	ends := []profile.Identity{p.key.id}
	for _, link := range before {
		if link.Time >= floor.Time {
			continue
		}
		op.row.Links++
		other := link.A
		if other == p.key.id {
			other = link.B
		}
		q, err := sh.state.person(op.Class, other)
		if err != nil {
			return err
		}
		if q.row.Cluster == p.row.Cluster {
			ends = append(ends, other)
		}
	}
	more, err := sh.reviewAround(p, op.why)
	if err != nil {
		return err
	}
	if ends = append(ends, more...); len(ends) == 1 {
		return nil
	}
	return sh.decide(op.Class, ends, op.why)
}

// reviewAround reviews p and its neighbours, which may not be contested any more since links of p
// were voided.
func (sh *Shard) reviewAround(p *person, why cause) ([]profile.Identity, error) {
	others, err := sh.state.neighbours(p)
	if err != nil {
		return nil, err
	}
	ends, err := sh.review(p, why)
	for _, other := range others {
		if err != nil {
			return nil, err
		}
		var q *person
		if q, err = sh.state.person(p.key.class, other); err == nil {
			var more []profile.Identity
			more, err = sh.review(q, why)
			ends = append(ends, more...)
		}
	}
	return ends, err
}

// deleteProfile removes the data of every identity of the cluster that is not newer, for good: a
// floor turns away what comes late or again. The graph stays. Events beyond a limit are removed in
// the background. What is applied again acts on those on which it had acted.
func (sh *Shard) deleteProfile(op *operation) error {
	members, err := sh.deleted(op)
	if err != nil {
		return err
	}
	budget, rest := sh.stepLimit, false
	for _, id := range members {
		p, err := sh.state.person(op.Class, id)
		if err != nil {
			return err
		}
		if err := sh.raiseFloor(op, p); err != nil {
			return err
		}
		n, more, err := sh.purge(p, p.row.Floor, budget, op.why)
		if err != nil {
			return err
		}
		op.row.Events += uint64(n)
		budget -= n
		rest = rest || more
		if more {
			if err := sh.conceal(p, op.why); err != nil {
				return err
			}
		}
	}
	if !rest {
		return nil
	}
	return sh.startJob(op, jobPurge, purgeArgs{Class: op.Class, Identities: texts(members)})
}

// conceal shows nothing of p while what lies below its floor is removed, where nothing else is
// stored of it: values must not fall in steps, each of which is put out.
func (sh *Shard) conceal(p *person, why cause) error {
	for _, dataset := range p.row.Fragments {
		f, err := sh.state.fragment(p, dataset)
		if err != nil || f.Visible() {
			return err
		}
	}
	newer := false
	err := sh.state.events(p, p.row.Floor.Time, math.MaxInt64, func(store.EventRef) bool {
		newer = true
		return false
	})
	if err != nil || newer {
		return err
	}
	p.row.Erasing = true
	sh.state.touch(p)
	sh.markDirty(p, why)
	return nil
}

// raiseFloor turns away everything of p that is not newer than the operation, and removes what its
// fragments hold of it.
func (sh *Shard) raiseFloor(op *operation, p *person) error {
	floor := op.floor()
	days, err := sh.computedBefore(p, floor.Time, op.why)
	if err != nil {
		return err
	}
	op.row.Days += uint64(days)
	p.row.Floor = profile.Later(p.row.Floor, floor)
	sh.state.touch(p)
	for _, dataset := range slices.Clone(p.row.Fragments) {
		f, err := sh.state.fragment(p, dataset)
		if err != nil {
			return err
		}
		if sh.sinkFragment(p, dataset, f, floor) {
			op.row.Fragments++
		}
	}
	sh.markDirty(p, op.why)
	return nil
}

// purge removes up to limit events of p that lie below a floor. more says that some are left.
func (sh *Shard) purge(p *person, floor profile.Stamp, limit int, why cause) (n int, more bool,
	err error) {
	if floor.IsZero() {
		return 0, false, nil
	}
	var refs []store.EventRef
	err = sh.state.events(p, math.MinInt64, floor.Time-1, func(ref store.EventRef) bool {
		if len(refs) == limit {
			more = true
			return false
		}
		refs = append(refs, ref)
		return true
	})
	if err != nil || len(refs) == 0 {
		return 0, more, err
	}
	r, err := sh.remover(p)
	if err != nil {
		return 0, more, err
	}
	for _, ref := range refs {
		e, err := sh.state.eventID(ref.Dataset, ref.ID)
		if err != nil {
			return 0, more, err
		}
		r.free(ref, e, jobPurge)
		if err := sh.dropEvent(p, ref, why); err != nil {
			return 0, more, err
		}
	}
	return len(refs), more, sh.relistEvents(p, why)
}

// relistEvents finds out which datasets still have events under p.
func (sh *Shard) relistEvents(p *person, why cause) error {
	var left []string
	for _, dataset := range p.row.Events {
		found, err := sh.state.hasEvents(p, dataset)
		if err != nil {
			return err
		}
		if found {
			left = append(left, dataset)
		}
	}
	p.row.Events = left
	sh.state.touch(p)
	sh.markDirty(p, why)
	return nil
}

// deleteFragment removes what one dataset says about one identity and is not newer.
func (sh *Shard) deleteFragment(op *operation) error {
	if sh.liftedSince(op.controlInput) {
		return nil
	}
	p, err := sh.state.person(op.Class, op.ids[0])
	if err != nil {
		return err
	}
	f, err := sh.fragment(p, op.Dataset, op.why)
	if err != nil {
		return err
	}
	floor := op.floor()
	err = sh.state.changeFloors(p, op.Dataset, func(row *store.DataFloors) {
		row.Fragment = profile.Later(row.Fragment, floor)
	})
	if err != nil {
		return err
	}
	if sh.sinkFragment(p, op.Dataset, f, floor) {
		op.row.Fragments++
	}
	sh.markDirty(p, op.why)
	return nil
}

// sinkFragment removes what a fragment holds below a floor; went says that all went that it showed.
func (sh *Shard) sinkFragment(p *person, dataset string, f *fragment, floor profile.Stamp) (
	went bool) {
	visible := f.Visible()
	if !f.Sink(floor) {
		return false
	}
	sh.keepFragment(p, dataset, f)
	return visible && !f.Visible()
}

func texts(ids []profile.Identity) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.String()
	}
	return out
}
