package pipeline_test

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"selfsame/computed"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
)

// someAttributes are n attributes, a quarter each of lifetime totals, rolling totals, lifetime
// indexes and rolling indexes. Each has a filter of its own that every order passes.
func someAttributes(n int) []computed.Definition {
	var all []computed.Definition
	for i := range n {
		d := computed.Definition{Name: fmt.Sprintf("a%d", i), Datasets: []string{"orders"},
			Function: computed.Sum, Value: "amount", Window: "lifetime",
			Filter: fmt.Sprintf("event.product != 'none%d'", i)}
		if i%2 == 1 {
			d.Window = fmt.Sprintf("%dh", 1+i)
		}
		if i%4 > 1 {
			d.Function, d.Value = computed.MostRecent, "product"
		}
		all = append(all, d)
	}
	return all
}

// orderInputs are n decoded orders of so many people, 10 ms apart.
func orderInputs(w *world, n, people int, at time.Time) []pipeline.Input {
	inputs := make([]pipeline.Input, n)
	for i := range inputs {
		at = at.Add(10 * time.Millisecond)
		r := pipeline.Record{Time: at.UnixNano(), Value: fmt.Appendf(nil,
			`{"order":"o%d","crm":"c%d","amount":"%d.50","product":"p%d","at":%q}`, i,
			i*7919%people, i%100, i%50, at.Format(time.RFC3339Nano))}
		r.Pos.Topic, r.Pos.Offset = "orders", int64(i)
		inputs[i] = w.decoder.Decode(r)
	}
	return inputs
}

// roomy opens the world on the disk, with the memory of the program.
func (w *world) roomy() {
	w.cacheRows, w.memtable, w.cacheBytes = pipeline.DefaultCacheRows, 64<<20, 384<<20
	w.dir = filepath.Join(w.t.TempDir(), "store")
	w.must(w.store.Close())
	w.open()
}

// cpuTime is what the process has used of all processors: other programs disturb it less than the
// time that passes.
func cpuTime(t testing.TB) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// applyAll applies the inputs, 500 a commit, at the time of the last of each commit.
func applyAll(w *world, inputs []pipeline.Input) {
	for at := 0; at < len(inputs); at += 500 {
		chunk := inputs[at:min(at+500, len(inputs))]
		w.now = time.Unix(0, chunk[len(chunk)-1].Record.Time)
		w.must(w.shard.Apply([]pipeline.Chunk{{TP: pipeline.TopicPartition{Topic: "orders"},
			Inputs: chunk, Next: chunk[len(chunk)-1].Record.Pos.Offset + 1}}, w.now.UnixNano()))
	}
}

// BenchmarkComputedEvents applies events with no, one, ten and fifty attributes defined.
func BenchmarkComputedEvents(b *testing.B) {
	for _, n := range []int{0, 1, 10, 50} {
		b.Run(fmt.Sprintf("attributes=%d", n), func(b *testing.B) {
			w := newWorldOn(b, memlog.Options{}, 1, func(m *pipeline.Model) {
				addOrders(b)(m)
				m.Limits.OutputBytes = 1 << 20
				define(b, m, someAttributes(n)...)
			})
			w.roomy()
			inputs := orderInputs(w, b.N, 2000, w.now)
			used := cpuTime(b)
			b.ResetTimer()
			applyAll(w, inputs)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			used = cpuTime(b) - used
			b.ReportMetric(float64(used.Nanoseconds())/float64(b.N)/1e3, "cpu-µs/event")
		})
	}
}

// BenchmarkComputedLargeProfile adds an event to a profile of 100,000 events, ten attributes.
func BenchmarkComputedLargeProfile(b *testing.B) {
	w := newWorldOn(b, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(b)(m)
		m.Limits.OutputBytes = 1 << 20
		define(b, m, someAttributes(10)...)
	})
	w.roomy()
	inputs := orderInputs(w, 100_000+b.N, 1, w.now)
	applyAll(w, inputs[:100_000])
	b.ResetTimer()
	for i := 100_000; i < len(inputs); i++ {
		applyAll(w, inputs[i:i+1])
	}
}

// BenchmarkComputedExpiries works off the timers of b.N people whose only order leaves a window in
// the same hour.
func BenchmarkComputedExpiries(b *testing.B) {
	w := newWorldOn(b, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(b)(m)
		define(b, m, computed.Definition{Name: "n", Datasets: []string{"orders"},
			Function: computed.Count, Window: "1h"})
	})
	w.roomy()
	applyAll(w, orderInputs(w, b.N, b.N, w.now))
	w.now = w.now.Add(2 * time.Hour)
	b.ResetTimer()
	for w.shard.Busy(w.now.UnixNano()) {
		w.must(w.shard.Apply(nil, w.now.UnixNano()))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "expiries/s")
	if fired := w.shard.Stats().Figures().TimersFired; fired < uint64(b.N) {
		b.Fatalf("%d timers fired of %d", fired, b.N)
	}
}
