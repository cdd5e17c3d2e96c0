package pipeline

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// recalled is what deletions had acted on before the input is consumed again, by a rebuild or after
// a restore: the audit topic tells. A deletion names one identity and acts on all of its profile as
// it was then, up to where the input had been consumed then. When the input is consumed again the
// control record can come before the records that had joined the identities, or after others that
// joined more, and at other positions. So it acts on what the audit topic lists, on nothing else:
// the data of the others would come back otherwise, or data of somebody else would go.
type recalled struct {
	ops map[opKey]*recalledOp
	// floors are those that delete_events set and that are not lifted, by the id of the control
	// record, until it is applied again: from then on the row tells, and can be lifted.
	floors map[floorKey]map[string]store.EventFloor
	force  map[store.Hash]*store.Erased // what erasures keep away in the end
	// named are those on whom operations had acted. Control records alone can make them known.
	named map[store.Hash]profile.Identity
}

// opKey names an operation by its control record, in one of the classes in which it acted.
type opKey struct{ id, class string }

func (k opKey) compare(other opKey) int {
	return cmp.Or(cmp.Compare(k.id, other.id), cmp.Compare(k.class, other.class))
}

// inOrder lists the operations by name.
func (r *recalled) inOrder() []opKey { return slices.SortedFunc(maps.Keys(r.ops), opKey.compare) }

// recalledOp is an operation that was applied before the input is consumed again.
type recalledOp struct {
	entry  *auditEntry
	ids    []profile.Identity // on which it acted
	hashes []store.Hash       // likewise, where the identities are not told
	cut    store.Cut          // up to where it acted, of one by position

	lifted map[store.Hash]bool // of those on which it acted: what was lifted later
}

// recalledAs is what is known of an operation that is applied again; nil where that is nothing. A
// list without the identity that the record names was made under other rules, or with another
// id_key: it does not tell whom it means.
func (sh *Shard) recalledAs(c *controlInput) *recalledOp {
	r := sh.recalled.ops[opKey{c.ID, c.Class}]
	if r == nil || ControlOp(r.entry.Op) != c.Op || r.entry.Dataset != c.Dataset ||
		!slices.Contains(r.ids, c.ids[0]) &&
			!slices.Contains(r.hashes, sh.hashOf(c.Class, c.ids[0])) {
		return nil
	}
	return r
}

// liftedSince reports whether an operation that is applied again was lifted later for the identity
// that it names: what comes counts as read again, and nothing is to be done.
func (sh *Shard) liftedSince(c *controlInput) bool {
	r := sh.recalledAs(c)
	return r != nil && r.lifted[sh.hashOf(c.Class, c.ids[0])]
}

func (sh *Shard) hashOf(class string, id profile.Identity) store.Hash {
	return identity.Fingerprint(sh.model.IDKey, class, id)
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
					told = append(told, e.split()...) // what is not ours says nothing
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if err := p.shard.recall(told); err != nil {
		return err
	}
	if err := p.shard.recallLifted(uint64(p.incarnation)); err != nil {
		return err
	}
	return p.takeGone(ctx)
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
	*r = recalled{ops: map[opKey]*recalledOp{}, floors: map[floorKey]map[string]store.EventFloor{},
		force: map[store.Hash]*store.Erased{}, named: map[store.Hash]profile.Identity{}}
	var topics []string
	for i := range told {
		for _, part := range told[i].Cut {
			topics = append(topics, part.Topic)
		}
		topics = append(topics, told[i].Cause.Topic)
	}
	if err := sh.store.Intern(topics...); err != nil {
		return err
	}
	for i := range told {
		// A life that applied it again told it again. The first was there when it happened.
		key := opKey{told[i].ID, told[i].Class}
		if e := &told[i]; r.ops[key] == nil {
			r.ops[key] = &recalledOp{entry: e, hashes: hashesOf(e.Hashes), cut: e.cut(),
				lifted: map[store.Hash]bool{}}
			sh.recallEntry(r.ops[key])
		}
	}
	for _, key := range r.inOrder() {
		if r.ops[key].entry.Op == string(ControlErase) {
			if err := sh.recallErased(r.ops[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (sh *Shard) recallEntry(op *recalledOp) {
	r, e := &sh.recalled, op.entry
	for _, id := range e.Identities {
		op.ids = append(op.ids, profile.Identity(id))
		r.named[sh.hashOf(e.Class, profile.Identity(id))] = profile.Identity(id)
	}
	switch ControlOp(e.Op) {
	case ControlLiftDelete:
		sh.recallLift(op)
	case ControlDeleteDataset:
		if sh.model.Dataset(e.Dataset) != nil {
			cut := e.cut()
			sh.widenCut(e.Dataset, &cut)
		}
	case ControlDeleteEvents:
		floor, ok := e.eventFloor()
		if !ok || sh.model.Dataset(e.Dataset) == nil {
			return
		}
		key := floorKey{personKey{e.Class, op.ids[0]}, e.Dataset}
		if r.floors[key] == nil {
			r.floors[key] = map[string]store.EventFloor{}
		}
		r.floors[key][e.ID] = floor
	}
}

// cut is the cut that an audit record tells.
func (e *auditEntry) cut() store.Cut { return cutOfParts(e.Cut) }

// cutOfParts undoes auditCut.
func cutOfParts(parts []auditCutPart) store.Cut {
	var cut store.Cut
	for _, p := range parts {
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

// deleted lists the identities that a deletion acts on: those of the profile now, or those on
// which it had acted before the input was consumed again, and notes whom it tells. Those who were
// erased later it does not make known.
func (sh *Shard) deleted(op *operation) (all []profile.Identity, err error) {
	r := sh.recalledAs(op.controlInput)
	if r == nil {
		if err := sh.meet(op.Class, op.ids[0], op.why); err != nil {
			return nil, err
		}
		op.affected, err = sh.view(op.Class).Members(op.ids[0])
		return op.affected, err
	}
	op.hashes = slices.Clone(r.hashes)
	configured := sh.configured(op.Class, r.ids)
	for _, id := range r.ids {
		p, err := sh.state.person(op.Class, id)
		if err != nil {
			return nil, err
		}
		kept, err := sh.erased(p)
		if err != nil {
			return nil, err
		}
		if !p.known && bound(kept, op.in.Stamp) {
			op.hashes = append(op.hashes, sh.hash(p))
			continue
		}
		op.affected = append(op.affected, id)
		if !slices.Contains(configured, id) {
			continue
		}
		if err := sh.meet(op.Class, id, op.why); err != nil {
			return nil, err
		}
		if !r.lifted[sh.hash(p)] {
			all = append(all, id)
		}
	}
	return all, nil
}

// configured leaves out the identities of namespaces that the class does not have any more.
func (sh *Shard) configured(class string, ids []profile.Identity) []profile.Identity {
	known := sh.model.Entity(class).Rules.Names()
	return slices.DeleteFunc(slices.Clone(ids), func(id profile.Identity) bool {
		return !slices.Contains(known, id.Namespace)
	})
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
