package pipeline

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"selfsame/profile"
	"selfsame/store"
)

// Bounds of the sample of a preview, in clusters.
const (
	DefaultPreviewSample = 100
	MaxPreviewSample     = 1000
)

// PreviewQuery asks what a merge policy that is not configured would change.
type PreviewQuery struct {
	Class   string    `json:"class"`
	Policy  MergeSpec `json:"policy"`
	Against string    `json:"against"` // policy to compare with, "": the default one of the class
	// Identity, as namespace:value before normalisation, is of whom; "": of a sample.
	Identity string `json:"identity"`
	Sample   int    `json:"sample"` // at most so many clusters; 0: DefaultPreviewSample
}

// Preview is what would change.
type Preview struct {
	Class   string `json:"class"`
	Against string `json:"against"`
	Looked  int    `json:"looked"` // at so many profiles
	// RootsOnly says that of each cluster only the profile of its root was looked at.
	RootsOnly bool          `json:"roots_only,omitempty"`
	Profiles  []ProfileDiff `json:"profiles"`
}

// ProfileDiff is what would change of one profile.
type ProfileDiff struct {
	ID         string          `json:"id"`               // as it is, or as it would be
	NewID      string          `json:"new_id,omitempty"` // where it would have another
	Begins     bool            `json:"begins,omitempty"` // there is none now
	Ends       bool            `json:"ends,omitempty"`   // there would be none
	Attributes []AttributeDiff `json:"attributes,omitempty"`
	Computed   []AttributeDiff `json:"computed,omitempty"`
	Datasets   *ListDiff       `json:"datasets,omitempty"`
	Identities *ListDiff       `json:"identities,omitempty"`
}

// AttributeDiff is what would change of an attribute.
type AttributeDiff struct {
	Path string          `json:"path"`
	Old  json.RawMessage `json:"old,omitempty"` // none: absent
	New  json.RawMessage `json:"new,omitempty"`
}

// ListDiff is what would change of a list.
type ListDiff struct {
	Old []string `json:"old"`
	New []string `json:"new"`
}

// Preview compares profiles as they are with what they would be under another policy, on one
// committed state, and changes nothing. nil where the identity is not known. *QueryError where the
// query is wrong, *SpecsError where the policy is.
func (l *Lookup) Preview(q PreviewQuery) (*Preview, error) {
	entity, against, err := l.find(q.Class, q.Against)
	if err != nil {
		return nil, err
	}
	compiled, errs := l.model.CompileMerge(entity, against.Name, q.Policy)
	if len(errs) > 0 {
		return nil, specsError("the policy: ", errs)
	}
	w := &whatIf{lookup: l, entity: entity, old: against,
		next: &PolicyTopic{Policy: compiled, ShowDeprecated: against.ShowDeprecated},
		out:  &Preview{Class: q.Class, Against: against.Name, Profiles: []ProfileDiff{}}}
	w.snap = l.store.Snapshot()
	defer w.snap.Close()
	switch {
	case q.Identity != "" && q.Sample != 0:
		return nil, &QueryError{"want an identity or a sample, not both"}
	case q.Identity != "":
		return w.identity(q)
	case q.Sample < 0 || q.Sample > MaxPreviewSample:
		return nil, &QueryError{"want a sample of 1 to " + strconv.Itoa(MaxPreviewSample)}
	case q.Sample == 0:
		q.Sample = DefaultPreviewSample
	}
	w.out.RootsOnly = w.old.alone() || w.next.alone()
	return w.out, w.sample(q.Sample)
}

// whatIf is one run of Preview.
type whatIf struct {
	lookup    *Lookup
	snap      *store.Snapshot
	entity    *Entity
	old, next *PolicyTopic
	out       *Preview
}

func (w *whatIf) identity(q PreviewQuery) (*Preview, error) {
	id, ok := profile.ParseIdentity(q.Identity)
	if !ok {
		return nil, &QueryError{"want an identity as NAMESPACE:VALUE"}
	}
	asked, err := w.lookup.resolve(Query{Class: q.Class, Policy: q.Against,
		Namespace: id.Namespace, Value: id.Value})
	if err != nil {
		return nil, err
	}
	row, err := w.snap.Identity(w.entity.Name, asked.id)
	if err != nil || row == nil {
		return nil, err
	}
	return w.out, w.compare(asked.id)
}

// sample compares clusters that lie evenly among all ids: all of them, where they are not more.
// Where identities have profiles of their own, it takes the root of each cluster.
func (w *whatIf) sample(n int) error {
	picked, err := sampleClusters(w.snap, w.entity.Name, n)
	if err != nil {
		return err
	}
	for _, c := range picked {
		if err := w.compare(w.root(c)); err != nil {
			return err
		}
	}
	return nil
}

