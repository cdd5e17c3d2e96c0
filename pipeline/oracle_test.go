package pipeline_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"selfsame/identity"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
)

// holding is what all records together say under one identity, read from the log at one go.
type holding struct {
	fragments map[string]*profile.Fragment // by dataset
	events    map[string]bool              // datasets
}

// holdings decodes the whole input. Records of one fragment are joined in the order of the log;
// that no other order gives anything else is shown elsewhere.
func (w *world) holdings() map[profile.Identity]*holding {
	w.t.Helper()
	all := map[profile.Identity]*holding{}
	first := map[string]pipeline.Input{} // of each event id the copy with the least stamp
	of := func(id profile.Identity) *holding {
		if all[id] == nil {
			all[id] = &holding{map[string]*profile.Fragment{}, map[string]bool{}}
		}
		return all[id]
	}
	for _, tp := range w.partitions(w.model.InputTopics()) {
		for _, r := range w.log.Records(tp) {
			in := w.decoder.Decode(r)
			if in.Reject != nil {
				continue // of a blocked identity, which the facts have too
			}
			if in.Dataset.Class == pipeline.ClassEvent {
				if old, ok := first[in.EventID]; !ok || in.Stamp.Before(old.Stamp) {
					first[in.EventID] = in
				}
				continue
			}
			h := of(in.IDs.Primary)
			if h.fragments[in.Dataset.Name] == nil {
				h.fragments[in.Dataset.Name] = &profile.Fragment{}
			}
			h.fragments[in.Dataset.Name].Join(&in.Fragment)
		}
	}
	for _, in := range first {
		of(in.IDs.Primary).events[in.Dataset.Name] = true
	}
	return all
}

// statementOf is what a fragment says of a path: its value, or its newest unset there or above.
func statementOf(f *profile.Fragment, path profile.Path) (said profile.Leaf) {
	for _, l := range f.Shown() {
		switch {
		case l.Path == path && !l.Unset():
			return l
		case l.Unset() && l.Path.Contains(path) && said.Stamp.Before(l.Stamp):
			said = l
		}
	}
	return said
}

// naiveProfile merges the holdings of some identities by the rules of a policy, path by path.
func naiveProfile(p *pipeline.PolicyTopic, all map[profile.Identity]*holding,
	members []profile.Identity) (attributes map[string]string, datasets []string) {
	attributes = map[string]string{}
	contributes := map[string]bool{}
	paths := map[profile.Path]bool{}
	for _, id := range members {
		if all[id] == nil {
			continue
		}
		maps.Copy(contributes, all[id].events)
		for dataset, f := range all[id].fragments {
			for _, l := range f.Shown() {
				if l.Unset() {
					continue
				}
				paths[l.Path] = true
				rule := p.RuleOf(l.Path)
				if rule.Strategy != profile.StrategyPrecedence ||
					slices.Contains(rule.Precedence, dataset) {
					contributes[dataset] = true
				}
			}
		}
	}
	for path := range paths {
		if value, ok := naiveAttribute(p.RuleOf(path), path, all, members); ok {
			attributes[path.String()] = value
		}
	}
	return attributes, slices.Sorted(maps.Keys(contributes))
}

func naiveAttribute(rule *profile.Rule, path profile.Path, all map[profile.Identity]*holding,
	members []profile.Identity) (value string, ok bool) {
	var newest, oldest profile.Leaf
	ranked := map[int]profile.Leaf{}
	var arrays []profile.Leaf
	for _, id := range members {
		if all[id] == nil {
			continue
		}
		for dataset, f := range all[id].fragments {
			said := statementOf(f, path)
			rank := slices.Index(rule.Precedence, dataset)
			if said.Stamp.IsZero() || rule.Strategy == profile.StrategyPrecedence && rank < 0 {
				continue
			}
			arrays = append(arrays, said)
			if newest.Stamp.Before(said.Stamp) {
				newest = said
			}
			if oldest.Stamp.IsZero() || said.Stamp.Before(oldest.Stamp) {
				oldest = said
			}
			if ranked[rank].Stamp.Before(said.Stamp) {
				ranked[rank] = said
			}
		}
	}
	chosen := newest
	switch {
	case len(arrays) == 0:
		return "", false
	case rule.Union:
		return naiveUnion(arrays)
	case rule.Strategy == profile.StrategyEarliest:
		chosen = oldest
	case rule.Strategy == profile.StrategyPrecedence:
		chosen = ranked[slices.Min(slices.Collect(maps.Keys(ranked)))]
	}
	return string(profile.AppendJSON(nil, chosen.Value)), !chosen.Unset()
}

