package sim

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"selfsame/computed"
	"selfsame/pipeline"
)

// figures are the computed attributes of the counted world as they are first defined: functions of
// all kinds of state, windows of all kinds, a filter; in order of name.
var figures = []computed.Definition{
	{Name: "events", Datasets: []string{"web", "app"}, Function: computed.Count,
		Window: "lifetime"},
	{Name: "last_3", Datasets: []string{"web"}, Function: computed.LastN, Value: "page", N: 3,
		Window: "2h"},
	{Name: "last_page", Datasets: []string{"web", "app"}, Function: computed.MostRecent,
		Value: "page", Window: "lifetime"},
	{Name: "most", Datasets: []string{"web", "app"}, Function: computed.Max, Value: "amount",
		Window: "lifetime"},
	{Name: "pages", Datasets: []string{"web", "app"}, Function: computed.UniqueCount,
		Value: "page", Window: "90m"},
	{Name: "spent_1h", Datasets: []string{"web"}, Function: computed.Sum, Value: "amount",
		Window: "1h", Filter: "event.amount > 20"},
	{Name: "today", Datasets: []string{"app"}, Function: computed.Count, Window: "day",
		Zone: "Europe/Berlin"},
}

// defined says which attributes there are: by name, in which of its definitions, from 0. One that
// is defined again gets the next, so that none comes twice.
type defined map[string]int

// definedFirst is what there is in the beginning.
func definedFirst() defined {
	d := defined{}
	for _, one := range figures {
		d[one.Name] = 0
	}
	return d
}

// names are in order.
func (d defined) names() []string { return slices.Sorted(maps.Keys(d)) }

// definition is an attribute in one of its definitions, the engine's words. No two are alike.
func definition(name string, n int) computed.Definition {
	at := slices.IndexFunc(figures, func(d computed.Definition) bool { return d.Name == name })
	d := figures[at]
	if n == 0 {
		return d
	}
	d.Filter = fmt.Sprintf("event.event != 'none%d'", n)
	odd := n%2 == 1
	switch {
	case name == "events" && odd:
		d.Filter += " && event.amount > 9"
	case name == "last_3":
		d.N += n % 7
	case name == "last_page" && odd:
		d.Function = computed.First
	case name == "most" && odd:
		d.Function = computed.Min
	case name == "pages":
		d.Window = fmt.Sprintf("%dm", 90+n)
	case name == "spent_1h":
		d.Filter += fmt.Sprintf(" && event.amount > %d", 20+n)
	case name == "today" && odd:
		d.Zone = "UTC"
	}
	return d
}

// define gives the model the computed attributes.
func define(m *pipeline.Model, all defined) error {
	class, err := m.ComputedClass("profile")
	if err != nil {
		return fmt.Errorf("composing the events: %w", err)
	}
	for _, name := range all.names() {
		compiled, err := pipeline.DefineComputed(definition(name, all[name]), class)
		if err != nil {
			return fmt.Errorf("compiling %s: %w", name, err)
		}
		m.Entities[0].Computed = append(m.Entities[0].Computed, compiled)
	}
	return nil
}

// figure is a computed attribute in the oracle's words.
type figure struct {
	name string
	n    int // which of its definitions
}

// lifetime reports whether all that ever was counts.
func (f figure) lifetime() bool {
	return f.name == "events" || f.name == "last_page" || f.name == "most"
}

// takes reports whether an event counts, whenever it was.
func (f figure) takes(e *fact) bool {
	over := func(least float64) bool { return e.amount != nil && *e.amount > least }
	web := e.dataset == "web"
	switch f.name {
	case "events":
		return f.n%2 == 0 || over(9)
	case "last_3":
		return web && e.page != nil
	case "last_page", "pages":
		return e.page != nil
	case "most":
		return e.amount != nil
	case "spent_1h":
		return web && over(float64(20+f.n))
	}
	return !web // today
}