// sampleClusters lists up to n clusters that lie evenly among all ids.
func sampleClusters(snap *store.Snapshot, class string, n int) ([]assigned, error) {
	picked, all, err := pickClusters(snap, class, profile.ID{}, n)
	if err != nil {
		return nil, err
	}
	if !all {
		picked = picked[:0]
		step := uint64(math.MaxUint64) / uint64(n)
		var last profile.ID
		for i := range uint64(n) {
			var from profile.ID
			binary.BigEndian.PutUint64(from[:], i*step)
			one, _, err := pickClusters(snap, class, from, 1)
			if err != nil {
				return nil, err
			}
			if len(one) > 0 && one[0].id != last {
				picked, last = append(picked, one[0]), one[0].id
			}
		}
	}
	return picked, nil
}

// pickClusters lists up to n clusters from an id on; all says that there are no more.
func pickClusters(snap *store.Snapshot, class string, from profile.ID, n int) (picked []assigned,
	all bool, err error) {
	all = true
	err = snap.ClustersFrom(class, from, func(id profile.ID, c *store.Cluster) error {
		if len(picked) == n {
			all = false
			return store.ErrStop
		}
		picked = append(picked, assigned{id, slices.Clone(c.Members)})
		return nil
	})
	return picked, all, err
}

// root is the member of a cluster that its id is made of.
func (w *whatIf) root(c assigned) profile.Identity {
	for _, id := range c.members {
		if w.lookup.ownID(w.entity, id) == c.id {
			return id
		}
	}
	return c.members[0]
}

// compare adds what would change of the profile of an identity.
func (w *whatIf) compare(id profile.Identity) error {
	old, err := w.lookup.read(w.snap, subject{w.entity, w.old, id})
	if err != nil {
		return err
	}
	next, err := w.lookup.read(w.snap, subject{w.entity, w.next, id})
	if err != nil || old == nil && next == nil {
		return err
	}
	w.out.Looked++
	if diff, changed := diffAnswers(old, next); changed {
		w.out.Profiles = append(w.out.Profiles, diff)
	}
	return nil
}

// diffAnswers compares two answers, of which at most one is nil.
func diffAnswers(old, next *Answer) (diff ProfileDiff, changed bool) {
	diff.Begins, diff.Ends = old == nil, next == nil
	blank := &Answer{Data: &Gathered{}}
	switch {
	case diff.Begins:
		old, diff.ID = blank, next.Ref.ID.String()
	case diff.Ends:
		next, diff.ID = blank, old.Ref.ID.String()
	default:
		diff.ID = old.Ref.ID.String()
		if next.Ref.ID != old.Ref.ID {
			diff.NewID = next.Ref.ID.String()
		}
	}
	diff.Attributes = diffAttributes(old.Merged.Leaves, next.Merged.Leaves)
	diff.Computed = diffComputed(old.Data.Computed, next.Data.Computed)
	diff.Datasets = diffLists(old.Data.Datasets, next.Data.Datasets)
	diff.Identities = diffLists(texts(old.Data.Members), texts(next.Data.Members))
	changed = diff.Begins || diff.Ends || diff.NewID != "" || len(diff.Attributes) > 0 ||
		len(diff.Computed) > 0 || diff.Datasets != nil || diff.Identities != nil
	return diff, changed
}

// diffAttributes lists the attributes in which two merged profiles differ, in order of path.
func diffAttributes(old, next []profile.MergedLeaf) []AttributeDiff {
	var diffs []AttributeDiff
	for len(old) > 0 || len(next) > 0 {
		var was, is profile.Value
		var path profile.Path
		switch {
		case len(next) == 0, len(old) > 0 && old[0].Path < next[0].Path:
			path, was, old = old[0].Path, old[0].Value, old[1:]
		case len(old) == 0, next[0].Path < old[0].Path:
			path, is, next = next[0].Path, next[0].Value, next[1:]
		default:
			path, was, is = old[0].Path, old[0].Value, next[0].Value
			old, next = old[1:], next[1:]
		}
		if !was.Equal(is) {
			diffs = append(diffs, AttributeDiff{path.String(), rawValue(was), rawValue(is)})
		}
	}
	return diffs
}

func diffLists(old, next []string) *ListDiff {
	if slices.Equal(old, next) {
		return nil
	}
	return &ListDiff{append([]string{}, old...), append([]string{}, next...)}
}
