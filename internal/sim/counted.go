package sim

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"selfsame/computed"
	"selfsame/pipeline"
)

// definitions are the computed attributes of the counted world: functions of all kinds of state,
// windows of all kinds, a filter; in order of name.
var definitions = []computed.Definition{
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

// define gives the model the computed attributes.
func define(m *pipeline.Model) error {
	class, err := m.ComputedClass("profile")
	if err != nil {
		return fmt.Errorf("composing the events: %w", err)
	}
	for _, d := range definitions {
		compiled, err := pipeline.DefineComputed(d, class)
		if err != nil {
			return fmt.Errorf("compiling %s: %w", d.Name, err)
		}
		m.Entities[0].Computed = append(m.Entities[0].Computed, compiled)
	}
	return nil
}

// compute works out the attributes of some identities at a time, from all events that they hold.
func (g *gathering) compute(members []who) map[string]any {
	var events []*fact
	for _, id := range members {
		events = append(events, g.events[id]...)
	}
	slices.SortFunc(events, func(a, b *fact) int {
		return cmp.Or(cmp.Compare(b.stamp.time, a.stamp.time),
			strings.Compare(b.dataset, a.dataset), strings.Compare(b.event, a.event))
	})
	within := func(f *fact, d time.Duration) bool {
		return f.stamp.time <= g.now && f.stamp.time > g.now-int64(d)
	}
	values := map[string]any{"events": len(events)}
	pages, today, last := map[string]bool{}, 0, []string{}
	for _, f := range events { // the newest first
		web := f.dataset == "web"
		if f.amount != nil {
			greatest(values, "most", *f.amount)
		}
		if web && f.amount != nil && *f.amount > 20 && within(f, time.Hour) {
			sum, _ := values["spent_1h"].(float64)
			values["spent_1h"] = sum + *f.amount
		}
		if !web && berlinDay(f.stamp.time) == berlinDay(g.now) {
			today++
		}
		if f.page == nil {
			continue
		}
		if values["last_page"] == nil {
			at := time.Unix(0, f.stamp.time).UTC().Format("2006-01-02T15:04:05.000000000Z")
			values["last_page"] = map[string]any{"time": at, "value": *f.page}
		}
		if web && within(f, 2*time.Hour) && len(last) < 3 {
			last = append(last, *f.page)
			values["last_3"] = last
		}
		if within(f, 90*time.Minute) {
			pages[*f.page] = true
		}
	}
	if values["today"] = today; len(pages) > 0 {
		values["pages"] = len(pages)
	}
	return values
}

func greatest(values map[string]any, name string, x float64) {
	if old, found := values[name].(float64); !found || old < x {
		values[name] = x
	}
}

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
