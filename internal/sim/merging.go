package sim

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// policy is a merge policy in the oracle's words.
type policy struct {
	topic string
	alone bool // each identity has a profile of its own
	rule  func(path string) rule
}

// rule says which statement of a path stands.
type rule struct {
	ranked []string // datasets, the first that says something stands; nil: all alike
	oldest bool     // the oldest stands, not the newest
	union  bool     // arrays are united
}

func latest(string) rule { return rule{} }

// policies are those of a world.
func policies(w World) []policy {
	all := []policy{{topic: topicProfiles, rule: latest}}
	if w < Governed {
		return all
	}
	return append(all,
		policy{topic: "each", alone: true, rule: latest},
		policy{topic: "first", rule: func(string) rule { return rule{oldest: true} }},
		policy{topic: "ranked", rule: ranked})
}

func ranked(path string) rule {
	switch {
	case path == "tags":
		return rule{union: true}
	case path == "name":
		return rule{oldest: true}
	case strings.HasPrefix(path, "address."):
		return rule{ranked: []string{"shop", "crm"}}
	}
	return rule{ranked: []string{"crm", "shop"}}
}

// statement is what one record, or in the end one dataset under one identity, says about a path.
type statement struct {
	path    string
	value   any // nil unsets
	stamp   stamp
	dataset string
}

// edit is what one record does to an array.
type edit struct {
	path, kind string
	items      []any
	stamp      stamp
}

// fragment is what one dataset says about one identity.
type fragment struct {
	dataset string
	said    []statement
	edits   []edit
}

// fragments collects, per identity and dataset, what was said since the last replace or delete.
func (o *oracle) fragments() map[who][]fragment {
	type place struct {
		id      who
		dataset string
	}
	floors := map[place]stamp{}
	var counted []*fact
	for _, f := range o.facts {
		if f.event != "" {
			continue
		}
		if f.counts {
			counted = append(counted, f)
		}
		at := place{f.primary, f.dataset}
		floor, known := floors[at]
		if f.replaces && (!known || floor.compare(f.stamp) < 0) {
			floors[at] = f.stamp
		}
	}
	all := map[place]*fragment{}
	for _, f := range counted {
		at := place{f.primary, f.dataset}
		if floor, ok := floors[at]; ok && f.stamp.compare(floor) < 0 {
			continue
		}
		if all[at] == nil {
			all[at] = &fragment{dataset: f.dataset}
		}
		for path, value := range f.leaves {
			all[at].said = append(all[at].said, statement{path, value, f.stamp, f.dataset})
		}
		all[at].edits = append(all[at].edits, f.edits...)
	}
	by := map[who][]fragment{}
	for at, f := range all {
		by[at.id] = append(by[at.id], *f)
	}
	return by
}

// shown is what a fragment says in the end: per path the newest value that no unset of it or of
// something above it is newer than, edited, or that unset.
func (f *fragment) shown() map[string]statement {
	newest := map[string]statement{}
	for _, s := range f.said {
		if old, ok := newest[s.path]; !ok || old.stamp.compare(s.stamp) < 0 {
			newest[s.path] = s
		}
	}
	for path, s := range newest {
		for _, u := range newest {
			if u.value == nil && strings.HasPrefix(path, u.path+".") &&
				s.stamp.compare(u.stamp) < 0 {
				delete(newest, path)
			}
		}
	}
	edited := map[string]bool{}
	for _, e := range f.edits {
		edited[e.path] = true
	}
	for path := range edited {
		base, written := newest[path]
		if s, there := f.edit(path, base, written); there {
			newest[path] = s
		}
	}
	return newest
}

// edit plays the edits of an array on what was last written whole. Of the unions and removes of one
// element only the latest is played.
func (f *fragment) edit(path string, base statement, written bool) (s statement, there bool) {
	var edits []edit
	for _, e := range f.edits {
		if e.path == path && (!written || base.stamp.compare(e.stamp) < 0) {
			edits = append(edits, e)
		}
	}
	if len(edits) == 0 {
		return base, written
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.stamp.compare(b.stamp) })
	items, _ := base.value.([]any)
	items = slices.Clone(items)
	there = base.value != nil
	for i, e := range edits {
		for _, item := range e.items {
			overruled := e.kind != "append" && overrules(edits[i+1:], item)
			there = there || !overruled && e.kind != "remove"
			switch {
			case overruled:
			case e.kind == "append":
				items = append(items, item)
			case e.kind == "remove":
				items = slices.DeleteFunc(items, func(x any) bool { return x == item })
			case !slices.Contains(items, item):
				items = append(items, item)
			}
		}
	}
	if !there {
		return base, written
	}
	newest := edits[len(edits)-1].stamp
	return statement{path, append([]any{}, items...), newest, f.dataset}, true
}

