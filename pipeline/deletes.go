package pipeline

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"selfsame/computed"
	"selfsame/profile"
	"selfsame/store"
)

var errInstant = errors.New("a time is RFC 3339, between 1678 and 2261")

// Rows that a step of a job visits for each unit of work that it may do: most need nothing.
const visitsPerUnit = 20

// trimArgs are the arguments of a trim.
type trimArgs struct {
	Class    string `json:"class"`
	Identity string `json:"identity"`
	Dataset  string `json:"dataset"`
	From     int64  `json:"from"`
	To       int64  `json:"to"`

	Cut []auditCutPart `json:"cut,omitempty"` // up to where the operation acts
}

// dropArgs are the arguments of a drop.
type dropArgs struct {
	Class   string         `json:"class"`
	Dataset string         `json:"dataset"`
	Cut     []auditCutPart `json:"cut,omitempty"` // up to where the operation acts
	Era     uint64         `json:"era,omitempty"` // that it has begun: folded days before it go
}

// dropCursor says how far a drop has come: first the rows of identities, then the event ids.
type dropCursor struct {
	Place   []byte `json:"place,omitempty"`
	IDs     bool   `json:"ids,omitempty"`
	EventID []byte `json:"event_id,omitempty"`
}

// deleteEvents removes what one dataset said of events under one identity in a range of times, up
// to where its topic has been consumed. Events beyond a limit are removed in the background.
func (sh *Shard) deleteEvents(op *operation) error {
	from, to, err := parseRange(op.From, op.Until)
	if err != nil {
		return err // invariant: checked when it was read
	}
	floor := store.EventFloor{From: from, To: to, Cut: sh.cutOf(op)}
	op.cut = &floor.Cut
	p, err := sh.barEvents(op, floor)
	if err != nil || p == nil {
		return err
	}
	args := trimArgs{Class: op.Class, Identity: p.key.id.String(), Dataset: op.Dataset,
		From: from, To: to, Cut: auditCut(&floor.Cut)}
	days, err := sh.computedDays(p, op.Dataset, computed.Day(from), computed.Day(to), op.why)
	if err != nil {
		return err
	}
	op.row.Days += uint64(days.Days)
	n, next, err := sh.trim(p, &args, sh.stepLimit, op.why)
	op.row.Events += uint64(n)
	if err != nil || next == nil {
		return err
	}
	args.From = *next
	return sh.startJob(op, jobTrim, args)
}

// barEvents has a floor turn events away. nil: there is nobody to remove any of.
func (sh *Shard) barEvents(op *operation, floor store.EventFloor) (*person, error) {
	p, err := sh.state.person(op.Class, op.ids[0])
	if err != nil {
		return nil, err
	}
	kept, err := sh.erased(p)
	if err != nil {
		return nil, err
	}
	lifted := sh.liftedSince(op.controlInput)
	delete(sh.recalled.floors[floorKey{p.key, op.Dataset}], op.ID)
	if !p.known && bound(kept, op.in.Stamp) { // it is applied again, and must not make them known
		op.hashes = []store.Hash{sh.hash(p)}
		if !lifted {
			row := *kept
			addNamed(&row, op.Dataset, &store.DataFloors{Events: []store.EventFloor{floor}})
			sh.setErased(sh.hash(p), &row)
		}
		return nil, nil
	}
	op.affected = op.ids
	if err := sh.meet(op.Class, p.key.id, op.why); err != nil || lifted {
		return nil, err
	}
	return p, sh.state.changeFloors(p, op.Dataset, func(row *store.DataFloors) {
		addEventFloor(row, floor)
	})
}

// trim removes up to limit events of p that its floors turn away. next is the time to go on from;
// nil where none is left.
func (sh *Shard) trim(p *person, args *trimArgs, limit int, why cause) (n int, next *int64,
	err error) {
	floors, err := sh.floorsOf(p, args.Dataset)
	if err != nil {
		return 0, nil, err
	}
	return sh.trimBy(p, args, floors.Events, limit, why)
}

