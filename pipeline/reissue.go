package pipeline

import (
	"context"
	"slices"

	"selfsame/profile"
	"selfsame/store"
)

// outputs lists all partitions that the shard writes, in a fixed order.
func (sh *Shard) outputs() []TopicPartition {
	var all []TopicPartition
	for _, topic := range sh.model.OutputTopics() {
		for n := range sh.partitions[topic] {
			all = append(all, TopicPartition{topic, n})
		}
	}
	return all
}

// amend makes a commit that no input has caused, durably.
func (sh *Shard) amend(change func(b *store.Batch) error) error {
	sh.version = sh.store.NextVersion()
	sh.state.computed.version = sh.version
	return sh.commit(true, change)
}

// outputKey is what a key on an output topic is about: an identity on an assignment topic, else a
// profile.
type outputKey struct {
	ref      store.ProfileRef
	identity profile.Identity
}

// keyOf reads the key of a record on an output topic. ok is false where it is of no lasting object,
// or of none that the model knows.
func (sh *Shard) keyOf(topic string, key []byte) (k outputKey, ok bool) {
	for _, e := range sh.model.Entities {
		k.ref.Class = e.Name
		if topic == e.AssignmentTopic {
			k.identity, ok = profile.ParseIdentity(string(key))
			return k, ok && slices.Contains(e.Rules.Names(), k.identity.Namespace)
		}
		for _, policy := range e.written() {
			if topic == policy.Topic {
				id, err := profile.ParseID(string(key))
				k.ref.Policy, k.ref.ID = policy.Name, id
				return k, err == nil
			}
		}
	}
	return k, false
}

// reissue has the objects published again, in one commit, under a new version: as they are then, or
// as ended where there is no such profile.
func (sh *Shard) reissue(keys []outputKey) error {
	if len(keys) == 0 {
		return nil
	}
	return sh.amend(func(b *store.Batch) error {
		for _, key := range keys {
			if err := sh.reissueOne(b, key); err != nil {
				return err
			}
		}
		return nil
	})
}

func (sh *Shard) reissueOne(b *store.Batch, key outputKey) error {
	if !key.identity.IsZero() {
		p, err := sh.state.person(key.ref.Class, key.identity)
		if err != nil {
			return err
		}
		if p.known {
			p.row.Version = sh.version
			sh.state.touch(p)
		}
		sh.enqueueAssignment(key.ref.Class, key.identity)
		return nil
	}
	d, err := sh.state.decided(key.ref)
	if err != nil {
		return err
	}
	if !d.found {
		d.row, d.found = store.Profile{Dead: true}, true
	}
	if !sh.state.computed.shownAlike(key.ref.Class, d.row.Version) {
		d.row.Digest = [len(d.row.Digest)]byte{} // it is written otherwise than when it was decided
	}
	d.row.Version = sh.version
	b.SetProfile(key.ref, &d.row)
	for _, policy := range sh.model.Entity(key.ref.Class).written() {
		if policy.Name == key.ref.Policy {
			sh.entries = append(sh.entries, sh.profileEntry(key.ref, policy.Topic))
		}
	}
	return nil
}

// reissueChunk bounds what is published again in one commit.
const reissueChunk = 1000

// reissueRows has everything published again that the store knows to belong in tp.
func (sh *Shard) reissueRows(tp TopicPartition) error {
	snap := sh.store.Snapshot()
	defer snap.Close()
	var keys []outputKey
	add := func(key outputKey, text []byte) error {
		if sh.partition(tp.Topic, text) != tp.Partition {
			return nil
		}
		if keys = append(keys, key); len(keys) < reissueChunk {
			return nil
		}
		err := sh.reissue(keys)
		keys = keys[:0]
		return err
	}
	for _, e := range sh.model.Entities {
		if err := eachRow(snap, e, tp.Topic, add); err != nil {
			return err
		}
	}
	return sh.reissue(keys)
}

// eachRow calls add with each object of an entity class that is published on topic, and its key.
func eachRow(snap *store.Snapshot, e *Entity, topic string,
	add func(outputKey, []byte) error) error {
	if topic == e.AssignmentTopic {
		return snap.Clusters(e.Name, func(_ profile.ID, c *store.Cluster) error {
			for _, id := range c.Members {
				key := outputKey{store.ProfileRef{Class: e.Name}, id}
				if err := add(key, assignmentKey(id)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for _, policy := range e.written() {
		if policy.Topic != topic {
			continue
		}
		err := snap.Profiles(e.Name, policy.Name, func(id profile.ID, _ *store.Profile) error {
			ref := store.ProfileRef{Class: e.Name, Policy: policy.Name, ID: id}
			return add(outputKey{ref: ref}, []byte(id.String()))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// repair publishes again what output partitions are not known to hold. Broken off, it is done again
// from the beginning after the next start.
func (p *Publisher) repair(ctx context.Context) error {
	repairs, err := p.shard.store.Reader().Repairs()
	if err != nil {
		return err
	}
	for i, r := range repairs {
		tp := TopicPartition{r.Topic, r.Partition}
		if p.lanes[tp] == nil {
			continue // of a topic that is not written any more
		}
		p.o.Log.Warn("publishing again", "partition", tp.String(), "from", r.From,
			"everything", r.All)
		if r.All {
			if err := p.shard.reissueRows(tp); err != nil {
				return err
			}
		}
		if err := p.reissueLanded(ctx, tp, r.From); err != nil {
			return err
		}
		if err := p.shard.store.SetRepairs(repairs[i+1:]); err != nil {
			return err
		}
	}
	return nil
}

// reissueLanded has everything published again whose key is in tp from offset on.
func (p *Publisher) reissueLanded(ctx context.Context, tp TopicPartition, offset int64) error {
	bounds, err := p.bounds(ctx, tp)
	if err != nil {
		return err
	}
	start := max(offset, bounds.Start)
	return p.walk(ctx, tp, start, bounds.End, func(records []Record) error {
		seen := map[string]bool{}
		var keys []outputKey
		for i := range records {
			r := &records[i]
			if mark, ok := readMark(r); !ok || mark.shard != p.o.TransactionalID {
				continue
			}
			if key, ok := p.shard.keyOf(tp.Topic, r.Key); ok && !seen[string(r.Key)] {
				seen[string(r.Key)] = true
				keys = append(keys, key)
			}
		}
		return p.shard.reissue(keys)
	})
}
