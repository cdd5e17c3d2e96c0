package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"selfsame/computed"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// TestComputedOutlivesItsEvents: what a lifetime attribute counts stays when events expire, is not
// counted again, and goes with every kind of deletion.
func TestComputedOutlivesItsEvents(t *testing.T) {
	deletions := map[string]struct {
		op   string
		want string // lifetime count after it
		days int
	}{
		"dataset": {`{"id":"x","op":"delete_dataset","dataset":"orders"}`, "0", 1},
		"events": {`{"id":"x","op":"delete_events","dataset":"orders",` +
			`"identities":["crm:1"]}`, "0", 1},
		"profile": {`{"id":"x","op":"delete_profile","identities":["crm:1"]}`, "", 1},
		"erase":   {`{"id":"x","op":"erase","identities":["crm:1"]}`, "", 1},
	}
	for name, deletion := range deletions {
		t.Run(name, func(t *testing.T) {
			w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
				addOrders(t)(m)
				m.Dataset("orders").Retention = 3 * time.Hour
				define(t, m,
					computed.Definition{Name: "life", Datasets: []string{"orders"},
						Function: computed.Count, Window: "lifetime"},
					computed.Definition{Name: "hour", Datasets: []string{"orders"},
						Function: computed.Count, Window: "1h"})
			})
			defer func() { w.close() }()
			w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{
				Value: []byte(`{"id":"1","name":"Ann"}`)})
			order := func(id string) {
				w.send(pipeline.TopicPartition{Topic: "orders"}, pipeline.Record{
					Value: fmt.Appendf(nil, `{"order":%q,"crm":"1"}`, id)})
			}
			order("a")
			order("b")
			w.drain()
			w.wantComputed(`{"hour":2,"life":2}`)
			w.now = w.now.Add(5 * time.Hour)
			w.tellWork()
			w.wantComputed(`{"hour":0,"life":2}`)
			if n := w.events("crm:1"); n != 0 {
				t.Fatalf("%d events are left", n)
			}
			order("a") // a copy, of now
			w.drain()
			w.wantComputed(`{"hour":0,"life":2}`)
			w.must(w.store.Close())
			w.open()
			dry, err := pipeline.NewLookup(w.model, w.store).DryRun(context.Background(),
				[]byte(deletion.op), w.now)
			w.must(err)
			w.wantComputed(`{"hour":0,"life":2}`)
			w.control("%s", deletion.op)
			w.drain()
			w.tellWork()
			want := ""
			if deletion.want != "" {
				want = fmt.Sprintf(`{"hour":0,"life":%s}`, deletion.want)
			}
			w.wantComputed(want)
			row, err := w.store.Reader().Applied("x")
			w.must(err)
			if int(row.Days) != deletion.days || dry.Days != row.Days {
				t.Errorf("%d folded days were removed, dry %d, want %d", row.Days, dry.Days,
					deletion.days)
			}
			if told := w.toldDays("x"); told != deletion.days {
				t.Errorf("the audit topic tells of %d folded days, want %d", told, deletion.days)
			}
			w.now = w.now.Add(time.Second)
			order("c") // newer
			w.drain()
			w.tellWork()
			w.wantComputed(`{"hour":1,"life":1}`)
		})
	}
}

// toldDays are the folded days that the last audit record of an operation tells.
func (w *world) toldDays(id string) (days int) {
	w.t.Helper()
	for _, tp := range w.partitions([]string{w.model.AuditTopic}) {
		for _, r := range w.log.Records(tp) {
			var e struct {
				Removed struct {
					Days int `json:"folded_days"`
				}
			}
			w.must(json.Unmarshal(r.Value, &e))
			if string(r.Key) == id {
				days = e.Removed.Days
			}
		}
	}
	return days
}

// wantComputed compares the computed attributes of crm:1; "" where it has no profile.
func (w *world) wantComputed(want string) {
	w.t.Helper()
	lookup := pipeline.NewLookup(w.model, w.store)
	lookup.Now = func() int64 { return w.now.UnixNano() }
	a, err := lookup.Find(pipeline.Query{Class: "profile", Namespace: "crm", Value: "1"})
	w.must(err)
	got := struct{ Computed json.RawMessage }{}
	if a != nil {
		w.must(json.Unmarshal(a.JSON(false), &got))
	}
	if string(got.Computed) != want {
		w.t.Fatalf("computed %s, want %s", got.Computed, want)
	}
}

// events counts the stored events of an identity.
func (w *world) events(text string) int {
	n := 0
	id, _ := profile.ParseIdentity(text)
	w.must(w.store.Reader().EventRefs("profile", id, func(store.EventRef) error {
		n++
		return nil
	}))
	return n
}

