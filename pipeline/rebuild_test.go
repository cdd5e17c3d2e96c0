package pipeline_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/store"
)

// ends are the ends of all input partitions.
func (w *world) ends() map[pipeline.TopicPartition]int64 {
	w.t.Helper()
	ends := map[pipeline.TopicPartition]int64{}
	for _, tp := range w.inputs() {
		bounds, err := w.log.Sink().Bounds(w.t.Context(), tp)
		w.must(err)
		ends[tp] = bounds.End
	}
	return ends
}

// loseStore begins again with an empty store that is to be rebuilt.
func (w *world) loseStore() {
	w.t.Helper()
	w.must(w.store.Close())
	w.fs = vfs.NewCrashableMem()
	w.hold = w.ends()
	w.open()
	for _, tp := range w.inputs() {
		w.next[tp] = w.startOf(tp)
	}
}

func (w *world) startOf(tp pipeline.TopicPartition) int64 {
	w.t.Helper()
	bounds, err := w.log.Sink().Bounds(w.t.Context(), tp)
	w.must(err)
	return bounds.Start
}

// TestRebuild loses the store of a history, and part of the input too: while the input is consumed
// again nothing is published, also when the rebuild crashes on the way; in the end the topics hold
// exactly what the input that is left says, in versions that rise, with the same profile ids.
func TestRebuild(t *testing.T) {
	for range seeds(6) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { testRebuild(t, seed) })
	}
}

func testRebuild(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	all := facts(rnd, 200)
	w := newWorld(t, 3)
	w.lay(rnd, all, 3)
	w.stumble(rnd, false)
	expired := pipeline.TopicPartition{Topic: "crm", Partition: 1}
	if rnd.IntN(2) == 0 {
		w.log.Expire(expired, w.ends()[expired]/2)
	}
	if rnd.IntN(2) == 0 { // new topics, which tell nothing of what was consumed
		for _, topic := range w.model.OutputTopics() {
			w.log.CreateTopic(topic, 2)
		}
	}
	before := w.outputSize()
	w.loseStore()
	w.consumeHeld(rnd, before)
	w.drain()
	got := w.final("profiles")
	maps.Copy(got, w.final("assignments"))
	w.checkOutput()
	w.close()

	fresh := newWorld(t, 3)
	for _, tp := range w.inputs() {
		fresh.log.Append(tp, w.log.Records(tp)...)
	}
	fresh.now = w.now
	fresh.drain()
	want := fresh.final("profiles")
	maps.Copy(want, fresh.final("assignments"))
	fresh.close()
	if len(want) < 30 {
		t.Fatalf("the history is too thin: %d entries", len(want))
	}
	compareFinal(t, want, got, "rebuilt")
}

// consumeHeld consumes all input but the last record of one partition, with a crash on the way, and
// sees to it that nothing is published meanwhile.
func (w *world) consumeHeld(rnd *rand.Rand, size int) {
	w.t.Helper()
	crashAt := rnd.IntN(20)
	for step := 0; ; step++ {
		busiest, most := pipeline.TopicPartition{}, int64(0)
		for tp, end := range w.hold {
			if left := end - max(w.next[tp], w.startOf(tp)); left > most {
				busiest, most = tp, left
			}
		}
		if most <= 1 {
			return
		}
		w.consume(busiest, int(min(most-1, int64(1+rnd.IntN(20)))))
		if n, err := w.publisher.Publish(w.t.Context()); n != 0 || err != nil {
			w.t.Fatalf("published %d entries while held, %v", n, err)
		}
		if w.outputSize() != size {
			w.t.Fatal("something was published while held")
		}
		if step == crashAt {
			w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rnd})
			for _, tp := range w.inputs() {
				w.next[tp] = max(w.next[tp], w.startOf(tp))
			}
		}
	}
}

// outputSize counts the records of all output topics.
func (w *world) outputSize() int {
	n := 0
	for _, tp := range w.partitions(w.model.OutputTopics()) {
		n += len(w.log.Records(tp))
	}
	return n
}

