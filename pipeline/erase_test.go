package pipeline_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// together lists the identities of the profile that an identity belongs to, as consumers hold it.
func (w *world) together(id string) []profile.Identity {
	w.t.Helper()
	held := w.final("assignments")
	var all []profile.Identity
	for key, value := range held {
		if held[id] != "" && value == held[id] {
			other, _ := profile.ParseIdentity(key)
			all = append(all, other)
		}
	}
	slices.SortFunc(all, profile.Identity.Compare)
	return all
}

// TestErase erases people in the middle of a history. Nothing of them is left in the compacted
// store but what others say, a replay of the whole input and a rebuild bring nothing back, and what
// came after stays.
func TestErase(t *testing.T) {
	for range seeds(8) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { testErase(t, seed) })
	}
}

func testErase(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t, 3)
	all := distinct(facts(rnd, 250))
	w.lay(rnd, all, 3)
	erased := map[profile.Identity]bool{}
	for i := range 4 {
		w.consumeSome(rnd, rnd.IntN(15))
		w.publish()
		id := fmt.Sprintf([]string{"crm:%d", "email:p%d@x.org", "cookie:k%d"}[rnd.IntN(3)],
			1+rnd.IntN(11))
		for _, other := range w.together(id) {
			erased[other] = true
		}
		erased[parseIdentity(t, id)] = true
		w.control(`{"id":"er%d","op":"erase","identities":["%s"],"suppress":%v}`, i, id,
			rnd.IntN(3) == 0)
		for w.consume(pipeline.TopicPartition{Topic: "control"}, 100) > 0 {
			w.publish()
		}
		if rnd.IntN(2) == 0 {
			w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
		}
	}
	w.drain()
	w.work(rnd, true)
	w.check()
	want := w.held()
	for id := range erased {
		if _, held := want[id.String()]; held {
			t.Errorf("%s is known again", id)
		}
	}
	w.noTrace(slices.SortedFunc(maps.Keys(erased), profile.Identity.Compare), "fragment", "event")

	w.rewind()
	w.drain()
	w.work(rnd, false)
	w.check()
	compareFinal(t, want, w.held(), "consumed again")

	w.loseStore()
	w.stumbleHeld(rnd)
	w.drain()
	w.work(rnd, true)
	compareFinal(t, alive(want), alive(w.held()), "rebuilt")
	w.noTrace(slices.SortedFunc(maps.Keys(erased), profile.Identity.Compare), "fragment", "event")
	w.close()
}

// erasures are records of people whom nothing links, and erasures of them: what these leave does
// not depend on the order. No two have the same time.
func erasures(rnd *rand.Rand, n int) []fact {
	base := time.Unix(1_699_800_000, 0).UTC()
	var all []fact
	for i, order := range rnd.Perm(n) {
		at := base.Add(time.Duration(order) * time.Second)
		f := fact{dataset: "crm", at: at, value: fmt.Sprintf(`{"id":"7%d","name":"s%d","at":%d}`,
			rnd.IntN(5), i, at.UnixMilli())}
		if i%4 == 0 {
			f = fact{dataset: "control", at: at, value: fmt.Sprintf(`{"id":"er%d","op":"erase",
				"time":"%s","suppress":%v,"identities":["crm:7%d"]}`, i, at.Format(time.RFC3339),
				rnd.IntN(4) == 0, rnd.IntN(5))}
		}
		all = append(all, f)
	}
	return all
}

// TestFoldErased is TestFold with erasures.
func TestFoldErased(t *testing.T) {
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			foldsAlike(t, seed, append(facts(rnd, 120), erasures(rnd, 60)...), nil)
		})
	}
}

// alive leaves out the assignments of identities whose profile holds nothing: of those that only
// records of somebody who was erased have named a rebuild knows nothing.
func alive(held map[string]string) map[string]string {
	kept := maps.Clone(held)
	maps.DeleteFunc(kept, func(_, value string) bool {
		rest, assigned := strings.CutPrefix(value, `{"profile":"`)
		id, _, _ := strings.Cut(rest, `"`)
		return assigned && held[id] == ""
	})
	return kept
}

