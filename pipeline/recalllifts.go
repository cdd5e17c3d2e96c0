package pipeline

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"selfsame/computed"
	"selfsame/profile"
	"selfsame/store"
)

// What was deleted and lifted afterwards does not come back by itself. A store that is older than
// both still holds it, and no floor says that it has to go: it goes before any input is consumed
// again, so that what is consumed again after it counts.

// liftedArgs are a deletion that another life of the store had applied to an identity, and that was
// lifted later.
type liftedArgs struct {
	Hash     string           `json:"hash"`
	Floor    profile.Stamp    `json:"floor"`
	Erase    bool             `json:"erase,omitempty"` // otherwise the identity and its links stay
	Suppress bool             `json:"suppress,omitempty"`
	Cause    profile.Position `json:"cause"`
	// Dataset is that of a deletion of a fragment, or of events.
	Dataset string      `json:"dataset,omitempty"`
	Events  *liftedSpan `json:"events,omitempty"`
}

// liftedSpan are events of one dataset that were deleted by position.
type liftedSpan struct {
	From int64          `json:"from"` // on the way the next time to look at
	To   int64          `json:"to"`
	Cut  []auditCutPart `json:"cut"`
}

// liftedJobs begins the ids of the jobs that look for what was deleted and lifted.
const liftedJobs = "lifted-elsewhere/"

// recallLifted begins a job for each class of which something was deleted and lifted that the store
// does not know of. Of each life there is one: what a later start of it would find was consumed
// again. incarnation is the life's.
func (sh *Shard) recallLifted(incarnation uint64) error {
	byClass := map[string][]liftedArgs{}
	for _, key := range sh.recalled.inOrder() {
		op := sh.recalled.ops[key]
		known, err := sh.state.appliedOf(key.id)
		if err != nil {
			return err
		}
		if class := op.entry.Class; known == nil && sh.model.Entity(class) != nil {
			byClass[class] = append(byClass[class], sh.liftedOf(op)...)
		}
	}
	begun := map[string]bool{}
	err := sh.state.reader.Jobs(func(job *store.Job) error {
		begun[job.ID] = true
		return nil
	})
	if err != nil {
		return err
	}
	for _, class := range sortedNames(byClass) {
		id := fmt.Sprintf("%s%s/%d", liftedJobs, class, incarnation)
		if begun[id] || len(byClass[class]) == 0 {
			continue
		}
		args, err := json.Marshal(eraseArgs{Class: class, Lifted: byClass[class]})
		if err != nil {
			return err
		}
		job := &store.Job{ID: id, Kind: jobErase, Args: args, State: store.JobRunning,
			Cause: byClass[class][0].Cause}
		sh.jobs, sh.touchedJobs = append(sh.jobs, job), append(sh.touchedJobs, job)
	}
	return nil
}

// liftedOf lists the identities for which a deletion was lifted later.
func (sh *Shard) liftedOf(op *recalledOp) []liftedArgs {
	e := op.entry
	at, err := parseInstant(e.Time)
	if err != nil {
		return nil
	}
	one := liftedArgs{Suppress: e.Suppress}
	switch ControlOp(e.Op) {
	case ControlErase:
		one.Erase = true
	case ControlDeleteFragment:
		one.Dataset = e.Dataset
	case ControlDeleteEvents:
		from, to, err := parseRange(e.From, e.Until)
		if err != nil {
			return nil
		}
		one.Dataset, one.Events = e.Dataset, &liftedSpan{From: from, To: to, Cut: e.Cut}
	case ControlDeleteProfile:
	default:
		return nil
	}
	if one.Dataset != "" && sh.model.Dataset(one.Dataset) == nil {
		return nil
	}
	hashes := slices.Clone(op.hashes)
	for _, id := range op.ids {
		hashes = append(hashes, sh.hashOf(e.Class, id))
	}
	one.Cause = profile.Position(*e.Cause)
	one.Floor = floorAfter(at, one.Cause)
	var all []liftedArgs
	for _, hash := range hashes {
		if op.lifted[hash] {
			one.Hash = hex.EncodeToString(hash[:])
			all = append(all, one)
		}
	}
	return all
}

// takeGone works on these jobs, and on those that look for who was erased, until none is left: what
// a store that is older than an erasure still holds is not to be seen or put out any more.
func (p *Publisher) takeGone(ctx context.Context) error {
	sh := p.shard
	mine := func(job *store.Job) bool {
		return strings.HasPrefix(job.ID, liftedJobs) || strings.HasPrefix(job.ID, erasedJobs)
	}
	if !slices.ContainsFunc(sh.jobs, mine) {
		return nil
	}
	p.o.Log.Info("looking for what was erased, or deleted and lifted, since the copy was made, " +
		"before anything is shown or consumed")
	for slices.ContainsFunc(sh.jobs, mine) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := sh.Apply(nil, p.o.Now().UnixNano()); err != nil {
			return err
		}
	}
	return nil
}

