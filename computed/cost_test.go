package computed

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"selfsame/profile"
)

// counted are Events that count how many were looked at.
type counted struct {
	*person
	looks int
}

// Within implements Events.
func (c *counted) Within(s Span) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		for e := range c.person.Within(s) {
			c.looks++
			if !yield(e, nil) {
				return
			}
		}
	}
}

// everyFunction defines one attribute per function over a window.
func everyFunction(t testing.TB, window string) []*Attribute {
	class := randomClass(t)
	var attributes []*Attribute
	for _, f := range []Function{Count, Sum, Avg, Min, Max, First, MostRecent, LastN, UniqueCount,
		UniqueList, MostFrequent} {
		def := Definition{Name: string(f), Datasets: []string{"web"}, Function: f, Value: "qty",
			Window: window}
		if f == LastN {
			def.N = 5
		}
		if behaviours[f].distinct {
			def.MaxDistinct = 50
		}
		attributes = append(attributes, compile(t, def, class))
	}
	return attributes
}

// numbered is event i of a row, a second after the one before, each with a value of its own.
func numbered(i int) *Event {
	return &Event{Dataset: "web", ID: itoa(i), Time: int64(i) * int64(time.Second),
		Body: profile.Object([]string{"qty"}, []profile.Value{profile.Int(int64(i))})}
}

// TestCostIsFlat proves that what an event costs does not depend on how many are retained: rows and
// events touched by an insertion, a deletion, a wake and a fold, among few and among many.
func TestCostIsFlat(t *testing.T) {
	const most = 4 // rows touched by one change of any function
	for _, window := range []string{"lifetime", "rolling", "month"} {
		for i, f := range everyFunction(t, "day") {
			t.Run(window+"/"+f.Name(), func(t *testing.T) {
				for _, n := range []int{100, 20_000} {
					length := window
					if window == "rolling" {
						length = itoa(n) + "s" // so that each second one event leaves
					}
					w := newWorld(everyFunction(t, length)...)
					a := w.attributes[i]
					p, rows := fill(t, w, n, i)
					now := int64(n) * int64(time.Second)
					touched := func(what string, do func(s *State) error, most int) {
						t.Helper()
						rows.ops = 0
						s, err := a.Open(rows)
						if err == nil {
							err = do(s)
						}
						if err == nil {
							err = s.Save()
						}
						if err != nil {
							t.Fatal(err)
						}
						if rows.ops > most {
							t.Errorf("%s among %d touches %d rows", what, n, rows.ops)
						}
					}
					e := numbered(n)
					c := &counted{person: p}
					p.store(e)
					touched("an insertion", func(s *State) error {
						if _, err := s.Insert(e); err != nil {
							return err
						}
						_, err := s.Move(now, c, 100)
						return err
					}, most)
					touched("a fold", func(s *State) error {
						_, err := a.Fold([]*State{s}, now)
						return err
					}, most+51)
					touched("a wake", func(s *State) error {
						_, err := s.Wake(now, c, 100)
						return err
					}, most)
					touched("a second later", func(s *State) error {
						_, err := s.Move(now+int64(time.Second), c, 100)
						return err
					}, most)
					p.unstore(e)
					touched("a deletion", func(s *State) error {
						_, err := s.Delete(e)
						return err
					}, most)
					if c.looks > 6 {
						t.Errorf("among %d, %d events were looked at", n, c.looks)
					}
				}
			})
		}
	}
}

// fill gives ann n events and builds the state of attribute i.
func fill(t testing.TB, w *world, n, i int) (*person, *memRows) {
	t.Helper()
	p := w.person("ann")
	for j := range n {
		p.events = append(p.events, numbered(j))
	}
	w.limit = n + 1
	if _, err := w.states(i, []string{"ann"}, int64(n)*int64(time.Second)); err != nil {
		t.Fatal(err)
	}
	return p, p.rows[i]
}