// noTrace compacts the store and holds it to have no trace of identities but in some key spaces.
// Short values are in it by chance.
func (w *world) noTrace(ids []profile.Identity, but ...string) {
	w.t.Helper()
	ids = slices.DeleteFunc(ids, func(id profile.Identity) bool { return profile.Short(id.Value) })
	w.must(w.store.Compact(context.Background()))
	traces, err := w.store.Search(context.Background(), ids)
	w.must(err)
	for _, trace := range traces {
		for space, n := range trace.Rows {
			if !slices.Contains(but, space) {
				w.t.Errorf("%d rows of %s hold %s", n, space, trace.Identity)
			}
		}
	}
}

// TestEraseLeavesNoTrace: of a person with everything that there can be, nothing is left.
func TestEraseLeavesNoTrace(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		m.Dataset("crm").CurrentLinks = true
	})
	defer w.close()
	rnd := rand.New(rand.NewPCG(1, 2))
	crm := pipeline.TopicPartition{Topic: "crm"}
	web := func(event string) {
		w.send(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{Value: []byte(event),
			Headers: []pipeline.Header{{Key: "selfsame-dataset", Value: []byte("web")}}})
	}
	w.send(crm, pipeline.Record{Value: []byte(
		`{"id":"annsnumber","email":"ann@example.org","name":"n","at":1699999000000}`)})
	w.send(crm, pipeline.Record{Value: []byte(
		`{"id":"bobsnumber","email":"bob@example.org","name":"Bob","at":1699999000000}`)})
	for i := range 2500 {
		web(fmt.Sprintf(`{"event":"e%d","crm":"annsnumber","cookie":"cookie-of-ann-%d",
			"at":"2023-11-14T20:00:00Z"}`, i, i))
	}
	web(`{"event":"x1","crm":"bobsnumber","cookie":"cookie-of-both","at":"2023-11-14T20:00:00Z"}`)
	web(`{"event":"x2","crm":"annsnumber","cookie":"cookie-of-both","at":"2023-11-14T20:01:00Z"}`)
	web(`{"event":"x3","crm":"annsnumber","cookie":"cookie-of-ann-7","at":"2023-11-14T20:02:00Z"}`)
	web(`{"event":"x4","crm":"annsnumber","at":"2023-11-14T20:02:00Z"}`)
	w.drain()
	w.send(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{Value: []byte(`{"event":"x4"}`),
		Headers: []pipeline.Header{{Key: "selfsame-dataset", Value: []byte("web")},
			{Key: "selfsame-op", Value: []byte("delete")}}})
	w.drain()
	w.control(`{"id":"o1","op":"forbid_link","identities":["crm:annsnumber",
		"email:bob@example.org"]}`)
	w.control(`{"id":"o2","op":"delete_fragment","dataset":"crm",
		"identities":["crm:annsnumber"]}`)
	w.control(`{"id":"o3","op":"delete_events","dataset":"web","identities":["crm:annsnumber"],
		"until":"2000-01-01T00:00:00Z"}`)
	w.control(`{"id":"o4","op":"delete_profile","identities":["crm:annsnumber"],
		"time":"2023-11-14T20:01:30Z"}`)
	w.drain()
	ids := []profile.Identity{}
	for _, text := range []string{"crm:annsnumber", "email:ann@example.org"} {
		ids = append(ids, parseIdentity(t, text))
	}
	w.control(`{"id":"er","op":"erase","identities":["email:ann@example.org"]}`)
	w.drain()
	w.work(rnd, true)
	w.noTrace(ids)
	row, err := w.store.Reader().Applied("er")
	w.must(err)
	if row.Job != "" || row.Links < 2000 {
		t.Errorf("removed %d links, job %q", row.Links, row.Job)
	}
	bobs := `{"crm":["bobsnumber"],"email":["bob@example.org"]}`
	held := w.final("profiles")
	if len(held) != 1 ||
		!strings.Contains(strings.Join(slices.Collect(maps.Values(held)), ""), bobs) {
		t.Errorf("left: %v", held)
	}
}

