package pipeline_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

var (
	eventIDs   = regexp.MustCompile(`"event":"e\d+"`)
	profileIDs = regexp.MustCompile(`"(id|profile)":"[0-9a-f]{32}",?`)
)

// distinct gives every event of the facts an id of its own.
func distinct(all []fact) []fact {
	for i := range all {
		all[i].value = eventIDs.ReplaceAllString(all[i].value, fmt.Sprintf(`"event":"e%d"`, i))
	}
	return all
}

// consumeSome consumes a random part of what there is of the data topics, and all control records.
func (w *world) consumeSome(rnd *rand.Rand, steps int) {
	w.t.Helper()
	inputs := w.inputs()
	for range steps {
		w.consume(inputs[rnd.IntN(len(inputs))], 1+rnd.IntN(20))
		if rnd.IntN(4) == 0 {
			w.publish()
		}
	}
	for w.consume(pipeline.TopicPartition{Topic: "control"}, 100) > 0 {
		w.publish()
	}
}

// work goes on with background work until there is none; crashes on the way lose nothing.
func (w *world) work(rnd *rand.Rand, crashes bool) {
	w.t.Helper()
	for step := 0; w.shard.Busy(w.now.UnixNano()); step++ {
		w.must(w.shard.Apply(nil, w.now.UnixNano()))
		if crashes && rnd.IntN(3) == 0 && step < 20 {
			w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
		}
	}
	w.publish()
}

// held is what consumers hold: profiles and assignments.
func (w *world) held() map[string]string {
	got := w.final("profiles")
	maps.Copy(got, w.final("assignments"))
	return got
}

// rewind has all data topics read again from their start.
func (w *world) rewind() {
	w.t.Helper()
	for _, tp := range w.inputs() {
		if tp.Topic == w.model.ControlTopic {
			continue
		}
		w.apply(pipeline.Chunk{TP: tp, Kind: pipeline.ChunkMove, From: w.next[tp], Next: 0,
			Break: store.Break{Case: store.CaseAsked, Partition: tp.Partition, Next: w.next[tp]}})
		w.next[tp] = 0
	}
}

// deletions makes up to n control records that delete by position.
func deletions(rnd *rand.Rand, n int, what string) []string {
	var all []string
	for i := range n {
		head := fmt.Sprintf(`{"id":"del-%s-%d",`, what, i)
		dataset := []string{"crm", "shop", "web"}[rnd.IntN(3)]
		if what == "dataset" {
			all = append(all, head+fmt.Sprintf(`"op":"delete_dataset","dataset":"%s"}`, dataset))
			continue
		}
		id := fmt.Sprintf("crm:%d", 1+rnd.IntN(11))
		if rnd.IntN(2) == 0 {
			id = fmt.Sprintf("cookie:k%d", rnd.IntN(20))
		}
		from := time.Unix(1_699_900_000+int64(rnd.IntN(250)), 0).UTC().Format(time.RFC3339)
		bound := []string{`"from"`, `"until"`}[rnd.IntN(2)]
		all = append(all, head+fmt.Sprintf(
			`"op":"delete_events","dataset":"web","identities":["%s"],%s:"%s"}`, id, bound, from))
	}
	return all
}

// TestDeleteDatasetInOneCommit: a deletion of a dataset reaches what the same commit has consumed
// before it.
func TestDeleteDatasetInOneCommit(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	chunks := []pipeline.Chunk{w.chunkOf(0, 2), {TP: pipeline.TopicPartition{Topic: "control"},
		Next: 1}}
	chunks[1].Inputs = []pipeline.Input{w.decoder.Decode(pipeline.Record{
		Pos:   profile.Position{Topic: "control"},
		Value: []byte(`{"id":"d","op":"delete_dataset","dataset":"crm"}`),
		Time:  w.now.UnixNano()})}
	w.apply(chunks...)
	w.tellWork()
	w.publish()
	if held := w.final("profiles"); len(held) > 0 {
		t.Errorf("deleted data is there: %v", held)
	}
}

