package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"math"
	"slices"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// trial is a run of other rules over a snapshot, of which nothing is written. Clusters are formed
// in the order of their ids, so little has to be remembered of those that do not change.
type trial struct {
	reached profile.ID // clusters below have been formed
	ahead   map[profile.ID]bool
}

// formed reports whether a cluster is one of the new rules.
func (t *trial) formed(id profile.ID) bool {
	return bytes.Compare(id[:], t.reached[:]) < 0 || t.ahead[id]
}

func (t *trial) form(id profile.ID) { t.ahead[id] = true }

// RulesEffect is what rules would change.
type RulesEffect struct {
	Class          string `json:"class"`
	Identities     int    `json:"identities"`
	ClustersBefore int    `json:"clusters_before"`
	ClustersAfter  int    `json:"clusters_after"`
	Split          int    `json:"split"`          // clusters that would not stay together
	Merged         int    `json:"merged"`         // clusters that would hold identities of several
	Renamed        int    `json:"renamed"`        // profiles that would only get another id
	Moved          int    `json:"moved"`          // identities whose profile would change
	LargestBefore  int    `json:"largest_before"` // identities in the largest cluster
	LargestAfter   int    `json:"largest_after"`
	Hubs           int    `json:"hubs"`      // identities that would become hubs
	Contested      int    `json:"contested"` // that would belong to nobody since two claim them
	Blocked        int    `json:"blocked"`   // whose value would be blocked
	Heard          int    `json:"heard"`     // silent ones that would link again

	Examples []ClusterExample `json:"examples"` // the largest clusters that would change
}

// ClusterExample is a cluster that would change: what it is now, and what becomes of its
// identities.
type ClusterExample struct {
	ID     string         `json:"profile"`
	Before []string       `json:"identities"`
	After  []ClusterAfter `json:"after"` // the largest first
}

// ClusterAfter is a cluster under other rules.
type ClusterAfter struct {
	ID      string   `json:"profile"`
	Members []string `json:"identities"`
}

// maxExamples bounds the examples of an effect.
const maxExamples = 20

