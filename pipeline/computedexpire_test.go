package pipeline_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/computed"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
)

// TestComputedFirstEventAhead: the first event of somebody whose time is still to come counts when
// it has come, without anything else being said.
func TestComputedFirstEventAhead(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		define(t, m, computed.Definition{Name: "hour", Datasets: []string{"web"},
			Function: computed.Count, Window: "1h"})
	})
	defer w.close()
	w.event(`{"event":"e","crm":"1","at":"%s"}`, w.now.Add(time.Minute).Format(time.RFC3339))
	w.drain()
	for _, want := range []string{`"hour":0`, `"hour":1`, `"hour":0`} {
		for _, text := range w.final("profiles") {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %s, want %s", w.now, text, want)
			}
		}
		w.pass(31 * time.Minute)
		if want == `"hour":1` {
			w.pass(time.Hour)
		}
		w.publish()
	}
}

// TestComputedOutlivesEvents ends the retention of events: lifetime attributes go on counting them,
// by day, also after a crash; a copy is a copy; a day is removed as a whole; dropped, what is still
// stored counts.
func TestComputedOutlivesEvents(t *testing.T) {
	orders := []string{"orders"}
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(t)(m)
		define(t, m, computed.Definition{Name: "spend", Datasets: orders, Function: computed.Sum,
			Value: "amount", Window: "lifetime"}, computed.Definition{Name: "first",
			Datasets: orders, Function: computed.First, Value: "product", Window: "lifetime"},
			computed.Definition{Name: "recent", Datasets: orders, Function: computed.Count,
				Window: "96h"})
	})
	defer w.close()
	ann := profile.Identity{Namespace: "crm", Value: "1"}
	dayOf := func(text string) int64 {
		at, err := time.Parse(time.DateOnly, text)
		w.must(err)
		return at.UnixNano()
	}
	send := func(line string) {
		w.send(pipeline.TopicPartition{Topic: "orders"}, pipeline.Record{Value: []byte(line)})
		w.drain()
	}
	holds := func(step, want string) {
		t.Helper()
		w.publish()
		for _, text := range w.final("profiles") {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %s, want %s", step, text, want)
			}
		}
		if n := len(w.final("profiles")); n != 1 {
			t.Errorf("%s: %d profiles", step, n)
		}
	}
	first := `{"order":"a","crm":"1","amount":"5","product":"tea","at":"2023-11-10T10:00:00Z"}`
	send(first)
	send(`{"order":"b","crm":"1","amount":"7","product":"cup","at":"2023-11-11T10:00:00Z"}`)
	send(`{"order":"c","crm":"1","amount":"9","product":"pot","at":"2023-11-14T10:00:00Z"}`)
	holds("stored", `"computed":{"first":"tea","recent":2,"spend":21.00},"datasets":["orders"]`)
	now := func() int64 { return w.now.UnixNano() }
	w.must(w.shard.ExpireEvents("profile", ann, dayOf("2023-11-12"), now()))
	// The window of four days would still have seen b: whoever ends a retention keeps windows.
	holds("expired", `"computed":{"first":"tea","recent":1,"spend":21.00},"datasets":["orders"]`)
	send(first)
	w.crash(vfs.CrashCloneCfg{})
	holds("a copy", `"first":"tea","recent":1,"spend":21.00`)
	w.now = w.now.Add(24 * time.Hour)
	w.must(w.shard.ExpireEvents("profile", ann, dayOf("2023-11-15"), now()))
	holds("all expired", `"computed":{"first":"tea","recent":0,"spend":21.00},"datasets":[]`)
	days, events, err := w.shard.RemoveDay("profile", ann, "orders",
		computed.Day(dayOf("2023-11-10")), now())
	w.must(err)
	if days != 1 || events != 1 {
		t.Errorf("removed %d days, %d events", days, events)
	}
	holds("a day removed", `"computed":{"first":"cup","recent":0,"spend":16.00},"datasets":[]`)
	send(`{"order":"d","crm":"1","amount":"2","product":"mat"}`)
	holds("another order", `"computed":{"first":"cup","recent":1,"spend":18.00}`)
	w.check()
	w.must(w.shard.DropComputed("profile", ann, now()))
	holds("dropped", `"computed":{"first":"mat","recent":1,"spend":2.00},"datasets":["orders"]`)
}
