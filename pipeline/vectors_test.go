package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/identity"
	"selfsame/internal/memlog"
	"selfsame/internal/story"
	"selfsame/pipeline"
	"selfsame/profile"
)

const graphSchema = `{"type":"record","name":"seen","fields":[
	{"name":"event","type":"string"},
	{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"ids","type":` + identityMapType + `}]}`

// newTold makes a world in which a story about the graph can happen.
func newTold(t *testing.T, s *story.Story, partitions int32) *world {
	t.Helper()
	rules, err := identity.NewRules(s.Namespaces, s.MaxIdentities)
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOn(t, memlog.Options{}, partitions, func(m *pipeline.Model) {
		m.Entities[0].Rules = rules
		m.Datasets = []*pipeline.Dataset{{Name: "seen", Topic: "seen", Entity: "profile",
			Class: pipeline.ClassEvent, Schema: parse(t, graphSchema), Timestamp: "at",
			EventID: "event", IdentityMap: "ids", MaxFuture: 5 * time.Minute}}
	})
}

// graphStories reads the stories of package identity.
func graphStories(t *testing.T) []*story.Story {
	t.Helper()
	stories, err := story.ReadAll("../identity/testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	return stories
}

// TestGraphStoriesSplit plays each story over 1, 4 and 16 partitions: shuffled, some records twice,
// in commits of any size, with crashes in between. Who is who in the end is what the story says.
func TestGraphStoriesSplit(t *testing.T) {
	for _, s := range graphStories(t) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("%s/seed=%d", s.Name, seed), func(t *testing.T) {
			for i, partitions := range []int{1, 4, 16} {
				rnd := rand.New(rand.NewPCG(seed, uint64(i)))
				w := newTold(t, s, int32(partitions))
				for _, at := range rnd.Perm(len(s.Steps)) {
					for range 1 + rnd.IntN(2) {
						tp, r := w.recordOf(&s.Steps[at])
						if tp.Topic != w.model.ControlTopic {
							tp.Partition = int32(rnd.IntN(partitions))
						}
						w.send(tp, r)
					}
				}
				w.stumble(rnd, true)
				w.checkStory(s)
				w.close()
			}
		})
	}
}

// recordOf gives the record that tells of a step. Times are seconds since the epoch.
func (w *world) recordOf(step *story.Step) (pipeline.TopicPartition, pipeline.Record) {
	w.t.Helper()
	if step.Kind == story.Record {
		type item struct {
			ID string `json:"id"`
		}
		ids := map[string][]item{}
		for _, c := range step.Claims {
			ids[c.Namespace] = append(ids[c.Namespace], item{c.Value})
		}
		value, err := json.Marshal(map[string]any{
			"event": step.ID, "at": step.Time * 1000, "ids": ids})
		w.must(err)
		return pipeline.TopicPartition{Topic: "seen"}, pipeline.Record{Value: value}
	}
	var names []string
	for _, c := range step.Claims {
		names = append(names, c.Namespace+":"+c.Value)
	}
	op := string(step.Kind)
	if step.Kind == story.Forbid {
		op = "forbid_link"
	}
	value, err := json.Marshal(map[string]any{"id": fmt.Sprint("op", step.Line), "op": op,
		"identities": names, "time": time.Unix(step.Time, 0).UTC().Format(time.RFC3339)})
	w.must(err)
	return pipeline.TopicPartition{Topic: w.model.ControlTopic}, pipeline.Record{Value: value}
}

// checkStory compares the assignments and profiles published with who is who in the story.
func (w *world) checkStory(s *story.Story) {
	w.t.Helper()
	assigned, members := map[string]string{}, map[string]string{}
	for _, c := range s.Clusters {
		root := rootedAt(w.t, c.Root)
		members[root] = strings.Join(c.Members, " ")
		for _, id := range c.Members {
			assigned[id] = fmt.Sprintf(`{"profile":"%s"}`, root)
		}
	}
	got := w.final("assignments")
	for id, value := range got {
		got[id] = strings.Replace(value, ",}", "}", 1)
	}
	compareFinal(w.t.(*testing.T), assigned, got, "assignments")
	for id, value := range w.final("profiles") {
		var p struct {
			Identities map[string][]string `json:"identities"`
		}
		w.must(json.Unmarshal([]byte(value), &p))
		var ids []string
		for namespace, values := range p.Identities {
			for _, v := range values {
				ids = append(ids, namespace+":"+v)
			}
		}
		slices.Sort(ids)
		if text := strings.Join(ids, " "); text != members[id] || text == "" {
			w.t.Errorf("profile %s is of %s, want %s", id, text, members[id])
		}
	}
}

