package pipeline

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"selfsame/computed"
	"selfsame/profile"
	"selfsame/store"
)

// The states of a computed attribute.
const (
	ComputedReady    = "ready"    // profiles show it
	ComputedBuilding = "building" // its states are being built; profiles do not show it
	// ComputedReplacing: its states are being built; profiles show it as it was defined before.
	ComputedReplacing = "replacing"
	ComputedLeaving   = "leaving" // it is not defined any more, and what it kept is being cleared
)

// ComputedStatus tells of the computed attributes of a class.
type ComputedStatus struct {
	Class      string            `json:"class"`
	Attributes []ComputedInfo    `json:"attributes"`    // in order of name
	Job        *ComputedProgress `json:"job,omitempty"` // that is under way
}

// The phases of a backfill, one after the other.
const (
	ComputedPhaseBuild = "building" // states, identity by identity
	ComputedPhaseShow  = "showing"  // what has been built, profile by profile
	ComputedPhaseClear = "clearing" // what is left of earlier definitions, identity by identity
)

// ComputedProgress is how far a backfill is: in identities and profiles of all its phases.
type ComputedProgress struct {
	ID    string `json:"id"`
	Phase string `json:"phase"`
	Done  uint64 `json:"done"`
	Total uint64 `json:"total"` // an estimate; 0: not known yet
}

// ComputedInfo tells of one computed attribute.
type ComputedInfo struct {
	Name  string       `json:"name"`
	State string       `json:"state"`
	Type  string       `json:"type"` // of the values
	Spec  ComputedSpec `json:"definition"`
	// Defined is when the definition was first seen, Ready since when profiles show it.
	Defined string `json:"defined"`
	Ready   string `json:"ready,omitempty"`
	// Since: events before it had expired when the attribute was defined, and do not count. "":
	// all events count that there ever were.
	Since string `json:"since,omitempty"`
}

// Computed tells of the computed attributes of a class. *QueryError where there is no such class.
func (l *Lookup) Computed(class string) (*ComputedStatus, error) {
	entity := l.model.Entity(class)
	if entity == nil {
		return nil, &QueryError{"there is no entity class " + strconv.Quote(class)}
	}
	snap := l.store.Snapshot()
	defer snap.Close()
	out := &ComputedStatus{Class: class, Attributes: []ComputedInfo{}}
	row, err := snap.ComputedClass(class)
	if err != nil || row == nil {
		return out, err
	}
	if row.Job != "" {
		out.Job = &ComputedProgress{ID: row.Job}
		err = snap.Jobs(func(job *store.Job) error {
			if job.ID != row.Job {
				return nil
			}
			phase, _ := backfillPhase(job)
			out.Job.Phase = backfillPhases[phase]
			out.Job.Done, out.Job.Total = job.Done, job.Total
			return nil
		})
	}
	for i := range row.Attributes {
		if info := l.computedInfo(entity, row, &row.Attributes[i]); info != nil {
			out.Attributes = append(out.Attributes, *info)
		}
	}
	slices.SortFunc(out.Attributes, func(a, b ComputedInfo) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Defined, b.Defined))
	})
	return out, err
}

// computedInfo tells of one remembered definition; nil of one that another has replaced, or is
// about to.
func (l *Lookup) computedInfo(e *Entity, row *store.ComputedClass,
	a *store.ComputedAttribute) *ComputedInfo {
	t := l.catalog.attribute(row.Class, a)
	if t == nil {
		return nil
	}
	others := func(other func(*store.ComputedAttribute) bool) bool {
		return slices.ContainsFunc(row.Attributes, func(o store.ComputedAttribute) bool {
			return o.Name == a.Name && o.Number != a.Number && other(&o)
		})
	}
	info := &ComputedInfo{Name: a.Name, State: ComputedReady, Type: t.Output().String(),
		Spec: specOf(&t.def), Defined: formatTime(a.Since)}
	switch {
	case others(func(o *store.ComputedAttribute) bool {
		return o.Until == store.NotYet && (o.Number > a.Number || a.Until != store.NotYet)
	}):
		return nil
	case a.Until != store.NotYet:
		info.State = ComputedLeaving
	case a.From == store.NotYet:
		info.State = ComputedBuilding
		if others(func(o *store.ComputedAttribute) bool { return o.Shows(latest) }) {
			info.State = ComputedReplacing
		}
	}
	if a.Ready != 0 {
		info.Ready = formatTime(a.Ready)
	}
	if a.From != 0 && t.Lifetime() {
		info.Since = l.since(t, a)
	}
	return info
}

// since is from when on no event had expired when a lifetime attribute was defined.
func (l *Lookup) since(t *tracked, a *store.ComputedAttribute) string {
	var keeps time.Duration
	for _, name := range t.Datasets() {
		ds := l.model.Dataset(name)
		if ds != nil && ds.Retention > 0 && (keeps == 0 || ds.Retention < keeps) {
			keeps = ds.Retention
		}
	}
	if keeps == 0 {
		return ""
	}
	return formatTime(a.Since - int64(keeps))
}

// specOf writes a definition as people do.
func specOf(d *computed.Definition) ComputedSpec {
	spec := ComputedSpec{Function: string(d.Function), Value: given(d.Value),
		Filter: given(d.Filter), Window: d.Window, Zone: given(d.Zone),
		WeekStart: given(d.WeekStart)}
	if len(d.Datasets) == 1 {
		spec.Dataset = d.Datasets[0]
	} else {
		spec.Datasets = d.Datasets
	}
	if d.N != 0 {
		spec.N = &d.N
	}
	if d.MaxDistinct != 0 {
		spec.MaxDistinct = &d.MaxDistinct
	}
	return spec
}

