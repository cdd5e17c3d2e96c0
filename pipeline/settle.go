package pipeline

import (
	"math"
	"strconv"

	"selfsame/profile"
	"selfsame/store"
)

// cause is the record that changes something.
type cause struct {
	pos     profile.Position
	time    int64  // of the record, nanoseconds
	dataset string // of the record, ControlName of a control record
}

func (in *Input) cause() cause {
	why := cause{pos: in.Record.Pos, time: in.Stamp.Time, dataset: ControlName}
	if in.Dataset != nil {
		why.dataset = in.Dataset.Name
	}
	return why
}

// dirtyCluster is a cluster, or an identity that has profiles of its own, whose profiles may have
// changed in this commit, and why.
type dirtyCluster struct {
	cause profile.Position // of the last record that touched it
	time  int64            // the greatest time of the records that touched it
	root  profile.Identity // of a cluster that ceased to exist: who to ask for the survivor
	again bool             // emit it also when it did not change
	// hushed: the change topic is not told what it was.
	hushed bool
}

// touched notes that a record, or what else has a cause, touched it.
func (d *dirtyCluster) touched(why cause) {
	if why.pos.Topic != "" { // a timer has none, and does not hide the record that has
		d.cause = why.pos
	}
	d.time = max(d.time, why.time)
}

// markDirty notes that what is stored under p has changed: the profiles of its cluster may have,
// and its own where each identity has its own.
func (sh *Shard) markDirty(p *person, why cause) {
	sh.markCluster(p.key.class, p.row.Cluster, why)
	sh.markAlone(p.key, why)
}

func (sh *Shard) markCluster(class string, id profile.ID, why cause) *dirtyCluster {
	key := clusterKey{class, id}
	d := sh.dirty[key]
	if d == nil {
		d = &dirtyCluster{time: why.time}
		sh.dirty[key] = d
		sh.dirtyOrder = append(sh.dirtyOrder, key)
	}
	d.touched(why)
	return d
}

// markAlone notes that an identity's own profiles may have changed; nil where none of the class's
// policies has such.
func (sh *Shard) markAlone(key personKey, why cause) *dirtyCluster {
	if !sh.model.Entity(key.class).stitches(profile.StitchNone) {
		return nil
	}
	d := sh.alone[key]
	if d == nil {
		d = &dirtyCluster{time: why.time}
		sh.alone[key] = d
		sh.aloneOrder = append(sh.aloneOrder, key)
	}
	d.touched(why)
	return d
}

// stitches reports whether a policy of the class stitches so.
func (e *Entity) stitches(how profile.Stitching) bool {
	for i := range e.Policies {
		if e.Policies[i].Stitching == how {
			return true
		}
	}
	return false
}

// settle decides, once per commit, what became of every profile that may have changed.
func (sh *Shard) settle(b *store.Batch) error {
	for _, key := range sh.dirtyOrder {
		c, err := sh.state.cluster(key.class, key.id)
		if err != nil {
			return err
		}
		u := unsettled{key: key, dirty: sh.dirty[key]}
		if err := sh.settleAll(b, u, profile.StitchGraph, c.members); err != nil {
			return err
		}
	}
	for _, key := range sh.aloneOrder {
		p, err := sh.state.person(key.class, key.id)
		if err != nil {
			return err
		}
		u := unsettled{key: clusterKey{key.class, sh.ownID(p)}, dirty: sh.alone[key],
			identity: key.id}
		alone := []profile.Identity{key.id}
		if err := sh.settleAll(b, u, profile.StitchNone, alone); err != nil {
			return err
		}
	}
	if err := sh.endProfiles(b); err != nil {
		return err
	}
	sh.dirtyOrder, sh.aloneOrder = sh.dirtyOrder[:0], sh.aloneOrder[:0]
	clear(sh.dirty)
	clear(sh.alone)
	return nil
}

// settleAll settles the profiles of the given members under all policies that stitch so.
func (sh *Shard) settleAll(b *store.Batch, u unsettled, how profile.Stitching,
	members []profile.Identity) error {
	entity := sh.model.Entity(u.key.class)
	if !entity.stitches(how) {
		return nil
	}
	g, err := gather(sh.state, u.key.class, members)
	if err != nil {
		return err
	}
	for i := range entity.Policies {
		policy := &entity.Policies[i]
		if policy.Stitching != how {
			continue
		}
		u.data = g.under(&policy.Policy)
		if err := sh.settleProfile(b, entity, policy, u); err != nil {
			return err
		}
	}
	return nil
}

// unsettled is one dirty cluster, or dirty identity, with its data.
type unsettled struct {
	key      clusterKey
	dirty    *dirtyCluster
	identity profile.Identity // whose own profile it is; zero of a cluster
	data     *Gathered
}

