package pipeline

import (
	"fmt"
	"maps"
	"slices"

	"selfsame/store"
)

// rejectWindow remembers what became of the last records of a dataset since the program started or
// the dataset was resumed.
type rejectWindow struct {
	last     []Reason // a ring; "" for a record that was not rejected
	seen     int      // records so far, counted up to the length of the ring
	at       int      // where the next one goes
	rejected int      // of those in the ring
}

// add notes one record.
func (w *rejectWindow) add(reason Reason) {
	if w.last[w.at] != "" {
		w.rejected--
	}
	if reason != "" {
		w.rejected++
	}
	w.last[w.at] = reason
	w.at = (w.at + 1) % len(w.last)
	w.seen = min(w.seen+1, len(w.last))
}

// share is the part of the records that was rejected; 0 until the window is full.
func (w *rejectWindow) share() float64 {
	if w.seen < len(w.last) {
		return 0
	}
	return float64(w.rejected) / float64(len(w.last))
}

// mostFrequent is the commonest reason, the first in order of name among equals.
func (w *rejectWindow) mostFrequent() Reason {
	counts := map[Reason]int{}
	for _, reason := range w.last {
		if reason != "" {
			counts[reason]++
		}
	}
	var most Reason
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		if counts[reason] > counts[most] {
			most = reason
		}
	}
	return most
}

// noteReject counts a record towards the share of rejected records of its dataset. Where that
// passes the limit it stops the topic, in this very commit, and reports true: what follows in the
// topic is not consumed. What a rebuild or a restore consumes again was judged when it came.
func (sh *Shard) noteReject(in *Input, now int64) bool {
	ds := in.Dataset
	if ds == nil || ds.RejectedWindow <= 0 || sh.repeats.Load() {
		return false
	}
	w := sh.windows[ds.Name]
	if w == nil {
		w = &rejectWindow{last: make([]Reason, ds.RejectedWindow)}
		sh.windows[ds.Name] = w
	}
	if in.Reject != nil && in.Reject.Reason == ReasonErased {
		return false // it says nothing about the source
	}
	var reason Reason
	if in.Reject != nil {
		reason = in.Reject.Reason
	}
	w.add(reason)
	if w.share() <= ds.MaxRejectedShare {
		return false
	}
	why := fmt.Sprintf("dataset %s: %.1f%% of its last %d records were rejected, more than "+
		"max_rejected_share of %g allows; most often %s", ds.Name, 100*w.share(), len(w.last),
		ds.MaxRejectedShare, w.mostFrequent())
	sh.leave(ds.Topic, store.InputStopped, why, now)
	sh.audit(&auditEntry{
		ID: fmt.Sprintf("input-stopped/%s/%d", ds.Topic, sh.version), Op: "input_stopped",
		Time: formatTime(now), Reason: why, Dataset: ds.Name, Topic: ds.Topic,
	})
	return true
}

// forgetRejects begins the windows of a topic's datasets anew.
func (sh *Shard) forgetRejects(topic string) {
	for _, ds := range sh.model.datasetsOf(topic) {
		delete(sh.windows, ds.Name)
	}
}
