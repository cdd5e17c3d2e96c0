package pipeline

import "time"

// pace keeps background jobs out of the way of records: the profiles of those who have nothing to
// do with a job must not wait for it. While records arrive, its steps are small and take a part of
// the applier's time, and what it puts out does not pile up before what records put out. Where
// nothing arrives it has all of the time.
type pace struct {
	heard time.Time // when records came last
	next  time.Time // when jobs go on, while records arrive
	late  time.Time // when they go on though much waits to be published
}

const (
	// quietAfter is how long no records have come when nothing is in the way of a job.
	quietAfter = 250 * time.Millisecond
	// paceShare says that of this many parts of the applier's time a job has one.
	paceShare = 4
	// paceBacklog is how many entries may wait in the outbox when a job goes on. Where more always
	// wait, it has one of paceLeast parts.
	paceBacklog = 500
	paceLeast   = 20
	// paceRetry is how long a job waits that had to wait for the outbox.
	paceRetry = 2 * time.Millisecond
)

// units is how much of a job the commit that begins now may do. records says that it has some;
// backlog is how many entries wait to be published.
func (a *pace) units(now time.Time, records bool, backlog int) int {
	if records {
		a.heard = now
	}
	switch {
	case a.quiet(now):
		return jobStepIdle
	case now.Before(a.next) || backlog > paceBacklog && now.Before(a.late):
		return 0
	}
	return jobStepBusy
}

// took notes how long the commit took that had a step of a job.
func (a *pace) took(start, end time.Time) {
	a.next = end.Add((paceShare - 1) * end.Sub(start))
	a.late = end.Add((paceLeast - 1) * end.Sub(start))
}

// wait is how long a job has to wait if no records come.
func (a *pace) wait(now time.Time, backlog int) time.Duration {
	if a.quiet(now) {
		return 0
	}
	wait := max(0, a.next.Sub(now))
	if wait == 0 && backlog > paceBacklog && now.Before(a.late) {
		wait = paceRetry
	}
	return min(wait, a.heard.Add(quietAfter).Sub(now))
}

func (a *pace) quiet(now time.Time) bool { return now.Sub(a.heard) >= quietAfter }
