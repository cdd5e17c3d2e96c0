package pipeline

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"math"
	"slices"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// recallErased turns away again what was erased, and has it looked for in a store that holds
// something.
func (sh *Shard) recallErased(e *auditEntry) error {
	hashes := sh.recalled.hashes[e.ID]
	at, err := parseInstant(e.Time)
	if err != nil || len(hashes) == 0 {
		return nil // all of it was lifted, or the record is not ours
	}
	pos := profile.Position(*e.Cause)
	if err := sh.store.Intern(pos.Topic); err != nil {
		return err
	}
	floor := profile.Stamp{Time: at + 1, Sequence: math.MinInt64, Pos: pos}
	for _, hash := range hashes {
		if err := sh.raiseErased(hash, floor, e.Suppress); err != nil {
			return err
		}
	}
	sh.erasures.all = true
	id := "erased-elsewhere/" + e.Class
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
			e, err := sh.erased(p)
			if err != nil {
				return err
			}
			if p.known && e != nil && (!p.row.Erased || p.row.FirstSeen < e.Floor.Time) {
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

// eraseFound takes a step of the erasure of an identity that another store had erased. It is found
// again until nothing is left.
func (sh *Shard) eraseFound(job *store.Job, p *person, limit int) error {
	row, err := sh.erased(p)
	if err != nil {
		return err
	}
	why := cause{job.Cause, row.Floor.Time - 1, ControlName}
	floor := reach(row.Floor, row.Suppress)
	if err := sh.unbind([]*person{p}, floor, why); err != nil {
		return err
	}
	e := &erasure{sh: sh, p: p, floor: floor, why: why, limit: limit}
	done, err := e.step()
	job.Done += uint64(e.removed.sum())
	if err == nil && !done {
		p.row.Erased = false // have it found again
	}
	return err
}

// liftDelete takes the floors of all identities of a cluster back, so that what was deleted can
// come back when it is consumed again. Of somebody who was erased only the identity that is named
// is known.
func (sh *Shard) liftDelete(op *operation) error {
	members, err := sh.view(op.Class).Members(op.ids[0])
	if err != nil {
		return err
	}
	op.affected, op.members = nil, members
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
			sh.setErased(sh.hash(p), nil)
			if p.row.Unlinked == e.Floor {
				p.row.Unlinked = profile.Stamp{}
			}
		}
		if !p.known {
			continue
		}
		p.row.Floor, p.row.Erased = profile.Stamp{}, false
		sh.state.touch(p)
		if err := sh.clearFloors(p); err != nil {
			return err
		}
	}
	return nil
}

// clearFloors takes all floors of single datasets of p back.
func (sh *Shard) clearFloors(p *person) error {
	var datasets []string
	err := sh.state.reader.DataFloorsOf(p.key.class, p.key.id, func(dataset string) {
		datasets = append(datasets, dataset)
	})
	if err != nil {
		return err
	}
	for _, dataset := range append(datasets, sortedNames(p.floors)...) {
		err := sh.state.changeFloors(p, dataset, func(row *store.DataFloors) {
			*row = store.DataFloors{}
		})
		if err != nil {
			return err
		}
	}
	p.row.Floored = false
	return nil
}

// recallLift takes back, of what deletions had acted on so far, what was lifted.
func (sh *Shard) recallLift(e *auditEntry) {
	r := &sh.recalled
	hashOf := func(id profile.Identity) store.Hash {
		return identity.Fingerprint(sh.model.IDKey, e.Class, id)
	}
	lifted := map[store.Hash]bool{}
	for _, hash := range hashesOf(e.Hashes) {
		lifted[hash] = true
	}
	for _, id := range e.Identities {
		lifted[hashOf(profile.Identity(id))] = true
	}
	note := func(op string, hash store.Hash) bool {
		if lifted[hash] && r.lifted[op] == nil {
			r.lifted[op] = map[store.Hash]bool{}
		}
		if lifted[hash] {
			r.lifted[op][hash] = true
		}
		return lifted[hash]
	}
	for op, ids := range r.acted {
		r.acted[op] = slices.DeleteFunc(ids, func(id profile.Identity) bool {
			return note(op, hashOf(id))
		})
	}
	for op, hashes := range r.hashes {
		r.hashes[op] = slices.DeleteFunc(hashes, func(hash store.Hash) bool {
			return note(op, hash)
		})
	}
	maps.DeleteFunc(r.floors, func(key floorKey, _ map[string]store.EventFloor) bool {
		return key.person.class == e.Class && lifted[hashOf(key.person.id)]
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