// rootedAt gives the id of the profile with that root.
func rootedAt(t testing.TB, root string) string {
	t.Helper()
	id, ok := profile.ParseIdentity(root)
	if !ok {
		t.Fatalf("%q is no identity", root)
	}
	return identity.NewProfileID(idKey, "profile", id).String()
}

// TestGraphStoriesTold plays each story in order: every step a commit, the same with a crash after
// each, every batch a commit, and all in one commit. The identity topic tells the same each time,
// what the story says.
func TestGraphStoriesTold(t *testing.T) {
	groupings := map[string]func(step *story.Step) int{
		"a commit per step":       perStep,
		"a crash after each step": perStep,
		"a commit per batch":      func(step *story.Step) int { return step.Batch },
		"one commit":              func(*story.Step) int { return 0 },
	}
	for _, s := range graphStories(t) {
		for _, how := range slices.Sorted(maps.Keys(groupings)) {
			t.Run(s.Name+"/"+how, func(t *testing.T) {
				w := newTold(t, s, 1)
				defer w.close()
				after := w.publish
				if how == "a crash after each step" {
					after = func() {
						w.crash(vfs.CrashCloneCfg{})
						w.drain()
					}
				}
				told := w.tellStory(s, groupings[how], after)
				w.checkStory(s)
				w.checkSays(s, told)
				w.checkFirstSeen(s)
				if strings.HasSuffix(how, "step") {
					w.checkWas(s)
				}
			})
		}
	}
}

// perStep makes each step a commit.
func perStep(step *story.Step) int { return step.Line }

// tellStory applies the steps, one commit per group, and does what comes after each. It returns
// which step lies where.
func (w *world) tellStory(s *story.Story, group func(*story.Step) int,
	after func()) map[string]*story.Step {
	w.t.Helper()
	told := map[string]*story.Step{}
	var chunks []pipeline.Chunk
	for i := range s.Steps {
		step := &s.Steps[i]
		tp, r := w.recordOf(step)
		w.send(tp, r)
		f, err := w.log.Quick().Fetch(context.Background(), tp, w.next[tp])
		w.must(err)
		in := w.decoder.Decode(f.Records[0])
		w.next[tp] = f.Records[0].Pos.Offset + 1
		chunks = append(chunks, pipeline.Chunk{TP: tp, Inputs: []pipeline.Input{in},
			Next: w.next[tp]})
		told[fmt.Sprint(tp.Topic, "/", f.Records[0].Pos.Offset)] = step
		if i+1 < len(s.Steps) && group(step) == group(&s.Steps[i+1]) {
			continue
		}
		before := w.final("profiles")
		w.must(w.shard.Apply(chunks, w.now.UnixNano()))
		chunks = nil
		after()
		w.checkTombstones(before)
	}
	w.drain()
	return told
}

// checkTombstones checks that of each profile that was live before and is not any more the last
// record names the profile that its root belongs to now.
func (w *world) checkTombstones(before map[string]string) {
	w.t.Helper()
	live, assigned := w.final("profiles"), w.final("assignments")
	for _, root := range w.everyone() {
		id := rootedAt(w.t, root.String())
		if before[id] == "" || live[id] != "" {
			continue
		}
		into := ""
		for _, r := range w.recordsOf("profiles") {
			if string(r.Key) == id {
				survivor, _ := r.Header(pipeline.HeaderMergedInto)
				into = string(survivor)
			}
		}
		now := assigned[root.String()]
		if into != id && !strings.Contains(now, `"`+into+`"`) || into == "" {
			w.t.Errorf("the profile of %v went into %q, it is in %s", root, into, now)
		}
	}
}

