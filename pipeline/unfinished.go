package pipeline

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// A deletion that has much to remove goes on in the background. What comes meanwhile finds what it
// would find if all had gone at once: an event that is still to go goes as soon as its id comes
// again, by the deletion that was first. A lift removes what is left before it takes floors back,
// so that what comes after it counts.

// unlimited is a limit of work that none exceeds.
const unlimited = math.MaxInt / visitsPerUnit

// unfinished is what a running job still has to remove of identities.
type unfinished struct {
	job   *store.Job
	at    int                // how many of its people have ended
	has   map[personKey]bool // the others; none of a job that looks for people
	floor profile.Stamp      // below which it removes
	trim  *trimArgs          // what it removes, of a trim
	cut   store.Cut          // likewise
	args  eraseArgs          // of an erasure
}

// unfinishedJob is what a job still has to remove; nil of one that removes no events of identities.
func (sh *Shard) unfinishedJob(job *store.Job) (*unfinished, error) {
	if u, known := sh.leftovers[job]; known {
		return u, nil
	}
	u := &unfinished{job: job, has: map[personKey]bool{}}
	var err error
	switch job.Kind {
	case jobPurge:
		err = u.readPurge()
	case jobTrim:
		err = u.readTrim()
	case jobErase:
		err = u.readErase()
	default:
		u = nil
	}
	if err != nil {
		return nil, err
	}
	if u != nil {
		why, err := sh.causeOf(job)
		if err != nil {
			return nil, err
		}
		u.floor = reach(floorAfter(why.time, job.Cause), u.args.Suppress)
	}
	if sh.leftovers == nil {
		sh.leftovers = map[*store.Job]*unfinished{}
	}
	sh.leftovers[job] = u
	return u, nil
}

func (u *unfinished) readPurge() error {
	var args purgeArgs
	if err := json.Unmarshal(u.job.Args, &args); err != nil {
		return err
	}
	if len(u.job.Cursor) == 8 {
		u.at = int(binary.BigEndian.Uint64(u.job.Cursor))
	}
	return u.list(eraseArgs{Class: args.Class, Identities: args.Identities})
}

// list notes of whom something is left.
func (u *unfinished) list(args eraseArgs) error {
	people, err := args.people()
	for _, key := range people[min(u.at, len(people)):] {
		u.has[key] = true
	}
	return err
}

func (u *unfinished) readTrim() error {
	u.trim = &trimArgs{}
	if err := json.Unmarshal(u.job.Args, u.trim); err != nil {
		return err
	}
	if len(u.job.Cursor) > 0 {
		if err := json.Unmarshal(u.job.Cursor, &u.trim.From); err != nil {
			return err
		}
	}
	if u.cut = cutOfParts(u.trim.Cut); u.trim.Identity == "" {
		return nil
	}
	return u.list(eraseArgs{Class: u.trim.Class, Identities: []string{u.trim.Identity}})
}

func (u *unfinished) readErase() error {
	if err := json.Unmarshal(u.job.Args, &u.args); err != nil {
		return err
	}
	if u.args.looks() {
		return nil
	}
	if len(u.job.Cursor) > 0 {
		if err := json.Unmarshal(u.job.Cursor, &u.at); err != nil {
			return err
		}
	}
	return u.list(u.args)
}

// unfinishedOf lists what is still to be removed of p, in the order in which it was asked for.
func (sh *Shard) unfinishedOf(p *person) ([]*unfinished, error) {
	var all []*unfinished
	for _, job := range sh.jobs {
		u, err := sh.unfinishedJob(job)
		if err != nil {
			return nil, err
		}
		if u != nil && u.has[p.key] {
			all = append(all, u)
		}
	}
	slices.SortStableFunc(all, func(a, b *unfinished) int {
		return cmp.Compare(a.job.Cause.Offset, b.job.Cause.Offset)
	})
	return all, nil
}