// stepLifted looks for the next identity of which something was deleted and lifted, and removes it.
func (sh *Shard) stepLifted(job *store.Job, args eraseArgs, limit int) (done bool, err error) {
	byHash := map[store.Hash][]*liftedArgs{}
	for i := range args.Lifted {
		one := &args.Lifted[i]
		for _, hash := range hashesOf([]string{one.Hash}) {
			byHash[hash] = append(byHash[hash], one)
		}
	}
	visits, place, last := 0, job.Cursor, job.Cursor
	var found *person
	err = sh.state.reader.Walk(args.Class, job.Cursor, func(key []byte, item *store.Item) error {
		if visits == limit*visitsPerUnit || found != nil {
			return store.ErrStop
		}
		visits++
		last = slices.Clone(key)
		if item.Kind == store.ItemIdentity {
			p, err := sh.state.person(args.Class, item.Identity)
			if err != nil {
				return err
			}
			if p.known && len(byHash[sh.hash(p)]) > 0 {
				found = p
				return store.ErrStop
			}
		}
		place = last
		return nil
	})
	if err != nil {
		return false, err
	}
	if found != nil {
		ended, err := sh.removeLifted(job, found, byHash[sh.hash(found)], limit)
		if err != nil {
			return false, err
		}
		if ended {
			place = last
		}
		if job.Args, err = json.Marshal(args); err != nil { // how far it has come in spans
			return false, err
		}
	}
	job.Cursor = place
	return visits == 0, nil
}

// removeLifted removes what is stored of p that was deleted and lifted; ended says that it is all.
func (sh *Shard) removeLifted(job *store.Job, p *person, all []*liftedArgs, limit int) (
	ended bool, err error) {
	for _, one := range all {
		if !p.known {
			break
		}
		floor := reach(one.Floor, one.Suppress)
		why := cause{one.Cause, one.Floor.Time - 1, ControlName}
		done, n := false, removed{}
		switch {
		case one.Erase:
			done, n, err = sh.eraseLifted(p, floor, limit, why)
		case one.Events != nil:
			done, n, err = sh.trimLifted(p, one, limit, why)
		case one.Dataset != "":
			done = true
			n.fragments, err = sh.sinkLifted(p, []string{one.Dataset}, floor, why)
		default:
			done, n, err = sh.deleteLifted(p, floor, limit, why)
		}
		job.Done += uint64(n.sum())
		if err != nil || !done {
			return false, err
		}
	}
	return true, nil
}

// eraseLifted takes a step of an erasure that leaves no floor.
func (sh *Shard) eraseLifted(p *person, floor profile.Stamp, limit int, why cause) (
	done bool, n removed, err error) {
	p.row.Named = false
	if err := sh.cutLoose([]*person{p}, floor, why); err != nil {
		return false, n, err
	}
	e := &erasure{sh: sh, p: p, floor: floor, why: why, limit: limit}
	done, err = e.step()
	if err == nil && done && p.known {
		p.row.FirstSeen = floor.Time
		if p.row.Unlinked == floor {
			p.row.Unlinked = profile.Stamp{}
		}
		sh.state.touch(p)
	}
	return done, e.removed, err
}

// deleteLifted takes a step of a deletion of a profile that leaves no floor.
func (sh *Shard) deleteLifted(p *person, floor profile.Stamp, limit int, why cause) (
	done bool, n removed, err error) {
	if n.days, err = sh.computedBefore(p, floor.Time, why); err != nil {
		return false, n, err
	}
	if n.fragments, err = sh.sinkLifted(p, p.row.Fragments, floor, why); err != nil {
		return false, n, err
	}
	var more bool
	n.events, more, err = sh.purge(p, floor, limit, why)
	return !more, n, err
}

// sinkLifted removes what fragments of p hold below a floor, and counts those that went.
func (sh *Shard) sinkLifted(p *person, datasets []string, floor profile.Stamp, why cause) (n int,
	err error) {
	for _, dataset := range slices.Clone(datasets) {
		f, err := sh.state.fragment(p, dataset)
		if err != nil {
			return n, err
		}
		if sh.sinkFragment(p, dataset, f, floor) {
			n++
		}
	}
	sh.markDirty(p, why)
	return n, nil
}

// trimLifted takes a step of a deletion of events that leaves no floor.
func (sh *Shard) trimLifted(p *person, one *liftedArgs, limit int, why cause) (done bool,
	n removed, err error) {
	span := one.Events
	floor := store.EventFloor{From: span.From, To: span.To, Cut: cutOfParts(span.Cut)}
	days, err := sh.computedDays(p, one.Dataset, computed.Day(span.From), computed.Day(span.To),
		why)
	if err != nil {
		return false, n, err
	}
	n.days = days.Days
	args := trimArgs{Dataset: one.Dataset, From: span.From, To: span.To}
	var next *int64
	n.events, next, err = sh.trimBy(p, &args, []store.EventFloor{floor}, limit, why)
	if next != nil {
		span.From = *next
	}
	return next == nil, n, err
}
