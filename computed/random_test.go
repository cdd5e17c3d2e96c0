package computed

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"selfsame/profile"
)

const randomSchema = `{"type": "record", "name": "event", "fields": [
	{"name": "kind", "type": ["null", "string"], "default": null},
	{"name": "amount", "type": ["null", {"type": "bytes", "logicalType": "decimal",
		"precision": 12, "scale": 2}], "default": null},
	{"name": "qty", "type": ["null", "long"], "default": null},
	{"name": "ok", "type": ["null", "boolean"], "default": null},
	{"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}], "default": null},
	{"name": "cart", "type": ["null", {"type": "record", "name": "cart", "fields": [
		{"name": "total", "type": ["null", "double"], "default": null}]}], "default": null},
	{"name": "tags", "type": ["null", {"type": "array", "items": "string"}], "default": null}
]}`

func randomClass(t testing.TB) *Class {
	return &Class{Type: typeOf(parseSchema(t, randomSchema).Root()), Datasets: []Dataset{
		{Name: "app", Retention: 40 * 24 * time.Hour},
		{Name: "web", Retention: 40 * 24 * time.Hour},
	}}
}

// dice draws definitions and events.
type dice struct{ *rand.Rand }

func pick[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

func (d dice) definition(i int) (Definition, rule) {
	r := pick(d, rules()...)
	def := Definition{
		Name: fmt.Sprintf("a%d", i), Filter: r.cel,
		Datasets: pick(d, []string{"web"}, []string{"app", "web"}),
		Window: pick(d, "lifetime", "lifetime", "1h", "36h", "7d", "30d", "40d", "day", "week",
			"month"),
		Function: pick(d, Count, Sum, Avg, Min, Max, First, MostRecent, LastN, UniqueCount,
			UniqueList, MostFrequent),
	}
	switch def.Function {
	case Count:
		def.Value = pick(d, "", "", "qty", "tags")
	case Sum, Avg:
		def.Value = pick(d, "amount", "qty", "cart.total")
	case Min, Max:
		def.Value = pick(d, "amount", "qty", "cart.total", "kind", "day")
	default:
		def.Value = pick(d, "amount", "qty", "cart.total", "kind", "day", "ok")
	}
	switch {
	case def.Function == LastN:
		def.N = 1 + d.IntN(4)
	case behaviours[def.Function].distinct:
		def.MaxDistinct = pick(d, 1, 2, 3, 100)
	}
	if slices.Contains([]string{"day", "week", "month"}, def.Window) {
		def.Zone = pick(d, "", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")
	}
	if def.Window == "week" {
		def.WeekStart = pick(d, "", "sunday", "Thursday")
	}
	return def, r
}

// body draws the content of an event; every field may be absent or null.
func (d dice) body() profile.Value {
	var names []string
	var items []profile.Value
	field := func(name string, v profile.Value) {
		switch d.IntN(8) {
		case 0:
			return
		case 1:
			v = profile.Null()
		}
		names, items = append(names, name), append(items, v)
	}
	field("kind", profile.String(pick(d, "buy", "look", "", "bücher", "b\x00a")))
	field("amount", profile.Decimal(cents(pick[int64](d, 0, 10, 20, 999, -500, 123_456_789))))
	field("qty", profile.Int(pick[int64](d, 0, 1, 2, 3, 7, -4, math.MaxInt64, math.MinInt64)))
	field("ok", profile.Bool(d.IntN(2) == 0))
	field("day", profile.Temporal(profile.KindDate, int64(d.IntN(5)-2)))
	field("cart", profile.Object([]string{"total"}, []profile.Value{profile.Float(
		pick(d, 0.1, 0.2, 0.3, -0.1, 1e15, 0.12, 1e-7, math.NaN(), math.Inf(1)))}))
	field("tags", profile.Array([]profile.Value{profile.String(pick(d, "a", "b1", "c"))}))
	return profile.Object(names, items)
}

// run is one random history.
type run struct {
	*testing.T
	dice
	world    *world
	defs     []Definition
	rules    []rule
	people   []string
	clusters [][]string // a partition of people
	known    map[string][]told
	holder   map[*Event]string
	now      int64
	ids      int
}

func newRun(t *testing.T, seed uint64) *run {
	d := dice{rand.New(rand.NewPCG(seed, 0))}
	r := &run{T: t, dice: d, people: []string{"ann", "bob", "cid", "dan"},
		known: map[string][]told{}, holder: map[*Event]string{}}
	class := randomClass(t)
	var attributes []*Attribute
	for i := range 6 {
		def, filter := d.definition(i)
		attributes = append(attributes, compile(t, def, class))
		r.defs, r.rules = append(r.defs, def), append(r.rules, filter)
	}
	r.world = newWorld(attributes...)
	r.world.limit = pick(d, 1, 2, 1000)
	for _, name := range r.people {
		r.clusters = append(r.clusters, []string{name})
	}
	// Around the change to summer time in Berlin.
	r.now = instant(t, "2026-03-27T10:00:00Z") + d.Int64N(int64(48*time.Hour))
	return r
}

// TestRandomHistories compares every attribute with the oracle after each step of random histories.
func TestRandomHistories(t *testing.T) {
	histories, steps := 150, 60
	if testing.Short() {
		histories = 20
	}
	first := rand.Uint64()
	for i := range histories {
		seed := first + uint64(i)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := newRun(t, seed)
			for range steps {
				r.step()
				if r.IntN(2) == 0 {
					continue // states that are being built stay as they are
				}
				if r.check(); t.Failed() {
					t.Fatalf("definitions: %+v", r.defs)
				}
			}
		})
		if t.Failed() {
			return
		}
	}
}