// given is a key of a spec, nil where it says nothing.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// Said is what a key of a spec says, "" where it is left out.
func Said(key *string) string {
	if key == nil {
		return ""
	}
	return *key
}

// ComputedQuery asks what computed attributes that are not configured would come to.
type ComputedQuery struct {
	Class      string                  `json:"class"`
	Attributes map[string]ComputedSpec `json:"attributes"` // by name
	// Identity, as namespace:value before normalisation, is of whom; "": of a sample.
	Identity string `json:"identity,omitempty"`
	Sample   int    `json:"sample,omitempty"` // so many clusters; 0: DefaultPreviewSample
}

// ComputedPreview is what they would come to.
type ComputedPreview struct {
	Class    string         `json:"class"`
	Looked   int            `json:"looked"`   // at so many profiles
	Present  map[string]int `json:"present"`  // of these, how many have a value other than 0
	Profiles []ComputedDiff `json:"profiles"` // in order of id
}

// ComputedDiff is what the attributes would come to for one profile.
type ComputedDiff struct {
	ID       string                     `json:"id"`
	Computed map[string]json.RawMessage `json:"computed"`
	Flags    map[string][]string        `json:"computed_flags,omitempty"`
}

// PreviewComputed evaluates definitions on stored events, on one committed state, and changes
// nothing. nil where the identity is not known. *QueryError where the query is wrong, *SpecsError
// where a definition is.
func (l *Lookup) PreviewComputed(q ComputedQuery) (*ComputedPreview, error) {
	entity, _, err := l.find(q.Class, "")
	if err != nil {
		return nil, err
	}
	shown, err := l.tryOut(q)
	if err != nil {
		return nil, err
	}
	snap := l.store.Snapshot()
	defer snap.Close()
	picked, err := l.pickFor(snap, entity, q)
	if err != nil || picked == nil {
		return nil, err
	}
	view := &computedView{reader: &snap.Reader, class: entity.Name, shown: shown, now: l.Now()}
	out := &ComputedPreview{Class: entity.Name, Present: map[string]int{},
		Profiles: []ComputedDiff{}}
	for _, c := range picked {
		folded, err := view.fold(c.members)
		if err != nil {
			return nil, err
		}
		out.add(c.id, folded)
	}
	return out, nil
}

// tryOut compiles the definitions of a query.
func (l *Lookup) tryOut(q ComputedQuery) ([]*tracked, error) {
	if len(q.Attributes) == 0 {
		return nil, &QueryError{"want at least one attribute"}
	}
	class, err := l.model.ComputedClass(q.Class)
	if err != nil {
		return nil, err
	}
	var shown []*tracked
	var problems []SpecError
	for _, name := range slices.Sorted(maps.Keys(q.Attributes)) {
		d, errs := CompileComputed(name, q.Attributes[name], class)
		for _, one := range errs {
			one.Key = append([]string{name}, one.Key...)
			problems = append(problems, one)
		}
		if len(errs) == 0 {
			shown = append(shown, &tracked{Attribute: d.Attribute, def: d.Definition})
		}
	}
	if len(problems) > 0 {
		return nil, specsError("", problems)
	}
	return shown, nil
}

// pickFor lists the clusters that a query is about; nil where its identity is not known.
func (l *Lookup) pickFor(snap *store.Snapshot, e *Entity, q ComputedQuery) ([]assigned, error) {
	switch {
	case q.Identity != "" && q.Sample != 0:
		return nil, &QueryError{"want an identity or a sample, not both"}
	case q.Sample < 0 || q.Sample > MaxPreviewSample:
		return nil, &QueryError{"want a sample of 1 to " + strconv.Itoa(MaxPreviewSample)}
	case q.Identity == "":
		return sampleClusters(snap, e.Name, cmp.Or(q.Sample, DefaultPreviewSample))
	}
	id, ok := profile.ParseIdentity(q.Identity)
	if !ok {
		return nil, &QueryError{"want an identity as NAMESPACE:VALUE"}
	}
	id, err := e.resolve(id.Namespace, id.Value)
	if err != nil {
		return nil, err
	}
	row, err := snap.Identity(e.Name, id)
	if err != nil || row == nil {
		return nil, err
	}
	c, err := snap.Cluster(e.Name, row.Cluster)
	if err != nil || c == nil {
		return nil, err
	}
	return []assigned{{row.Cluster, c.Members}}, nil
}

func (p *ComputedPreview) add(id profile.ID, folded *Computed) {
	p.Looked++
	d := ComputedDiff{ID: id.String(), Computed: map[string]json.RawMessage{}}
	for i := range folded.Values {
		v := &folded.Values[i]
		if raw := rawValue(v.Value); raw != nil {
			d.Computed[v.Name] = raw
			if v.Value.Kind() != profile.KindInt || v.Value.AsInt() != 0 {
				p.Present[v.Name]++
			}
		}
		if flags := v.Flags(); flags != nil {
			if d.Flags == nil {
				d.Flags = map[string][]string{}
			}
			d.Flags[v.Name] = flags
		}
	}
	p.Profiles = append(p.Profiles, d)
}