// waitsForOthers reports whether a job that looks for what was deleted in another life is not to
// begin yet: what this store has begun itself goes first, and who was erased goes before what was
// lifted.
func (sh *Shard) waitsForOthers(args *eraseArgs) (bool, error) {
	for _, job := range sh.jobs {
		u, err := sh.unfinishedJob(job)
		if err != nil {
			return false, err
		}
		if u != nil && (len(u.has) > 0 || u.args.Scan && !args.Scan) {
			return true, nil
		}
	}
	return false, nil
}

// remover removes events of an identity of which something is still to be removed.
type remover struct {
	sh  *Shard
	p   *person
	all []*unfinished // as they were asked for
}

func (sh *Shard) remover(p *person) (*remover, error) {
	all, err := sh.unfinishedOf(p)
	return &remover{sh, p, all}, err
}

// covering is the first that covers an event, which a record of a stamp has told; nil where none
// does.
func (r *remover) covering(ref store.EventRef, s profile.Stamp) *unfinished {
	for _, u := range r.all {
		covers := ref.Time < u.floor.Time
		if u.trim != nil {
			covers = ref.Dataset == u.trim.Dataset && u.trim.From <= ref.Time &&
				ref.Time <= u.trim.To && u.cut.Covers(s.Pos)
		}
		if covers {
			return u
		}
	}
	return nil
}

// barsStored reports whether floors turn an event away that is stored.
func barsStored(floors []store.EventFloor, at int64, pos profile.Position) bool {
	return slices.ContainsFunc(floors, func(f store.EventFloor) bool {
		return f.From <= at && at <= f.To && f.Cut.Covers(pos)
	})
}

// free forgets the id of an event that is removed, so that it can come again, or remembers it, as
// the first deletion does that covers it. kind is that of the one at hand, where no other does.
func (r *remover) free(ref store.EventRef, e *eventID, kind string) {
	if first := r.covering(ref, e.row.Stamp); first != nil {
		kind = first.job.Kind
	}
	sh, p := r.sh, r.p
	switch kind {
	case jobPurge:
		sh.hide(p, &e.row, true)
	case jobTrim:
		e.row = store.EventID{Deleted: e.row.Deleted}
	default:
		e.row = store.EventID{}
	}
	sh.state.touchEventID(ref.Dataset, ref.ID, e)
}

// finishEvent removes an event that is still to be removed, before a record of its id is looked at.
func (sh *Shard) finishEvent(dataset, id string, e *eventID, why cause) error {
	if len(sh.jobs) == 0 || !e.row.Exists() {
		return nil
	}
	p, err := sh.state.person(e.row.Class, e.row.Identity)
	if err != nil {
		return err
	}
	r, err := sh.remover(p)
	if err != nil || len(r.all) == 0 {
		return err
	}
	ref := store.EventRef{Class: e.row.Class, Identity: e.row.Identity, Time: e.row.Stamp.Time,
		Dataset: dataset, ID: id}
	u := r.covering(ref, e.row.Stamp)
	if u == nil {
		return nil
	}
	if err := sh.takeEvent(dataset, id, &e.row, why); err != nil {
		return err
	}
	r.free(ref, e, u.job.Kind)
	return sh.countFor(u.job, p.key.class, removed{events: 1})
}

// deleting reports whether deletions have still to remove events of p. Before they have, nobody
// knows whether an erasure leaves something of it.
func (sh *Shard) deleting(p *person) (bool, error) {
	all, err := sh.unfinishedOf(p)
	return slices.ContainsFunc(all, func(u *unfinished) bool { return u.waits() == 0 }), err
}

// keep has the identity stay in the end where something newer is there when its erasure begins,
// whatever becomes of that until all else is gone.
func (e *erasure) keep(newerWord bool) error {
	if !e.first || !e.hashed {
		return nil
	}
	newer := newerWord || len(e.p.row.Fragments) > 0
	for _, look := range []func() (bool, error){e.newerEvent, e.newerLink} {
		if newer {
			break
		}
		var err error
		if newer, err = look(); err != nil {
			return err
		}
	}
	e.p.row.Named = e.p.row.Named || newer
	e.sh.state.touch(e.p)
	return nil
}