// settleProfile compares a profile with what was last decided about it and, where its content
// changed, writes the decision and a pointer for the publisher.
func (sh *Shard) settleProfile(b *store.Batch, e *Entity, policy *PolicyTopic, u unsettled) error {
	ref := store.ProfileRef{Class: e.Name, Policy: policy.Name, ID: u.key.id}
	last, err := sh.state.decided(ref)
	if err != nil {
		return err
	}
	next := store.Profile{Version: sh.version, Cause: u.dirty.cause, Identity: u.identity}
	if u.data.Computed != nil {
		next.Now = sh.state.computed.now
	}
	alive := last.found && !last.row.Dead
	if !u.data.Exists() {
		if !alive {
			return nil
		}
		next.Dead = true
		if next.Survivor, err = sh.survivor(u); err != nil {
			return err
		}
	} else {
		text, body, err := sh.values[policyOf(ref)].merge(u.data)
		if err != nil {
			return err
		}
		next.Digest = digest(text)
		if alive && next.Digest == last.row.Digest && next.Identity == last.row.Identity &&
			!u.dirty.again {
			sh.keepShown(b, ref, last)
			return nil
		}
		sh.reportOversize(ref, u, len(body))
		sh.rendered.put(ref, sh.version, body)
	}
	if next.Time, err = sh.newestOf(e, last, u); err != nil {
		return err
	}
	var was *store.Profile
	if alive {
		was = &last.row
	}
	if err := sh.announceChange(policy, u, was, &next); err != nil {
		return err
	}
	last.row, last.found = next, true
	b.SetProfile(ref, &next)
	sh.entries = append(sh.entries, sh.profileEntry(ref, policy.Topic))
	return nil
}

// keepShown sees to it that a profile that has not changed is written as it is: it is written from
// the computed attributes as they were shown at its version, at its instant. So it takes the
// instant of this commit, since an event that came late can lie in a window of that instant only,
// and the version where other definitions were shown at its own. Nothing is put out.
func (sh *Shard) keepShown(b *store.Batch, ref store.ProfileRef, last *decided) {
	w := sh.state.computed
	alike := w.shownAlike(ref.Class, last.row.Version)
	if alike && (last.row.Now == w.now || !w.windows(ref.Class)) {
		return
	}
	if last.row.Now = w.now; !alike {
		last.row.Version = sh.version
	}
	b.SetProfile(ref, &last.row)
}

// newestOf is the time of the newest contributing record of a profile. Where a change of the policy
// has made it, the fragments and the other policies know.
func (sh *Shard) newestOf(e *Entity, last *decided, u unsettled) (int64, error) {
	newest := u.dirty.time
	if last.found || newest > math.MinInt64 {
		return max(newest, last.row.Time), nil
	}
	newest = 0
	for _, source := range u.data.Sources {
		newest = max(newest, source.Fragment.Newest().Time)
	}
	for i := range e.Policies {
		ref := store.ProfileRef{Class: e.Name, Policy: e.Policies[i].Name, ID: u.key.id}
		other, err := sh.state.decided(ref)
		if err != nil {
			return 0, err
		}
		if other.found && e.Policies[i].alone() == !u.identity.IsZero() {
			newest = max(newest, other.row.Time)
		}
	}
	return newest, nil
}

// survivor finds the profile that a vanished cluster went into; none where it just ended.
func (sh *Shard) survivor(u unsettled) (profile.ID, error) {
	if u.dirty.root.IsZero() {
		return profile.ID{}, nil
	}
	p, err := sh.state.person(u.key.class, u.dirty.root)
	if err != nil {
		return profile.ID{}, err
	}
	return p.row.Cluster, nil
}

// reportOversize sends a dead letter for a profile that its topic cannot hold. The topic gets a
// marker in its place.
func (sh *Shard) reportOversize(ref store.ProfileRef, u unsettled, size int) {
	if size <= sh.model.Limits.OutputBytes {
		return
	}
	in := Input{
		Record: Record{Pos: u.dirty.cause, Key: []byte(ref.ID.String()), Time: u.dirty.time},
		Reject: &Rejection{Reason: ReasonTooLarge, Path: "merged profile, policy " + ref.Policy,
			Wanted: "at most " + strconv.Itoa(sh.model.Limits.OutputBytes) + " bytes",
			Found:  strconv.Itoa(size) + " bytes"},
	}
	sh.reject(&in)
}

func (sh *Shard) enqueueAssignment(class string, id profile.Identity) {
	topic := sh.model.Entity(class).AssignmentTopic
	sh.entries = append(sh.entries, store.Entry{
		Kind: store.EntryAssignment, Topic: topic,
		Partition: sh.partition(topic, assignmentKey(id)),
		Class:     class, Identity: id,
	})
}

// recordEntry is an outbox entry for a record kept in full.
func (sh *Shard) recordEntry(topic string, r *store.OutRecord) store.Entry {
	return store.Entry{Kind: store.EntryRecord, Topic: topic, Record: r,
		Partition: sh.partition(topic, r.Key)}
}