// checkSays compares the identity topic and the dead letters with what the steps say.
func (w *world) checkSays(s *story.Story, told map[string]*story.Step) {
	w.t.Helper()
	refused := map[int]string{}
	for _, r := range w.recordsOf("dead") {
		offset, _ := r.Header(pipeline.HeaderDeadOffset)
		reason, _ := r.Header(pipeline.HeaderDeadReason)
		refused[told["seen/"+string(offset)].Line] = string(reason)
	}
	says := w.saysOf(told)
	for i := range s.Steps {
		step := &s.Steps[i]
		if step.Refused != refused[step.Line] {
			w.t.Errorf("line %d is refused: %q, want %q", step.Line, refused[step.Line],
				step.Refused)
		}
		got, want := says[step.Line], slices.Sorted(slices.Values(step.Says))
		if s.Told && !slices.Equal(got, want) {
			w.t.Errorf("line %d says\n> %s\nwant\n> %s", step.Line, strings.Join(got, "\n> "),
				strings.Join(want, "\n> "))
		}
	}
}

// saysOf lists what the identity topic says, sorted, by the line of the step that caused it.
func (w *world) saysOf(told map[string]*story.Step) map[int][]string {
	w.t.Helper()
	says := map[int][]string{}
	for _, r := range w.recordsOf("identity") {
		var e struct {
			Kind, Profile, From, Time string
			Identities                []struct{ Namespace, Value string }
			Cause                     struct {
				Topic  string
				Offset int64
			}
		}
		w.must(json.Unmarshal(r.Value, &e))
		line := fmt.Sprintf("%s %s -> %s:", e.Kind, strings.Trim(w.alias(e.From), "<>"),
			strings.Trim(w.alias(e.Profile), "<>"))
		for _, id := range e.Identities {
			line += " " + id.Namespace + ":" + id.Value
		}
		step := told[fmt.Sprint(e.Cause.Topic, "/", e.Cause.Offset)]
		if at := time.Unix(step.Time, 0).UTC().Format(time.RFC3339); e.Time != at {
			w.t.Errorf("line %d is told as of %s, want %s", step.Line, e.Time, at)
		}
		says[step.Line] = append(says[step.Line], line)
	}
	for line := range says {
		slices.Sort(says[line])
	}
	return says
}

// recordsOf lists all records of a topic, partition by partition.
func (w *world) recordsOf(topic string) []pipeline.Record {
	var all []pipeline.Record
	for _, tp := range w.partitions([]string{topic}) {
		all = append(all, w.log.Records(tp)...)
	}
	return all
}

// checkFirstSeen compares when each identity was first seen with the steps.
func (w *world) checkFirstSeen(s *story.Story) {
	w.t.Helper()
	first := map[profile.Identity]int64{}
	for i := range s.Steps {
		step := &s.Steps[i]
		if step.Kind != story.Record || step.Refused != "" {
			continue
		}
		for _, c := range step.Claims {
			id, _, err := w.model.Entities[0].Rules.Normalize(c.Namespace, c.Value)
			w.must(err)
			if known, seen := first[id]; !seen || step.Time < known {
				first[id] = step.Time
			}
		}
	}
	for _, id := range w.everyone() {
		row, err := w.store.Reader().Identity("profile", id)
		w.must(err)
		if want, seen := first[id]; seen && row.FirstSeen != want*int64(time.Second) {
			w.t.Errorf("%v was first seen at %d ns, want %d s", id, row.FirstSeen, want)
		}
	}
}

// checkWas compares the assignments that were published, one after the other.
func (w *world) checkWas(s *story.Story) {
	w.t.Helper()
	was := map[string][]string{}
	newest := map[string]uint64{}
	for _, r := range w.recordsOf("assignments") {
		var a struct {
			Profile string
			Version uint64
		}
		w.must(json.Unmarshal(r.Value, &a))
		key := string(r.Key)
		root := strings.Trim(w.alias(a.Profile), "<>")
		if n := len(was[key]); n > 0 && was[key][n-1] == root {
			w.t.Errorf("%s is assigned to %s again", key, root)
		}
		if a.Version <= newest[key] {
			w.t.Errorf("%s: version %d after %d", key, a.Version, newest[key])
		}
		newest[key] = a.Version
		was[key] = append(was[key], root)
	}
	for _, h := range s.Was {
		if !slices.Equal(was[h.Identity], h.Roots) {
			w.t.Errorf("%s was in %v, want %v", h.Identity, was[h.Identity], h.Roots)
		}
	}
}