// overrules reports whether one of the edits adds or removes an element.
func overrules(edits []edit, item any) bool {
	return slices.ContainsFunc(edits, func(e edit) bool {
		return e.kind != "append" && slices.Contains(e.items, item)
	})
}

// gathering is what there is to merge.
type gathering struct {
	world     World
	now       int64
	fragments map[who][]fragment
	held      map[who]map[string]bool
	events    map[who][]*fact
	defined   defined
	folded    map[who][]foldedEvent
}

// merge makes the content of a profile; exists is false where there is nothing to show.
func (g *gathering) merge(p policy, members []who) (content string, exists bool) {
	identities := map[string][]string{}
	datasets := map[string]bool{}
	var shown []map[string]statement
	for _, m := range members {
		identities[m.ns] = append(identities[m.ns], m.value)
		maps.Copy(datasets, g.held[m])
		for _, f := range g.fragments[m] {
			says := f.shown()
			shown = append(shown, says)
			if p.hears(says) {
				datasets[f.dataset] = true
			}
		}
	}
	var values map[string]any
	outlives := false
	if g.world >= Counted {
		values, outlives = g.compute(members)
	}
	if len(datasets) == 0 && !outlives {
		return "", false
	}
	attributes := map[string]any{}
	for path := range pathsOf(shown) {
		if value := p.rule(path).choose(path, shown); value != nil {
			put(attributes, path, value)
		}
	}
	contributed := slices.AppendSeq([]string{}, maps.Keys(datasets))
	slices.Sort(contributed)
	doc := map[string]any{"identities": identities, "attributes": attributes,
		"datasets": contributed}
	if g.world >= Counted {
		doc["computed"] = values
	}
	text, err := json.Marshal(doc)
	return string(text), err == nil
}

// hears reports whether what a fragment says has an attribute that the policy listens to.
func (p *policy) hears(says map[string]statement) bool {
	for path, s := range says {
		r := p.rule(path).ranked
		if s.value != nil && (r == nil || slices.Contains(r, s.dataset)) {
			return true
		}
	}
	return false
}

func pathsOf(shown []map[string]statement) map[string]bool {
	paths := map[string]bool{}
	for _, says := range shown {
		for path := range says {
			paths[path] = true
		}
	}
	return paths
}

// put sets an attribute at a dotted path.
func put(attributes map[string]any, path string, value any) {
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		if attributes[name] == nil {
			attributes[name] = map[string]any{}
		}
		attributes = attributes[name].(map[string]any)
	}
	attributes[names[len(names)-1]] = value
}

// choose finds the statement about a path that stands, and gives its value; nil where that is none.
// An unset of something above is a statement too.
func (r rule) choose(path string, shown []map[string]statement) any {
	var all []statement
	for _, says := range shown {
		s, found := says[path]
		for _, u := range says {
			if u.value == nil && strings.HasPrefix(path, u.path+".") &&
				(!found || s.stamp.compare(u.stamp) < 0) {
				s, found = u, true
			}
		}
		if found && (r.ranked == nil || slices.Contains(r.ranked, s.dataset)) {
			all = append(all, s)
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b statement) int {
		place := func(s statement) int { return slices.Index(r.ranked, s.dataset) }
		byAge := b.stamp.compare(a.stamp)
		if r.oldest || r.union {
			byAge = -byAge
		}
		return cmp.Or(cmp.Compare(place(a), place(b)), byAge)
	})
	if !r.union {
		return all[0].value
	}
	var items []any
	for _, s := range all {
		array, written := s.value.([]any)
		if !written {
			items = nil
			continue
		}
		if items == nil {
			items = []any{}
		}
		for _, item := range array {
			if !slices.Contains(items, item) {
				items = append(items, item)
			}
		}
	}
	if items == nil {
		return nil
	}
	return items
}
