package pipeline

import (
	"maps"
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// A deletion by position covers what had been consumed when it was applied, of one dataset. Records
// below the cut are turned away when they come again. What is stored of them goes at once where
// newer records touch it, and in the background everywhere else: so that nothing that comes after
// the cut ever meets what lies before it.

// datasetCut is how far what a dataset said is deleted, as far as the commit under way has come.
type datasetCut struct {
	row   store.DatasetCut
	dirty bool
}

// loadCuts reads the cuts of all datasets.
func (sh *Shard) loadCuts() error {
	return sh.state.reader.Cuts(func(dataset string, row *store.DatasetCut) {
		sh.cuts[dataset] = &datasetCut{row: *row}
	})
}

// consumedOf is how far the topic of a dataset has been consumed, and the topics that nothing reads
// any more: the dataset may have read one of them.
func (sh *Shard) consumedOf(ds *Dataset) store.Cut {
	var cut store.Cut
	consumed := sh.model.ConsumedTopics()
	for tp, p := range sh.positions {
		if tp.Topic != ds.Topic && slices.Contains(consumed, tp.Topic) {
			continue
		}
		next := p.row.Consumed()
		if next == 0 && p.row.Former == 0 {
			continue
		}
		cut.Add(store.CutPart{Topic: tp.Topic, Partition: tp.Partition, ID: p.row.Topic,
			Next: next, Former: p.row.Former})
	}
	return cut
}

// cutOf is the cut of a deletion: how far the input is consumed now, or was when the deletion was
// applied before the input was consumed again.
func (sh *Shard) cutOf(op *operation) store.Cut {
	r := sh.recalled.ops[opKey{op.ID, op.Class}]
	if r != nil && ControlOp(r.entry.Op) == op.Op && r.entry.Dataset == op.Dataset {
		return r.cut
	}
	return sh.consumedOf(op.dataset)
}

// widenCut deletes what a dataset said up to a cut.
func (sh *Shard) widenCut(dataset string, cut *store.Cut) {
	c := sh.cuts[dataset]
	if c == nil {
		c = &datasetCut{}
		sh.cuts[dataset] = c
	}
	if c.row.Cut.Join(cut) {
		c.row.Anew = false
		c.row.Era++
	}
	c.row.Done, c.dirty = false, true
}

// eraOf is the era of a dataset: what computed attributes have folded of its events before it is
// deleted, and nothing of what they fold now.
func (sh *Shard) eraOf(dataset string) uint64 {
	if c := sh.cuts[dataset]; c != nil {
		return c.row.Era
	}
	return 0
}

// firstEra is the first era of which something can be folded.
func (sh *Shard) firstEra(dataset string) uint64 {
	if c := sh.cuts[dataset]; c != nil {
		return c.row.FirstEra
	}
	return 0
}

// gone reports whether what a stored record of a dataset had said is deleted.
func (sh *Shard) gone(dataset string, s profile.Stamp) bool {
	if s.IsZero() || len(sh.cuts) == 0 {
		return false
	}
	c := sh.cuts[dataset]
	return c != nil && c.row.Cut.Covers(s.Pos)
}

// isGone is gone for one dataset; nil where nothing of it is deleted.
func (sh *Shard) isGone(dataset string) func(profile.Stamp) bool {
	c := sh.cuts[dataset]
	if c == nil || c.row.Cut.IsZero() {
		return nil
	}
	return func(s profile.Stamp) bool { return c.row.Cut.Covers(s.Pos) }
}

// cutOff reports whether a record that is consumed lies before the cut of its dataset. One that
// does not begins the dataset anew.
func (sh *Shard) cutOff(in *Input) bool {
	c := sh.cuts[in.Dataset.Name]
	if c == nil {
		return false
	}
	if c.row.Cut.CoversRecord(in.Record.Pos, sh.topicID(in)) {
		return true
	}
	if !c.row.Anew {
		c.row.Anew, c.dirty = true, true
	}
	return false
}

func (sh *Shard) topicID(in *Input) store.TopicID {
	return sh.position(partitionOf(in.Record.Pos)).row.Topic
}

// stepCutOff takes a record that lies before the cut. Its identities stay known, as those of the
// records before it did.
func (sh *Shard) stepCutOff(in *Input) (Outcome, error) {
	ids := in.IDs.All
	if in.Op == OpDelete {
		ids = nil
		if in.Dataset.Class == ClassRecord {
			ids = []profile.Identity{in.IDs.Primary}
		}
	}
	for _, id := range ids {
		if err := sh.see(in.Dataset.Entity, id, in.cause()); err != nil {
			return Superseded, err
		}
	}
	return Superseded, nil
}

// fragment returns the fragment of a dataset under p, without what is deleted of it.
func (sh *Shard) fragment(p *person, dataset string, why cause) (*fragment, error) {
	if _, err := sh.cleanFragment(p, dataset, why); err != nil {
		return nil, err
	}
	return sh.state.fragment(p, dataset)
}

// cleanFragment forgets what is deleted of a fragment, and reports whether all went that it showed.
func (sh *Shard) cleanFragment(p *person, dataset string, why cause) (removedAll bool, err error) {
	isGone := sh.isGone(dataset)
	if isGone == nil {
		return false, nil
	}
	f, err := sh.state.fragment(p, dataset)
	if err != nil {
		return false, err
	}
	visible := f.Visible()
	var stamps []profile.Stamp
	gone := func(s profile.Stamp) bool {
		if !isGone(s) {
			return false
		}
		stamps = append(stamps, s)
		return true
	}
	if !f.Drop(gone) {
		return false, nil
	}
	removedAll = visible && !f.Visible()
	sh.keepFragment(p, dataset, f)
	sh.markDirty(p, why)
	if !removedAll {
		return false, nil
	}
	return true, sh.credit(dataset, removed{fragments: 1}, stamps...)
}

// keepFragment has a fragment written that has lost something, or removed where nothing is left.
func (sh *Shard) keepFragment(p *person, dataset string, f *fragment) {
	if f.IsZero() {
		if slices.Contains(p.row.Fragments, dataset) {
			sh.state.dropFragment(p, dataset)
		}
		return
	}
	f.dirty = true
	sh.state.touch(p)
}

// eventID returns what is known of an event id, without what is deleted of it.
func (sh *Shard) eventID(dataset, id string, why cause) (*eventID, error) {
	e, err := sh.state.eventID(dataset, id)
	if err != nil {
		return nil, err
	}
	if _, err = sh.cleanEventID(dataset, id, e, why); err != nil {
		return nil, err
	}
	return e, sh.finishEvent(dataset, id, e, why)
}

// cleanEventID forgets what is deleted of an event id, and reports whether an event went.
func (sh *Shard) cleanEventID(dataset, id string, e *eventID, why cause) (bool, error) {
	stamp, deleted := sh.gone(dataset, e.row.Stamp), sh.gone(dataset, e.row.Deleted)
	if !stamp && !deleted {
		return false, nil
	}
	existed := stamp && e.row.Exists()
	if existed {
		if err := sh.takeEvent(dataset, id, &e.row, why); err != nil {
			return false, err
		}
		if err := sh.credit(dataset, removed{events: 1}, e.row.Stamp); err != nil {
			return false, err
		}
	}
	if stamp {
		e.row = store.EventID{Deleted: e.row.Deleted}
	}
	if deleted {
		e.row.Deleted = profile.Stamp{}
	}
	sh.state.touchEventID(dataset, id, e)
	return existed, nil
}

// cleanLink takes the assertions of a link back that are deleted. n is how many. ends are those
// whose clusters are to be decided again.
func (sh *Shard) cleanLink(key linkKey, l *link, why cause) (n int, ends []profile.Identity,
	err error) {
	isGone := func(a store.Assertion) bool { return sh.gone(a.Dataset, a.Latest) }
	if len(sh.cuts) == 0 || !slices.ContainsFunc(l.row.Assertions, isGone) {
		return 0, nil, nil
	}
	a, b, err := sh.ends(key.class, [2]profile.Identity{key.a, key.b})
	if err != nil {
		return 0, nil, err
	}
	counted := live(l.row.Latest(), a, b) && a.row.Silence|b.row.Silence == 0
	before := l.row.Assertions
	for _, a := range before {
		if !isGone(a) {
			continue
		}
		if err := sh.credit(a.Dataset, removed{links: 1}, a.Latest); err != nil {
			return 0, nil, err
		}
	}
	l.row.Assertions = slices.DeleteFunc(slices.Clone(before), isGone)
	ends, err = sh.weakened(key, l, counted, why)
	return len(before) - len(l.row.Assertions), ends, err
}

// writeCuts puts what the commit has changed of cuts into b.
func (sh *Shard) writeCuts(b *store.Batch) {
	for _, dataset := range slices.Sorted(maps.Keys(sh.cuts)) {
		if c := sh.cuts[dataset]; c.dirty {
			b.SetCut(dataset, &c.row)
			c.dirty = false
		}
	}
}