// TestFoldedDaysStaySmall proves that what is left of expired events does not grow with their
// number but for max_distinct, and that expiring costs the same among few and among many.
func TestFoldedDaysStaySmall(t *testing.T) {
	for i, a := range everyFunction(t, "lifetime") {
		t.Run(a.Name(), func(t *testing.T) {
			const n = 5_000
			w := newWorld(everyFunction(t, "lifetime")...)
			p, rows := fill(t, w, n, i)
			s, err := a.Open(rows)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range p.events {
				rows.ops = 0
				if _, err := s.Expire(e, 0); err != nil {
					t.Fatal(err)
				}
				if rows.ops > 12 {
					t.Fatalf("expiring touches %d rows", rows.ops)
				}
			}
			if err := s.Save(); err != nil {
				t.Fatal(err)
			}
			if got, most := len(rows.all()), 2*a.keeps+2; got > most {
				t.Errorf("%d rows are left, at most %d expected", got, most)
			}
		})
	}
}

// TestBuildingGoesOn proves that a state that is built in steps is right, whatever happens between
// the steps: insertions and deletions on either side of what is built, and expiry.
func TestBuildingGoesOn(t *testing.T) {
	const n = 300
	for i, a := range everyFunction(t, "lifetime") {
		w := newWorld(everyFunction(t, "lifetime")...)
		p := w.person("ann")
		for j := range n {
			p.events = append(p.events, numbered(2*j))
		}
		s, err := a.Open(p.rows[i])
		if err != nil {
			t.Fatal(err)
		}
		want := map[int]bool{}
		for j := range n {
			want[2*j] = true
		}
		for j := 0; ; j++ {
			done, err := s.Move(0, p, 10)
			if err != nil {
				t.Fatal(err)
			}
			if done {
				break
			}
			change(t, s, p, want, j)
		}
		fresh := newWorld(everyFunction(t, "lifetime")...)
		for j := range want {
			fresh.person("ann").store(numbered(j))
		}
		states, err := fresh.states(i, []string{"ann"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err1 := a.Fold([]*State{s}, 0)
		exp, err2 := a.Fold(states, 0)
		if err1 != nil || err2 != nil || show(got) != show(exp) || len(want) < n {
			t.Errorf("%s: got %s, want %s (%v, %v)", a.Name(), show(got), show(exp), err1, err2)
		}
	}
}

// change inserts an early and a late event, deletes one of each, and lets one of each expire.
func change(t *testing.T, s *State, p *person, want map[int]bool, j int) {
	t.Helper()
	const n = 300
	for _, k := range []int{2*j + 1, 2*(n-j) + 1} {
		p.store(numbered(k))
		want[k] = true
		if _, err := s.Insert(numbered(k)); err != nil {
			t.Fatal(err)
		}
	}
	if j >= 20 {
		return
	}
	gone := []int{2 * j, 2 * (n - 1 - j)}
	for _, k := range gone {
		p.unstore(numbered(k))
		var err error
		if j%2 == 0 {
			delete(want, k)
			_, err = s.Delete(numbered(k))
		} else { // it counts as if it were still there
			_, err = s.Expire(numbered(k), 0)
		}
		if err != nil {
			t.Fatal(fmt.Errorf("event %d: %w", k, err))
		}
	}
}

// TestMovingOverNothingWritesNothing counts rows written where time passes and no event does.
func TestMovingOverNothingWritesNothing(t *testing.T) {
	for i, a := range everyFunction(t, "30d") {
		w := newWorld(everyFunction(t, "30d")...)
		p, rows := fill(t, w, 10, i)
		before := rows.all()
		now := int64(20 * time.Second)
		for _, later := range []time.Duration{time.Second, time.Hour, 24 * time.Hour} {
			if _, err := w.states(i, []string{"ann"}, now+int64(later)); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.EqualFunc(before, rows.all(), sameRow) {
			t.Errorf("%s: rows were written", a.Name())
		}
		if _, err := w.states(i, []string{"ann"}, now+int64(100*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if left := rows.all(); len(left) != 1 || slices.EqualFunc(before, left, sameRow) {
			t.Errorf("%s: %d rows are left of %d events", a.Name(), len(left), len(p.events))
		}
	}
}