// TestDeletesByPosition: what a deletion by position has removed does not come back by a replay of
// the whole input into the same store nor by a rebuild into an empty one, with crashes in the
// middle of the jobs, and what came after it stays.
func TestDeletesByPosition(t *testing.T) {
	for _, what := range []string{"dataset", "events"} {
		for range 5 {
			seed := rand.Uint64()
			t.Run(fmt.Sprintf("%s/seed=%d", what, seed), func(t *testing.T) {
				testDeletesByPosition(t, seed, what)
			})
		}
	}
}

func testDeletesByPosition(t *testing.T, seed uint64, what string) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, 3)
	w.lay(rnd, distinct(facts(rnd, 250)), 3)
	for _, text := range deletions(rnd, 4, what) {
		w.consumeSome(rnd, rnd.IntN(15))
		w.control("%s", text)
		w.consumeSome(rnd, rnd.IntN(4))
		if rnd.IntN(2) == 0 {
			w.work(rnd, true)
		}
	}
	w.drain()
	w.work(rnd, true)
	w.check()
	want := w.held()
	if what == "dataset" {
		compareFinal(t, w.without(t), contents(w.final("profiles")), "without what is deleted")
	}

	w.rewind()
	w.drain()
	w.work(rnd, false)
	w.check()
	compareFinal(t, want, w.held(), "consumed again")

	w.loseStore()
	w.stumbleHeld(rnd)
	w.drain()
	w.work(rnd, true)
	compareFinal(t, want, w.held(), "rebuilt")
	w.close()
}

// stumbleHeld consumes in random steps with crashes.
func (w *world) stumbleHeld(rnd *rand.Rand) {
	w.t.Helper()
	inputs := w.inputs()
	for range 60 {
		w.consume(inputs[rnd.IntN(len(inputs))], 1+rnd.IntN(20))
		if rnd.IntN(20) == 0 {
			w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
		}
	}
}

// contents is what profiles say, whatever their ids: these depend on what was ever seen.
func contents(held map[string]string) map[string]string {
	out := map[string]string{}
	for _, value := range held {
		out[profileIDs.ReplaceAllString(value, "")] = ""
	}
	return out
}

// without is what profiles say in a world that was never told what deletions of datasets cover.
func (w *world) without(t *testing.T) map[string]string {
	t.Helper()
	cuts := map[string]store.Cut{}
	w.must(w.store.Reader().Cuts(func(dataset string, row *store.DatasetCut) {
		cuts[dataset] = row.Cut
		if !row.Done {
			t.Errorf("the deletion of %s is not done", dataset)
		}
	}))
	fresh := newWorld(t, 3)
	for _, tp := range w.inputs() {
		for _, r := range w.log.Records(tp) {
			in := w.decoder.Decode(r)
			if in.Dataset != nil {
				cut := cuts[in.Dataset.Name]
				if cut.Covers(r.Pos) {
					continue
				}
			}
			if strings.Contains(string(r.Value), "delete_dataset") {
				continue
			}
			fresh.log.Append(tp, r)
		}
	}
	fresh.now = w.now
	fresh.drain()
	defer fresh.close()
	return contents(fresh.final("profiles"))
}

