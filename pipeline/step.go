package pipeline

import (
	"slices"
	"strconv"
	"time"

	"selfsame/profile"
	"selfsame/store"
)

// Outcome is what became of a consumed record. Every record has exactly one.
type Outcome uint8

// The outcomes.
const (
	Accepted   Outcome = iota // took part in the state
	Rejected                  // went to the dead-letter topic
	Duplicate                 // an event that is known already
	Superseded                // everything it says had been overruled by later stamps
)

// step applies one input to the working set. It reads what it needs, decides, and writes nothing
// but the working set; an error is a fault of the store and ends the shard.
func (sh *Shard) step(in *Input, now int64) (Outcome, error) {
	if in.control != nil {
		return sh.stepControl(in, now)
	}
	if in.void {
		return Superseded, nil
	}
	if in.Reject == nil {
		in.Reject = sh.checkTime(in, now)
	}
	if in.Reject == nil {
		in.Reject = sh.withoutBlocked(in)
	}
	if in.Reject == nil {
		var err error
		if in.Reject, err = sh.withoutErased(in); err != nil {
			return Rejected, err
		}
	}
	if in.Reject == nil && sh.cutOff(in) {
		return sh.stepCutOff(in)
	}
	if in.Reject == nil && in.Dataset.Class == ClassRecord {
		rejection, err := sh.checkSize(in)
		if err != nil {
			return Rejected, err
		}
		in.Reject = rejection
	}
	if in.Reject != nil {
		sh.reject(in)
		return Rejected, nil
	}
	if in.Op == OpDelete {
		return sh.delete(in)
	}
	if err := sh.introduce(in); err != nil {
		return Accepted, err
	}
	if in.Dataset.Class == ClassEvent {
		return sh.insertEvent(in, now)
	}
	return sh.joinFragment(in)
}

// checkTime compares the record's time with its effective append time: the greatest Kafka timestamp
// so far in its partition, bounded by the clock.
func (sh *Shard) checkTime(in *Input, now int64) *Rejection {
	appended := sh.appended(in, now)
	ds := in.Dataset
	if rejection := checkFuture(in.Stamp.Time, appended, ds.MaxFuture); rejection != nil {
		return rejection
	}
	if ds.Class != ClassEvent || ds.Retention == 0 || in.Op == OpDelete {
		return nil
	}
	if age := appended - in.Stamp.Time; age > int64(ds.Retention) {
		return &Rejection{Reason: ReasonTooOld, Wanted: "at most " + ds.Retention.String() +
			" before the append time", Found: roughly(age) + " before"}
	}
	return nil
}

// appended is the effective append time of a record.
func (sh *Shard) appended(in *Input, now int64) int64 {
	if reached := sh.position(partitionOf(in.Record.Pos)).row.MaxTime; reached != 0 {
		return reached
	}
	return now
}

func checkFuture(at, appended int64, limit time.Duration) *Rejection {
	ahead := at - appended
	if ahead <= int64(limit) {
		return nil
	}
	return &Rejection{Reason: ReasonFutureTimestamp, Found: roughly(ahead) + " after",
		Wanted: "at most " + limit.String() + " after the append time"}
}

func roughly(ns int64) string {
	d := time.Duration(ns)
	if d < time.Minute {
		return d.Round(time.Millisecond).String()
	}
	return strconv.FormatFloat(d.Hours(), 'f', 2, 64) + "h"
}

// checkSize refuses a record that would make its fragment exceed a limit.
func (sh *Shard) checkSize(in *Input) (*Rejection, error) {
	said := len(in.Fragment.Leaves) + len(in.Fragment.Edits)
	if said == 0 {
		return nil, nil
	}
	p, err := sh.state.person(in.Dataset.Entity, in.IDs.Primary)
	if err != nil {
		return nil, err
	}
	f, err := sh.fragment(p, in.Dataset.Name, in.cause())
	if err != nil {
		return nil, err
	}
	limits := sh.model.Limits
	said += len(f.Leaves) + len(f.Edits)
	if said <= min(limits.LeavesPerFragment, limits.ArrayEdits) {
		return nil, nil
	}
	joined := f.Clone()
	joined.Join(&in.Fragment)
	return checkFragment(joined, limits), nil
}