// TestEraseRestored: a store that is older than an erasure is told of it by the audit topic, and
// looks for those whom it does not know to belong together yet.
func TestEraseRestored(t *testing.T) {
	w := newWorld(t, 1)
	rnd := rand.New(rand.NewPCG(5, 6))
	web := func(event string) {
		w.send(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{Value: []byte(event),
			Headers: []pipeline.Header{{Key: "selfsame-dataset", Value: []byte("web")}}})
	}
	w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{
		Value: []byte(`{"id":"annsnumber","email":"ann@example.org","name":"Ann"}`)})
	web(`{"event":"e1","cookie":"cookie-of-ann","at":"2023-11-14T20:00:00Z"}`)
	w.drain()
	backup := w.copyOf(t, rnd)
	web(`{"event":"e2","crm":"annsnumber","cookie":"cookie-of-ann","at":"2023-11-14T20:01:00Z"}`)
	w.drain()
	w.control(`{"id":"er","op":"erase","identities":["crm:annsnumber"]}`)
	w.drain()
	w.must(w.store.Close())
	w = backup
	w.open()
	defer func() { w.close() }()
	gone := []profile.Identity{parseIdentity(t, "crm:annsnumber"),
		parseIdentity(t, "email:ann@example.org"), parseIdentity(t, "cookie:cookie-of-ann")}
	w.noTrace(gone, "outbox") // before anything is consumed; the ends of assignments wait
	lookup := pipeline.NewLookup(w.model, w.store)
	for _, id := range gone {
		a, err := lookup.Find(pipeline.Query{Class: "profile", Namespace: id.Namespace,
			Value: id.Value})
		if w.must(err); a != nil {
			t.Errorf("%s is shown: %s", id, a.JSON(false))
		}
	}
	w.emitted("profiles")
	w.work(rnd, true)
	w.drain()
	w.work(rnd, true)
	if held := w.held(); len(held) != 0 {
		t.Errorf("erased data is back: %v", held)
	}
	w.noTrace(gone)
	if put := w.emitted("profiles"); strings.Contains(put, "attributes") {
		t.Errorf("put out of somebody who was erased: %s", put)
	}
}

// TestRebuildKeepsLifts: what was lifted, and came back by a replay, is there after a rebuild too.
func TestRebuildKeepsLifts(t *testing.T) {
	for _, op := range []string{"erase", "delete_profile"} {
		w := newWorld(t, 1)
		w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{
			Value: []byte(`{"id":"1","name":"Ann"}`)})
		w.drain()
		w.control(`{"id":"d","op":"%s","identities":["crm:1"]}`, op)
		w.drain()
		w.control(`{"id":"l","op":"lift_delete","identities":["crm:1"]}`)
		w.drain()
		w.rewind()
		w.drain()
		want := w.held()
		if len(want) != 2 {
			t.Fatalf("%s: lifted, and consumed again: %v", op, want)
		}
		for _, first := range []string{"crm", "control"} {
			w.loseStore()
			for w.consume(pipeline.TopicPartition{Topic: first}, 100) > 0 {
				w.now = w.now.Add(time.Second)
			}
			w.drain()
			compareFinal(t, want, w.held(), op+" rebuilt")
		}
		w.close()
	}
}