// SimulateRules decides every cluster of a class again under other rules, in a snapshot, and says
// what would change. Nothing is written. It takes about as long as the job that a change starts,
// and memory for what changes. *QueryError where there is no such class or the rules would be
// refused.
func (l *Lookup) SimulateRules(ctx context.Context, class string, rules *identity.Rules) (
	*RulesEffect, error) {
	now, _, err := l.find(class, "")
	if err != nil {
		return nil, err
	}
	next := *now
	next.Rules = rules
	old := RulesTextOf(now.Rules)
	if err := checkRules(l.store.Reader(), &next, &old); err != nil {
		return nil, &QueryError{err.Error()}
	}
	snap := l.store.Snapshot()
	defer snap.Close()
	sh, err := trialShard(l.model, &next, &snap.Reader)
	if err != nil {
		return nil, err
	}
	e := &RulesEffect{Class: class}
	sizes := map[int]int{}
	err = snap.Clusters(class, func(id profile.ID, c *store.Cluster) error {
		e.ClustersBefore++
		e.Identities += len(c.Members)
		sizes[len(c.Members)]++
		if err := sh.tryCluster(class, id, c.Members); err != nil {
			return err
		}
		if e.ClustersBefore%trialTurn == 0 {
			sh.state.turnKept()
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	e.LargestBefore = largest(sizes)
	return e, sh.sumUp(e, &snap.Reader, sizes)
}

// trialTurn is after how many clusters a trial lets go of what did not change.
const trialTurn = 10_000

// trialShard is a shard over a snapshot that decides clusters of a class, and does nothing else.
func trialShard(m *Model, e *Entity, r *store.Reader) (*Shard, error) {
	model := *m
	model.Entities = slices.Clone(m.Entities)
	for i, entity := range model.Entities {
		if entity.Name == e.Name {
			model.Entities[i] = e
		}
	}
	sh, err := snapshotShard(&model, r)
	if err != nil {
		return nil, err
	}
	sh.state.trial = &trial{ahead: map[profile.ID]bool{}}
	sh.state.generations[e.Name] = generation{number: math.MaxUint64}
	return sh, nil
}

// tryCluster forms the next cluster of the snapshot.
func (sh *Shard) tryCluster(class string, id profile.ID, members []profile.Identity) error {
	t := sh.state.trial
	t.reached = id
	if !t.ahead[id] {
		p, err := sh.state.person(class, members[0])
		if err != nil {
			return err
		}
		if sh.state.outdated(p) {
			if err := sh.reform(class, id, cause{}); err != nil {
				return err
			}
		}
	}
	delete(t.ahead, id)
	t.reached = after(id)
	sh.entries = sh.entries[:0]
	sh.dirtyOrder, sh.aloneOrder = sh.dirtyOrder[:0], sh.aloneOrder[:0]
	clear(sh.dirty)
	clear(sh.alone)
	return nil
}

// after is the least id above id.
func after(id profile.ID) profile.ID {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			break
		}
	}
	return id
}

// sumUp compares the clusters of the people that changed.
func (sh *Shard) sumUp(e *RulesEffect, r *store.Reader, sizes map[int]int) error {
	became := map[profile.ID]map[profile.ID]bool{} // by cluster before
	was := map[profile.ID]map[profile.ID]bool{}    // by cluster after
	note := func(from, to profile.ID) {
		for _, one := range []struct {
			in       map[profile.ID]map[profile.ID]bool
			key, val profile.ID
		}{{became, from, to}, {was, to, from}} {
			if one.in[one.key] == nil {
				one.in[one.key] = map[profile.ID]bool{}
			}
			one.in[one.key][one.val] = true
		}
	}
	for _, p := range sh.state.dirtyPeople {
		row, err := r.Identity(p.key.class, p.key.id)
		if err != nil {
			return err
		}
		e.countSilence(row.Silence, p.row.Silence)
		if row.Cluster != p.row.Cluster {
			e.Moved++
			note(row.Cluster, p.row.Cluster)
		}
	}
	if err := sh.noteStayed(e.Class, r, became, was, note); err != nil {
		return err
	}
	e.ClustersAfter = e.ClustersBefore
	for id := range became {
		c, err := r.Cluster(e.Class, id)
		if err != nil {
			return err
		}
		if c == nil {
			continue
		}
		sizes[len(c.Members)]--
		e.ClustersAfter--
		if len(became[id]) > 1 {
			e.Split++
		}
	}
	for id, from := range was {
		c, err := sh.state.cluster(e.Class, id)
		if err != nil {
			return err
		}
		sizes[len(c.members)]++
		e.ClustersAfter++
		if len(from) > 1 {
			e.Merged++
		}
		for only := range from {
			if len(from) == 1 && only != id && len(became[only]) == 1 {
				e.Renamed++
			}
		}
	}
	e.LargestAfter = largest(sizes)
	return sh.examples(e, r, became)
}

// noteStayed notes of the clusters that changed which identities stayed.
func (sh *Shard) noteStayed(class string, r *store.Reader, became,
	was map[profile.ID]map[profile.ID]bool, note func(from, to profile.ID)) error {
	ids := maps.Clone(became)
	maps.Copy(ids, was)
	for id := range ids {
		before, err := r.Cluster(class, id)
		if err != nil {
			return err
		}
		now, err := sh.state.cluster(class, id)
		if err != nil {
			return err
		}
		if before != nil && len(common(before.Members, now.members)) > 0 {
			note(id, id)
		}
	}
	return nil
}

func (e *RulesEffect) countSilence(before, now store.Silence) {
	gained := now &^ before
	for reason, n := range map[store.Silence]*int{store.SilentHub: &e.Hubs,
		store.SilentContested: &e.Contested, store.SilentBlocked: &e.Blocked} {
		if gained&reason != 0 {
			*n++
		}
	}
	if before != 0 && now == 0 {
		e.Heard++
	}
}

// examples lists the largest clusters that would change.
func (sh *Shard) examples(e *RulesEffect, r *store.Reader,
	became map[profile.ID]map[profile.ID]bool) error {
	var all []assigned
	for id := range became {
		before, err := r.Cluster(e.Class, id)
		if err != nil {
			return err
		}
		if before != nil {
			all = append(all, assigned{id, before.Members})
		}
	}
	sortLargest(all)
	e.Examples = []ClusterExample{}
	for _, c := range all[:min(len(all), maxExamples)] {
		example := ClusterExample{ID: c.id.String(), Before: texts(c.members)}
		var after []assigned
		for id := range became[c.id] {
			now, err := sh.state.cluster(e.Class, id)
			if err != nil {
				return err
			}
			after = append(after, assigned{id, now.members})
		}
		sortLargest(after)
		for _, a := range after {
			example.After = append(example.After, ClusterAfter{a.id.String(), texts(a.members)})
		}
		e.Examples = append(e.Examples, example)
	}
	return nil
}

func sortLargest(clusters []assigned) {
	slices.SortFunc(clusters, func(a, b assigned) int {
		return cmp.Or(cmp.Compare(len(b.members), len(a.members)), bytes.Compare(a.id[:], b.id[:]))
	})
}

func largest(sizes map[int]int) int {
	most := 0
	for size, n := range sizes {
		if n > 0 {
			most = max(most, size)
		}
	}
	return most
}

// turnKept drops what has not been used for long, but for what was changed.
func (s *state) turnKept() {
	s.last = nil
	var links []*link
	for _, key := range s.dirtyLinks {
		links = append(links, s.links.get(key))
	}
	var clusters []*cluster
	for _, key := range s.dirtyClusters {
		clusters = append(clusters, s.clusters.get(key))
	}
	s.turn()
	for _, p := range s.dirtyPeople {
		s.people.put(p.key, p)
	}
	for i, key := range s.dirtyLinks {
		s.links.put(key, links[i])
	}
	for i, key := range s.dirtyClusters {
		s.clusters.put(key, clusters[i])
	}
}
