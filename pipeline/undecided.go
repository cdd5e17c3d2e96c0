package pipeline

import (
	"encoding/json"
	"fmt"

	"selfsame/store"
)

// UndecidedError says that not every profile under a policy has been decided yet. Where identities
// have profiles of their own, those that have not are not found.
type UndecidedError struct {
	Class, Policy string
	Job           string // that decides them; "": the daemon has not started with the policy yet
}

// Error implements error.
func (e *UndecidedError) Error() string {
	why := "the daemon has not started yet with it as it is configured"
	if e.Job != "" {
		why = fmt.Sprintf("job %s is still bringing its profiles up to date", e.Job)
	}
	return fmt.Sprintf("not all profiles under merge policy %s of class %s are there: %s", e.Policy,
		e.Class, why)
}

// decided returns an *UndecidedError where profiles under a policy are missing.
func (l *Lookup) decided(e *Entity, policy *PolicyTopic) error {
	if !policy.alone() {
		return nil
	}
	r := l.store.Reader()
	undecided := &UndecidedError{Class: e.Name, Policy: policy.Name}
	any, known := false, false
	err := r.Policies(func(p *store.Policy) error {
		any = true
		known = known || p.Class == e.Name && p.Name == policy.Name && p.Alone && !p.Leaving
		return nil
	})
	if err != nil {
		return err
	}
	if any && !known {
		return undecided
	}
	return r.Jobs(func(job *store.Job) error {
		var args policyArgs
		if job.Kind != jobPolicy || job.State != store.JobRunning {
			return nil
		}
		if err := json.Unmarshal(job.Args, &args); err != nil {
			return fmt.Errorf("reading job %s: %w", job.ID, err)
		}
		if args.Class == e.Name && args.Policy == policy.Name && !args.Gone {
			undecided.Job = job.ID
			return undecided
		}
		return nil
	})
}
