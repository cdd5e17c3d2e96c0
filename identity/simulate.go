package identity

import (
	"fmt"
	"strconv"
	"strings"

	"selfsame/profile"
)

// Event is one line of a simulation: identifiers that were seen together.
type Event struct {
	Line   int // for messages, from 1
	Time   int64
	Claims []Claim
}

// Simulation is what events come to under some rules.
type Simulation struct {
	Clusters [][]profile.Identity // each sorted, in the order of their first identities
	LeftOut  []Reason             // sorted by the ends of the links
	Rejected []Rejected           // in the order of the events
	Blocked  int                  // claims ignored because their value is blocked
}

// Rejected is an event without effect. The error is one of [Rules.ResolveEvent].
type Rejected struct {
	Line int
	Err  error
}

// Simulate applies events to an empty graph, one after the other. But for the order of Rejected the
// outcome does not depend on the order of the events.
func Simulate(r *Rules, events []Event) (Simulation, error) {
	g := NewGraph(r)
	var s Simulation
	for _, e := range events {
		res, err := r.ResolveEvent(e.Claims)
		if err != nil {
			s.Rejected = append(s.Rejected, Rejected{e.Line, err})
			continue
		}
		s.Blocked += res.Blocked
		if _, _, err := g.Assert(res.All, e.Time); err != nil {
			return Simulation{}, fmt.Errorf("simulating line %d: %w", e.Line, err)
		}
	}
	s.Clusters = g.Clusters()
	var err error
	s.LeftOut, err = g.LeftOut()
	return s, err
}

// ParseEvents reads one event per line: identifiers as namespace:value, separated by blanks. A word
// @n gives the time, which is the number of the line otherwise. Empty lines, and lines that start
// with "#", say nothing.
func ParseEvents(text string) ([]Event, error) {
	var events []Event
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		e, err := parseEvent(line, i+1)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		events = append(events, e)
	}
	return events, nil
}

func parseEvent(text string, line int) (Event, error) {
	e := Event{Line: line, Time: int64(line)}
	for _, word := range strings.Fields(text) {
		if at, ok := strings.CutPrefix(word, "@"); ok {
			time, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				return Event{}, fmt.Errorf("the time after @ is not a whole number")
			}
			e.Time = time
			continue
		}
		namespace, value, ok := strings.Cut(word, ":")
		if !ok {
			return Event{}, fmt.Errorf("a word is neither namespace:value nor @time")
		}
		e.Claims = append(e.Claims, Claim{Namespace: namespace, Value: value})
	}
	return e, nil
}
