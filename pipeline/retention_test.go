package pipeline_test

import (
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
	"selfsame/store"
)

// event sends an event of the dataset web.
func (w *world) event(format string, args ...any) {
	w.t.Helper()
	w.send(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{
		Value:   fmt.Appendf(nil, format, args...),
		Headers: []pipeline.Header{{Key: "selfsame-dataset", Value: []byte("web")}}})
}

// pass lets time pass, and works off what is due.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(d)
	w.work(rand.New(rand.NewPCG(1, 1)), false)
}

// storedEvents counts the events that are stored, by dataset.
func (w *world) storedEvents() map[string]int {
	w.t.Helper()
	counts := map[string]int{}
	w.must(w.store.Reader().Walk("profile", nil, func(_ []byte, item *store.Item) error {
		if item.Kind == store.ItemEvent {
			counts[item.Event.Dataset]++
		}
		return nil
	}))
	return counts
}

// TestEventsExpire: stored events go by their own time, the profile is emitted when a dataset has
// none left and ends with its last; what is consumed again does not come back.
func TestEventsExpire(t *testing.T) {
	w := newWorld(t, 1) // web keeps events for 30 days
	defer func() { w.close() }()
	const day = 24 * time.Hour
	at := func(d time.Duration) string { return w.now.Add(d).Format(time.RFC3339) }
	w.event(`{"event":"e1","cookie":"k1","at":"%s"}`, at(-29*day))
	w.event(`{"event":"e2","cookie":"k1","at":"%s"}`, at(-10*day))
	w.event(`{"event":"e3","cookie":"k2","crm":"1","at":"%s"}`, at(-29*day-12*time.Hour))
	w.send(crm0, pipeline.Record{Value: []byte(`{"id":"1","name":"Ann"}`)})
	w.drain()
	for _, step := range []struct {
		pass     time.Duration
		events   int
		profiles int
	}{
		{11 * time.Hour, 3, 2},
		{2 * time.Hour, 2, 2}, // e3
		{12 * time.Hour, 1, 2},
		{18 * day, 1, 2},
		{day, 0, 1}, // k1 ends
	} {
		w.pass(step.pass)
		if n := w.storedEvents()["web"]; n != step.events {
			t.Errorf("%s later: %d events, want %d", step.pass, n, step.events)
		}
		if held := w.final("profiles"); len(held) != step.profiles {
			t.Errorf("%s later: %v, want %d", step.pass, held, step.profiles)
		}
		w.check()
	}
	want := w.held()
	w.rewind()
	w.drain()
	compareFinal(t, want, w.held(), "consumed again")
	w.loseStore()
	w.drain()
	w.work(rand.New(rand.NewPCG(1, 1)), false)
	compareFinal(t, want, w.held(), "rebuilt")
}

