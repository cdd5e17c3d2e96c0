package pipeline

import (
	"testing"
	"time"
)

// TestPace holds a job to its part of the time while records arrive, and gives it all of it
// otherwise.
func TestPace(t *testing.T) {
	var a pace
	now := time.Unix(1_800_000_000, 0)
	if got := a.units(now, false, 0); got != jobStepIdle {
		t.Fatalf("%d units before any record, want %d", got, jobStepIdle)
	}
	worked, stepped := time.Duration(0), time.Duration(0)
	for range 10_000 { // commits of a millisecond with records, three more with a step
		units := a.units(now, true, 0)
		start := now
		now = now.Add(time.Millisecond)
		if units == jobStepIdle {
			t.Fatal("a large step while records arrive")
		}
		if units > 0 {
			now = now.Add(3 * time.Millisecond)
			a.took(start, now)
			stepped += now.Sub(start)
		}
		worked += now.Sub(start)
	}
	if part := float64(stepped) / float64(worked); part < 0.2 || part > 0.26 {
		t.Errorf("commits with steps took %.2f of the time, want a quarter", part)
	}
	if wait := a.wait(now, 0); wait < 0 || wait > 12*time.Millisecond {
		t.Errorf("waits %v for its turn", wait)
	}
	now = a.next
	if got := a.units(now, true, paceBacklog+1); got != 0 {
		t.Errorf("%d units while the outbox is full", got)
	}
	if got := a.wait(now, paceBacklog+1); got != paceRetry {
		t.Errorf("waits %v for the outbox, want %v", got, paceRetry)
	}
	now = a.late
	if got := a.units(now, true, paceBacklog+1); got != jobStepBusy || a.wait(now, 501) != 0 {
		t.Errorf("%d units where the outbox is always full, want %d", got, jobStepBusy)
	}
	now = now.Add(quietAfter)
	if got := a.units(now, false, paceBacklog+1); got != jobStepIdle || a.wait(now, 0) != 0 {
		t.Errorf("%d units after %v without records, want %d and no wait", got, quietAfter,
			jobStepIdle)
	}
}
