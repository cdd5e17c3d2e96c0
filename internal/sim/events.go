package sim

// eventName is what makes copies one event.
type eventName struct{ dataset, id string }

// heldEvent is what is known of an event: of its copies the least stands, unless a delete of its id
// is as new or newer.
type heldEvent struct {
	copy   *fact  // that stands; nil where none does
	hidden bool   // it is below a floor of its identity, and its content is gone
	gone   *stamp // of the latest delete

	expired *stamp // of the copy that has expired, where its id is remembered
}

// there reports whether the event can be seen.
func (e *heldEvent) there() bool {
	return e.copy != nil && !e.hidden && (e.gone == nil || e.gone.compare(e.copy.stamp) < 0)
}

func (o *oracle) event(name eventName) *heldEvent {
	if o.held[name] == nil {
		o.held[name] = &heldEvent{}
	}
	return o.held[name]
}

// takeEvent takes a copy of an event, or a delete of its id.
func (o *oracle) takeEvent(f *fact) {
	e := o.event(eventName{f.dataset, f.event})
	if f.op == "delete" {
		if e.gone == nil || e.gone.compare(f.stamp) < 0 {
			e.gone = &f.stamp
		}
		return
	}
	if o.barred(f) || e.expired != nil {
		return
	}
	below := func(c *fact) bool { return c.stamp.time <= o.floorOf(c.primary) }
	if c := e.copy; c != nil && f.stamp.compare(c.stamp) >= 0 {
		// What was hidden is lost. Where its floor was lifted since, the next copy stands for it.
		lifted := e.hidden && c.primary == f.primary && !below(c)
		if !lifted {
			return
		}
	}
	e.copy, e.hidden = f, below(f)
}

// eachEvent visits the events that can be seen.
func (o *oracle) eachEvent(visit func(e *heldEvent)) {
	for _, e := range o.held {
		if e.there() {
			visit(e)
		}
	}
}

// holders finds which identities hold events of which dataset.
func (o *oracle) holders() map[who]map[string]bool {
	holders := map[who]map[string]bool{}
	o.eachEvent(func(e *heldEvent) {
		id := e.copy.primary
		if holders[id] == nil {
			holders[id] = map[string]bool{}
		}
		holders[id][e.copy.dataset] = true
	})
	return holders
}
