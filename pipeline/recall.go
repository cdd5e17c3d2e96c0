package pipeline

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// recalled is what deletions had acted on before the input is consumed again, by a rebuild or after
// a restore: the audit topic tells. A deletion names one identity and acts on all of its profile as
// it was then, up to where the input had been consumed then. When the input is consumed again the
// control record can come before the records that had joined the identities, and at other
// positions; without this the data of the others would come back, or data that came later would go.
type recalled struct {
	acted map[string][]profile.Identity // of delete_profile, by the id of the control record
	cuts  map[string]store.Cut          // of delete_dataset and delete_events, likewise
	// floors are those that delete_events set, by the id of the control record, until it is applied
	// again: from then on the row tells, and can be lifted.
	floors map[floorKey]map[string]store.EventFloor
	hashes map[string][]store.Hash // on which erase acted and that are not lifted, by id

	lifted map[string]map[store.Hash]bool // what was lifted of a deletion later, by its id
}

// hash is how an identity is told where its value must not be.
func (sh *Shard) hash(p *person) store.Hash {
	if p.hash == (store.Hash{}) {
		p.hash = identity.Fingerprint(sh.model.IDKey, p.key.class, p.key.id)
	}
	return p.hash
}

// floorKey names what one dataset says about one identity.
type floorKey struct {
	person  personKey
	dataset string
}

