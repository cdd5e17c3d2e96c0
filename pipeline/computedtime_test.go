package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
)

// TestComputedWhileTimeGoesOn lets time pass between records, so that events come before, while and
// after others leave their windows, are deleted and come late; the clock is set back now and then,
// and the program crashes. At any instant every profile is what the stored events amount to.
func TestComputedWhileTimeGoesOn(t *testing.T) {
	for range seeds(6) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			timeGoesOn(t, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

func timeGoesOn(t *testing.T, rnd *rand.Rand) {
	w := newWorldOn(t, memlog.Options{}, 4, func(m *pipeline.Model) {
		addOrders(t)(m)
		m.Limits.OutputBytes = 1 << 20
		define(t, m, rich()...)
	})
	defer func() { w.close() }()
	w.lay(rnd, append(facts(rnd, 120), orderFacts(rnd, 400)...), 4)
	begin, last := w.now, w.now
	for step, compared := 0, 0; compared < 25; step++ {
		inputs := w.inputs()
		w.consume(inputs[rnd.IntN(len(inputs))], 1+rnd.IntN(12))
		switch rnd.IntN(12) {
		case 0:
			w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rnd})
		case 1: // the clock is set back, but not to before an event
			w.now = begin.Add(time.Duration(rnd.Int64N(int64(w.now.Sub(begin)) + 1)))
		case 2:
			w.now = last // and forth
		default:
			w.now = w.now.Add(time.Duration(rnd.IntN(240)) * time.Second)
		}
		if last.Before(w.now) {
			last = w.now
		}
		if rnd.IntN(4) == 0 { // timers wait a little
			continue
		}
		for w.shard.Busy(w.now.UnixNano()) {
			w.must(w.shard.Apply(nil, w.now.UnixNano()))
		}
		w.publish()
		if step > 40 && rnd.IntN(3) == 0 && w.now.Equal(last) {
			w.compareComputed()
			compared++
		}
	}
	w.check()
}