// within reports whether the window holds a time.
func (f figure) within(at, now int64) bool {
	rolling := func(d time.Duration) bool { return at <= now && at > now-int64(d) }
	switch f.name {
	case "last_3":
		return rolling(2 * time.Hour)
	case "pages":
		return rolling(time.Duration(90+f.n) * time.Minute)
	case "spent_1h":
		return rolling(time.Hour)
	case "today":
		if f.n%2 == 1 {
			return dayOf(at) == dayOf(now)
		}
		return berlinDay(at) == berlinDay(now)
	}
	return true
}

// value works out the attribute from the events that count, the newest first; nil where it is
// absent.
func (f figure) value(events []*fact) any {
	if f.name == "events" || f.name == "today" {
		return len(events)
	}
	if len(events) == 0 {
		return nil
	}
	var pages []string
	sum, most, least := 0.0, math.Inf(-1), math.Inf(1)
	for _, e := range events {
		if e.page != nil && !(f.name == "pages" && slices.Contains(pages, *e.page)) {
			pages = append(pages, *e.page)
		}
		if e.amount != nil {
			sum += *e.amount
			most, least = max(most, *e.amount), min(least, *e.amount)
		}
	}
	odd := f.n%2 == 1
	switch {
	case f.name == "last_3":
		return pages[:min(len(pages), 3+f.n%7)]
	case f.name == "pages":
		return len(pages)
	case f.name == "spent_1h":
		return sum
	case f.name == "most" && odd:
		return least
	case f.name == "most":
		return most
	case odd: // last_page, which is the first then
		return pages[len(pages)-1]
	}
	at := time.Unix(0, events[0].stamp.time).UTC().Format("2006-01-02T15:04:05.000000000Z")
	return map[string]any{"time": at, "value": pages[0]}
}

// compute works out the attributes of some identities at a time, from all events that they hold,
// and those that have expired and still count. outlives says that there is one of them.
func (g *gathering) compute(members []who) (values map[string]any, outlives bool) {
	values = map[string]any{}
	for name, n := range g.defined {
		f := figure{name, n}
		var events []*fact
		for _, id := range members {
			folded := g.outlived(f, id)
			outlives = outlives || len(folded) > 0
			events = append(append(events, g.current(f, id)...), folded...)
		}
		slices.SortFunc(events, func(a, b *fact) int {
			return cmp.Or(cmp.Compare(b.stamp.time, a.stamp.time),
				strings.Compare(b.dataset, a.dataset), strings.Compare(b.event, a.event))
		})
		if value := f.value(events); value != nil {
			values[name] = value
		}
	}
	return values, outlives
}

// current lists the events of an identity that count.
func (g *gathering) current(f figure, id who) (events []*fact) {
	for _, e := range g.events[id] {
		if f.takes(e) && f.within(e.stamp.time, g.now) {
			events = append(events, e)
		}
	}
	return events
}

// outlived lists the events of an identity that have expired and still count.
func (g *gathering) outlived(f figure, id who) (events []*fact) {
	for _, e := range g.folded[id] {
		if e.in[f] && f.takes(e.fact) {
			events = append(events, e.fact)
		}
	}
	return events
}

// dayOf is the UTC day of an instant.
func dayOf(at int64) string { return time.Unix(0, at).UTC().Format(time.DateOnly) }

// berlinDay is the day of an instant in Berlin, in winter.
func berlinDay(at int64) string {
	return time.Unix(0, at).UTC().Add(time.Hour).Format(time.DateOnly)
}

// catchUp lets the clock pass all that owners have gone by: what windows hold is not put out again
// because a clock is set back.
func (s *simulation) catchUp() error {
	s.broker.Advance(2 * maxSkew)
	return s.drain()
}

// pass lets time go on, and compares what there is then: windows end though nothing is said.
func (s *simulation) pass() error {
	for _, by := range []time.Duration{time.Minute, 17 * time.Minute, time.Hour, 20 * time.Hour} {
		s.logf("%s pass", by)
		s.broker.Advance(by)
		if err := s.drain(); err != nil {
			return err
		}
		want := s.current.dumb.look(s.current.now())
		err := s.compare("profile", want.profiles, s.finalProfiles())
		if err != nil {
			return fmt.Errorf("%s later: %w", by, err)
		}
	}
	return nil
}
