package pipeline

import (
	"context"
	"math"
	"slices"
	"time"

	"selfsame/profile"
	"selfsame/store"
)

// DryRun is what a control record would remove if it were applied now.
type DryRun struct {
	Op         ControlOp
	Class      string             // "": Classes are set
	Identities []profile.Identity // that it would act on, each once
	store.Removed

	// Classes are of one that would act in several: what it would do in each.
	Classes []DryRun
}

// DryRun finds out what a control record that removes something, or lifts a deletion, would do, on
// the latest committed state. Nothing is written. *Rejection where the record would be refused,
// *QueryError where its operation removes nothing. now is the time of a record that names none.
func (l *Lookup) DryRun(ctx context.Context, record []byte, now time.Time) (*DryRun, error) {
	c, at, rejection := l.model.parseControl(record)
	if rejection != nil {
		return nil, rejection
	}
	if !HasDryRun(c.Op) {
		return nil, &QueryError{"operation " + string(c.Op) + " removes nothing: it has no dry run"}
	}
	snap := l.store.Snapshot()
	defer snap.Close()
	if c.Op == ControlDeleteDataset {
		return countDataset(ctx, l.model, &snap.Reader, c)
	}
	sh, err := dryShard(l.model, &snap.Reader)
	if err != nil {
		return nil, err
	}
	if at.IsZero() {
		at = now
	}
	in := &Input{control: c, Stamp: profile.Stamp{Time: at.UnixNano(),
		Pos: profile.Position{Topic: l.model.ControlTopic, Offset: math.MaxInt64}}}
	in.Record.Pos = in.Stamp.Pos
	return sh.dryRun(ctx, in)
}

// HasDryRun reports whether an operation can be tried: it removes something, or lifts a deletion.
func HasDryRun(op ControlOp) bool { return controlForms()[op].removes || op == ControlLiftDelete }

func (sh *Shard) dryRun(ctx context.Context, in *Input) (*DryRun, error) {
	c := in.control
	rejection, err := sh.refuseErased(in)
	if err != nil {
		return nil, err
	}
	if rejection != nil {
		return nil, rejection
	}
	op := &operation{in: in, controlInput: c, why: in.cause()}
	op.row = store.Applied{Op: string(c.Op), Class: c.Class, Cause: in.Record.Pos,
		Time: in.Stamp.Time} // jobs go on by it
	if err := sh.perform(op); err != nil {
		return nil, err
	}
	sh.state.setApplied(c.ID, &op.row)
	for len(sh.jobs) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := sh.runJob(jobStepIdle, 0); err != nil {
			return nil, err
		}
	}
	row, err := sh.state.appliedOf(c.ID)
	if err != nil {
		return nil, err
	}
	d := &DryRun{Op: op.Op, Class: op.Class, Identities: op.meant(),
		Removed: row.Removed}
	for i, p := range row.Parts {
		part := DryRun{Op: op.Op, Class: p.Class, Identities: op.parts[i].meant(),
			Removed: p.Removed}
		d.Classes = append(d.Classes, part)
		d.Identities = append(d.Identities, part.Identities...)
	}
	slices.SortFunc(d.Identities, profile.Identity.Compare)
	d.Identities = slices.Compact(d.Identities)
	return d, nil
}

// meant lists whom an operation acts on in one class.
func (op *operation) meant() []profile.Identity {
	if op.Op == ControlErase || op.Op == ControlLiftDelete {
		return slices.Clone(op.members)
	}
	return slices.Clone(op.affected)
}

// dryShard is a shard over a snapshot that nothing is ever written of.
func dryShard(m *Model, r *store.Reader) (*Shard, error) {
	sh, err := snapshotShard(m, r)
	if err != nil {
		return nil, err
	}
	sh.state.computed = newComputedWork(m, &sh.timers, DefaultCacheRows)
	if err := sh.state.computed.load(r, m.Entities); err != nil {
		return nil, err
	}
	err = r.Positions(func(topic string, partition int32, p *store.Position) error {
		sh.positions[TopicPartition{topic, partition}] = &position{row: *p}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, load := range []func() error{sh.loadRules, sh.loadCuts, sh.loadErased} {
		if err := load(); err != nil {
			return nil, err
		}
	}
	err = r.Blocked(func(class string, id profile.Identity) {
		sh.blocked[personKey{class, id}] = true
	})
	return sh, err
}

// snapshotShard is a shard that decides what would change, and writes nothing. What it needs to
// know of the state beyond single rows is not loaded.
func snapshotShard(m *Model, r *store.Reader) (*Shard, error) {
	sh := &Shard{model: m, state: newState(r, DefaultCacheRows), stepLimit: DefaultStepLimit,
		dirty: map[clusterKey]*dirtyCluster{}, alone: map[personKey]*dirtyCluster{},
		blocked: map[personKey]bool{}, cuts: map[string]*datasetCut{},
		positions: map[TopicPartition]*position{}, inputs: map[string]*input{},
		partitions: map[string]int32{}}
	for _, topic := range m.OutputTopics() {
		sh.partitions[topic] = 1
	}
	err := r.Unlinks(func(class string) { sh.state.unlinks[class] = true })
	return sh, err
}

// countDataset counts what is stored of what a dataset said: all of it has been consumed.
func countDataset(ctx context.Context, m *Model, r *store.Reader, c *controlInput) (*DryRun,
	error) {
	d := &DryRun{Op: c.Op, Class: c.Class}
	days := &dayCount{model: m, reader: r}
	err := r.Walk(c.Class, nil, func(_ []byte, item *store.Item) error {
		switch {
		case item.Kind == store.ItemIdentity:
			n, err := days.of(personKey{c.Class, item.Identity}, c.Dataset)
			if err != nil {
				return err
			}
			d.Days += n
		case item.Kind == store.ItemFragment && item.Dataset == c.Dataset:
			f, err := r.Fragment(store.FragmentRef{Class: c.Class, Identity: item.Identity,
				Dataset: c.Dataset})
			if err != nil {
				return err
			}
			if f != nil && f.Visible() {
				d.Fragments++
			}
		case item.Kind == store.ItemEvent && item.Event.Dataset == c.Dataset:
			d.Events++
		case item.Kind == store.ItemLink:
			for _, a := range item.Link.Assertions {
				if a.Dataset == c.Dataset {
					d.Links++
				}
			}
		}
		return ctx.Err()
	})
	return d, err
}

// dayCount counts folded days, as a shard removes them that nothing is written of.
type dayCount struct {
	model  *Model
	reader *store.Reader
	shard  *Shard
	used   int // identities that the shard has worked on, which it keeps
}

// of counts the folded days of a dataset that are kept of an identity.
func (c *dayCount) of(key personKey, dataset string) (uint64, error) {
	if c.shard == nil || c.used == DefaultCacheRows {
		var err error
		if c.shard, err = dryShard(c.model, c.reader); err != nil {
			return 0, err
		}
		c.used = 0
	}
	if !c.shard.folds(key.class, dataset) {
		return 0, nil
	}
	p, err := c.shard.state.person(key.class, key.id)
	if err != nil {
		return 0, err
	}
	c.used++
	gone, err := c.shard.computedDays(p, dataset, math.MinInt64, math.MaxInt64, cause{})
	return uint64(gone.Days), err
}
