package pipeline_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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

// orderInputs are n decoded orders of so many people, 10 ms apart, from order number first on.
func orderInputs(w *world, first, n, people int) []pipeline.Input {
	inputs := make([]pipeline.Input, n)
	for j := range inputs {
		i := first + j
		at := time.Unix(1_700_000_000, 0).Add(time.Duration(i+1) * 10 * time.Millisecond).UTC()
		r := pipeline.Record{Time: at.UnixNano(), Value: fmt.Appendf(nil,
			`{"order":"o%d","crm":"c%d","amount":"%d.50","product":"p%d","at":%q}`, i,
			i*7919%people, i%100, i%47, at.Format(time.RFC3339Nano))}
		r.Pos.Topic, r.Pos.Offset = "orders", int64(i)
		inputs[j] = w.decoder.Decode(r)
	}
	return inputs
}

// applyOrders applies n orders of so many people.
func applyOrders(w *world, n, people int) {
	const chunk = 10_000 // are held in memory
	for first := 0; first < n; first += chunk {
		applyAll(w, orderInputs(w, first, min(chunk, n-first), people))
	}
}

// roomy opens the world on the disk, with the memory of the program. The caller closes the store.
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
			defer func() { w.must(w.store.Close()) }() // before its directory goes
			inputs := orderInputs(w, 0, b.N, 2000)
			used := cpuTime(b)
			b.ResetTimer()
			applyAll(w, inputs)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			used = cpuTime(b) - used
			b.ReportMetric(float64(used.Nanoseconds())/float64(b.N)/1e3, "cpu-µs/event")
		})
	}
}

// BenchmarkComputedLargeProfile adds an event to a profile of so many events, ten attributes. Where
// windows slide, each event that enters the rolling ones has another leave them.
func BenchmarkComputedLargeProfile(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		for _, sliding := range []bool{false, true} {
			b.Run(fmt.Sprintf("events=%d/sliding=%v", n, sliding), func(b *testing.B) {
				largeProfile(b, n, sliding)
			})
		}
	}
}

func largeProfile(b *testing.B, n int, sliding bool) {
	definitions := someAttributes(10)
	for i := range definitions {
		if sliding && definitions[i].Window != "lifetime" {
			definitions[i].Window = (time.Duration(n) * 10 * time.Millisecond).String()
		}
	}
	w := newWorldOn(b, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(b)(m)
		m.Limits.OutputBytes = 1 << 20
		define(b, m, definitions...)
	})
	w.roomy()
	defer func() { w.must(w.store.Close()) }()
	applyOrders(w, n, 1)
	inputs := orderInputs(w, n, b.N, 1)
	used := cpuTime(b)
	b.ResetTimer()
	for i := range inputs {
		applyAll(w, inputs[i:i+1])
	}
	b.ReportMetric(float64((cpuTime(b)-used).Microseconds())/float64(b.N), "cpu-µs/event")
}

// BenchmarkComputedExpiries works off the timers of b.N people whose only order has left a window,
// all due when it begins. The oldest must go first.
func BenchmarkComputedExpiries(b *testing.B) {
	w := newWorldOn(b, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(b)(m)
		define(b, m, computed.Definition{Name: "n", Datasets: []string{"orders"},
			Function: computed.Count, Window: "1h"})
	})
	w.roomy()
	defer func() { w.must(w.store.Close()) }()
	applyOrders(w, b.N, b.N)
	w.now = w.now.Add(2 * time.Hour)
	longest, behind := time.Duration(0), time.Duration(math.MaxInt64)
	b.ResetTimer()
	for w.shard.Busy(w.now.UnixNano()) {
		begun := time.Now()
		w.must(w.shard.Apply(nil, w.now.UnixNano()))
		longest = max(longest, time.Since(begun))
		now := w.shard.Stats().Figures().TimersBehind
		if now > behind {
			b.Fatalf("the oldest timer is %s behind, and was %s", now, behind)
		}
		behind = now
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "expiries/s")
	b.ReportMetric(longest.Seconds()*1e3, "longest-commit-ms")
	if fired := w.shard.Stats().Figures().TimersFired; fired < uint64(b.N) {
		b.Fatalf("%d timers fired of %d", fired, b.N)
	}
}

// BenchmarkComputedSize tells what an attribute of a profile takes on the disk and, while it is in
// the cache, in memory: that of 20,000 people with ten orders each, less the same without it.
func BenchmarkComputedSize(b *testing.B) {
	base, held := sizes(b, nil)
	b.Run("none", func(b *testing.B) {
		b.ReportMetric(base, "disk-B/profile")
		b.ReportMetric(held, "heap-B/profile")
	})
	attributes := map[string]computed.Definition{
		"count":        {Function: computed.Count, Window: "lifetime"},
		"sum_lifetime": {Function: computed.Sum, Value: "amount", Window: "lifetime"},
		"sum_rolling":  {Function: computed.Sum, Value: "amount", Window: "30d"},
		"last_n":       {Function: computed.LastN, Value: "product", N: 5, Window: "lifetime"},
		"unique_list":  {Function: computed.UniqueList, Value: "product", Window: "lifetime"},
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		b.Run(name, func(b *testing.B) {
			def := attributes[name]
			def.Name, def.Datasets = name, []string{"orders"}
			var disk, heap float64
			for b.Loop() {
				disk, heap = sizes(b, []computed.Definition{def})
			}
			b.ReportMetric(disk-base, "disk-B/profile")
			b.ReportMetric(heap-held, "heap-B/profile")
		})
	}
}

// sizes are the bytes of a profile: of the store, compacted, and of the shard.
func sizes(b *testing.B, definitions []computed.Definition) (disk, heap float64) {
	const people = 20_000
	w := newWorldOn(b, memlog.Options{}, 1, func(m *pipeline.Model) {
		addOrders(b)(m)
		define(b, m, definitions...)
	})
	w.roomy()
	applyOrders(w, 10*people, people)
	w.publish()
	w.must(w.store.Compact(b.Context()))
	with := heapInUse()
	w.shard, w.publisher = nil, nil
	heap = float64(with-heapInUse()) / people
	w.must(w.store.Close())
	tables, err := filepath.Glob(filepath.Join(w.dir, "*.sst"))
	w.must(err)
	for _, path := range tables {
		info, err := os.Stat(path)
		w.must(err)
		disk += float64(info.Size()) / people
	}
	return disk, heap
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkCheckComputed checks a store of 200,000 events with no and with ten attributes.
func BenchmarkCheckComputed(b *testing.B) {
	const events = 200_000
	for _, n := range []int{0, 10} {
		b.Run(fmt.Sprintf("attributes=%d", n), func(b *testing.B) {
			w := newWorldOn(b, memlog.Options{}, 1, func(m *pipeline.Model) {
				addOrders(b)(m)
				m.Limits.OutputBytes = 1 << 20
				define(b, m, someAttributes(n)...)
			})
			w.roomy()
			applyOrders(w, events, 2000)
			b.ResetTimer()
			for b.Loop() {
				w.check()
			}
			b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
