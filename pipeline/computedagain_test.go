package pipeline_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"selfsame/computed"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
)

// countOrders counts orders; no two filters are one definition.
func countOrders(filter string) computed.Definition {
	return computed.Definition{Name: "n", Datasets: []string{"orders"}, Function: computed.Count,
		Window: "lifetime", Filter: filter}
}

// redefine opens the world with another filter, and lets the job end without publishing.
func (w *world) redefine(filter string) {
	w.t.Helper()
	define(w.t, w.model, countOrders(filter))
	w.must(w.store.Close())
	w.open()
	for len(w.shard.Stats().Figures().Jobs) > 0 {
		w.must(w.shard.Apply(nil, w.now.UnixNano()))
	}
}

// TestComputedRedefinedAlike: what is published once a definition has gone holds the attribute,
// though the one that took its place has the same value, and the profile has not changed.
func TestComputedRedefinedAlike(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(t)(m)
		define(t, m, countOrders(""))
	})
	defer func() { w.close() }()
	orders := pipeline.TopicPartition{Topic: "orders"}
	w.send(orders, pipeline.Record{Value: []byte(`{"order":"a","crm":"1"}`)})
	w.consume(orders, 10)
	w.redefine("event.order != 'none'")
	w.publish()
	for _, text := range w.final("profiles") {
		if !strings.Contains(text, `"computed":{"n":1}`) {
			t.Errorf("published late: %s", text)
		}
	}
	first := w.emitted("profiles")
	w.redefine("event.order != 'nothing'")
	w.publish()
	if more := w.emitted("profiles"); strings.Count(first, "\n") > 1 || first == "" || more != "" {
		t.Errorf("%s, then %s: want one record, and no other", first, more)
	}
}

// TestComputedPhases: while a definition takes the place of another, it is told from the start what
// the job is at, and how far in all.
func TestComputedPhases(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(t)(m)
		define(t, m, countOrders(""))
	})
	defer func() { w.close() }()
	orders := pipeline.TopicPartition{Topic: "orders"}
	for i := range 3 {
		w.send(orders, pipeline.Record{
			Value: fmt.Appendf(nil, `{"order":"o%d","crm":"%d"}`, i, i+1)})
	}
	w.consume(orders, 10)
	define(t, w.model, countOrders("event.order != 'none'"))
	w.must(w.store.Close())
	w.open()
	var told []string
	for {
		status, err := pipeline.NewLookup(w.model, w.store).Computed("profile")
		w.must(err)
		if status.Job == nil {
			break
		}
		told = append(told, fmt.Sprintf("%s %s %d/%d", status.Attributes[0].State,
			status.Job.Phase, status.Job.Done, status.Job.Total))
		w.must(w.shard.Apply(nil, w.now.UnixNano()))
	}
	want := "replacing building 0/9, ready showing 3/9, ready clearing 6/9"
	if got := strings.Join(slices.Compact(told), ", "); got != want {
		t.Errorf("told %s\nwant %s", got, want)
	}
}

// TestComputedRedefinedAndMoved: who leaves a cluster while the job shows its profile anew has an
// own profile that is shown anew too.
func TestComputedRedefinedAndMoved(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(t)(m)
		m.Entities[0].Policies = append(m.Entities[0].Policies, pipeline.PolicyTopic{
			Policy: profile.Policy{Name: "alone", Stitching: profile.StitchNone}, Topic: "alone"})
		define(t, m, countOrders(""))
	})
	defer func() { w.close() }()
	cookies := []string{"a", "b", "c", "d", "e"} // as many as fit beside the number
	for _, id := range cookies {
		w.send(pipeline.TopicPartition{Topic: "orders"}, pipeline.Record{Value: []byte(
			`{"order":"` + id + `","cookie":"` + id + `"}`)})
		w.send(pipeline.TopicPartition{Topic: "orders"}, pipeline.Record{Value: []byte(
			`{"order":"x` + id + `","crm":"1","cookie":"` + id + `"}`)})
	}
	w.drain()
	define(t, w.model, countOrders("false"))
	w.must(w.store.Close())
	w.open()
	for _, id := range cookies { // one of them in each commit of the job
		w.send(pipeline.TopicPartition{Topic: "control"}, pipeline.Record{Value: []byte(
			`{"id":"` + id + `","op":"unlink","identities":["cookie:` + id + `"]}`)})
		w.consume(pipeline.TopicPartition{Topic: "control"}, 1)
	}
	w.tellWork()
	held := w.final("alone")
	for id, text := range held {
		if !strings.Contains(text, `"computed":{"n":0}`) {
			t.Errorf("%s: %s", id, text)
		}
	}
	if len(held) != len(cookies)+1 || len(w.final("profiles")) != len(cookies)+1 {
		t.Errorf("%d profiles, %d own ones", len(w.final("profiles")), len(held))
	}
}

// TestComputedLateWhileUnpublished: an event that comes when its window is over is not in what is
// published later, though it lies in the window of the instant at which that was decided.
func TestComputedLateWhileUnpublished(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(t)(m)
		define(t, m, computed.Definition{Name: "n", Datasets: []string{"orders"},
			Function: computed.Count, Window: "1h"})
	})
	defer func() { w.close() }()
	begin := w.now
	order := func(id string, before time.Duration) {
		w.send(pipeline.TopicPartition{Topic: "orders"}, pipeline.Record{Value: fmt.Appendf(nil,
			`{"order":%q,"crm":"1","at":%q}`, id, begin.Add(-before).Format(time.RFC3339))})
		w.consume(pipeline.TopicPartition{Topic: "orders"}, 10)
	}
	order("a", time.Minute)
	w.now = begin.Add(30 * time.Minute)
	order("b", 45*time.Minute)
	w.must(w.store.Close()) // what was written is forgotten
	w.open()
	w.publish()
	for _, text := range w.final("profiles") {
		if !strings.Contains(text, `"computed":{"n":1}`) {
			t.Error(text)
		}
	}
}