// naiveUnion unites arrays in order of time; an unset takes away what is older.
func naiveUnion(arrays []profile.Leaf) (value string, ok bool) {
	slices.SortFunc(arrays, func(a, b profile.Leaf) int { return a.Stamp.Compare(b.Stamp) })
	items := []string{}
	for _, a := range arrays {
		if ok = !a.Unset(); !ok {
			items = items[:0]
		}
		for i := range a.Value.Len() {
			item := string(profile.AppendJSON(nil, a.Value.Item(i)))
			if !slices.Contains(items, item) {
				items = append(items, item)
			}
		}
	}
	text := "["
	for i, item := range items {
		if i > 0 {
			text += ","
		}
		text += item
	}
	return text + "]", ok
}

// TestProfilesAgreeWithNaive compares what the topics of all policies hold in the end with what
// comes of the whole log at one go, given who is the same self.
func TestProfilesAgreeWithNaive(t *testing.T) {
	for range seeds(6) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			w := newWorldOn(t, memlog.Options{}, 3, addPolicies(t))
			defer func() { w.close() }()
			all := slices.DeleteFunc(policyFacts(rnd, 300), func(f fact) bool {
				return f.dataset == "control"
			})
			w.lay(rnd, all, 3)
			w.stumble(rnd, true)
			held := w.holdings()
			clusters := w.clusters()
			for i := range w.model.Entity("profile").Policies {
				w.checkPolicy(&w.model.Entity("profile").Policies[i], held, clusters)
			}
		})
	}
}

// clusters is who is the same self, from the assignment topic: members by profile id.
func (w *world) clusters() map[string][]profile.Identity {
	clusters := map[string][]profile.Identity{}
	for key, value := range w.final("assignments") {
		var to struct{ Profile string }
		value = strings.Replace(value, ",}", "}", 1) // where the version was
		w.must(json.Unmarshal([]byte(value), &to))
		id, _ := profile.ParseIdentity(key)
		clusters[to.Profile] = append(clusters[to.Profile], id)
	}
	return clusters
}

func (w *world) checkPolicy(p *pipeline.PolicyTopic, held map[profile.Identity]*holding,
	clusters map[string][]profile.Identity) {
	w.t.Helper()
	if p.Stitching == profile.StitchNone {
		alone := map[string][]profile.Identity{}
		for id := range held {
			own := identity.NewProfileID(idKey, "profile", id).String()
			alone[own] = []profile.Identity{id}
		}
		clusters = alone
	}
	got, attributes := w.final(p.Topic), w.attributes(p.Topic)
	exist := 0
	for id, members := range clusters {
		want, datasets := naiveProfile(p, held, members)
		if len(datasets) == 0 {
			if got[id] != "" {
				w.t.Errorf("%s: %s should not exist: %s", p.Name, id, got[id])
			}
			continue
		}
		exist++
		var said struct {
			Datasets   []string
			Identities map[string][]string
		}
		if got[id] == "" {
			w.t.Errorf("%s: %s is missing", p.Name, id)
			continue
		}
		w.must(json.Unmarshal([]byte(got[id]), &said))
		n := 0
		for _, values := range said.Identities {
			n += len(values)
		}
		if !maps.Equal(attributes[id], want) || !slices.Equal(said.Datasets, datasets) ||
			n != len(members) {
			w.t.Errorf("%s: %s\ngot  %s\nwant %v of %v, %v", p.Name, id, got[id], want, datasets,
				members)
		}
	}
	if len(got) != exist || exist < 5 {
		w.t.Errorf("%s: %d profiles, want %d", p.Name, len(got), exist)
	}
}
