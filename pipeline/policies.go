package pipeline

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"selfsame/profile"
	"selfsame/store"
)

// The kinds of PolicyChange.
const (
	PolicyNew     = "new"     // its topic gets all profiles
	PolicyChanged = "changed" // its topic gets the profiles that come out otherwise
	PolicyGone    = "gone"    // its topic gets a tombstone for each profile
)

// PolicyChange is what became of a merge policy.
type PolicyChange struct {
	Class, Policy string
	Kind          string
	Job           string // that brings its topic up to date
}

// AdoptPolicies compares the model's merge policies with those that the store's profiles were
// decided under. For each that differs it starts a job, which brings the policy's topic up to date
// in the background, and the store remembers the policy. A policy that is gone stays in the model
// as one that is leaving, until its profiles have ended, and a topic that is gone as one that is
// draining, until what waits for it is published. Call it before a shard is made and before the
// partitions of output topics are asked for; now is the time in nanoseconds since the epoch.
func AdoptPolicies(m *Model, s *store.Store, now int64) ([]PolicyChange, error) {
	if err := s.Intern(m.names()...); err != nil {
		return nil, err
	}
	m.Draining = nil
	a := &adoption{model: m, store: s, now: now, held: map[policyKey]*store.Policy{}}
	err := s.Reader().Policies(func(p *store.Policy) error {
		a.held[policyKey{p.Class, p.Name}] = p
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.Reader().Jobs(func(job *store.Job) error {
		a.taken = append(a.taken, job.ID)
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.first = len(a.held) == 0
	for _, e := range m.Entities {
		for i := range e.Policies {
			if err := a.adopt(e, &e.Policies[i]); err != nil {
				return nil, err
			}
		}
	}
	if err := a.dismiss(); err != nil {
		return nil, err
	}
	if err := m.drain(s); err != nil {
		return nil, err
	}
	if err := errors.Join(a.refused...); err != nil {
		return nil, err
	}
	if len(a.set)+len(a.forget) == 0 {
		return nil, nil
	}
	return a.changes, s.SetPolicies(a.set, a.forget, a.jobs)
}

// adoption is one run of AdoptPolicies.
type adoption struct {
	model   *Model
	store   *store.Store
	now     int64
	held    map[policyKey]*store.Policy // remembered
	first   bool                        // nothing is
	taken   []string                    // ids of jobs
	set     []store.Policy
	forget  []store.Policy
	jobs    []*store.Job
	changes []PolicyChange
	refused []error
}

// adopt compares one policy with what is remembered of it.
func (a *adoption) adopt(e *Entity, policy *PolicyTopic) error {
	row := store.Policy{Class: e.Name, Name: policy.Name, Topic: policy.Topic,
		Merge: mergeText(policy), Alone: policy.Stitching == profile.StitchNone}
	old := a.held[policyKey{e.Name, policy.Name}]
	if a.first {
		var err error
		if old, err = a.unremembered(row); err != nil {
			return err
		}
	}
	kind := ""
	switch {
	case a.store.Empty():
	case old == nil:
		kind = PolicyNew
	case old.Topic != row.Topic:
		a.refuse("merge policy %s of class %s writes to topic %s, the configuration says %s: "+
			"set it back, or give the policy another name together with the new topic, which "+
			"then gets all profiles", row.Name, row.Class, old.Topic, row.Topic)
		return nil
	case old.Leaving, !bytes.Equal(old.Merge, row.Merge):
		kind = PolicyChanged
	}
	if kind != "" {
		args := policyArgs{Class: e.Name, Policy: policy.Name,
			Sweep: old != nil && old.Alone != row.Alone}
		if err := a.start(kind, args); err != nil {
			return err
		}
	}
	held := a.held[policyKey{e.Name, policy.Name}]
	if held == nil || kind != "" || held.Topic != row.Topic || !bytes.Equal(held.Merge, row.Merge) {
		a.set = append(a.set, row)
	}
	return nil
}

// unremembered is what an earlier version would have remembered of a policy: all policies were
// plain. nil where it had no profile.
func (a *adoption) unremembered(row store.Policy) (*store.Policy, error) {
	found := false
	err := a.store.Reader().ProfilesFrom(row.Class, row.Name, profile.ID{},
		func(profile.ID, *store.Profile) error {
			found = true
			return store.ErrStop
		})
	if err != nil || !found {
		return nil, err
	}
	plain := row
	plain.Alone = false
	shown := a.model.Entity(row.Class).policy(row.Name).ShowDeprecated
	plain.Merge = mergeText(&PolicyTopic{ShowDeprecated: shown})
	return &plain, nil
}

// dismiss deals with the policies that are remembered and not configured.
func (a *adoption) dismiss() error {
	for _, old := range a.heldInOrder() {
		e := a.model.Entity(old.Class)
		if e == nil || e.has(old.Name) {
			continue // classes that are gone are refused with their union schemas
		}
		left, err := a.leftOf(old)
		if err != nil {
			return err
		}
		repaired, err := a.repairs(old.Topic)
		if err != nil {
			return err
		}
		if !left && !repaired {
			a.forget = append(a.forget, *old)
			continue
		}
		if slices.Contains(a.model.OutputTopics(), old.Topic) ||
			slices.Contains(a.model.ConsumedTopics(), old.Topic) {
			a.refuse("merge policy %s of class %s is gone, and its profiles are to be ended in "+
				"topic %s, which the configuration has for something else: keep the policy's "+
				"name, or name another topic", old.Name, old.Class, old.Topic)
			continue
		}
		e.Leaving = append(e.Leaving, PolicyTopic{Policy: profile.Policy{Name: old.Name},
			Topic: old.Topic})
		if old.Leaving {
			continue
		}
		row := *old
		row.Leaving = true
		a.set = append(a.set, row)
		args := policyArgs{Class: old.Class, Policy: old.Name, Gone: true}
		if err := a.start(PolicyGone, args); err != nil {
			return err
		}
	}
	return nil
}

// drain keeps topics that have left the configuration, such as one of changes, among the output
// topics while the outbox holds records for them. Whether these have landed only the topic tells.
func (m *Model) drain(s *store.Store) error {
	written, read := m.OutputTopics(), m.ConsumedTopics()
	return s.LeftOver(func(e *store.Entry, _ bool) error {
		if e.Kind == store.EntryRecord && !slices.Contains(written, e.Topic) &&
			!slices.Contains(read, e.Topic) {
			m.Draining = append(m.Draining, e.Topic)
			written = append(written, e.Topic)
		}
		return nil
	})
}

func (a *adoption) heldInOrder() []*store.Policy {
	var all []*store.Policy
	for _, p := range a.held {
		all = append(all, p)
	}
	slices.SortFunc(all, func(p, q *store.Policy) int {
		return cmp.Or(cmp.Compare(p.Class, q.Class), cmp.Compare(p.Name, q.Name))
	})
	return all
}

// leftOf reports whether the store still has profiles of a policy, ended ones that wait for their
// tombstones among them.
func (a *adoption) leftOf(p *store.Policy) (bool, error) {
	left := false
	err := a.store.Reader().ProfilesFrom(p.Class, p.Name, profile.ID{},
		func(profile.ID, *store.Profile) error {
			left = true
			return store.ErrStop
		})
	return left, err
}

// repairs reports whether a topic has lost what it had acknowledged: the ends of profiles may be
// among that, and the store does not know of them any more.
func (a *adoption) repairs(topic string) (bool, error) {
	repairs, err := a.store.Reader().Repairs()
	lost := func(r store.Repair) bool { return r.Topic == topic }
	return slices.ContainsFunc(repairs, lost), err
}

func (a *adoption) refuse(format string, args ...any) {
	a.refused = append(a.refused, fmt.Errorf(format, args...))
}

// start begins the job of a change. The number of the next commit tells it from earlier ones, or a
// mark where none was made since.
func (a *adoption) start(kind string, args policyArgs) error {
	raw, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("starting the job of policy %s: %w", args.Policy, err)
	}
	id := "policy-" + args.Class + "-" + args.Policy + "-" +
		strconv.FormatUint(a.store.NextVersion(), 10)
	for slices.Contains(a.taken, id) {
		id += "+"
	}
	a.jobs = append(a.jobs, &store.Job{ID: id, Kind: jobPolicy, Args: raw,
		State: store.JobRunning, Created: a.now})
	a.changes = append(a.changes, PolicyChange{Class: args.Class, Policy: args.Policy, Kind: kind,
		Job: id})
	return nil
}

// has reports whether a policy of that name is configured.
func (e *Entity) has(policy string) bool {
	return slices.ContainsFunc(e.Policies, func(p PolicyTopic) bool { return p.Name == policy })
}

// written lists the policies whose topics are written to: the configured ones, and those that are
// leaving.
func (e *Entity) written() []PolicyTopic { return slices.Concat(e.Policies, e.Leaving) }

// leaving returns the policy of that name that is leaving, nil where none is.
func (e *Entity) leaving(policy string) *PolicyTopic {
	for i := range e.Leaving {
		if e.Leaving[i].Name == policy {
			return &e.Leaving[i]
		}
	}
	return nil
}

// mergeText writes down everything of a policy that decides what its profiles hold, so that equal
// policies have equal texts.
func mergeText(policy *PolicyTopic) []byte {
	type rule struct {
		Strategy   string   `json:"strategy"`
		Precedence []string `json:"precedence,omitempty"`
		Union      bool     `json:"union,omitempty"`
	}
	type override struct {
		Path  string `json:"path"`
		Below bool   `json:"below,omitempty"`
		Rule  rule   `json:"rule"`
	}
	of := func(r profile.Rule) rule { return rule{r.Strategy.String(), r.Precedence, r.Union} }
	text := struct {
		None       bool       `json:"none,omitempty"`
		Rule       rule       `json:"rule"`
		Overrides  []override `json:"overrides,omitempty"`
		Deprecated bool       `json:"deprecated,omitempty"`
	}{None: policy.Stitching == profile.StitchNone, Rule: of(policy.Rule),
		Deprecated: policy.ShowDeprecated}
	for _, o := range policy.Overrides {
		text.Overrides = append(text.Overrides, override{o.Path.String(), o.Below, of(o.Rule)})
	}
	slices.SortFunc(text.Overrides, func(a, b override) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(strconv.FormatBool(a.Below),
			strconv.FormatBool(b.Below)))
	})
	raw, err := json.Marshal(text)
	if err != nil {
		panic(err) // invariant: texts and booleans marshal
	}
	return raw
}