// TestLiftWhileRebuilt: a deletion that is lifted while the store is rebuilt stays lifted when the
// daemon is restarted before it publishes again: the audit topic tells of the deletion, and not yet
// of the lift.
func TestLiftWhileRebuilt(t *testing.T) {
	for _, op := range []string{`"erase"`, `"delete_events","dataset":"web"`} {
		w := newWorld(t, 1)
		event := func() {
			w.send(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{
				Value:   []byte(`{"event":"e1","crm":"1","at":"2023-11-14T20:00:00Z"}`),
				Headers: []pipeline.Header{{Key: "selfsame-dataset", Value: []byte("web")}}})
		}
		event()
		w.drain()
		w.control(`{"id":"d","op":%s,"identities":["crm:1"]}`, op)
		w.drain()
		w.loseStore()
		w.control(`{"id":"l","op":"lift_delete","identities":["crm:1"]}`)
		for w.consume(pipeline.TopicPartition{Topic: "control"}, 100) > 0 {
			w.now = w.now.Add(time.Second)
		}
		w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
		w.drain()
		if held := w.final("profiles"); len(held) != 1 {
			t.Errorf("%s: what was lifted is not there: %v", op, held)
		}
		w.close()
	}
}

// TestLiftAfterRebuild: the same without a restart.
func TestLiftAfterRebuild(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	web := pipeline.TopicPartition{Topic: "web"}
	w.send(web, pipeline.Record{Value: []byte(
		`{"event":"e1","crm":"1","at":"2023-11-14T20:00:00Z"}`),
		Headers: []pipeline.Header{{Key: "selfsame-dataset", Value: []byte("web")}}})
	w.drain()
	w.control(`{"id":"d","op":"delete_events","dataset":"web","identities":["crm:1"]}`)
	w.drain()
	w.loseStore()
	w.control(`{"id":"l","op":"lift_delete","identities":["crm:1"]}`)
	for w.consume(pipeline.TopicPartition{Topic: "control"}, 100) > 0 {
		w.now = w.now.Add(time.Second)
	}
	w.drain()
	if held := w.final("profiles"); len(held) != 1 {
		t.Errorf("what was lifted is not there: %v", held)
	}
}

// TestSuppressed: erased with suppress, nothing of a person is stored any more, and operators
// cannot name the identity before it is lifted.
func TestSuppressed(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	w.control(`{"id":"er","op":"erase","identities":["crm:77"],"suppress":true}`)
	w.drain()
	w.now = w.now.Add(time.Hour)
	w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{
		Value: []byte(`{"id":"77","name":"Ann"}`)})
	w.control(`{"id":"l","op":"link","identities":["crm:77","crm:78"]}`)
	w.drain()
	figures := w.shard.Stats().Figures().Datasets
	if n := figures["crm"].Rejected[pipeline.ReasonErased]; n != 1 {
		t.Errorf("%d rejected as erased", n)
	}
	if n := figures[pipeline.ControlName].Rejected[pipeline.ReasonErased]; n != 1 {
		t.Errorf("%d control records rejected as erased", n)
	}
	var known []store.ItemKind
	w.must(w.store.Reader().Walk("profile", nil, func(_ []byte, item *store.Item) error {
		known = append(known, item.Kind)
		return nil
	}))
	if len(known) > 0 {
		t.Errorf("%d rows", len(known))
	}
}

// TestEraseKeepsNewerWordOnLinks: an erasure up to a time keeps an identity of which nothing is
// left but that a newer record has said which its links are.
func TestEraseKeepsNewerWordOnLinks(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		m.Dataset("crm").CurrentLinks = true
	})
	defer w.close()
	said := func(email string, at time.Time) {
		w.send(crm0, pipeline.Record{Value: fmt.Appendf(nil, `{"id":"1","email":"%s","at":%d}`,
			email, at.UnixMilli())})
	}
	w.control(`{"id":"d","op":"delete_fragment","dataset":"crm","identities":["crm:1"]}`)
	w.drain()
	w.send(crm0, pipeline.Record{Value: fmt.Appendf(nil, `{"id":"1","at":%d}`,
		w.now.UnixMilli())})
	w.control(`{"id":"er","op":"erase","identities":["crm:1"],"time":"%s"}`,
		w.now.Add(-time.Hour).Format(time.RFC3339))
	w.drain()
	w.check()
	said("ann@example.org", w.now.Add(-time.Minute))
	w.drain()
	if ids := w.together("crm:1"); len(ids) != 1 {
		t.Errorf("an older record has linked %v", ids)
	}
}

