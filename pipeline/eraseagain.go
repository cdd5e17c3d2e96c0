package pipeline

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// erasedJobs begins the ids of the jobs that look for who was erased.
const erasedJobs = "erased-elsewhere/"

// recallErased turns away again what was erased, and has it looked for in a store that holds
// something.
func (sh *Shard) recallErased(op *recalledOp) error {
	e := op.entry
	hashes := slices.DeleteFunc(slices.Clone(op.hashes), func(hash store.Hash) bool {
		return op.lifted[hash]
	})
	at, err := parseInstant(e.Time)
	if err != nil || len(hashes) == 0 {
		return nil // all of it was lifted, or the record is not ours
	}
	pos := profile.Position(*e.Cause)
	floor := floorAfter(at, pos)
	for _, hash := range hashes {
		if err := sh.raiseErased(hash, floor, e.Suppress); err != nil {
			return err
		}
		sh.recalled.force[hash] = sh.erasures.changed[hash]
	}
	sh.erasures.all = true
	id := erasedJobs + e.Class
	running := slices.ContainsFunc(sh.jobs, func(job *store.Job) bool { return job.ID == id })
	if sh.store.Empty() || running || sh.model.Entity(e.Class) == nil {
		return nil
	}
	args, err := json.Marshal(eraseArgs{Class: e.Class, Scan: true})
	if err != nil {
		return err
	}
	job := &store.Job{ID: id, Kind: jobErase, Args: args, State: store.JobRunning, Cause: pos}
	sh.jobs, sh.touchedJobs = append(sh.jobs, job), append(sh.touchedJobs, job)
	return nil
}

// stepEraseScan looks for identities that another store had erased.
func (sh *Shard) stepEraseScan(job *store.Job, args eraseArgs, limit int) (done bool, err error) {
	visits := 0
	place := job.Cursor
	var found *person
	err = sh.state.reader.Walk(args.Class, job.Cursor, func(key []byte, item *store.Item) error {
		if visits == limit*visitsPerUnit {
			return store.ErrStop
		}
		visits++
		if item.Kind == store.ItemIdentity {
			p, err := sh.state.person(args.Class, item.Identity)
			if err != nil {
				return err
			}
			mine, err := sh.toBeFound(p)
			if err != nil {
				return err
			}
			if mine {
				found = p
				return store.ErrStop
			}
		}
		place = slices.Clone(key)
		return nil
	})
	if err != nil {
		return false, err
	}
	if job.Cursor = place; found != nil {
		err = sh.eraseFound(job, found, limit)
	}
	return visits == 0, err
}

// toBeFound reports whether something is left of p that another store had erased.
func (sh *Shard) toBeFound(p *person) (bool, error) {
	e, err := sh.erased(p)
	return err == nil && p.known && e != nil && (!begun(p, e) || p.row.Erasing), err
}

// begun reports whether what is stored of p is being erased, or came after it was.
func begun(p *person, e *store.Erased) bool {
	return p.row.Erased && p.row.FirstSeen >= e.Floor.Time
}

// eraseFound takes a step of the erasure of an identity that another store had erased. It is found
// again until nothing is left.
func (sh *Shard) eraseFound(job *store.Job, p *person, limit int) error {
	row, err := sh.erased(p)
	if err != nil {
		return err
	}
	why := cause{job.Cause, row.Floor.Time - 1, ControlName}
	floor := reach(row.Floor, row.Suppress)
	first := !begun(p, row)
	if first {
		p.row.Named = false
		if err := sh.unbind([]*person{p}, floor, why); err != nil {
			return err
		}
	}
	e := &erasure{sh: sh, p: p, floor: floor, why: why, limit: limit, job: job, hashed: true,
		first: first}
	_, err = e.step()
	job.Done += uint64(e.removed.sum())
	return err
}