func (r *run) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *run) step() {
	switch n := r.IntN(20); {
	case n < 9:
		r.insertSome()
	case n < 11:
		r.replace()
	case n < 13:
		r.delete()
	case n < 14:
		r.merge()
	case n < 15:
		r.split()
	case n < 16:
		r.dropOne()
	case n < 17:
		r.now -= r.Int64N(int64(pick(r.dice, time.Hour, 30*time.Hour)))
	default:
		r.now += r.Int64N(int64(pick(r.dice, time.Minute, 10*time.Hour, 9*24*time.Hour)))
		r.expire()
	}
}

func (r *run) insertSome() {
	for range 1 + r.IntN(4) {
		r.insert(pick(r.dice, r.people...), r.draw())
	}
}

// draw makes an event: now, a little ahead, late, or at the time of another.
func (r *run) draw() *Event {
	r.ids++
	e := &Event{Dataset: pick(r.dice, "app", "web"), ID: itoa(r.IntN(3)) + "-" + itoa(r.ids),
		Sequence: r.Int64N(2), Body: r.body()}
	late := pick(r.dice, 1, time.Minute, 40*time.Hour, 39*24*time.Hour)
	e.Time = r.now - r.Int64N(int64(late))
	if r.IntN(5) == 0 {
		e.Time = r.now + r.Int64N(int64(5*time.Minute))
	}
	if other := r.any(); other != nil && r.IntN(4) == 0 && !other.folded {
		e.Time = other.event.Time
	}
	return e
}

func (r *run) insert(name string, e *Event) {
	r.known[name] = append(r.known[name], told{event: e})
	r.holder[e] = name
	if r.world.limit < 1000 { // Wake may be early, and asking would build what is half built
		r.must(r.world.insert(name, e, r.now))
		return
	}
	before := r.wakes(name)
	r.must(r.world.insert(name, e, r.now))
	for i, a := range r.world.attributes {
		if !a.Read(e).Counts {
			continue
		}
		if after := r.wakes(name)[i]; after < min(before[i], a.Touches(e.Time, r.now)) {
			r.Errorf("%+v wakes at %d, before %d and what the event touches", r.defs[i], after,
				before[i])
		}
	}
}

// wakes is when each attribute of an identity wakes next.
func (r *run) wakes(name string) []int64 {
	at := make([]int64, len(r.defs))
	for i := range r.defs {
		var err error
		at[i], err = r.world.wake(i, []string{name}, r.now)
		r.must(err)
	}
	return at
}

// any is some event, nil where there is none.
func (r *run) any() *told {
	all := r.known[pick(r.dice, r.people...)]
	if len(all) == 0 {
		return nil
	}
	return &all[r.IntN(len(all))]
}

func (r *run) forget(gone func(t told) bool) {
	for name, all := range r.known {
		r.known[name] = slices.DeleteFunc(all, gone)
	}
}

// replace puts another copy of an event in its place, maybe under another identity.
func (r *run) replace() {
	old := r.any()
	if old == nil || old.folded {
		return
	}
	was := old.event
	copied := *was
	copied.Body = r.body()
	copied.Time -= r.Int64N(1000)
	r.must(r.world.remove(r.holder[was], was))
	r.forget(func(t told) bool { return t.event == was })
	r.insert(pick(r.dice, r.people...), &copied)
}

// delete takes back an event; of one that is folded, its whole day.
func (r *run) delete() {
	victim := r.any()
	if victim == nil {
		return
	}
	e, name := victim.event, r.holder[victim.event]
	if !victim.folded {
		r.must(r.world.remove(name, e))
		r.forget(func(t told) bool { return t.event == e })
		return
	}
	day := Day(e.Time)
	r.must(r.world.each(name, func(s *State, _ *person) error {
		_, err := s.RemoveDays(e.Dataset, 0, day, day)
		return err
	}))
	r.known[name] = slices.DeleteFunc(r.known[name], func(t told) bool {
		return t.folded && t.event.Dataset == e.Dataset && Day(t.event.Time) == day
	})
}

