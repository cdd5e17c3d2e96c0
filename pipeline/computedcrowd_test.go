package pipeline_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/computed"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
)

// TestComputedCrowdOfOne lets more events of one identity leave their window within a second than
// one commit looks at: they go step by step, others do not wait for them, and no value in between
// is told as if it were final.
func TestComputedCrowdOfOne(t *testing.T) {
	const crowd = 22_000
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(t)(m)
		orders := []string{"orders"}
		define(t, m, computed.Definition{Name: "n", Datasets: orders, Function: computed.Count,
			Window: "1h"}, computed.Definition{Name: "spend", Datasets: orders,
			Function: computed.Sum, Value: "amount", Window: "1h"},
			computed.Definition{Name: "life", Datasets: orders, Function: computed.Count,
				Window: "lifetime"})
	})
	defer func() { w.close() }()
	orders, begin := pipeline.TopicPartition{Topic: "orders"}, w.now
	order := func(id int, who string, at time.Time) {
		w.send(orders, pipeline.Record{Value: fmt.Appendf(nil,
			`{"order":"%d","crm":%q,"amount":"1","at":%q}`, id, who, at.Format(time.RFC3339Nano))})
	}
	w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{
		Value: []byte(`{"id":"kiosk","name":"Kiosk"}`)})
	for i := range crowd {
		order(i, "kiosk", begin.Add(time.Duration(i)*time.Second/crowd))
	}
	order(crowd, "other", begin.Add(2*time.Second))
	w.now = begin.Add(5 * time.Second)
	for w.consume(orders, 2000) > 0 {
	}
	w.drain()
	w.wantHeld("kiosk", fmt.Sprintf(`{"life":%d,"n":%d,"spend":%d.00}`, crowd, crowd, crowd), "")
	w.wantHeld("other", `{"life":1,"n":1,"spend":1.00}`, "")

	w.now = begin.Add(time.Hour + 3*time.Second)
	step := func() {
		w.must(w.shard.Apply(nil, w.now.UnixNano()))
		w.publish()
	}
	step()
	w.wantHeld("other", `{"life":1,"n":0}`, "")
	before := fmt.Sprintf(`{"life":%d,"n":%d,"spend":%d.00}`, crowd, crowd, crowd)
	w.wantHeld("kiosk", before, "")
	f := w.shard.Stats().Figures()
	if f.TimersBehind < 2*time.Second || f.ComputedUnfinished != 1 {
		t.Errorf("behind by %s, unfinished %d times", f.TimersBehind, f.ComputedUnfinished)
	}
	w.crash(vfs.CrashCloneCfg{})
	step()

	// What is settled meanwhile for another reason is told as what it is. A read is exact.
	w.now = w.now.Add(time.Millisecond)
	order(crowd+1, "kiosk", w.now)
	w.consume(orders, 1)
	w.publish()
	n := w.heldComputed("kiosk").values["n"]
	if string(n) == fmt.Sprint(crowd) || string(n) == "1" {
		t.Errorf("n is %s while it is catching up", n)
	}
	w.wantHeld("kiosk", "", `{"n":["catching_up"],"spend":["catching_up"]}`)
	lookup := pipeline.NewLookup(w.model, w.store)
	lookup.Now = func() int64 { return w.now.UnixNano() }
	a, err := lookup.Find(pipeline.Query{Class: "profile", Namespace: "crm", Value: "kiosk"})
	w.must(err)
	w.wantComputedText(a.JSON(false), fmt.Sprintf(`{"life":%d,"n":1,"spend":1.00}`, crowd+1), "")

	steps := 0
	for ; w.shard.Busy(w.now.UnixNano()); steps++ {
		if steps > 100 {
			t.Fatal("it does not end")
		}
		step()
	}
	if steps < 5 {
		t.Errorf("%d more steps: the crowd is too small", steps)
	}
	w.wantHeld("kiosk", fmt.Sprintf(`{"life":%d,"n":1,"spend":1.00}`, crowd+1), "")
	w.check()
}

type computedText struct {
	all    string
	flags  string
	values map[string]json.RawMessage
}

func readComputed(text []byte) (computedText, error) {
	var p struct {
		Computed json.RawMessage
		Flags    json.RawMessage `json:"computed_flags"`
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return computedText{}, err
	}
	c := computedText{all: string(p.Computed), flags: string(p.Flags)}
	return c, json.Unmarshal(p.Computed, &c.values)
}

// heldComputed is what a consumer holds of the computed attributes of a crm identity.
func (w *world) heldComputed(crm string) computedText {
	w.t.Helper()
	for text := range maps.Values(w.final("profiles")) {
		var p struct{ Identities map[string][]string }
		w.must(json.Unmarshal([]byte(text), &p))
		if ids := p.Identities["crm"]; len(ids) == 1 && ids[0] == crm {
			c, err := readComputed([]byte(text))
			w.must(err)
			return c
		}
	}
	w.t.Fatalf("there is no profile of %s", crm)
	return computedText{}
}

// wantHeld compares what a consumer holds; "" for values that are not looked at.
func (w *world) wantHeld(crm, values, flags string) {
	w.t.Helper()
	c := w.heldComputed(crm)
	if values != "" && c.all != values || c.flags != flags {
		w.t.Fatalf("of %s: %s %s, want %s %s", crm, c.all, c.flags, values, flags)
	}
}

func (w *world) wantComputedText(text []byte, values, flags string) {
	w.t.Helper()
	c, err := readComputed(text)
	w.must(err)
	if c.all != values || c.flags != flags {
		w.t.Fatalf("%s %s, want %s %s", c.all, c.flags, values, flags)
	}
}

// TestComputedBuiltInStepsExpires builds the state of many events in several steps: it changes by
// itself like any other.
func TestComputedBuiltInStepsExpires(t *testing.T) {
	const crowd = 12_000
	w := newWorldOn(t, memlog.Options{}, 1, addOrders(t))
	defer func() { w.close() }()
	orders, begin := pipeline.TopicPartition{Topic: "orders"}, w.now
	for i := range crowd {
		w.send(orders, pipeline.Record{Value: fmt.Appendf(nil, `{"order":"%d","crm":"k","at":%q}`,
			i, begin.Add(time.Duration(i)*time.Millisecond).Format(time.RFC3339Nano))})
	}
	w.now = begin.Add(time.Minute)
	for w.consume(orders, 2000) > 0 {
	}
	w.drain()
	define(t, w.model, computed.Definition{Name: "n", Datasets: []string{"orders"},
		Function: computed.Count, Window: "1h"})
	w.must(w.store.Close())
	w.open()
	w.tellWork()
	w.wantHeld("k", fmt.Sprintf(`{"n":%d}`, crowd), "")
	w.now = begin.Add(2 * time.Hour)
	w.tellWork()
	w.wantHeld("k", `{"n":0}`, "")
	w.check()
}
