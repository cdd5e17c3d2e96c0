package conformance

import (
	"fmt"
	"sync"
	"testing"

	"selfsame/internal/realkafka"
)

// TestRealBounce kills and stops a broker under a writer that sends every batch until it is
// acknowledged. Every batch is there once, in order, and where the writer was told.
func TestRealBounce(t *testing.T) {
	broker := realkafka.New(t, nil)
	e := NewCluster(broker.Addr).Env(t)
	tp := e.topic(t)
	w := e.writer(t, tp)
	stop := make(chan struct{})
	acknowledged := make(chan struct{}, 1) // something was, lately
	var offsets []int64
	var writing sync.WaitGroup
	writing.Go(func() {
		defer close(acknowledged)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			b := w.batch(numbered(i, 1)...)
			b.Sequence = int32(i)
			offset, err := e.produce(within(t), b)
			if err != nil {
				t.Errorf("batch %d: %v", i, err)
				return
			}
			offsets = append(offsets, offset)
			select {
			case acknowledged <- struct{}{}:
			default:
			}
		}
	})
	for _, down := range []func() error{broker.Kill, broker.Stop} {
		await(acknowledged, 50)
		if err := down(); err != nil {
			t.Error(err)
		}
		if err := broker.Start(); err != nil {
			t.Error(err)
		}
	}
	await(acknowledged, 50)
	close(stop)
	writing.Wait()
	got := readAll(t, e, tp, 0)
	if len(got) != len(offsets) || len(got) < 10 {
		t.Fatalf("%d records for %d batches", len(got), len(offsets))
	}
	for i, r := range got {
		if r.Pos.Offset != offsets[i] || string(r.Value) != fmt.Sprintf("v%d", i) {
			t.Fatalf("record %d is %q at %s, the writer was told %d", i, r.Value, r.Pos, offsets[i])
		}
	}
	t.Logf("%d batches", len(got))
}

// await returns when n batches or more have been acknowledged, or none will be any more.
func await(acknowledged <-chan struct{}, n int) {
	for range n {
		if _, ok := <-acknowledged; !ok {
			return
		}
	}
}