// trimBy is trim for given floors.
func (sh *Shard) trimBy(p *person, args *trimArgs, floors []store.EventFloor, limit int,
	why cause) (n int, next *int64, err error) {
	var refs []store.EventRef
	visits := 0
	err = sh.state.events(p, args.From, args.To, func(ref store.EventRef) bool {
		visits++
		full := visits > limit*visitsPerUnit || len(refs) >= limit
		switch {
		case full && sh.state.setEvents[ref] != nil: // of this commit: in no order
			next = &args.From
			return false
		case full && ref.Time > args.From:
			next = &ref.Time
			return false
		}
		if ref.Dataset == args.Dataset {
			refs = append(refs, ref)
		}
		return true
	})
	if err != nil {
		return 0, nil, err
	}
	r, err := sh.remover(p)
	if err != nil {
		return 0, nil, err
	}
	for _, ref := range refs {
		e, err := sh.state.eventID(ref.Dataset, ref.ID)
		if err != nil {
			return 0, nil, err
		}
		if !barsStored(floors, ref.Time, e.row.Stamp.Pos) {
			continue
		}
		n++
		if err := sh.dropEvent(p, ref, why); err != nil {
			return 0, nil, err
		}
		r.free(ref, e, jobTrim)
	}
	if n == 0 {
		return 0, next, nil
	}
	return n, next, sh.relistEvents(p, why)
}

// stepTrim removes the next events of a range.
func (sh *Shard) stepTrim(job *store.Job, args trimArgs, limit int) (done bool, err error) {
	if len(job.Cursor) > 0 {
		if err := json.Unmarshal(job.Cursor, &args.From); err != nil {
			return false, err
		}
	}
	if args.Identity == "" {
		return true, nil // a lift has removed the rest
	}
	id, ok := profile.ParseIdentity(args.Identity)
	if !ok {
		return false, errJobIdentity
	}
	p, err := sh.state.person(args.Class, id)
	if err != nil {
		return false, err
	}
	why, err := sh.causeOf(job)
	if err != nil {
		return false, err
	}
	n, next, err := sh.trim(p, &args, limit, why)
	if err != nil {
		return false, err
	}
	job.Done += uint64(n)
	job.Total = max(job.Total, job.Done)
	if next == nil {
		return true, sh.addRemoved(job, args.Class, removed{events: n})
	}
	if job.Cursor, err = json.Marshal(*next); err != nil {
		return false, err
	}
	return false, sh.addRemoved(job, args.Class, removed{events: n})
}

// deleteDataset removes everything that one dataset ever said, up to where its topic has been
// consumed, in the background.
func (sh *Shard) deleteDataset(op *operation) error {
	cut := sh.cutOf(op)
	op.cut = &cut
	sh.widenCut(op.Dataset, &cut)
	return sh.startJob(op, jobDrop, dropArgs{Class: op.Class, Dataset: op.Dataset,
		Cut: auditCut(&cut), Era: sh.eraOf(op.Dataset)})
}

// stepDrop removes the next of what a dataset said.
func (sh *Shard) stepDrop(job *store.Job, args dropArgs, limit int) (done bool, err error) {
	var at dropCursor
	if len(job.Cursor) > 0 {
		if err := json.Unmarshal(job.Cursor, &at); err != nil {
			return false, err
		}
	}
	c := sh.cuts[args.Dataset]
	if c == nil || sh.model.Entity(args.Class) == nil {
		return true, nil // the class is no longer configured
	}
	why, err := sh.causeOf(job)
	if err != nil {
		return false, err
	}
	w := &dropStep{sh: sh, args: args, limit: limit, why: why}
	if at.IDs {
		done, err = w.ids(&at)
	} else {
		done, err = w.rows(&at)
	}
	if err != nil {
		return false, err
	}
	job.Done += uint64(w.removed.sum())
	days := removed{days: w.removed.days} // others are credited
	if err := sh.addRemoved(job, args.Class, days); err != nil {
		return false, err
	}
	if done {
		c.row.Done, c.dirty = !sh.dropsAgain(args.Dataset, job), true
		c.row.FirstEra = max(c.row.FirstEra, args.Era)
		return true, nil
	}
	job.Cursor, err = json.Marshal(at)
	return false, err
}