// liftDelete takes the floors of all identities of a cluster back, so that what was deleted can
// come back when it is consumed again. Of those who were erased only identities that are known
// again are in it, and the one that is named.
func (sh *Shard) liftDelete(op *operation) error {
	members, err := sh.view(op.Class).Members(op.ids[0])
	if err != nil {
		return err
	}
	if r := sh.recalledAs(op.controlInput); r != nil {
		return sh.liftAgain(op, r, members)
	}
	op.members = members
	for _, id := range members {
		p, err := sh.state.person(op.Class, id)
		if err != nil {
			return err
		}
		e, err := sh.erased(p)
		if err != nil {
			return err
		}
		if e == nil {
			op.affected = append(op.affected, id)
		} else {
			op.hashes = append(op.hashes, sh.hash(p))
		}
		if err := sh.liftPerson(p, e); err != nil {
			return err
		}
	}
	return nil
}

// liftAgain lifts what a lift that is applied again had lifted. What was erased after it stays so.
func (sh *Shard) liftAgain(op *operation, r *recalledOp, members []profile.Identity) error {
	op.affected, op.hashes = r.ids, r.hashes
	ids := sh.configured(op.Class, r.ids)
	for _, id := range members {
		if slices.Contains(r.hashes, sh.hashOf(op.Class, id)) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		p, err := sh.state.person(op.Class, id)
		if err != nil {
			return err
		}
		e, err := sh.erased(p)
		if err != nil {
			return err
		}
		if sh.recalled.force[sh.hash(p)] != nil {
			continue
		}
		if err := sh.liftPerson(p, e); err != nil {
			return err
		}
	}
	for _, hash := range r.hashes {
		if sh.recalled.force[hash] == nil {
			sh.setErased(hash, nil)
		}
	}
	return nil
}

// liftPerson takes the floors of an identity back, and, where it was erased, its hash. What is to
// be removed of it still goes first.
func (sh *Shard) liftPerson(p *person, e *store.Erased) error {
	if err := sh.finish(p); err != nil {
		return err
	}
	if e != nil {
		sh.setErased(sh.hash(p), nil)
		if !e.Floor.Before(p.row.Unlinked) { // the floor can be that of a later deletion
			p.row.Unlinked = profile.Stamp{}
		}
	}
	if !p.known {
		return nil
	}
	p.row.Floor, p.row.Erased = profile.Stamp{}, false
	p.row.Named = false
	sh.state.touch(p)
	return sh.state.clearFloors(p)
}

// recallLift notes what was lifted of deletions, of those so far.
func (sh *Shard) recallLift(lift *recalledOp) {
	r, class := &sh.recalled, lift.entry.Class
	lifted := map[store.Hash]bool{}
	for _, hash := range lift.hashes {
		lifted[hash] = true
	}
	for _, id := range lift.ids {
		lifted[sh.hashOf(class, id)] = true
	}
	for _, op := range r.ops {
		if op.entry.Class != class {
			continue
		}
		for _, hash := range op.hashes {
			op.lifted[hash] = op.lifted[hash] || lifted[hash]
		}
		for _, id := range op.ids {
			hash := sh.hashOf(class, id)
			op.lifted[hash] = op.lifted[hash] || lifted[hash]
		}
	}
	maps.DeleteFunc(r.floors, func(key floorKey, _ map[string]store.EventFloor) bool {
		return key.person.class == class && lifted[sh.hashOf(class, key.person.id)]
	})
}

// hashesOf reads the hashes that an audit record tells.
func hashesOf(texts []string) []store.Hash {
	var hashes []store.Hash
	for _, text := range texts {
		var hash store.Hash
		if raw, err := hex.DecodeString(text); err == nil && copy(hash[:], raw) == len(hash) {
			hashes = append(hashes, hash)
		}
	}
	return hashes
}

func hexOf(hashes []store.Hash) []string {
	var out []string
	for _, h := range hashes {
		out = append(out, hex.EncodeToString(h[:]))
	}
	slices.Sort(out)
	return out
}