func (r *run) merge() {
	if len(r.clusters) > 1 {
		last := len(r.clusters) - 1
		i := r.IntN(last)
		r.clusters[i] = append(r.clusters[i], r.clusters[last]...)
		r.clusters = r.clusters[:last]
	}
}

func (r *run) split() {
	i := r.IntN(len(r.clusters))
	if c := r.clusters[i]; len(c) > 1 {
		n := 1 + r.IntN(len(c)-1)
		r.clusters[i] = c[:n:n]
		r.clusters = append(r.clusters, slices.Clone(c[n:]))
	}
}

// dropOne deletes all that an identity has said.
func (r *run) dropOne() {
	name := pick(r.dice, r.people...)
	r.world.person(name).events = nil
	r.must(r.world.each(name, func(s *State, _ *person) error { return s.Drop() }))
	delete(r.known, name)
}

// expire ends the retention of what is older than 40 days.
func (r *run) expire() {
	for name, all := range r.known {
		for i := range all {
			if e := all[i].event; !all[i].folded && e.Time <= r.now-int64(40*24*time.Hour) {
				all[i].folded = true
				r.must(r.world.expire(name, e, r.now))
			}
		}
	}
}

func (r *run) expected(i int, cluster []string, now int64) string {
	var all []told
	for _, name := range cluster {
		all = append(all, r.known[name]...)
	}
	return naive(&r.defs[i], r.rules[i], all, now)
}

func (r *run) check() {
	for i := range r.defs {
		for _, cluster := range r.clusters {
			got, err := r.world.value(i, cluster, r.now)
			r.must(err)
			want := r.expected(i, cluster, r.now)
			if show(got) != want {
				r.Errorf("%+v of %v at %s:\n got  %s\n want %s", r.defs[i], cluster,
					time.Unix(0, r.now).UTC(), show(got), want)
				return
			}
			r.checkWake(i, cluster, want)
		}
	}
}

// checkWake proves that nothing changes before the next wake.
func (r *run) checkWake(i int, cluster []string, value string) {
	wake, err := r.world.wake(i, cluster, r.now)
	r.must(err)
	if wake <= r.now {
		r.Errorf("%+v wakes at %d, which is not after %d", r.defs[i], wake, r.now)
	}
	for _, later := range []time.Duration{time.Second, 5 * time.Hour, 1e6 * time.Hour} {
		at := min(wake-1, r.now+int64(later))
		if want := r.expected(i, cluster, at); want != value {
			r.Errorf("%+v of %v changes before %d, at %d: from %s to %s", r.defs[i], cluster, wake,
				at, value, want)
		}
	}
}

// TestHistoryLeavesNoTrace builds the same states in another way: from the stored events in one
// go, then expiring in any order. The rows must be the same, byte for byte.
func TestHistoryLeavesNoTrace(t *testing.T) {
	first := rand.Uint64()
	for i := range 60 {
		seed := first + uint64(i)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := newRun(t, seed)
			for range 60 {
				r.step()
			}
			r.check()
			again := newWorld(r.world.attributes...)
			for _, name := range r.people {
				r.rebuild(again, name)
			}
		})
	}
}

func (r *run) rebuild(again *world, name string) {
	p := again.person(name)
	all := slices.Clone(r.known[name])
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, t := range all {
		p.store(t.event)
	}
	for i := range again.attributes {
		_, err := again.states(i, []string{name}, r.now)
		r.must(err)
	}
	for _, t := range all {
		if t.folded {
			r.must(again.expire(name, t.event, r.now))
		}
	}
	for i := range again.attributes {
		for _, w := range []*world{again, r.world} { // also where no event was passed
			states, err := w.states(i, []string{name}, r.now)
			r.must(err)
			states[0].dirty = true
			r.must(states[0].Save())
		}
		got, want := p.rows[i].all(), r.world.person(name).rows[i].all()
		if !slices.EqualFunc(got, want, sameRow) {
			r.Errorf("%+v: rows differ:\n got  %q\n want %q", r.defs[i], got, want)
		}
	}
}

func sameRow(a, b Row) bool {
	return string(a.Key) == string(b.Key) && string(a.Value) == string(b.Value)
}

func TestFoldRefusesAnotherInstant(t *testing.T) {
	a := compile(t, Definition{Name: "n", Datasets: []string{"web"}, Function: Count,
		Window: "1h"}, randomClass(t))
	w := newWorld(a)
	states, err := w.states(0, []string{"ann"}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Fold(states, 1001); !errors.Is(err, ErrStale) ||
		!strings.Contains(err.Error(), `"n"`) {
		t.Errorf("got %v", err)
	}
}