// introduce makes the record's identities known and asserts the links between them.
func (sh *Shard) introduce(in *Input) error {
	class := in.Dataset.Entity
	for _, id := range in.IDs.All {
		if err := sh.see(class, id, in.cause()); err != nil {
			return err
		}
	}
	return sh.linkRecord(in)
}

// joinFragment joins what a record says into its fragment.
func (sh *Shard) joinFragment(in *Input) (Outcome, error) {
	p, err := sh.state.person(in.Dataset.Entity, in.IDs.Primary)
	if err != nil {
		return Accepted, err
	}
	floors, err := sh.floorsOf(p, in.Dataset.Name)
	if err != nil {
		return Accepted, err
	}
	if in.Stamp.Before(profile.Later(p.row.Floor, floors.Fragment)) {
		// Deleted since. What the dataset itself has deleted is so when that is lifted, too.
		_, err := sh.joinInto(p, in, &profile.Fragment{Floor: in.Fragment.Floor})
		return Superseded, err
	}
	changed, err := sh.joinInto(p, in, &in.Fragment)
	if err != nil || changed || in.Fragment.IsZero() { // zero: a record of identities only
		return Accepted, err
	}
	return Superseded, nil
}

// joinInto joins what a record says into the fragment of its dataset under p.
func (sh *Shard) joinInto(p *person, in *Input, said *profile.Fragment) (changed bool, err error) {
	f, err := sh.fragment(p, in.Dataset.Name, in.cause())
	if err != nil || !f.Join(said) {
		return false, err
	}
	f.dirty = true
	p.row.Fragments = insertName(p.row.Fragments, in.Dataset.Name)
	sh.state.touch(p)
	sh.markDirty(p, in.cause())
	return true, nil
}

// delete applies a delete: of a fragment by its floor, of an event by its id. It asserts no links,
// and takes back those of a dataset whose links are the current ones.
func (sh *Shard) delete(in *Input) (Outcome, error) {
	if in.Dataset.Class == ClassEvent {
		return sh.deleteEvent(in)
	}
	if err := sh.see(in.Dataset.Entity, in.IDs.Primary, in.cause()); err != nil {
		return Accepted, err
	}
	if in.Dataset.CurrentLinks {
		if err := sh.assertCurrent(in); err != nil {
			return Accepted, err
		}
	}
	return sh.joinFragment(in)
}

// insertEvent stores an event unless its id is known. Of several copies the one with the least
// stamp stands, whichever comes first.
func (sh *Shard) insertEvent(in *Input, now int64) (Outcome, error) {
	ds := in.Dataset
	if expired(ds, in.Stamp.Time, now) && !sh.folds(ds.Entity, ds.Name) {
		return Superseded, nil // when it came it was in time; that was long ago
	}
	p, err := sh.state.person(ds.Entity, in.IDs.Primary)
	if err != nil {
		return Accepted, err
	}
	floors, err := sh.floorsOf(p, ds.Name)
	if err != nil {
		return Accepted, err
	}
	if bars(&floors, in.Stamp.Time, in.Record.Pos, sh.topicID(in)) {
		return Superseded, nil
	}
	e, err := sh.eventID(ds.Name, in.EventID, in.cause())
	if err != nil {
		return Accepted, err
	}
	if e.row.Expired ||
		!e.row.Stamp.IsZero() && !in.Stamp.Before(e.row.Stamp) && !sh.lifted(p, &e.row) {
		return Duplicate, nil
	}
	if e.row.Exists() {
		if err := sh.takeEvent(ds.Name, in.EventID, &e.row, in.cause()); err != nil {
			return Accepted, err
		}
	}
	e.row.Stamp, e.row.Class, e.row.Identity = in.Stamp, ds.Entity, in.IDs.Primary
	sh.hide(p, &e.row, in.Stamp.Before(p.row.Floor))
	sh.state.touchEventID(ds.Name, in.EventID, e)
	if !e.row.Exists() {
		return Superseded, nil
	}
	ref, row := sh.eventRef(in, &e.row), &store.Event{Stamp: in.Stamp, Body: in.Body}
	sh.state.setEvent(ref, row)
	sh.awaitExpiry(p, ds, in.Stamp.Time)
	if !slices.Contains(p.row.Events, ds.Name) {
		p.row.Events = insertName(p.row.Events, ds.Name)
		sh.state.touch(p)
		sh.markDirty(p, in.cause())
	}
	return Accepted, sh.computedInsert(p, ref, row, in.cause())
}