// dropStep is one step of a drop.
type dropStep struct {
	sh      *Shard
	args    dropArgs
	limit   int
	why     cause
	removed removed
	ends    []profile.Identity // whose clusters are to be decided again
	people  []*person          // that have lost events
}

// rows goes on among the rows of identities.
func (w *dropStep) rows(at *dropCursor) (done bool, err error) {
	visits, place := 0, []byte(nil)
	err = w.sh.state.reader.Walk(w.args.Class, at.Place,
		func(key []byte, item *store.Item) error {
			if visits == w.limit*visitsPerUnit || w.removed.sum() >= w.limit {
				return store.ErrStop
			}
			visits++
			place = append(place[:0], key...)
			return w.item(item)
		})
	if err != nil {
		return false, err
	}
	for _, p := range w.people {
		if err := w.sh.relistEvents(p, w.why); err != nil {
			return false, err
		}
	}
	if len(w.ends) > 0 {
		if err := w.sh.decide(w.args.Class, w.ends, w.why); err != nil {
			return false, err
		}
	}
	if at.Place = place; visits == 0 {
		*at = dropCursor{IDs: true}
	}
	return false, nil
}

// item removes what a row holds of what the dataset said.
func (w *dropStep) item(item *store.Item) error {
	sh, class := w.sh, w.args.Class
	switch item.Kind {
	case store.ItemLink:
		return w.link(linkKey{class, item.Identity, item.Other}, item.Link)
	case store.ItemIdentity:
		return w.days(item.Identity)
	}
	dataset := item.Dataset
	if item.Kind == store.ItemEvent {
		dataset = item.Event.Dataset
	}
	if dataset != w.args.Dataset {
		return nil
	}
	p, err := sh.state.person(class, item.Identity)
	if err != nil {
		return err
	}
	switch item.Kind {
	case store.ItemFragment:
		return w.fragment(p)
	case store.ItemEvent:
		return w.event(p, item.Event)
	case store.ItemSaid:
		said, err := sh.state.said(p, dataset)
		if err == nil && sh.gone(dataset, said.row.Stamp) {
			said.row = store.Said{}
			sh.state.touchSaid(p, dataset)
		}
		return err
	}
	return nil
}

// days removes what computed attributes have folded of the dataset's expired events, of those that
// came before the cut.
func (w *dropStep) days(id profile.Identity) error {
	if !w.sh.folds(w.args.Class, w.args.Dataset) {
		return nil
	}
	p, err := w.sh.state.person(w.args.Class, id)
	if err != nil {
		return err
	}
	all := foldedDays{w.args.Dataset, w.args.Era, math.MinInt64, math.MaxInt64}
	gone, err := w.sh.removeDays(p, all, w.why)
	w.removed.days += gone.Days
	return err
}

func (w *dropStep) fragment(p *person) error {
	went, err := w.sh.cleanFragment(p, w.args.Dataset, w.why)
	if went {
		w.removed.fragments++
	}
	return err
}

func (w *dropStep) event(p *person, ref store.EventRef) error {
	e, err := w.sh.state.eventID(ref.Dataset, ref.ID)
	if err != nil || !w.sh.gone(ref.Dataset, e.row.Stamp) {
		return err
	}
	w.removed.events++
	if err := w.sh.credit(ref.Dataset, removed{events: 1}, e.row.Stamp); err != nil {
		return err
	}
	if err := w.sh.dropEvent(p, ref, w.why); err != nil {
		return err
	}
	e.row.Stamp, e.row.Hidden = profile.Stamp{}, false
	if w.sh.gone(ref.Dataset, e.row.Deleted) {
		e.row.Deleted = profile.Stamp{}
	}
	e.row = store.EventID{Deleted: e.row.Deleted}
	w.sh.state.touchEventID(ref.Dataset, ref.ID, e)
	if !slices.Contains(w.people, p) {
		w.people = append(w.people, p)
	}
	return nil
}