// TestRebuildKeepsDeletions: a deletion acts on the whole profile as it was, also where the control
// record is consumed again before the records that had joined the identities.
func TestRebuildKeepsDeletions(t *testing.T) {
	for name, lose := range map[string]func(w, backup *world) *world{
		"rebuilt": func(w, _ *world) *world {
			w.loseStore()
			return w
		},
		"restored": func(w, backup *world) *world {
			w.must(w.store.Close())
			backup.open()
			return backup
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			backup := w.copyOf(t, rand.New(rand.NewPCG(1, 2)))
			web := pipeline.TopicPartition{Topic: "web"}
			w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{
				Value: []byte(`{"id":"1","email":"a@x.org","name":"n"}`)})
			for _, event := range []string{
				`{"event":"e1","cookie":"k1","at":"2023-11-14T20:00:00Z"}`,
				`{"event":"e2","crm":"1","cookie":"k1","at":"2023-11-14T20:01:00Z"}`,
			} {
				w.send(web, pipeline.Record{Value: []byte(event), Headers: []pipeline.Header{
					{Key: "selfsame-dataset", Value: []byte("web")}}})
			}
			w.drain()
			if held := w.final("profiles"); len(held) != 1 {
				t.Fatalf("before the deletion: %v", held)
			}
			w.control(`{"id":"gone","op":"delete_profile","identities":["crm:1"]}`)
			w.drain()
			if held := w.final("profiles"); len(held) != 0 {
				t.Fatalf("after the deletion: %v", held)
			}
			now := w.now
			w = lose(w, backup)
			defer func() { w.close() }()
			w.now = now
			if n := w.consume(pipeline.TopicPartition{Topic: "control"}, 1); n != 1 {
				t.Fatalf("consumed %d control records", n)
			}
			w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(3, 4))})
			w.drain()
			if held := w.final("profiles"); len(held) != 0 {
				t.Errorf("deleted data is back: %v", held)
			}
			w.checkOutput()
		})
	}
}

// TestRebuildPassesBadTimes: a rebuild does not stop at a time of bad records, which an operator
// has judged when they came; afterwards such a time stops the topic again.
func TestRebuildPassesBadTimes(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		m.Dataset("crm").MaxRejectedShare, m.Dataset("crm").RejectedWindow = 0.5, 10
	})
	defer func() { w.close() }()
	crm := pipeline.TopicPartition{Topic: "crm"}
	bad := func() {
		for range 20 {
			w.send(crm, pipeline.Record{Value: []byte(`{"id":`)})
		}
		w.send(crm, pipeline.Record{Value: []byte(`{"id":"1","name":"n"}`)})
	}
	bad()
	w.loseStore()
	w.drain()
	if held := w.final("profiles"); len(held) != 1 {
		t.Fatalf("rebuilt: %v", held)
	}
	before := w.shard.Stats().Figures().Datasets["crm"].Consumed
	bad()
	w.drain()
	if n := w.shard.Stats().Figures().Datasets["crm"].Consumed - before; n >= 20 {
		t.Errorf("consumed %d more records, most of them bad", n)
	}
}