// TestComputedDeleteOfAnExpiredEvent: by its id it is not found any more, which is counted once; by
// identity and day it is.
func TestComputedDeleteOfAnExpiredEvent(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(t)(m)
		m.Dataset("orders").Retention = 3 * time.Hour
		define(t, m, computed.Definition{Name: "life", Datasets: []string{"orders"},
			Function: computed.Count, Window: "lifetime"})
	})
	defer func() { w.close() }()
	order := func(id, op string) {
		w.send(pipeline.TopicPartition{Topic: "orders"}, pipeline.Record{
			Headers: []pipeline.Header{{Key: pipeline.HeaderOperation, Value: []byte(op)}},
			Value:   fmt.Appendf(nil, `{"order":%q,"crm":"1"}`, id)})
		w.drain()
	}
	missed := func() uint64 { return w.shard.Stats().Figures().ComputedDeletesMissed["orders"] }
	w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{
		Value: []byte(`{"id":"1","name":"Ann"}`)})
	order("a", "insert")
	order("b", "insert")
	day := w.now.Truncate(24 * time.Hour)
	w.now = w.now.Add(time.Second)
	order("b", "delete") // is stored
	w.wantComputed(`{"life":1}`)
	w.now = w.now.Add(5 * time.Hour)
	w.tellWork()
	order("b", "delete") // was deleted before
	order("c", "delete") // never was
	if n := missed(); n != 0 {
		t.Errorf("%d deletes missed an event that was there or is not known", n)
	}
	order("a", "delete")
	order("a", "delete")
	if n := missed(); n != 1 {
		t.Errorf("%d deletes missed an event, want 1", n)
	}
	w.wantComputed(`{"life":1}`)
	w.control(`{"id":"x","op":"delete_events","dataset":"orders","identities":["crm:1"],`+
		`"from":%q,"until":%q}`, day.Format(time.RFC3339),
		day.Add(24*time.Hour).Format(time.RFC3339))
	w.drain()
	w.tellWork()
	w.wantComputed(`{"life":0}`)
	row, err := w.store.Reader().Applied("x")
	w.must(err)
	if row.Days != 1 {
		t.Errorf("%d folded days were removed, want 1", row.Days)
	}
}

// TestDeletedAtOnce: whoever is deleted with more events than one commit removes has no profile
// from that commit on, whatever computed attributes still keep. What comes since is shown in the
// end.
func TestDeletedAtOnce(t *testing.T) {
	for _, op := range []string{"erase", "delete_profile"} {
		for _, newer := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s,newer=%t", op, newer), func(t *testing.T) {
				testDeletedAtOnce(t, op, newer)
			})
		}
	}
}

func testDeletedAtOnce(t *testing.T, op string, newer bool) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(t)(m)
		define(t, m, computed.Definition{Name: "life", Datasets: []string{"orders"},
			Function: computed.Count, Window: "lifetime"})
	})
	defer w.close()
	order := func(id string) {
		w.send(pipeline.TopicPartition{Topic: "orders"}, pipeline.Record{
			Value: fmt.Appendf(nil, `{"order":%q,"crm":"1"}`, id)})
	}
	w.send(crm0, pipeline.Record{Value: []byte(`{"id":"1","email":"a@x.org","name":"Ann"}`)})
	for i := range 2500 {
		order(fmt.Sprint(i))
	}
	w.drain()
	w.wantComputed(`{"life":2500}`)
	w.emitted("profiles")
	text := fmt.Sprintf(`{"id":"x","op":"%s","identities":["crm:1"]}`, op)
	dry, err := pipeline.NewLookup(w.model, w.store).DryRun(t.Context(), []byte(text), w.now)
	w.must(err)
	if dry.Events != 2500 {
		t.Errorf("a dry run counts %d events", dry.Events)
	}
	w.control(`{"id":"x","op":"%s","identities":["crm:1"]}`, op)
	w.consume(pipeline.TopicPartition{Topic: "control"}, 1)
	w.publish()
	if got := w.emitted("profiles"); got != "<crm:1> tombstone" {
		t.Fatalf("put out %s", got)
	}
	w.now = w.now.Add(time.Second)
	if newer {
		order("newer")
		w.consume(pipeline.TopicPartition{Topic: "orders"}, 1)
	}
	lookup := pipeline.NewLookup(w.model, w.store)
	for steps := 0; w.shard.Busy(w.now.UnixNano()); steps++ {
		w.wantComputed("")
		graph, err := lookup.Graph(pipeline.GraphQuery{Class: "profile", Namespace: "crm",
			Value: "1"})
		w.must(err)
		if (graph == nil) != (op == "erase") {
			t.Errorf("the graph shows %v", graph)
		}
		w.must(w.shard.Apply(nil, w.now.UnixNano()))
		w.publish()
	}
	want := ""
	if newer {
		want = `{"life":1}`
	}
	w.wantComputed(want)
	if got := w.emitted("profiles"); (got == "") == newer {
		t.Errorf("put out %s", got)
	}
}
