package pipeline

import "selfsame/profile"

// refusedControlRoom is how many refused control records are remembered for those who wait.
const refusedControlRoom = 1000

// RefusedControl is a control record that was refused.
type RefusedControl struct {
	ID        string
	Op        ControlOp
	Rejection Rejection
	Cause     profile.Position
}

// refusedControls are the last refused control records. The store knows only those that were
// applied, the audit topic knows all; this is for whoever waits for one just sent.
type refusedControls struct {
	byID map[string]RefusedControl
	ids  []string // in order of arrival, as a ring once there is no more room
	at   int      // the oldest of a full ring
}

func (r *refusedControls) add(one RefusedControl) {
	if r.byID == nil {
		r.byID = map[string]RefusedControl{}
	}
	_, known := r.byID[one.ID]
	r.byID[one.ID] = one
	switch {
	case known:
	case len(r.ids) < refusedControlRoom:
		r.ids = append(r.ids, one.ID)
	default:
		delete(r.byID, r.ids[r.at])
		r.ids[r.at] = one.ID
		r.at = (r.at + 1) % refusedControlRoom
	}
}

// RefusedControl returns the last refused control record of an id, if it is among the last
// thousand since the start. Safe for concurrent use.
func (s *Stats) RefusedControl(id string) (RefusedControl, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.mu.refusedControls.byID[id]
	return one, ok
}