// TestExpiryIsBounded: a crowd of events that is due at one moment goes in steps.
func TestExpiryIsBounded(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	for i := range 9000 {
		w.event(`{"event":"e%d","cookie":"k%d","at":"%s"}`, i, i%3,
			w.now.Format(time.RFC3339))
	}
	w.drain()
	w.now = w.now.Add(31 * 24 * time.Hour)
	for step, before := 0, 9000; w.shard.Busy(w.now.UnixNano()); step++ {
		w.now = w.now.Add(time.Millisecond)
		w.apply()
		left := w.storedEvents()["web"]
		if before-left > 2000 {
			t.Fatalf("one commit has removed %d events", before-left)
		}
		before = left
		if step == 3 {
			w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(1, 2))})
		}
	}
	w.publish()
	if left := w.storedEvents(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestRetentionChanges: another retention holds for what was stored before.
func TestRetentionChanges(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	const day = 24 * time.Hour
	w.event(`{"event":"e1","cookie":"k1","at":"%s"}`, w.now.Add(-9*day).Format(time.RFC3339))
	w.event(`{"event":"e2","cookie":"k1","at":"%s"}`, w.now.Add(-2*day).Format(time.RFC3339))
	w.drain()
	set := func(d time.Duration) {
		w.must(w.store.Close())
		w.model.Dataset("web").Retention = d
		w.decoder = pipeline.NewDecoder(w.model)
		w.open()
		w.pass(time.Minute)
	}
	set(5 * day)
	if left := w.storedEvents(); !maps.Equal(left, map[string]int{"web": 1}) {
		t.Errorf("shorter: %v", left)
	}
	jobs := 0
	w.must(w.store.Reader().Jobs(func(job *store.Job) error {
		jobs++
		begun := time.Unix(0, job.Created)
		if begun.Before(w.now.Add(-time.Minute)) || begun.After(time.Unix(0, job.Finished)) {
			t.Errorf("job %s: begun at %s, now is %s", job.ID, begun, w.now)
		}
		return nil
	}))
	if jobs != 1 {
		t.Errorf("%d jobs look at every identity, want 1", jobs)
	}
	set(50 * day)
	w.pass(20 * day)
	if left := w.storedEvents(); !maps.Equal(left, map[string]int{"web": 1}) {
		t.Errorf("longer: %v", left)
	}
	set(0)
	w.pass(400 * day)
	if left := w.storedEvents(); !maps.Equal(left, map[string]int{"web": 1}) {
		t.Errorf("for ever: %v", left)
	}
	set(5 * day)
	if left := w.storedEvents(); len(left) > 0 {
		t.Errorf("again: %v", left)
	}
}

// TestIdleCookies: cookies that nothing ties to anybody go once they have been idle, with
// everything; those that a link ties, also one that is left out, or an operator, stay.
func TestIdleCookies(t *testing.T) {
	const day = 24 * time.Hour
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		m.Entities[0].PseudonymousRetention = 14 * day
		m.Dataset("web").Retention = 365 * day
	})
	defer func() { w.close() }()
	at := func() string { return w.now.Format(time.RFC3339) }
	w.event(`{"event":"a","cookie":"idle","at":"%s"}`, at())
	w.event(`{"event":"b","cookies":["pair1","pair2"],"at":"%s"}`, at())
	w.event(`{"event":"c","crm":"1","cookie":"known","at":"%s"}`, at())
	w.event(`{"event":"d","crm":"1","cookie":"shared","at":"%s"}`, at())
	w.event(`{"event":"e","cookie":"ordered","at":"%s"}`, at())
	w.event(`{"event":"f","cookie":"busy","at":"%s"}`, at())
	w.control(`{"id":"o","op":"forbid_link","identities":["cookie:ordered","crm:9"]}`)
	w.drain()
	w.control(`{"id":"u","op":"unlink","identities":["cookie:shared"]}`)
	w.drain()
	w.pass(10 * day)
	w.event(`{"event":"g","cookie":"busy","at":"%s"}`, at())
	w.event(`{"event":"h","cookie":"pair2","at":"%s"}`, at())
	w.drain()
	cookies := func() (names []string) {
		for key := range w.final("assignments") {
			if key[0] == 'c' && key[1] == 'o' {
				names = append(names, key[len("cookie:"):])
			}
		}
		slices.Sort(names)
		return names
	}
	w.emitted("identity")
	w.pass(5 * day)
	want := []string{"busy", "known", "ordered", "pair1", "pair2", "shared"}
	if got := cookies(); !slices.Equal(got, want) {
		t.Errorf("after 15 days: %v, want %v", got, want)
	}
	told := w.emitted("identity")
	if !strings.Contains(told, `"kind":"expired"`) || strings.Contains(told, `"idle"`) {
		t.Errorf("identity topic: %s", told)
	}
	for line := range strings.Lines(told) { // as docs/topics.md says
		if strings.Contains(line, `"kind":"expired"`) && (!strings.Contains(line,
			`"cause":{"topic":"(retention)","partition":0,"offset":0},"count":`) ||
			!strings.Contains(line, `"identities":[]`)) {
			t.Errorf("no record is the cause: %s", line)
		}
	}
	w.pass(30 * day)
	want = []string{"known", "ordered", "shared"}
	if got := cookies(); !slices.Equal(got, want) {
		t.Errorf("after 45 days: %v, want %v", got, want)
	}
	w.check()
	w.noTrace(nil)
	held := w.held()
	w.loseStore()
	w.drain()
	w.work(rand.New(rand.NewPCG(1, 1)), false)
	compareFinal(t, held, w.held(), "rebuilt")

	w.event(`{"event":"i","cookie":"idle","at":"%s"}`, at()) // it comes back as a new one
	w.drain()
	if got := cookies(); !slices.Contains(got, "idle") {
		t.Errorf("came back: %v", got)
	}
}

// TestTakeOutDataset: a dataset may leave the configuration once everything that it said is
// deleted, and nothing came since.
func TestTakeOutDataset(t *testing.T) {
	w := newWorld(t, 1)
	defer func() { w.close() }()
	_, err := pipeline.AdoptUnions(w.model, w.store)
	w.must(err)
	w.send(pipeline.TopicPartition{Topic: "shop"}, pipeline.Record{
		Value: w.encode(w.model.Dataset("shop"), `{"mail":"a@x.org","tier":"gold"}`)})
	w.drain()
	w.must(w.store.Close())
	w.open()
	without := *w.model
	without.Datasets = slices.DeleteFunc(slices.Clone(w.model.Datasets),
		func(ds *pipeline.Dataset) bool { return ds.Name == "shop" })
	refused := func(when string) {
		t.Helper()
		if _, err := pipeline.AdoptUnions(&without, w.store); err == nil {
			t.Errorf("taken out %s", when)
		}
	}
	refused("before it is deleted")
	w.control(`{"id":"d","op":"delete_dataset","dataset":"shop"}`)
	w.consume(pipeline.TopicPartition{Topic: "control"}, 1)
	refused("while it is being deleted")
	w.work(rand.New(rand.NewPCG(1, 1)), false)
	w.send(pipeline.TopicPartition{Topic: "shop"}, pipeline.Record{
		Value: w.encode(w.model.Dataset("shop"), `{"mail":"a@x.org","tier":"gold"}`)})
	w.drain()
	refused("with newer data")
	w.control(`{"id":"d2","op":"delete_dataset","dataset":"shop"}`)
	w.drain()
	w.work(rand.New(rand.NewPCG(1, 1)), false)
	if _, err := pipeline.AdoptUnions(&without, w.store); err != nil {
		t.Errorf("empty, and refused: %v", err)
	}
}
