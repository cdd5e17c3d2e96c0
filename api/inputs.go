package api

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"selfsame/pipeline"
	"selfsame/store"
)

// inputStatus is an input topic in the status.
type inputStatus struct {
	Topic  string `json:"topic"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`   // why it is not read
	ToGoOn string `json:"to_go_on,omitempty"` // what an operator can do about it
	Since  string `json:"since,omitempty"`    // when the state began; left out: it never changed
	Lost   uint64 `json:"lost"`               // offsets passed over unread since the start

	Break *breakStatus `json:"break,omitempty"` // of a halted one
}

// breakStatus is where a log does not continue what was consumed.
type breakStatus struct {
	Case      string `json:"case"`
	Partition int32  `json:"partition"`
	Next      int64  `json:"next"`
	LogStart  int64  `json:"log_start"`
	End       int64  `json:"end"`
}

func inputStatuses(f pipeline.Figures) []inputStatus {
	all := []inputStatus{}
	for _, topic := range slices.Sorted(maps.Keys(f.Inputs)) {
		in := f.Inputs[topic]
		s := inputStatus{Topic: topic, State: in.State.String(), Reason: in.Reason,
			ToGoOn: in.Remedy, Lost: f.Lost[topic]}
		if in.Since != 0 {
			s.Since = time.Unix(0, in.Since).UTC().Format(time.RFC3339Nano)
		}
		if b := in.Break; b.Case != store.CaseContinues {
			s.Break = &breakStatus{Case: b.Case.String(), Partition: b.Partition, Next: b.Next,
				LogStart: b.LogStart, End: b.End}
		}
		all = append(all, s)
	}
	return all
}

// troubles tells of every input topic that waits for an operator.
func troubles(f pipeline.Figures) []string {
	var all []string
	for _, s := range inputStatuses(f) {
		if s.State == store.InputHalted.String() || s.State == store.InputStopped.String() {
			all = append(all, fmt.Sprintf("input topic %s is %s: %s", s.Topic, s.State, s.Reason))
		}
	}
	return all
}
