package pipeline

import (
	"encoding/json"
	"fmt"

	"selfsame/profile"
	"selfsame/store"
)

// changeRecord is the value of a record on a policy's change topic: how a state of a profile
// differs from the one before it.
type changeRecord struct {
	ID         string          `json:"id"`
	Class      string          `json:"class"`
	Policy     string          `json:"policy"`
	Version    uint64          `json:"version"`
	Previous   uint64          `json:"previous,omitempty"` // of the state before; none: it begins
	Begins     bool            `json:"begins,omitempty"`
	Ends       bool            `json:"ends,omitempty"`
	MergedInto string          `json:"merged_into,omitempty"`
	Whole      bool            `json:"whole,omitempty"` // what it was is not known: all that it is
	Attributes []AttributeDiff `json:"attributes,omitempty"`
	Computed   []AttributeDiff `json:"computed,omitempty"`
	Identities *ListDiff       `json:"identities,omitempty"`
	Datasets   *ListDiff       `json:"datasets,omitempty"`
	Oversize   int             `json:"oversize,omitempty"` // bytes of the difference left out
}

// announceChange puts the difference between two states of a profile on the policy's change topic:
// was is what was decided before, next what is decided now. What the profile held before is merged
// from the state before this commit; where that does not come to what was decided, since the policy
// has changed, the record tells everything that the profile is.
func (sh *Shard) announceChange(policy *PolicyTopic, u unsettled, was, next *store.Profile) error {
	if policy.Changes == "" {
		return nil
	}
	e := sh.model.Entity(u.key.class)
	var old, now *Answer
	var err error
	c := changeRecord{ID: u.key.id.String(), Class: e.Name, Policy: policy.Name,
		Version: next.Version}
	if was != nil {
		c.Previous = was.Version
	}
	if was != nil && u.dirty.hushed {
		c.Whole = true
	} else if was != nil {
		if old, err = sh.before(e, policy, u, was); err != nil {
			return err
		}
		c.Whole = old == nil || digest(contentOf(e, old.Data, old.Merged)) != was.Digest
	}
	if !next.Dead {
		now = &Answer{Data: u.data, Merged: visible(e, policy, policy.Merge(u.data.Sources))}
	} else if !next.Survivor.IsZero() {
		c.MergedInto = next.Survivor.String()
	}
	if c.Whole {
		old = nil
	}
	if old == nil && now == nil {
		old = &Answer{Data: &Gathered{}}
	}
	diff, changed := diffAnswers(old, now)
	if !changed && !c.Whole {
		return nil
	}
	c.Begins, c.Ends = was == nil, next.Dead
	c.Attributes, c.Identities, c.Datasets = diff.Attributes, diff.Identities, diff.Datasets
	c.Computed = diff.Computed
	return sh.enqueueChange(policy, u, next, &c)
}

// before merges a profile as it was before this commit; nil where it was not there. was is what was
// decided of it.
func (sh *Shard) before(e *Entity, policy *PolicyTopic, u unsettled, was *store.Profile) (
	*Answer, error) {
	r := sh.state.reader
	members := []profile.Identity{u.identity}
	if u.identity.IsZero() {
		row, err := r.Cluster(e.Name, u.key.id)
		if err != nil || row == nil {
			return nil, err
		}
		members = row.Members
	}
	view, err := sh.state.computed.catalog.view(r, e.Name, was.Version, was.Now)
	if err != nil {
		return nil, err
	}
	g, err := gather(storedRows{r, view}, e.Name, members)
	if err != nil {
		return nil, err
	}
	g = g.under(&policy.Policy)
	return &Answer{Data: g, Merged: visible(e, policy, policy.Merge(g.Sources))}, nil
}

func (sh *Shard) enqueueChange(policy *PolicyTopic, u unsettled, next *store.Profile,
	c *changeRecord) error {
	value, err := json.Marshal(c)
	if limit := sh.model.Limits.OutputBytes; err == nil && len(value) > limit {
		c.Oversize = len(value)
		c.Attributes, c.Computed, c.Identities, c.Datasets = nil, nil, nil, nil
		value, err = json.Marshal(c)
	}
	if err != nil {
		return fmt.Errorf("rendering a change: %w", err)
	}
	ref := store.ProfileRef{Class: u.key.class, Policy: policy.Name, ID: u.key.id}
	sh.entries = append(sh.entries, sh.recordEntry(policy.Changes, &store.OutRecord{
		Key: []byte(c.ID), Value: value, Headers: profileHeaders(ref, next)}))
	return nil
}
