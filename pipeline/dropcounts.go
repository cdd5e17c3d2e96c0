package pipeline

import (
	"cmp"
	"encoding/json"

	"selfsame/profile"
	"selfsame/store"
)

// What a dataset had said goes by the job that drops it, or where a newer record touches it. Either
// way it counts for the operation whose cut covers it: the record of its end tells the whole.

// dropJob is a drop that runs.
type dropJob struct {
	job     *store.Job
	dataset string
	cut     store.Cut // up to where it acts; zero: the job of a former version does not say
}

// covers reports whether the operation of the drop is about what bears all of the given stamps.
func (d *dropJob) covers(stamps []profile.Stamp) bool {
	if d.cut.IsZero() {
		return true
	}
	for _, s := range stamps {
		if !d.cut.Covers(s.Pos) {
			return false
		}
	}
	return true
}

// credit counts what was removed of what a dataset had said, which bore the given stamps, for the
// first operation that covers it. Where none does, the last one of the dataset is the widest.
func (sh *Shard) credit(dataset string, r removed, stamps ...profile.Stamp) error {
	var first, last *dropJob
	for _, job := range sh.jobs {
		d, err := sh.dropOf(job)
		if err != nil {
			return err
		}
		if d == nil || d.dataset != dataset {
			continue
		}
		if d.covers(stamps) && (first == nil || d.before(first)) {
			first = d
		}
		if last == nil || last.before(d) {
			last = d
		}
	}
	if first = cmp.Or(first, last); first == nil {
		return nil
	}
	return sh.addRemoved(first.job, "", r)
}

// before orders drops as they were asked for.
func (d *dropJob) before(other *dropJob) bool {
	a, b := d.job.Cause, other.job.Cause
	return cmp.Or(cmp.Compare(d.job.Created, other.job.Created),
		cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset)) < 0
}

// dropOf is what a job drops; nil where it does something else.
func (sh *Shard) dropOf(job *store.Job) (*dropJob, error) {
	if job.Kind != jobDrop {
		return nil, nil
	}
	if d := sh.drops[job.ID]; d != nil && d.job == job {
		return d, nil
	}
	var args dropArgs
	if err := json.Unmarshal(job.Args, &args); err != nil {
		return nil, err
	}
	told := auditEntry{Cut: args.Cut}
	d := &dropJob{job: job, dataset: args.Dataset, cut: told.cut()}
	if sh.drops == nil {
		sh.drops = map[string]*dropJob{}
	}
	sh.drops[job.ID] = d
	return d, nil
}
