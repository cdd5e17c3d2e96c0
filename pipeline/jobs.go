package pipeline

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"selfsame/profile"
	"selfsame/store"
)

// Kinds of job. They are part of the on-disk format.
const (
	jobRemerge = "remerge" // merge all profiles of a class anew
	jobPurge   = "purge"   // remove the events below the floors of some identities
	jobClear   = "clear"   // remove the links of an identity
	jobTrim    = "trim"    // remove the events of one dataset and identity, by position
	jobDrop    = "drop"    // remove what a dataset said, by position
	jobErase   = "erase"   // remove what is stored of identities
	jobRetain  = "retain"  // look at every identity again, under other retentions
	jobReform  = "reform"  // decide all clusters of a class again, under other rules
)

// JobKinds lists the kinds of job.
func JobKinds() []string {
	return []string{jobRemerge, jobPurge, jobClear, jobTrim, jobDrop, jobErase, jobRetain,
		jobReform, jobPolicy, jobBackfill}
}

// Units of work of one step of a job: one commit. Under traffic a step is small, so that records do
// not wait for it, and has a pace.
const (
	jobStepBusy = 100
	jobStepIdle = 1000
)

// jobRetention is how long a finished job is still listed.
const jobRetention = 7 * 24 * time.Hour

// timerForgetJob is the kind of timer that removes a finished job; its key is the job's id.
const timerForgetJob = "(forget-job)"

// remergeArgs are the arguments of a remerge.
type remergeArgs struct {
	Class string `json:"class"`
	All   bool   `json:"all"` // emit also what did not change
}

// purgeArgs are the arguments of a purge.
type purgeArgs struct {
	Class      string   `json:"class"`
	Identities []string `json:"identities"`
}

// clearArgs are the arguments of a clear.
type clearArgs struct {
	Class    string `json:"class"`
	Identity string `json:"identity"`
}

var errJobIdentity = errors.New("an identity of it cannot be read")

// startJob begins background work for an operation. The job has the id of the operation. Its first
// step is taken by a later commit: jobs walk over rows that are stored, and this commit can hold
// more that the operation is about.
func (sh *Shard) startJob(op *operation, kind string, args any) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("starting job %s: %w", op.ID, err)
	}
	op.row.Job = op.ID
	job := &store.Job{ID: op.ID, Kind: kind, Args: raw, State: store.JobRunning,
		Cause: op.in.Record.Pos, Created: op.now}
	sh.jobs = append(sh.jobs, job)
	sh.touchedJobs = append(sh.touchedJobs, job)
	sh.startedJobs++
	return nil
}

// causeOf is what a job does something for.
func (sh *Shard) causeOf(job *store.Job) (cause, error) {
	row, err := sh.state.appliedOf(job.ID)
	if err != nil || row == nil {
		return cause{job.Cause, job.Created, ControlName}, err
	}
	return cause{job.Cause, row.Time, ControlName}, nil
}

// runJob takes a step of so many units of the job whose turn it is.
func (sh *Shard) runJob(units int, now int64) error {
	if len(sh.jobs) == 0 {
		return nil
	}
	job := sh.jobs[0]
	if job.Created == 0 {
		job.Created = now // no record began it: it begins here
	}
	delete(sh.leftovers, job)
	switch job.Kind {
	case jobPurge, jobTrim, jobErase, jobClear:
		units = min(units, sh.stepLimit)
	}
	done, err := sh.stepJob(job, units)
	if err != nil {
		return fmt.Errorf("working on job %s: %w", job.ID, err)
	}
	delete(sh.leftovers, job)
	sh.touchedJobs = append(sh.touchedJobs, job)
	sh.jobs = sh.jobs[1:]
	if !done {
		sh.jobs = append(sh.jobs, job)
		return nil
	}
	return sh.finishJob(job, now)
}

func (sh *Shard) stepJob(job *store.Job, limit int) (done bool, err error) {
	switch job.Kind {
	case jobRemerge:
		var args remergeArgs
		if err := json.Unmarshal(job.Args, &args); err != nil {
			return false, err
		}
		return sh.stepRemerge(job, args, limit)
	case jobPurge:
		var args purgeArgs
		if err := json.Unmarshal(job.Args, &args); err != nil {
			return false, err
		}
		return sh.stepPurge(job, args, limit)
	case jobClear:
		var args clearArgs
		if err := json.Unmarshal(job.Args, &args); err != nil {
			return false, err
		}
		return sh.stepClear(job, args, limit)
	case jobTrim:
		var args trimArgs
		if err := json.Unmarshal(job.Args, &args); err != nil {
			return false, err
		}
		return sh.stepTrim(job, args, limit)
	case jobDrop:
		var args dropArgs
		if err := json.Unmarshal(job.Args, &args); err != nil {
			return false, err
		}
		return sh.stepDrop(job, args, limit)
	case jobRetain:
		var args retainArgs
		if err := json.Unmarshal(job.Args, &args); err != nil {
			return false, err
		}
		return sh.stepRetain(job, args, limit)
	case jobErase:
		var args eraseArgs
		if err := json.Unmarshal(job.Args, &args); err != nil {
			return false, err
		}
		return sh.stepErase(job, args, limit)
	case jobReform:
		var args reformArgs
		if err := json.Unmarshal(job.Args, &args); err != nil {
			return false, err
		}
		return sh.stepReform(job, args, limit)
	case jobPolicy:
		var args policyArgs
		if err := json.Unmarshal(job.Args, &args); err != nil {
			return false, err
		}
		return sh.stepPolicy(job, args, limit)
	case jobBackfill:
		var args backfillArgs
		if err := json.Unmarshal(job.Args, &args); err != nil {
			return false, err
		}
		return sh.stepBackfill(job, args, limit)
	}
	return false, fmt.Errorf("its kind %q is not known to this program", job.Kind)
}