// TestDeleteEventsLeavesNone: of an identity with many events, those in the range go in bounded
// steps, those that came after the deletion stay, and each goes on counting once.
func TestDeleteEventsLeavesNone(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	rnd := rand.New(rand.NewPCG(1, 2))
	web := pipeline.TopicPartition{Topic: "web"}
	send := func(dataset, prefix string, n int) {
		for i := range n {
			at := w.now.Add(-time.Duration(i) * time.Minute).Format(time.RFC3339)
			w.send(web, pipeline.Record{Value: fmt.Appendf(nil,
				`{"event":"%s%d","cookie":"k","at":"%s"}`, prefix, i, at),
				Headers: []pipeline.Header{{Key: "selfsame-dataset", Value: []byte(dataset)}}})
		}
	}
	send("web", "a", 3000)
	send("app", "b", 300)
	w.drain()
	w.control(`{"id":"d","op":"delete_events","dataset":"web","identities":["cookie:k"]}`)
	w.consume(pipeline.TopicPartition{Topic: "control"}, 1)
	send("web", "c", 50)
	send("web", "a", 10) // corrected history, under ids of old
	w.work(rnd, true)
	w.drain()
	w.work(rnd, false)
	counts := map[string]int{}
	w.must(w.store.Reader().EventRefs("profile", parseIdentity(t, "cookie:k"),
		func(ref store.EventRef) error {
			counts[ref.Dataset+" "+ref.ID[:1]]++
			return nil
		}))
	if want := map[string]int{"app b": 300, "web c": 50, "web a": 10}; !maps.Equal(counts, want) {
		t.Errorf("left: %v, want %v", counts, want)
	}
	row, err := w.store.Reader().Applied("d")
	w.must(err)
	if row.Events != 3000 || row.Job != "" {
		t.Errorf("removed %d events, job %q", row.Events, row.Job)
	}
}

// TestDropIsBounded: while a dataset is deleted, no commit removes more than its share.
func TestDropIsBounded(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	const people = 3000
	for i := 1; i <= people; i++ {
		w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{Value: fmt.Appendf(nil,
			`{"id":"%d","email":"p%d@x.org","name":"n"}`, i, i)})
	}
	w.drain()
	w.control(`{"id":"d","op":"delete_dataset","dataset":"crm"}`)
	before := w.outputSize()
	most := 0
	for step := range 10_000 {
		if step < 40 { // under traffic
			w.send(pipeline.TopicPartition{Topic: "shop"}, pipeline.Record{
				Value: w.encode(w.model.Dataset("shop"), `{"mail":"a@x.org","name":"n"}`)})
			w.consume(pipeline.TopicPartition{Topic: "shop"}, 1)
			w.consume(pipeline.TopicPartition{Topic: "control"}, 1)
		} else {
			w.apply()
		}
		w.publish()
		size := w.outputSize()
		if step < 40 {
			most = max(most, size-before)
		}
		before = size
		if !w.shard.Busy(w.now.UnixNano()) && step > 40 {
			break
		}
	}
	if most > 500 {
		t.Errorf("one commit under traffic has published %d records", most)
	}
	if held := w.final("profiles"); len(held) != 1 {
		t.Errorf("%d profiles are left, want that of the shop", len(held))
	}
	row, err := w.store.Reader().Applied("d")
	w.must(err)
	if row.Fragments != people || row.Links != people {
		t.Errorf("removed %d fragments, %d links", row.Fragments, row.Links)
	}
}

// TestCutRecreated: offsets of a topic that was deleted and made again begin anew: what the new
// topic says is not taken for what was deleted of the old one, and is deleted with it later.
func TestCutRecreated(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	old, anew := store.TopicID{1}, store.TopicID{2}
	chunk := w.chunkOf(0, 5)
	chunk.Topic = old
	w.apply(chunk)
	move := pipeline.Chunk{TP: crm0, Kind: pipeline.ChunkMove, From: 5, Next: 0, Topic: anew,
		Break: store.Break{Case: store.CaseRecreated, Next: 5, End: 9}}
	w.apply(move)
	w.control(`{"id":"d","op":"delete_dataset","dataset":"crm"}`)
	w.consume(pipeline.TopicPartition{Topic: "control"}, 1)
	w.work(nil, false)
	if held := w.final("profiles"); len(held) != 0 {
		t.Errorf("of the old topic is left: %v", held)
	}
	chunk = w.chunkOf(0, 2)
	chunk.Topic = anew
	w.apply(chunk)
	w.publish()
	if held := w.final("profiles"); len(held) != 1 {
		t.Errorf("the new topic was taken for the old one: %v", held)
	}
}

func parseIdentity(t testing.TB, text string) profile.Identity {
	t.Helper()
	all := strings.SplitN(text, ":", 2)
	return profile.Identity{Namespace: all[0], Value: all[1]}
}
