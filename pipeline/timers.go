package pipeline

import (
	"fmt"
	"math"
	"slices"
	"time"

	"selfsame/store"
)

// timersPerCommit bounds how many timers one commit works off: a crowd of them that is due at one
// moment is worked off commit by commit, the oldest first.
const timersPerCommit = 500

// timerEvents bounds the events that the timers of one commit move in and out of windows: beyond,
// the next commit goes on.
const timerEvents = 20_000

// timers is the queue of the timers: the rows are the truth, this knows where they begin.
type timers struct {
	waiting int   // rows there are
	next    int64 // no timer is due before; math.MaxInt64 without any
	set     []store.Timer
	gone    []store.Timer // set by an earlier commit, and not wanted any more
	fired   []store.Timer
}

// setTimer adds a timer with this commit. A timer of the same time, kind and key is one.
func (sh *Shard) setTimer(t store.Timer) {
	sh.timers.set = append(sh.timers.set, t)
}

// clearTimer takes a timer back.
func (sh *Shard) clearTimer(t store.Timer) {
	if i := slices.Index(sh.timers.set, t); i >= 0 {
		sh.timers.set = slices.Delete(sh.timers.set, i, i+1)
		return
	}
	sh.timers.fired = append(sh.timers.fired, t)
}

// loadTimers counts the timers of a store.
func (sh *Shard) loadTimers() error {
	sh.timers.next = math.MaxInt64
	return sh.state.reader.TimersFrom(math.MinInt64, func(t store.Timer) error {
		sh.timers.next = min(sh.timers.next, t.At)
		sh.timers.waiting++
		return nil
	})
}

// runTimers works off what is due.
func (sh *Shard) runTimers(now int64) error {
	if sh.timers.next > now {
		return nil
	}
	from := sh.timers.next
	sh.timers.next = math.MaxInt64
	var due []store.Timer
	err := sh.state.reader.TimersFrom(from, func(t store.Timer) error {
		if t.At > now || len(due) == timersPerCommit {
			sh.timers.next = t.At
			return store.ErrStop
		}
		due = append(due, t)
		return nil
	})
	if err != nil {
		return err
	}
	for i, t := range due {
		if i > 0 && sh.state.computed.looked > timerEvents {
			due, sh.timers.next = due[:i], t.At
			break
		}
		if err := sh.fire(t, now); err != nil {
			return fmt.Errorf("working off a timer of kind %s: %w", t.Kind, err)
		}
	}
	sh.timers.fired = append(sh.timers.fired, due...)
	sh.counts.fired += uint64(len(due))
	return nil
}

// untilDue is how long nothing is due; at most an hour, as clocks are set.
func (sh *Shard) untilDue(now int64) time.Duration {
	if sh.timers.next > now+int64(time.Hour) {
		return time.Hour
	}
	return time.Duration(max(0, sh.timers.next-now))
}

func (sh *Shard) fire(t store.Timer, now int64) error {
	switch t.Kind {
	case timerForgetJob:
		sh.forgottenJobs = append(sh.forgottenJobs, t.Key)
		return nil
	case timerExpire, timerIdle:
		return sh.fireExpiry(t, now)
	case store.TimerComputed:
		return sh.fireComputed(t)
	}
	return fmt.Errorf("the kind is not known to this program")
}

// timerKinds lists the kinds, for the store's dictionary.
func timerKinds() []string {
	return []string{timerForgetJob, timerExpire, timerIdle, store.TimerComputed}
}

// writeTimers puts what the commit has changed of timers into b.
func (sh *Shard) writeTimers(b *store.Batch) {
	t := &sh.timers
	gone := map[store.Timer]bool{} // what fires can be taken back in the same commit
	for _, one := range slices.Concat(t.fired, t.gone) {
		gone[one] = true
	}
	for one := range gone {
		b.DeleteTimer(one)
	}
	for _, one := range t.set {
		b.SetTimer(one)
		t.next = min(t.next, one.At)
	}
	t.waiting += len(t.set) - len(gone)
	t.set, t.gone, t.fired = t.set[:0], t.gone[:0], t.fired[:0]
}
