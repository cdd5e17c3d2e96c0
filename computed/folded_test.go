package computed

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"selfsame/profile"
)

// newFoldingRun is a history of lifetime attributes over a few crowded days around the epoch, where
// any event may expire. Some events were stored before there were attributes, and may expire before
// a state has come to them.
func newFoldingRun(t *testing.T, seed uint64) *run {
	r := newRun(t, seed)
	class := randomClass(t)
	var attributes []*Attribute
	for i := range r.defs {
		for r.defs[i].Window != "lifetime" {
			r.defs[i], r.rules[i] = r.definition(i)
		}
		attributes = append(attributes, compile(t, r.defs[i], class))
	}
	limit := r.world.limit
	r.world, r.now = newWorld(attributes...), 0
	r.world.limit = limit
	for range 12 {
		name, e := pick(r.dice, r.people...), r.crowded()
		r.world.person(name).store(e)
		r.known[name] = append(r.known[name], told{event: e})
		r.holder[e] = name
	}
	return r
}

func (r *run) crowded() *Event {
	e := r.draw()
	e.Time = (r.Int64N(3)-2)*dayLength + r.Int64N(dayLength)
	return e
}

func (r *run) foldingStep() {
	switch n := r.IntN(10); {
	case n < 3:
		r.insert(pick(r.dice, r.people...), r.crowded())
	case n < 8:
		if told := r.any(); told != nil && !told.folded {
			told.folded = true
			r.must(r.world.expire(r.holder[told.event], told.event, r.now))
		}
	case n < 9:
		r.delete()
	default:
		r.merge()
	}
}

// TestRandomFolding compares lifetime attributes with the oracle while most of their events expire.
func TestRandomFolding(t *testing.T) {
	histories := 150
	if testing.Short() {
		histories = 40
	}
	first := rand.Uint64()
	for i := range histories {
		seed := first + uint64(i)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := newFoldingRun(t, seed)
			for range 60 {
				r.foldingStep()
				if r.IntN(2) == 0 {
					r.check()
				}
			}
			r.check()
			again := newWorld(r.world.attributes...)
			for _, name := range r.people {
				r.rebuild(again, name)
			}
			if t.Failed() {
				t.Fatalf("definitions: %+v", r.defs)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// TestExpiringWithoutMoving proves that a window lets go of an event that expires too early.
func TestExpiringWithoutMoving(t *testing.T) {
	for i, a := range everyFunction(t, "30d") {
		w := newWorld(everyFunction(t, "30d")...)
		p, rows := fill(t, w, 3, i)
		s, err := a.Open(rows)
		if err != nil {
			t.Fatal(err)
		}
		for len(p.events) > 0 {
			e := p.events[0]
			p.unstore(e)
			if _, err := s.Expire(e, 0); err != nil {
				t.Fatal(err)
			}
		}
		if s.Counts() != 0 || len(rows.all()) > 1 {
			t.Errorf("%s: %d events and %d rows are left", a.Name(), s.Counts(), len(rows.all()))
		}
	}
}

func TestMinusZeroIsZero(t *testing.T) {
	v, ok := usable(profile.Float(math.Copysign(0, -1)), &Type{Kind: profile.KindFloat})
	if !ok || !v.Equal(profile.Float(0)) {
		t.Errorf("got %s, %v", show(Result{Value: v}), ok)
	}
}

func TestDaysBeforeTheEpoch(t *testing.T) {
	for at, want := range map[int64]int64{0: 0, -1: -1, -dayLength: -1, -dayLength - 1: -2,
		dayLength - 1: 0, dayLength: 1} {
		if got := Day(at); got != want {
			t.Errorf("%d lies in day %d, want %d", at, got, want)
		}
	}
}

// TestFoldedDayStaysTruncated proves that what a day has left out is not forgotten: as many values
// are left as may be given out, and still they are not all.
func TestFoldedDayStaysTruncated(t *testing.T) {
	class := randomClass(t)
	a := compile(t, Definition{Name: "n", Datasets: []string{"web"}, Function: UniqueList,
		Value: "qty", Window: "lifetime", MaxDistinct: 2}, class)
	for _, order := range [][]int{{3, 1, 2}, {1, 2, 3}, {2, 3, 1}} {
		w := newWorld(a)
		for _, i := range order {
			if err := w.insert("ann", numbered(i), 0); err != nil {
				t.Fatal(err)
			}
		}
		for _, i := range order {
			if err := w.expire("ann", w.person("ann").events[0], 0); err != nil {
				t.Fatal(err)
			}
			r, err := w.value(0, []string{"ann"}, 0)
			if err != nil || show(r) != "[1,2] truncated" {
				t.Errorf("after %d: got %s, %v", i, show(r), err)
			}
		}
		removed := Removed{}
		err := w.each("ann", func(s *State, _ *person) (err error) {
			removed, err = s.RemoveDays("web", 0, -1, 1)
			return err
		})
		if err != nil || removed != (Removed{Days: 1, Events: 3}) {
			t.Errorf("removed %+v, %v", removed, err)
		}
		if r, err := w.value(0, []string{"ann"}, 0); err != nil || show(r) != "absent" {
			t.Errorf("got %s, %v", show(r), err)
		}
	}
}
