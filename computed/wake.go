package computed

// Wake is the first instant after now at which the value can change without a new event: the first
// event leaves the window or a later one enters it, or the calendar turns; [Never] if nothing will.
// The state covers what counts at now. After that instant, Move.
//
// It looks at some limit of events. Where none of them counts, it names the instant at which the
// last of these leaves: an early call of Move does no harm.
func (s *State) Wake(now int64, events Events, limit int) (int64, error) {
	w := s.attribute.window
	if w.kind == lifetime {
		return Never, nil
	}
	span := s.total.span
	next, err := s.first(Span{span.To, Never}, events, limit)
	if err != nil {
		return Never, err
	}
	if w.kind != rolling {
		if s.total.count > 0 || next != Never {
			return s.target(now).To, nil
		}
		return Never, nil
	}
	if s.total.count == 0 {
		return next, nil
	}
	oldest, err := s.first(span, events, limit)
	if err != nil || oldest == Never {
		return next, err
	}
	return min(next, w.leaves(oldest)), nil
}

// first is the time of the first event of a span that counts, or that of the last one looked at.
func (s *State) first(over Span, events Events, limit int) (int64, error) {
	at := int64(Never)
	for e, err := range events.Within(over) {
		if err != nil {
			return Never, err
		}
		at = e.Time
		if s.attribute.Read(e).Counts {
			return at, nil
		}
		if limit--; limit <= 0 {
			return at, nil
		}
	}
	return Never, nil
}

// Touches is the first instant after now at which an event of time t that counts changes the value
// by coming into the window or leaving it. A caller that keeps the least of these and of
// [State.Wake] need not ask for Wake again after each event.
func (a *Attribute) Touches(t, now int64) int64 {
	return (&State{attribute: a}).Touches(t, now)
}

// Touches is that of the attribute.
func (s *State) Touches(t, now int64) int64 {
	w := s.attribute.window
	switch {
	case w.kind == lifetime:
		return Never
	case w.kind != rolling:
		if span := s.target(now); t >= span.From {
			return span.To
		}
		return Never
	case t > now:
		return t
	case w.leaves(t) > now:
		return w.leaves(t)
	}
	return Never
}
