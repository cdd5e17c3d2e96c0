package pipeline_test

import (
	"fmt"
	"testing"
	"time"

	"selfsame/computed"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
)

// TestComputedDaysAfterADeletion: the deletion of a dataset takes what was folded of the events
// that it covers, and of no others: neither of those that expire while it runs, nor in a rebuild,
// which folds all of them before it comes to the deletion again.
func TestComputedDaysAfterADeletion(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(t)(m)
		m.Dataset("orders").Retention = 3 * time.Hour
		define(t, m, computed.Definition{Name: "life", Datasets: []string{"orders"},
			Function: computed.Count, Window: "lifetime"})
	})
	defer func() { w.close() }()
	orders := pipeline.TopicPartition{Topic: "orders"}
	order := func(id string) {
		w.send(orders, pipeline.Record{Value: fmt.Appendf(nil, `{"order":%q,"crm":"1"}`, id)})
		w.consume(orders, 1)
	}
	deletion := func(id string) {
		w.control(`{"id":%q,"op":"delete_dataset","dataset":"orders"}`, id)
		w.consume(pipeline.TopicPartition{Topic: "control"}, 1)
	}
	order("a")
	w.now = w.now.Add(5 * time.Hour)
	w.tellWork()
	order("b") // stored yet when it is deleted
	w.wantComputed(`{"life":2}`)
	deletion("x")
	for _, id := range []string{"c", "d", "e"} {
		order(id)
	}
	w.now = w.now.Add(5 * time.Hour) // all expire while the job runs
	w.tellWork()
	w.wantComputed(`{"life":3}`)
	if days := w.toldDays("x"); days != 1 {
		t.Errorf("the audit topic tells of %d folded days, want 1", days)
	}
	w.drain()
	w.loseStore()
	w.drain()
	w.tellWork()
	w.wantComputed(`{"life":3}`)
	order("f")
	deletion("y")
	w.now = w.now.Add(5 * time.Hour) // what it covers expires before it is removed
	w.tellWork()
	w.wantComputed("")
	order("g")
	w.tellWork()
	w.wantComputed(`{"life":1}`)
	w.drain()
	w.loseStore()
	w.drain()
	w.tellWork()
	w.wantComputed(`{"life":1}`)
}