// recall reads the audit topic. What was deleted by position or erased is in force from the first
// record on: what would come back is turned away, whether or not the control record came already.
func (p *Publisher) recall(ctx context.Context) error {
	topic := p.shard.model.AuditTopic
	var told []auditEntry
	for _, tp := range p.partitions {
		if tp.Topic != topic {
			continue
		}
		bounds, err := p.bounds(ctx, tp)
		if err != nil {
			return err
		}
		err = p.walk(ctx, tp, bounds.Start, bounds.End, func(records []Record) error {
			for i := range records {
				var e auditEntry
				err := json.Unmarshal(records[i].Value, &e)
				if err == nil && e.Outcome == auditApplied && e.Cause != nil {
					told = append(told, e) // what is not ours says nothing
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return p.shard.recall(told)
}

// recall takes up what the audit topic tells, in the order of the control topic. What this store
// has applied itself it knows, and what became of it since, which the topic need not tell yet.
func (sh *Shard) recall(told []auditEntry) error {
	var failed error
	told = slices.DeleteFunc(told, func(e auditEntry) bool {
		row, err := sh.state.appliedOf(e.ID)
		failed = errors.Join(failed, err)
		return row != nil
	})
	if failed != nil {
		return failed
	}
	slices.SortStableFunc(told, func(a, b auditEntry) int {
		return cmp.Compare(a.Cause.Offset, b.Cause.Offset)
	})
	r := &sh.recalled
	*r = recalled{acted: map[string][]profile.Identity{}, cuts: map[string]store.Cut{},
		floors: map[floorKey]map[string]store.EventFloor{}, hashes: map[string][]store.Hash{},
		lifted: map[string]map[store.Hash]bool{}}
	var topics []string
	for i := range told {
		for _, part := range told[i].Cut {
			topics = append(topics, part.Topic)
		}
	}
	if err := sh.store.Intern(topics...); err != nil {
		return err
	}
	erased := map[string]*auditEntry{}
	for i := range told {
		sh.recallEntry(&told[i])
		if told[i].Op == string(ControlErase) {
			erased[told[i].ID] = &told[i]
		}
	}
	for _, id := range sortedNames(erased) {
		if err := sh.recallErased(erased[id]); err != nil {
			return err
		}
	}
	return nil
}

func (sh *Shard) recallEntry(e *auditEntry) {
	r := &sh.recalled
	switch ControlOp(e.Op) {
	case ControlDeleteProfile:
		for _, id := range e.Identities {
			if !slices.Contains(r.acted[e.ID], profile.Identity(id)) {
				r.acted[e.ID] = append(r.acted[e.ID], profile.Identity(id))
			}
		}
	case ControlErase:
		r.hashes[e.ID] = append(r.hashes[e.ID], hashesOf(e.Hashes)...)
	case ControlLiftDelete:
		sh.recallLift(e)
	case ControlDeleteDataset:
		if sh.model.Dataset(e.Dataset) != nil {
			r.cuts[e.ID] = e.cut()
			cut := e.cut()
			sh.widenCut(e.Dataset, &cut)
		}
	case ControlDeleteEvents:
		floor, ok := e.eventFloor()
		if !ok || sh.model.Dataset(e.Dataset) == nil {
			return
		}
		r.cuts[e.ID] = floor.Cut
		key := floorKey{personKey{e.Class, profile.Identity(e.Identities[0])}, e.Dataset}
		if r.floors[key] == nil {
			r.floors[key] = map[string]store.EventFloor{}
		}
		r.floors[key][e.ID] = floor
	}
}

// cut is the cut that an audit record tells.
func (e *auditEntry) cut() store.Cut {
	var cut store.Cut
	for _, p := range e.Cut {
		part := store.CutPart{Topic: p.Topic, Partition: p.Partition, Next: p.Next,
			Former: p.Former}
		if id, err := hex.DecodeString(p.ID); err == nil {
			copy(part.ID[:], id)
		}
		cut.Add(part)
	}
	return cut
}

// eventFloor is the floor that an audit record of delete_events tells.
func (e *auditEntry) eventFloor() (store.EventFloor, bool) {
	from, to, err := parseRange(e.From, e.Until)
	if err != nil || len(e.Identities) != 1 {
		return store.EventFloor{}, false
	}
	return store.EventFloor{From: from, To: to, Cut: e.cut()}, true
}

// floorsOf is what turns data of a dataset about p away.
func (sh *Shard) floorsOf(p *person, dataset string) (store.DataFloors, error) {
	f, err := sh.state.floors(p, dataset)
	if err != nil {
		return store.DataFloors{}, err
	}
	row := f.row
	if len(sh.recalled.floors) > 0 {
		told := sh.recalled.floors[floorKey{p.key, dataset}]
		for _, id := range sortedNames(told) {
			addEventFloor(&row, told[id])
		}
	}
	return row, nil
}

// deleted lists the identities that a deletion acts on: those of the profile now, and those on
// which it had acted before the input was consumed again.
func (sh *Shard) deleted(op *operation) ([]profile.Identity, error) {
	view := sh.view(op.Class)
	members, err := view.Members(op.ids[0])
	if err != nil {
		return nil, err
	}
	all, err := sh.unlifted(op, slices.Clone(members))
	if err != nil {
		return nil, err
	}
	known := sh.model.Entity(op.Class).Rules.Names()
	for _, id := range sh.recalled.acted[op.ID] {
		if !slices.Contains(known, id.Namespace) || slices.Contains(all, id) {
			continue
		}
		if err := sh.meet(op.Class, id, op.why); err != nil {
			return nil, err
		}
		all = append(all, id)
	}
	return all, nil
}

// The range of times that delete_events means where it names none.
const (
	beginningOfTime = -1 << 63
	endOfTime       = 1<<63 - 1
)

// parseRange reads a range of times, RFC 3339: from is in it, until is not. Where one is absent the
// range is open. The bounds that it returns are both in it.
func parseRange(from, until string) (first, last int64, err error) {
	first, last = beginningOfTime, endOfTime
	if from != "" {
		if first, err = parseInstant(from); err != nil {
			return 0, 0, err
		}
	}
	if until != "" {
		if last, err = parseInstant(until); err != nil {
			return 0, 0, err
		}
		last--
	}
	return first, last, nil
}

func parseInstant(text string) (int64, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || at.Year() < 1678 || at.Year() > 2261 {
		return 0, errInstant
	}
	return at.UnixNano(), nil
}
