package memlog

// faults are the errors that the next calls give.
type faults struct {
	fetch, open, before, after fault
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