func (w *dropStep) link(key linkKey, stored *store.Link) error {
	mine := func(a store.Assertion) bool { return a.Dataset == w.args.Dataset }
	if !slices.ContainsFunc(stored.Assertions, mine) {
		return nil
	}
	l, err := w.sh.state.link(key.class, key.a, key.b)
	if err != nil {
		return err
	}
	n, ends, err := w.sh.cleanLink(key, l, w.why)
	w.removed.links += n
	w.ends = append(w.ends, ends...)
	return err
}

// ids goes on among the event ids, of which some have no event any more.
func (w *dropStep) ids(at *dropCursor) (done bool, err error) {
	visits, last := 0, ""
	err = w.sh.state.reader.EventIDsFrom(w.args.Dataset, string(at.EventID),
		func(id string, _ *store.EventID) error {
			if visits == w.limit*visitsPerUnit {
				return store.ErrStop
			}
			visits++
			last = id
			e, err := w.sh.state.eventID(w.args.Dataset, id)
			if err != nil {
				return err
			}
			went, err := w.sh.cleanEventID(w.args.Dataset, id, e, w.why)
			if went {
				w.removed.events++
			}
			return err
		})
	at.EventID = []byte(last)
	return visits == 0, err
}

// dropsAgain reports whether another job drops what the dataset said up to a later cut.
func (sh *Shard) dropsAgain(dataset string, job *store.Job) bool {
	return slices.ContainsFunc(sh.jobs, func(other *store.Job) bool {
		var args dropArgs
		return other != job && other.Kind == jobDrop && json.Unmarshal(other.Args, &args) == nil &&
			args.Dataset == dataset
	})
}

// removed counts what a step of a job has removed.
type removed struct{ fragments, events, links, days int }

func (r removed) sum() int { return r.fragments + r.events + r.links + r.days }

// counts are the counts as they are stored.
func (r removed) counts() store.Removed {
	return store.Removed{Fragments: uint64(r.fragments), Events: uint64(r.events),
		Links: uint64(r.links), Days: uint64(r.days)}
}

// addRemoved adds to the counts of the operation that a job goes on with, and to those of a class
// where it acts in several.
func (sh *Shard) addRemoved(job *store.Job, class string, r removed) error {
	row, err := sh.state.appliedOf(job.ID)
	if err != nil || row == nil || r.sum() == 0 {
		return err
	}
	next := *row
	next.Add(r.counts())
	next.Parts = slices.Clone(row.Parts)
	for i := range next.Parts {
		if next.Parts[i].Class == class {
			next.Parts[i].Add(r.counts())
		}
	}
	sh.state.setApplied(job.ID, &next)
	return nil
}

// auditCutPart is one partition of a cut, as the audit topic tells it.
type auditCutPart struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	ID        string `json:"id,omitempty"` // of the topic
	Next      int64  `json:"next"`
	Former    int64  `json:"former,omitempty"`
}

func auditCut(cut *store.Cut) []auditCutPart {
	if cut == nil {
		return nil
	}
	parts := []auditCutPart{}
	for _, p := range cut.Parts {
		part := auditCutPart{Topic: p.Topic, Partition: p.Partition, Next: p.Next,
			Former: p.Former}
		if !p.ID.IsZero() {
			part.ID = hex.EncodeToString(p.ID[:])
		}
		parts = append(parts, part)
	}
	return parts
}

// checkRange checks the times of delete_events.
func (c *controlInput) checkRange() *Rejection {
	first, last, err := parseRange(c.From, c.Until)
	switch {
	case err != nil:
		return &Rejection{Reason: ReasonBadTimestamp, Path: "from, until",
			Wanted: "RFC 3339, between 1678 and 2261", Found: "a text of another form"}
	case last < first:
		return wrongControl("until", "a time after from", fmt.Sprintf("%s before",
			roughly(first-last)))
	}
	return nil
}
