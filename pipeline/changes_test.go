package pipeline_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
)

// change is what a consumer reads of a record on a change topic.
type change struct {
	ID                  string
	Version, Previous   uint64
	Begins, Ends, Whole bool
	Attributes          []struct {
		Path     string
		Old, New json.RawMessage
	}
}

// follow applies a change topic, record by record, as a consumer would: it holds the attributes of
// every profile by dotted path.
func (w *world) follow(topic string) map[string]map[string]string {
	w.t.Helper()
	held, versions := map[string]map[string]string{}, map[string]uint64{}
	for _, tp := range w.partitions([]string{topic}) {
		for _, r := range w.log.Records(tp) {
			var c change
			w.must(json.Unmarshal(r.Value, &c))
			if c.ID != string(r.Key) || c.Version <= versions[c.ID] ||
				c.Begins == (c.Previous > 0) || c.Previous != versions[c.ID] && !c.Begins {
				w.t.Fatalf("after version %d: %s", versions[c.ID], r.Value)
			}
			versions[c.ID] = c.Version
			if c.Ends {
				delete(held, c.ID)
				continue
			}
			if c.Begins || c.Whole {
				held[c.ID] = map[string]string{}
			}
			for _, a := range c.Attributes {
				if was := held[c.ID][a.Path]; was != string(a.Old) {
					w.t.Fatalf("%s held %s, the record says %s", a.Path, was, a.Old)
				}
				held[c.ID][a.Path] = string(a.New)
				if a.New == nil {
					delete(held[c.ID], a.Path)
				}
			}
		}
	}
	return held
}

// attributes flattens what a profile topic holds in the end.
func (w *world) attributes(topic string) map[string]map[string]string {
	w.t.Helper()
	all := map[string]map[string]string{}
	for key, value := range w.final(topic) {
		var p struct{ Attributes map[string]json.RawMessage }
		w.must(json.Unmarshal([]byte(value), &p))
		all[key] = map[string]string{}
		flattenInto(all[key], "", p.Attributes)
	}
	return all
}

func flattenInto(flat map[string]string, prefix string, object map[string]json.RawMessage) {
	for name, raw := range object {
		var inner map[string]json.RawMessage
		if json.Unmarshal(raw, &inner) == nil {
			flattenInto(flat, prefix+name+".", inner)
			continue
		}
		flat[prefix+name] = string(raw)
	}
}

// addChanges gives every policy of the policy stories a change topic.
func addChanges(t *testing.T) func(*pipeline.Model) {
	return func(m *pipeline.Model) {
		addPolicies(t)(m)
		e := m.Entity("profile")
		for i := range e.Policies {
			e.Policies[i].Changes = e.Policies[i].Topic + ".changes"
		}
	}
}

// TestChangesFollow applies the change topics of all policies, through crashes and restarts, and
// compares with what the profile topics hold in the end; old values are those held before.
func TestChangesFollow(t *testing.T) {
	for range seeds(4) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			w := newWorldOn(t, memlog.Options{}, 3, addChanges(t))
			defer func() { w.close() }()
			w.lay(rnd, policyFacts(rnd, 250), 3)
			w.stumble(rnd, true)
			for _, topic := range []string{"profiles", "ranked", "first", "each"} {
				got, want := w.follow(topic+".changes"), w.attributes(topic)
				if len(want) < 5 {
					t.Errorf("%s has only %d profiles", topic, len(want))
				}
				if !maps.EqualFunc(got, want, maps.Equal[map[string]string, map[string]string]) {
					t.Errorf("%s: followed\n%v\nheld\n%v", topic, got, want)
				}
			}
		})
	}
}

// TestChangesOfAPolicy: what a profile was under another policy is not known any more.
func TestChangesOfAPolicy(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, addChanges(t))
	defer func() { w.close() }()
	w.must(w.store.Close())
	w.adopts = true
	w.open()
	w.send(pipeline.TopicPartition{Topic: "crm"},
		pipeline.Record{Value: []byte(`{"id":"1","email":"a@x","name":"Ann"}`)})
	w.send(pipeline.TopicPartition{Topic: "loyalty"},
		pipeline.Record{Value: []byte(`{"email":"a@x","name":"Anna"}`)})
	w.drain()
	w.must(w.restart(recompile(t, w.model, "ranked",
		pipeline.MergeSpec{Precedence: []string{"loyalty"}})))
	w.emitted("ranked.changes")
	w.tellWork()
	got := w.emitted("ranked.changes")
	var c change
	w.must(json.Unmarshal([]byte(got[len("<crm:1> "):]), &c))
	if !c.Whole || len(c.Attributes) != 2 || string(c.Attributes[1].New) != `"Anna"` {
		t.Errorf("not all of what it is now: %s", got)
	}
	held, attributes := w.follow("ranked.changes"), w.attributes("ranked")
	if !maps.EqualFunc(held, attributes, maps.Equal[map[string]string, map[string]string]) {
		t.Errorf("followed %v, held %v", held, attributes)
	}
}