// TestEraseTwice: who was erased up to one time, and then up to an earlier one, counts as first
// seen at the later of the two, as if the newer data had come after both.
func TestEraseTwice(t *testing.T) {
	var ids []string
	for _, late := range []bool{false, true} {
		w := newWorld(t, 1)
		at := w.now
		w.now = w.now.Add(2 * time.Hour)
		record := func(cookie string, ago time.Duration) {
			w.send(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{
				Value: fmt.Appendf(nil, `{"event":"%[1]s","cookie":"%[1]s",
					"cookies":["b","%[1]s"],"at":"%[2]s"}`, cookie,
					w.now.Add(-ago).Format(time.RFC3339)),
				Headers: []pipeline.Header{{Key: "selfsame-dataset", Value: []byte("web")}}})
			w.drain()
		}
		erase := func(id string, time time.Time) {
			w.control(`{"id":"%s","op":"erase","identities":["cookie:a"],"time":"%s"}`, id,
				time.Format("2006-01-02T15:04:05Z"))
			w.drain()
		}
		erase("er1", at.Add(time.Hour))
		if !late {
			record("a", 0)
		}
		erase("er2", at)
		if late {
			record("a", 0)
		}
		record("c", 90*time.Minute)
		ids = append(ids, w.final("assignments")["cookie:a"])
		w.close()
	}
	if ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("the profile of a is %s where its record came between, else %s", ids[0], ids[1])
	}
}

// TestLiftGivesLinksBack: what lifts an erasure lets links of its time come back, also where the
// data had been deleted up to a later time before.
func TestLiftGivesLinksBack(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	at := w.now
	w.now = w.now.Add(2 * time.Hour)
	link := func(event string, at time.Time) {
		w.event(`{"event":"%s","cookie":"a","cookies":["b"],"at":"%s"}`, event,
			at.Format(time.RFC3339))
		w.drain()
	}
	link("e1", w.now)
	w.control(`{"id":"d","op":"delete_profile","identities":["cookie:a"],"time":"%s"}`,
		w.now.Add(-time.Minute).Format(time.RFC3339))
	w.control(`{"id":"er","op":"erase","identities":["cookie:a"],"time":"%s"}`,
		at.Format(time.RFC3339))
	w.control(`{"id":"u","op":"forbid_link","identities":["cookie:a","cookie:b"]}`)
	w.control(`{"id":"l1","op":"lift_delete","identities":["cookie:a"]}`)
	w.drain()
	w.event(`{"event":"e2","cookie":"a","cookies":["c"],"at":"%s"}`,
		at.Add(-time.Minute).Format(time.RFC3339))
	w.drain()
	if ids := w.together("cookie:a"); len(ids) != 2 {
		t.Errorf("a record of before has linked %v", ids)
	}
}

// TestEraseKeepsLaterFloor: an erasure up to a time keeps a deletion up to a later one in force.
func TestEraseKeepsLaterFloor(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	at := w.now
	ann := fmt.Appendf(nil, `{"id":"1","name":"Ann","at":%d}`, at.UnixMilli())
	w.send(crm0, pipeline.Record{Value: ann})
	w.now = w.now.Add(time.Hour)
	w.drain()
	w.control(`{"id":"d","op":"delete_profile","identities":["crm:1"]}`)
	w.control(`{"id":"er","op":"erase","identities":["crm:1"],"time":"%s"}`,
		at.Add(-time.Hour).Format(time.RFC3339))
	w.drain()
	w.send(crm0, pipeline.Record{Value: ann})
	w.drain()
	if held := w.final("profiles"); len(held) > 0 {
		t.Errorf("deleted data is back: %v", held)
	}
}
