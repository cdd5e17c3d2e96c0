package computed

// Move makes the state cover what counts at now: events that have left its window are taken out,
// those that have entered are taken in. It looks at some limit of events and says whether it is
// done; where it is not, Save keeps what was reached, and another Move goes on, at the same or a
// later now. So it is also how a state is built from stored events, step by step.
//
// Where no event was passed, Save writes nothing: the stored span is as good as the new one, and
// putting out a profile costs no writes for the identities that had no part in its change.
//
// Where now is less than before, the events between are taken back in one step.
func (s *State) Move(now int64, events Events, limit int) (done bool, err error) {
	target := s.target(now)
	if s.total.span == target {
		return true, nil
	}
	m := mover{state: s, events: events, left: max(limit, 1)}
	if err := m.approach(target); err != nil {
		return false, err
	}
	return s.total.span == target, nil
}

// Skip is Move of a state that was moved before, to a later now before which nothing changes: it
// looks at no event. What says so is what [State.Wake] gave then and [Attribute.Touches] since, the
// least of them. ok is false where only Move can do it, and nothing was done.
func (s *State) Skip(now, wake int64) (ok bool) {
	target := s.target(now)
	if s.total.span == target {
		return true
	}
	if now >= wake || !s.whole() || target.From < s.total.span.From ||
		target.To < s.total.span.To {
		return false
	}
	s.total.span = target
	return true
}

// whole reports whether the state covers what counts at some instant: it is not being built, nor
// was a Move of it left unfinished.
func (s *State) whole() bool {
	span, w := s.total.span, s.attribute.window
	switch {
	case span.Empty():
		return false
	case w.kind == rolling:
		return span == w.span(span.To-1)
	}
	return span == s.target(span.From)
}

// mover moves the ends of a span while it may look at more events.
type mover struct {
	state  *State
	events Events
	left   int
}

func (m *mover) approach(target Span) error {
	s := m.state
	if s.total.span.Empty() || !s.total.span.overlaps(target) {
		if err := m.anew(target); err != nil {
			return err
		}
	}
	span := &s.total.span
	if target.To < span.To { // the clock was set back
		if _, err := m.pass(Span{target.To, span.To}, true, false); err != nil {
			return err
		}
		span.To = target.To
	}
	if target.From < span.From {
		if _, err := m.pass(Span{target.From, span.From}, false, false); err != nil {
			return err
		}
		span.From = target.From
	}
	if target.From > span.From {
		reached, err := m.pass(Span{span.From, target.From}, true, true)
		if err != nil {
			return err
		}
		span.From = reached
	}
	if target.To > span.To {
		reached, err := m.pass(Span{span.To, target.To}, false, true)
		if err != nil {
			return err
		}
		span.To = reached
	}
	return nil
}

// anew begins the state at the start of target. A state that covers nothing holds folded days at
// most, and these stay.
func (m *mover) anew(target Span) error {
	s := m.state
	if s.total.span.Empty() {
		s.total.span = Span{target.From, target.From}
		return nil
	}
	return s.restart(target)
}

// pass adds the events of a span, or takes them out. Where it is bounded it may stop on the way,
// between two instants; reached is up to where it came.
func (m *mover) pass(over Span, out, bounded bool) (reached int64, err error) {
	s := m.state
	last := over.From
	for e, err := range m.events.Within(over) {
		if err != nil {
			return last, err
		}
		if bounded && m.left <= 0 && e.Time > last {
			return e.Time, nil
		}
		m.left--
		last = e.Time
		s.dirty = true // so that none is looked at again, also where it does not count
		r := s.attribute.Read(e)
		switch {
		case !r.Counts:
		case out:
			c := s.attribute.share(e, r)
			err = s.remove(&c)
		default:
			c := s.attribute.share(e, r)
			err = s.add(&c)
		}
		if err != nil {
			return last, err
		}
	}
	return over.To, nil
}
