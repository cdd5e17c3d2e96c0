package pipeline_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"selfsame/identity"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// TestTopicsTellTheGraph has two consumers follow a history of people with crashes on the way: one
// of the compacted assignment topic, one of the identity topic. Both end with what the store has.
func TestTopicsTellTheGraph(t *testing.T) {
	kinds := map[string]int{}
	for range seeds(6) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			w := newWorld(t, 4)
			all := facts(rnd, 300)
			directed(rnd, all)
			w.lay(rnd, all, 4)
			w.stumble(rnd, true)
			w.joinAndPart()
			want := w.assigned()
			if got := w.followAssignments(); !maps.Equal(got, want) {
				t.Errorf("a consumer of the assignments has %v\nthe store %v", got, want)
			}
			if got := w.followIdentity(kinds); !maps.Equal(got, want) {
				t.Errorf("a consumer of the identity topic has %v\nthe store %v", got, want)
			}
			w.close()
		})
	}
	for _, kind := range []string{"linked", "merged", "moved", "squeezed_out", "split"} {
		if kinds[kind] == 0 {
			t.Errorf("the histories are too thin: nothing was %s in %v", kind, kinds)
		}
	}
}

// joinAndPart has an operator take two people of two identities each for one, and not any more.
func (w *world) joinAndPart() {
	w.t.Helper()
	for _, id := range []string{"900", "901"} {
		w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{
			Value: []byte(`{"id":"` + id + `","email":"p` + id + `@x.org"}`)})
	}
	w.drain()
	for i, lift := range []bool{false, true} {
		w.send(pipeline.TopicPartition{Topic: "control"}, pipeline.Record{Value: fmt.Appendf(nil,
			`{"id":"last%d","op":"link","lift":%v,"identities":["crm:900","crm:901"],`+
				`"time":"2023-11-14T22:13:1%dZ"}`, i, lift, i)})
		w.drain()
	}
}

// assigned is the profile of every identity in the store.
func (w *world) assigned() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	w.must(w.store.Reader().Clusters("profile", func(id profile.ID, c *store.Cluster) error {
		for _, member := range c.Members {
			all[member.String()] = id.String()
		}
		return nil
	}))
	return all
}

// followAssignments reads the assignment topic as it is once compaction has run: of each key the
// last record is left. Before that it holds the versions of each key to their order.
func (w *world) followAssignments() map[string]string {
	w.t.Helper()
	held := map[string]string{}
	for _, tp := range w.partitions([]string{"assignments"}) {
		last := map[string]pipeline.Record{}
		versions := map[string]uint64{}
		for _, r := range w.log.Records(tp) {
			last[string(r.Key)] = r
			header, _ := r.Header(pipeline.HeaderVersion)
			version, err := strconv.ParseUint(string(header), 10, 64)
			w.must(err)
			if version <= versions[string(r.Key)] {
				w.t.Errorf("%s: version %d after %d", r.Pos, version, versions[string(r.Key)])
			}
			versions[string(r.Key)] = version
		}
		for key, r := range last {
			var said struct {
				Profile string
				Version uint64
			}
			w.must(json.Unmarshal(r.Value, &said))
			if _, twice := held[key]; twice || said.Version != versions[key] {
				w.t.Errorf("%s: key in two partitions, or another version in the value", r.Pos)
			}
			held[key] = said.Profile
		}
	}
	return held
}

// followIdentity applies the entries of the identity topic in the order of their numbers, and
// counts them by kind. An identity that no entry speaks of is a profile of its own.
func (w *world) followIdentity(kinds map[string]int) map[string]string {
	w.t.Helper()
	held := map[string]string{}
	for _, id := range w.everyone() {
		held[id.String()] = identity.NewProfileID(idKey, "profile", id).String()
	}
	records := []pipeline.Record{}
	for _, tp := range w.partitions([]string{"identity"}) {
		records = append(records, w.log.Records(tp)...)
	}
	slices.SortFunc(records, func(a, b pipeline.Record) int {
		return cmp.Compare(w.sequence(&a), w.sequence(&b))
	})
	for _, r := range records {
		var entry struct {
			Kind, Profile, From string
			Identities          []struct{ Namespace, Value string }
			Cause               struct{ Topic string }
		}
		w.must(json.Unmarshal(r.Value, &entry))
		kinds[entry.Kind]++
		if entry.Cause.Topic == "" {
			w.t.Errorf("%s: no cause", r.Pos)
		}
		if slices.Contains(notes, entry.Kind) {
			continue
		}
		for _, id := range entry.Identities {
			name := id.Namespace + ":" + id.Value
			if entry.From != "" && held[name] != entry.From {
				w.t.Errorf("%s: %s %s comes from %s, was in %s", r.Pos, entry.Kind, name,
					entry.From, held[name])
			}
			held[name] = entry.Profile
		}
	}
	return held
}

// notes are the kinds of entry that move nobody.
var notes = []string{"left_out", "hub", "contested", "blocked", "reset", "uncontested"}

func (w *world) sequence(r *pipeline.Record) uint64 {
	header, _ := r.Header(pipeline.HeaderSequence)
	n, err := strconv.ParseUint(string(header), 10, 64)
	w.must(err)
	return n
}