// newerEvent reports whether there is a newer event that nothing else is to remove.
func (e *erasure) newerEvent() (newer bool, err error) {
	r, err := e.sh.remover(e.p)
	if err != nil {
		return false, err
	}
	var failed error
	err = e.sh.state.events(e.p, e.floor.Time, math.MaxInt64, func(ref store.EventRef) bool {
		id, err := e.sh.state.eventID(ref.Dataset, ref.ID)
		if err == nil {
			newer = r.covering(ref, id.row.Stamp) == nil
		}
		failed = err
		return err == nil && !newer
	})
	return newer, errors.Join(err, failed)
}

// newerLink reports whether a newer record has asserted a link that no other erasure is to remove.
func (e *erasure) newerLink() (bool, error) {
	floor := e.floor
	all, err := e.sh.unfinishedOf(e.p)
	if err != nil {
		return false, err
	}
	for _, u := range all {
		if u.job.Kind == jobErase {
			floor = profile.Later(floor, u.floor)
		}
	}
	others, err := e.sh.state.neighbours(e.p)
	for _, other := range others {
		if err != nil {
			return false, err
		}
		var l *link
		l, err = e.sh.state.link(e.p.key.class, e.p.key.id, other)
		if err == nil && !l.row.Latest().Before(floor) {
			return true, nil
		}
	}
	return false, err
}

// waits is 1 of what is done when all else is.
func (u *unfinished) waits() int {
	if u.job.Kind == jobErase {
		return 1
	}
	return 0
}

// countFor counts what was removed for a job by another hand than its own.
func (sh *Shard) countFor(job *store.Job, class string, n removed) error {
	job.Done += uint64(n.sum())
	sh.touchedJobs = append(sh.touchedJobs, job)
	if job.Kind == jobPurge {
		return nil // it tells when it is done
	}
	return sh.addRemoved(job, class, n)
}

// finish removes at once what running jobs still have to remove of p, and has them leave it alone.
func (sh *Shard) finish(p *person) error {
	all, err := sh.unfinishedOf(p)
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b *unfinished) int { return a.waits() - b.waits() })
	for _, u := range all {
		n, err := sh.finishJobOf(u, p)
		if err != nil {
			return err
		}
		if err := sh.countFor(u.job, p.key.class, n); err != nil {
			return err
		}
		if u.job.Args, err = u.without(p.key); err != nil {
			return err
		}
		delete(sh.leftovers, u.job)
	}
	return nil
}

// finishJobOf does all that is left of a job for p.
func (sh *Shard) finishJobOf(u *unfinished, p *person) (n removed, err error) {
	why, err := sh.causeOf(u.job)
	if err != nil || !p.known {
		return n, err
	}
	switch {
	case u.trim != nil:
		n.events, _, err = sh.trim(p, u.trim, unlimited, why)
		return n, err
	case u.job.Kind == jobErase:
		e := &erasure{sh: sh, p: p, floor: u.floor, why: why, limit: unlimited, job: u.job,
			hashed: true}
		_, err = e.step()
		return e.removed, err
	}
	if n.events, _, err = sh.purge(p, u.floor, unlimited, why); err != nil {
		return n, err
	}
	return n, sh.reveal(p, u.job, why)
}

// without gives the arguments of the job without somebody of whom something is left.
func (u *unfinished) without(key personKey) ([]byte, error) {
	at := 0
	but := func(class string, ids []string) []string {
		var others []string
		for _, id := range ids {
			if at < u.at || class != key.class || id != key.id.String() {
				others = append(others, id)
			}
			at++
		}
		return others
	}
	switch u.job.Kind {
	case jobTrim:
		args := *u.trim
		args.Identity = ""
		return json.Marshal(args)
	case jobErase:
		args := u.args
		args.Identities = but(args.Class, args.Identities)
		args.Parts = slices.Clone(args.Parts)
		for i := range args.Parts {
			args.Parts[i].Identities = but(args.Parts[i].Class, args.Parts[i].Identities)
		}
		return json.Marshal(args)
	}
	var args purgeArgs
	if err := json.Unmarshal(u.job.Args, &args); err != nil {
		return nil, err
	}
	args.Identities = but(args.Class, args.Identities)
	return json.Marshal(args)
}