// deleteEvent removes the event of an id; copies of it that come later stay away.
func (sh *Shard) deleteEvent(in *Input) (Outcome, error) {
	e, err := sh.eventID(in.Dataset.Name, in.EventID, in.cause())
	if err != nil {
		return Accepted, err
	}
	if !e.row.Deleted.Before(in.Stamp) {
		return Superseded, nil
	}
	existed := e.row.Exists()
	if ds := in.Dataset; e.row.Expired && e.row.Deleted.Before(e.row.Stamp) &&
		!in.Stamp.Before(e.row.Stamp) && sh.folds(ds.Entity, ds.Name) {
		sh.counts.deleteMissed(ds.Name) // nobody knows any more whose event it was
	}
	e.row.Deleted = in.Stamp
	sh.state.touchEventID(in.Dataset.Name, in.EventID, e)
	if existed && !e.row.Exists() {
		return Accepted, sh.takeEvent(in.Dataset.Name, in.EventID, &e.row, in.cause())
	}
	return Accepted, nil
}

// takeEvent takes the stored copy of an event away from the identity that holds it.
func (sh *Shard) takeEvent(dataset, id string, row *store.EventID, why cause) error {
	p, err := sh.state.person(row.Class, row.Identity)
	if err != nil {
		return err
	}
	ref := store.EventRef{Class: row.Class, Identity: row.Identity, Time: row.Stamp.Time,
		Dataset: dataset, ID: id}
	if err := sh.dropEvent(p, ref, why); err != nil {
		return err
	}
	left, err := sh.state.hasEvents(p, dataset)
	if err != nil || left {
		return err
	}
	p.row.Events = slices.DeleteFunc(slices.Clone(p.row.Events), func(name string) bool {
		return name == dataset
	})
	sh.state.touch(p)
	sh.markDirty(p, why)
	return nil
}

// hide notes whether the copy of an event that stands lies below the floor of its identity p.
func (sh *Shard) hide(p *person, row *store.EventID, hidden bool) {
	row.Hidden, row.Holder = hidden, store.Hash{}
	if hidden {
		row.Holder = sh.hash(p)
	}
}

// lifted reports whether the copy of an event that stands was hidden by a floor of p that has been
// lifted since. Its body is gone: the next copy stands for it.
func (sh *Shard) lifted(p *person, row *store.EventID) bool {
	return row.Hidden && row.Holder == sh.hash(p) && !row.Stamp.Before(p.row.Floor)
}

// dropEvent takes an event out of the store, and out of what was computed from it.
func (sh *Shard) dropEvent(p *person, ref store.EventRef, why cause) error {
	row, err := sh.state.event(ref)
	if err != nil {
		return err
	}
	sh.state.setEvent(ref, nil)
	if row == nil {
		return nil
	}
	return sh.computedDelete(p, ref, row, why)
}

func (sh *Shard) eventRef(in *Input, row *store.EventID) store.EventRef {
	return store.EventRef{Class: row.Class, Identity: row.Identity, Time: row.Stamp.Time,
		Dataset: in.Dataset.Name, ID: in.EventID}
}

// insertName returns names, sorted, with name among them; the given slice is not changed.
func insertName(names []string, name string) []string {
	i, found := slices.BinarySearch(names, name)
	if found {
		return names
	}
	return slices.Insert(slices.Clone(names), i, name)
}