// TestControlText: control records are read as strictly as any other.
func TestControlText(t *testing.T) {
	m := testModel(t)
	for text, want := range map[string]pipeline.Reason{
		`{"id":"a","op":"remerge"}`:                       "",
		`{"id":"a","id":"b","op":"remerge"}`:              pipeline.ReasonMalformed,
		`{"id":"a","op":"remerge","op":"remerge"}`:        pipeline.ReasonMalformed,
		`{"ID":"a","op":"remerge"}`:                       pipeline.ReasonSchemaViolation,
		`{"id":"a","op":"remerge","ID":"b"}`:              pipeline.ReasonSchemaViolation,
		`{"id":"a","op":"remerge","unheard":1}`:           pipeline.ReasonSchemaViolation,
		"{\"id\":\"a\xff\",\"op\":\"remerge\"}":           pipeline.ReasonMalformed,
		`{"id":"a\ud800","op":"remerge"}`:                 pipeline.ReasonMalformed,
		`{"id":"a","op":"remerge"}{}`:                     pipeline.ReasonMalformed,
		`{"id":"a","op":"remerge","note":"\ud83d\ude00"}`: "",
	} {
		var got pipeline.Reason
		if r := m.CheckControl([]byte(text)); r != nil {
			got = r.Reason
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestRebuildDeletesNoMore: a deletion that is applied again acts on those on whom it had acted,
// and on nobody whom newer records have joined to them since, in whatever order topics are read.
func TestRebuildDeletesNoMore(t *testing.T) {
	for _, op := range []string{"delete_profile", "erase"} {
		for _, first := range []string{"web", "control"} {
			t.Run(op+" after "+first, func(t *testing.T) {
				w := newWorld(t, 1)
				defer func() { w.close() }()
				w.send(crm0, pipeline.Record{Value: []byte(`{"id":"1","name":"old"}`)})
				w.sendWeb(`{"event":"e1","cookie":"k1","at":"2023-11-14T20:00:00Z"}`)
				w.drain()
				w.control(`{"id":"gone","op":"%s","identities":["crm:1"]}`, op)
				w.drain()
				w.now = w.now.Add(time.Hour)
				w.sendWeb(fmt.Sprintf(`{"event":"e2","crm":"1","cookie":"k1","at":"%s"}`,
					w.now.Format(time.RFC3339)))
				w.drain()
				want, told := w.held(), w.told("gone")
				for range 2 { // what a rebuild tells is read by the next
					w.loseStore()
					for w.consume(pipeline.TopicPartition{Topic: first}, 100) > 0 {
						w.now = w.now.Add(time.Second)
					}
					w.drain()
					compareFinal(t, want, w.held(), "rebuilt")
				}
				if again := w.told("gone"); len(again) != 3 || again[2] != told[0] {
					t.Errorf("acted on %s, then on %s", told, again)
				}
				if n := w.heldEvents("cookie:k1"); n != 1 {
					t.Errorf("%d events are left under the cookie", n)
				}
			})
		}
	}
}

// sendWeb appends an event of the dataset web.
func (w *world) sendWeb(event string) {
	w.send(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{Value: []byte(event),
		Headers: []pipeline.Header{{Key: "selfsame-dataset", Value: []byte("web")}}})
}

// told lists on whom an operation has acted, as each of its audit records tells.
func (w *world) told(id string) []string {
	w.t.Helper()
	var all []string
	for _, tp := range w.partitions([]string{w.model.AuditTopic}) {
		for _, r := range w.log.Records(tp) {
			var e struct {
				Outcome            string
				Identities, Hashes json.RawMessage
			}
			w.must(json.Unmarshal(r.Value, &e))
			if string(r.Key) == id && e.Outcome == "applied" {
				all = append(all, fmt.Sprintf("%s %s", e.Identities, e.Hashes))
			}
		}
	}
	return all
}

// heldEvents counts the events under an identity.
func (w *world) heldEvents(id string) (n int) {
	w.t.Helper()
	w.must(w.store.Reader().EventRefs("profile", parseIdentity(w.t, id),
		func(store.EventRef) error {
			n++
			return nil
		}))
	return n
}

// TestRebuildRepeatsDeletions deletes profiles and erases people in the middle of a history, up to
// times in the middle of it, so that newer records join others to them afterwards. A rebuild that
// reads the topics in another order acts on the same people and ends where the lost store was, and
// so does the next, which reads what the first one told.
func TestRebuildRepeatsDeletions(t *testing.T) {
	for _, op := range []string{"delete_profile", "erase"} {
		for range seeds(8) {
			seed := rand.Uint64()
			t.Run(fmt.Sprintf("%s/seed=%d", op, seed), func(t *testing.T) {
				testRebuildRepeats(t, seed, op)
			})
		}
	}
}

func testRebuildRepeats(t *testing.T, seed uint64, op string) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, 3)
	all := distinct(facts(rnd, 250))
	w.lay(rnd, all, 3)
	for i := range 5 {
		w.consumeSome(rnd, rnd.IntN(15))
		id := fmt.Sprintf([]string{"crm:%d", "email:p%d@x.org", "cookie:k%d"}[rnd.IntN(3)],
			1+rnd.IntN(11))
		at := time.Unix(1_699_900_000+int64(rnd.IntN(250)), 0).UTC()
		w.control(`{"id":"gone%d","op":"%s","identities":["%s"],"time":"%s"}`, i, op, id,
			at.Format(time.RFC3339))
		w.consumeSome(rnd, rnd.IntN(4))
	}
	w.drain()
	w.work(rnd, true)
	want, stored := w.held(), w.storedData()
	for round := range 2 {
		w.loseStore()
		w.stumbleHeld(rnd)
		w.drain()
		w.work(rnd, true)
		compareFinal(t, stored, w.storedData(), "rebuilt")
		if op == "delete_profile" { // of links that people who were erased had told, less is known
			compareFinal(t, want, w.held(), "rebuilt")
		}
		for i := range 5 {
			told := w.told(fmt.Sprintf("gone%d", i))
			if len(told) != round+2 || told[round+1] != told[0] {
				t.Errorf("gone%d acted on %s", i, told)
			}
		}
	}
	w.close()
}

// storedData lists the events and the fragments that show something, by identity.
func (w *world) storedData() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	r := w.store.Reader()
	w.must(r.Walk("profile", nil, func(_ []byte, item *store.Item) error {
		switch item.Kind {
		case store.ItemEvent:
			all[item.Identity.String()+" "+item.Event.Dataset+" "+item.Event.ID] = "event"
		case store.ItemFragment:
			f, err := r.Fragment(store.FragmentRef{Class: "profile", Identity: item.Identity,
				Dataset: item.Dataset})
			if err == nil && f.Visible() {
				all[item.Identity.String()+" "+item.Dataset] = fmt.Sprint(f.Leaves, f.Edits)
			}
			return err
		}
		return nil
	}))
	return all
}
