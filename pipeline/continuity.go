package pipeline

import (
	"context"
	"errors"
	"fmt"

	"selfsame/store"
)

// assure looks at the log before it is read on. gone is the answer of the broker that has caused
// it, nil where it was another cause. It reports false when reading has to end for now.
func (r *reader) assure(ctx context.Context, gone *OutOfRangeError) bool {
	b, err := r.look(ctx, gone)
	if err == nil && b.Case != store.CaseContinues {
		return r.settle(ctx, b)
	}
	if err != nil {
		r.holdUp(ctx, err)
		return true
	}
	r.unsure = false
	return true
}

// look finds out whether the log is the one that was consumed.
func (r *reader) look(ctx context.Context, gone *OutOfRangeError) (store.Break, error) {
	b := store.Break{Partition: r.tp.Partition, Next: r.at.Next}
	id, err := r.topicID(ctx)
	if err != nil {
		return b, err
	}
	switch {
	case differ(r.at.Topic, id):
		b.Case = store.CaseRecreated
	case r.asked() && r.in.Resume == store.ResumeAgain:
		b.Case = store.CaseAsked
	default:
		b.Case, err = r.compare(ctx, !id.IsZero() && id == r.at.Topic)
	}
	if b.Case == store.CaseContinues && gone != nil {
		b.Case = outside(gone)
	}
	if b.Case == store.CaseContinues || err != nil {
		if r.at.Topic.IsZero() {
			r.at.Topic = id
		}
		return b, err
	}
	if b.LogStart, err = r.p.Source.Offset(ctx, r.tp, Start{Kind: StartEarliest}); err != nil {
		return b, err
	}
	b.End, err = r.p.Source.Offset(ctx, r.tp, Start{Kind: StartLatest})
	return b, err
}

// differ reports whether two ids are known and not the same.
func differ(a, b store.TopicID) bool { return a != b && !a.IsZero() && !b.IsZero() }

// topicID asks for the topic's id, unless the watcher did just before it started this reader.
func (r *reader) topicID(ctx context.Context) (store.TopicID, error) {
	if r.described {
		r.described = false
		return r.p.topics.Get(r.tp.Topic), nil
	}
	topic, err := r.p.describe(ctx, r.tp.Topic)
	return topic.ID, err
}

// outside is the case of an offset that the log does not reach.
func outside(gone *OutOfRangeError) store.Case {
	if gone.Offset < gone.LogStart {
		return store.CaseExpired
	}
	return store.CaseTruncated
}

// asked reports whether this partition was not found in order yet since an operator has resumed the
// topic: what was asked for then stands for the policy.
func (r *reader) asked() bool { return r.at.Generation != r.in.Generation }

// compare fetches the last record that was consumed again. A compacted log can have lost it: then
// what follows it must not be older. sameTopic says that the topic is known not to be a new one.
func (r *reader) compare(ctx context.Context, sameTopic bool) (store.Case, error) {
	anchor := r.at.Anchor
	if !anchor.Known {
		return store.CaseContinues, nil
	}
	found, err := r.firstFrom(ctx, anchor.Offset)
	if err != nil || found == nil {
		return store.CaseContinues, err
	}
	there := found.Pos.Offset == anchor.Offset
	if there && recordSum(found) == anchor.Sum {
		return store.CaseContinues, nil
	}
	older := found.LeaderEpoch >= 0 && found.LeaderEpoch < anchor.Epoch
	switch {
	case older && !sameTopic:
		return store.CaseRecreated, nil
	case older || there:
		return store.CaseTruncated, nil
	}
	return store.CaseContinues, nil
}

// firstFrom fetches the first record at offset or later; nil where the log ends before one.
func (r *reader) firstFrom(ctx context.Context, offset int64) (*Record, error) {
	for {
		got, err := r.p.Source.Fetch(ctx, r.tp, offset)
		var gone *OutOfRangeError
		switch {
		case errors.As(err, &gone) && offset < gone.LogStart:
			offset = gone.LogStart
			continue
		case errors.As(err, &gone):
			return nil, nil // the log ends before it
		case err != nil:
			return nil, fmt.Errorf("looking for the last record consumed: %w", err)
		case len(got.Records) > 0:
			return &got.Records[0], nil
		case got.Next == offset || got.Next >= got.End:
			return nil, nil
		}
		offset = got.Next
	}
}

// settle does what the policy says about a log that does not go on. It reports false when reading
// has to end for now.
func (r *reader) settle(ctx context.Context, b store.Break) bool {
	r.goesOn()
	to, halts := r.target(b)
	if halts {
		c := r.chunk(ChunkHalt, r.at.Next)
		c.Break = b
		r.p.hand(ctx, c)
		return false
	}
	c := r.chunk(ChunkMove, to)
	c.Break, c.Topic = b, r.p.topics.Get(r.tp.Topic)
	r.p.Log.Warn("input does not continue what was consumed; going on elsewhere",
		"partition", r.tp.String(), "found", breakText(r.tp, b), "next", to,
		"lost", unread(b, to))
	if !r.p.hand(ctx, c) {
		return false
	}
	r.at = store.Position{Next: to, Topic: c.Topic, Generation: r.in.Generation}
	r.epoch, r.unsure = -1, false
	return true
}

// target is where to go on, or that the policy is to halt.
func (r *reader) target(b store.Break) (to int64, halts bool) {
	policy := r.p.Shard.model.continuity(r.tp.Topic)
	if r.asked() {
		switch r.in.Resume {
		case store.ResumeRewind, store.ResumeAgain:
			policy = ContinuityRewind
		case store.ResumeSkip:
			policy = ContinuitySkip
		}
	}
	switch {
	case b.Case == store.CaseAsked || policy == ContinuityRewind:
		return b.LogStart, false
	case policy == ContinuitySkip:
		return min(max(b.Next, b.LogStart), b.End), false
	}
	return 0, true
}
