package memlog

// faults are the errors that the next calls give.
type faults struct {
	fetch, open, before, after fault
	fence, claimed, aborted    fault
}

// fault is one error for a number of calls.
type fault struct {
	left int
	err  error
}

func (f *fault) take() error {
	if f.left == 0 {
		return nil
	}
	f.left--
	return f.err
}

// FailFetch makes the next n fetches give err.
func (l *Log) FailFetch(n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.faults.fetch = fault{n, err}
}

// FailOpen makes the next n calls of Open give err.
func (l *Log) FailOpen(n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.faults.open = fault{n, err}
}

// FenceStep is how far a Fence gets before it fails.
type FenceStep int

// The steps.
const (
	FenceNothing FenceStep = iota // it does nothing
	FenceClaimed                  // it has claimed the id and told no partition
	FenceAborted                  // its markers are on their way: see WriteMarkers
)

// FailFence makes the next n calls of Fence get as far as step and give err.
func (l *Log) FailFence(n int, step FenceStep, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch step {
	case FenceNothing:
		l.mu.faults.fence = fault{n, err}
	case FenceClaimed:
		l.mu.faults.claimed = fault{n, err}
	case FenceAborted:
		l.mu.faults.aborted = fault{n, err}
	}
}

// FailProduce makes the next n batches give err, and not be appended.
func (l *Log) FailProduce(n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.faults.before = fault{n, err}
}

// FailAcknowledge makes the next n batches that are appended, or were already, give err all the
// same: the answer is lost.
func (l *Log) FailAcknowledge(n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.faults.after = fault{n, err}
}
