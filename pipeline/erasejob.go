package pipeline

import (
	"encoding/json"

	"selfsame/profile"
	"selfsame/store"
)

// eraseArgs are the arguments of an erasure that goes on in the background.
type eraseArgs struct {
	Class      string   `json:"class"`
	Identities []string `json:"identities"`
	// Scan has all identities of the class looked at, for those whose hash says that they were
	// erased: what another store had erased, and told.
	Scan bool `json:"scan,omitempty"`
	// Parts are the identities, where they are of several classes.
	Parts []erasePart `json:"parts,omitempty"`
	// Suppress has newer data removed too.
	Suppress bool `json:"suppress,omitempty"`
	// Lifted has all identities looked at for what another store had deleted, and lifted.
	Lifted []liftedArgs `json:"lifted,omitempty"`
}

// looks reports whether it looks for what another store had erased, or deleted.
func (a *eraseArgs) looks() bool { return a.Scan || len(a.Lifted) > 0 }

// erasePart are identities of one class.
type erasePart struct {
	Class      string   `json:"class"`
	Identities []string `json:"identities"`
}

// stepErase goes on with an erasure.
func (sh *Shard) stepErase(job *store.Job, args eraseArgs, limit int) (done bool, err error) {
	if args.looks() {
		if sh.model.Entity(args.Class) == nil {
			return true, nil // the class is no longer configured
		}
		wait, err := sh.waitsForOthers(&args)
		switch {
		case err != nil || wait:
			return false, err
		case args.Scan:
			return sh.stepEraseScan(job, args, limit)
		}
		return sh.stepLifted(job, args, limit)
	}
	why, err := sh.causeOf(job)
	if err != nil {
		return false, err
	}
	at := 0
	if len(job.Cursor) > 0 {
		if err := json.Unmarshal(job.Cursor, &at); err != nil {
			return false, err
		}
	}
	people, err := args.people()
	if err != nil {
		return false, err
	}
	for ; at < len(people) && limit > 0; at++ {
		if sh.model.Entity(people[at].class) == nil {
			continue // the class is no longer configured
		}
		p, err := sh.state.person(people[at].class, people[at].id)
		if err != nil {
			return false, err
		}
		if !p.known {
			continue
		}
		floor := reach(floorAfter(why.time, job.Cause), args.Suppress)
		e := &erasure{sh: sh, p: p, floor: floor, why: why, limit: limit, job: job,
			hashed: true}
		ended, err := e.step()
		if err != nil {
			return false, err
		}
		job.Done += uint64(e.removed.sum())
		if err := sh.addRemoved(job, p.key.class, e.removed); err != nil {
			return false, err
		}
		if limit -= e.removed.sum(); !ended {
			break
		}
	}
	job.Total = max(job.Total, job.Done)
	job.Cursor, err = json.Marshal(at)
	return at == len(people), err
}

// people lists the identities of all classes.
func (a *eraseArgs) people() ([]personKey, error) {
	var people []personKey
	for _, part := range append([]erasePart{{a.Class, a.Identities}}, a.Parts...) {
		for _, text := range part.Identities {
			id, ok := profile.ParseIdentity(text)
			if !ok {
				return nil, errJobIdentity
			}
			people = append(people, personKey{part.Class, id})
		}
	}
	return people, nil
}