// finishJob keeps a finished job for a while, and completes the record of its operation.
func (sh *Shard) finishJob(job *store.Job, now int64) error {
	job.State, job.Finished, job.Total = store.JobDone, now, job.Done
	job.Args, job.Cursor = nil, nil // they can name identities
	delete(sh.drops, job.ID)
	sh.counts.jobsDone++
	sh.setTimer(store.Timer{At: now + int64(jobRetention), Kind: timerForgetJob, Key: job.ID})
	row, err := sh.state.appliedOf(job.ID)
	if err != nil || row == nil {
		return err
	}
	done := *row
	done.Job = ""
	switch job.Kind { // the others have counted as they went
	case jobPurge:
		done.Events += job.Done
	case jobClear:
		done.Links += job.Done
	}
	sh.state.setApplied(job.ID, &done)
	sh.audit(auditOf(job.ID, auditDone, &done))
	return nil
}

// stepRemerge marks the next clusters of a class, which settle then merges.
func (sh *Shard) stepRemerge(job *store.Job, args remergeArgs, limit int) (done bool, err error) {
	if sh.model.Entity(args.Class) == nil {
		return true, nil // the class is no longer configured: there is nothing to emit
	}
	clusters, next, err := sh.nextClusters(args.Class, job.Cursor, limit)
	if err != nil {
		return false, err
	}
	why := cause{job.Cause, math.MinInt64, ControlName}
	for _, c := range clusters {
		if err := sh.remerge(clusterKey{args.Class, c.id}, why, args.All); err != nil {
			return false, err
		}
	}
	job.Done += uint64(len(clusters))
	if done = next == nil; !done {
		job.Cursor = next
		job.Total = estimate(job.Done, job.Cursor)
	}
	return done, nil
}

// walked reports whether a job walks through clusters to have profiles settled, and whether one of
// them has all put out again. Who moves meanwhile from a cluster that it has not come to into one
// that it has passed would be left out: the own profile of who moves is settled then.
func (sh *Shard) walked() (walked, again bool) {
	for _, job := range sh.jobs {
		switch job.Kind {
		case jobBackfill, jobPolicy:
			walked = true
		case jobRemerge:
			var args remergeArgs
			walked = true
			again = again || json.Unmarshal(job.Args, &args) == nil && args.All
		}
	}
	return walked, again
}

// remerge marks one cluster; all also assigns its members anew, under a new version.
func (sh *Shard) remerge(key clusterKey, why cause, all bool) error {
	d := sh.markCluster(key.class, key.id, why)
	d.again = d.again || all
	c, err := sh.state.cluster(key.class, key.id)
	if err != nil {
		return err
	}
	for _, id := range c.members {
		if own := sh.markAlone(personKey{key.class, id}, why); own != nil {
			own.again = own.again || all
		}
		if !all {
			continue
		}
		p, err := sh.state.person(key.class, id)
		if err != nil {
			return err
		}
		p.row.Version = sh.version
		sh.state.touch(p)
		sh.enqueueAssignment(key.class, id)
	}
	return nil
}

// stepPurge removes the next events below the floors of the identities.
func (sh *Shard) stepPurge(job *store.Job, args purgeArgs, limit int) (done bool, err error) {
	of, err := sh.causeOf(job)
	if err != nil {
		return false, err
	}
	floor := floorAfter(of.time, job.Cause)
	at := 0
	if len(job.Cursor) == 8 {
		at = int(binary.BigEndian.Uint64(job.Cursor))
	}
	for ; at < len(args.Identities) && limit > 0; at++ {
		id, ok := profile.ParseIdentity(args.Identities[at])
		if !ok {
			return false, fmt.Errorf("identity %d of it cannot be read", at)
		}
		p, err := sh.state.person(args.Class, id)
		if err != nil {
			return false, err
		}
		why := cause{job.Cause, math.MinInt64, ControlName}
		n, more, err := sh.purge(p, floor, limit, why)
		if err != nil {
			return false, err
		}
		if !more {
			if err := sh.reveal(p, job, why); err != nil {
				return false, err
			}
		}
		job.Done += uint64(n)
		job.Total = max(job.Total, job.Done)
		if limit -= n; more {
			break
		}
	}
	job.Cursor = binary.BigEndian.AppendUint64(nil, uint64(at))
	return at == len(args.Identities), nil
}

// reveal shows what has come of p since it was concealed, unless another job still removes of it.
func (sh *Shard) reveal(p *person, but *store.Job, why cause) error {
	if !p.known || !p.row.Erasing {
		return nil
	}
	all, err := sh.unfinishedOf(p)
	other := func(u *unfinished) bool { return u.job != but && u.trim == nil }
	if err != nil || slices.ContainsFunc(all, other) {
		return err
	}
	p.row.Erasing = false
	sh.state.touch(p)
	sh.markDirty(p, why)
	return nil
}

// writeJobs puts what the commit has changed of jobs into b.
func (sh *Shard) writeJobs(b *store.Batch) {
	for _, job := range sh.touchedJobs {
		b.SetJob(job)
	}
	for _, id := range sh.forgottenJobs {
		b.DeleteJob(id)
	}
}
