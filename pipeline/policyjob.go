package pipeline

import (
	"math"

	"selfsame/profile"
	"selfsame/store"
)

// jobPolicy brings the topic of a merge policy up to date that has changed or is gone.
const jobPolicy = "policy"

// policyArgs are the arguments of a policy's job.
type policyArgs struct {
	Class  string `json:"class"`
	Policy string `json:"policy"`
	Gone   bool   `json:"gone,omitempty"`
	Sweep  bool   `json:"sweep,omitempty"` // it stitches otherwise: look for profiles that end
}

// The phases of a policy's job: the first byte of its cursor. An id follows, where the phase goes
// on.
const (
	policyRows     = 0 // what was decided under the policy
	policyClusters = 1 // what there is
)

// ended is a profile of a policy that is leaving.
type ended struct {
	ref   store.ProfileRef
	topic string
}

// stepPolicy takes a step through the profiles that were decided, where some may have to end, then
// through the clusters.
func (sh *Shard) stepPolicy(job *store.Job, args policyArgs, limit int) (done bool, err error) {
	e := sh.model.Entity(args.Class)
	if e == nil || e.has(args.Policy) == args.Gone || args.Gone && e.leaving(args.Policy) == nil {
		return true, nil // it has come back, or gone, and that has started a job of its own
	}
	phase, first := policyCursor(job)
	if phase == policyRows {
		if !args.Gone && !args.Sweep {
			job.Cursor = []byte{policyClusters}
			return sh.stepPolicy(job, args, limit)
		}
		next, more, err := sh.sweepPolicy(job, e, args, first, limit)
		if err != nil {
			return false, err
		}
		if more {
			job.Cursor = append([]byte{policyRows}, next[:]...)
			return false, nil
		}
		job.Cursor = []byte{policyClusters}
		return args.Gone, nil
	}
	clusters, next, err := sh.nextClusters(args.Class, first[:], limit)
	if err != nil {
		return false, err
	}
	why := cause{job.Cause, math.MinInt64, ControlName}
	for _, c := range clusters {
		if err := sh.remerge(clusterKey{args.Class, c.id}, why, false); err != nil {
			return false, err
		}
	}
	job.Done += uint64(len(clusters))
	if next == nil {
		return true, nil
	}
	job.Cursor = append([]byte{policyClusters}, next...)
	job.Total = estimate(job.Done, next)
	return false, nil
}

func policyCursor(job *store.Job) (phase byte, first profile.ID) {
	if len(job.Cursor) == 0 {
		return policyRows, first
	}
	copy(first[:], job.Cursor[1:])
	return job.Cursor[0], first
}

// sweepPolicy goes through what was decided under a policy. One that is leaving has its profiles
// ended; of one that stitches otherwise now, a profile is settled where there is no cluster of its
// id any more: where identities had profiles of their own.
func (sh *Shard) sweepPolicy(job *store.Job, e *Entity, args policyArgs, first profile.ID,
	limit int) (next profile.ID, more bool, err error) {
	var alive []profile.ID
	seen := 0
	err = sh.state.reader.ProfilesFrom(args.Class, args.Policy, first,
		func(id profile.ID, row *store.Profile) error {
			if seen == limit {
				next, more = id, true
				return store.ErrStop
			}
			seen++
			if !row.Dead {
				alive = append(alive, id)
			}
			return nil
		})
	if err != nil {
		return next, more, err
	}
	for _, id := range alive {
		if !args.Gone {
			if !e.policy(args.Policy).alone() {
				sh.markCluster(args.Class, id, cause{job.Cause, math.MinInt64, ControlName})
			}
			continue
		}
		policy := e.leaving(args.Policy)
		ref := store.ProfileRef{Class: args.Class, Policy: args.Policy, ID: id}
		sh.ending = append(sh.ending, ended{ref, policy.Topic})
	}
	job.Done += uint64(len(alive))
	if more {
		job.Total = estimate(job.Done, next[:])
	}
	return next, more, nil
}

// endProfiles ends the profiles of policies that are leaving.
func (sh *Shard) endProfiles(b *store.Batch) error {
	for _, end := range sh.ending {
		last, err := sh.state.decided(end.ref)
		if err != nil {
			return err
		}
		last.row = store.Profile{Version: sh.version, Time: last.row.Time, Dead: true,
			Identity: last.row.Identity}
		b.SetProfile(end.ref, &last.row)
		sh.entries = append(sh.entries, sh.profileEntry(end.ref, end.topic))
	}
	sh.ending = sh.ending[:0]
	return nil
}

// profileEntry is an outbox entry that points to a profile.
func (sh *Shard) profileEntry(ref store.ProfileRef, topic string) store.Entry {
	return store.Entry{
		Kind: store.EntryProfile, Topic: topic,
		Partition: sh.partition(topic, []byte(ref.ID.String())),
		Class:     ref.Class, Policy: ref.Policy, ID: ref.ID,
	}
}

func (p *PolicyTopic) alone() bool { return p.Stitching == profile.StitchNone }
