package computed

import (
	"testing"
	"time"
)

// TestLateEventBehindTheStoredSpan inserts an event that has left the window already, but that the
// stored span, which lies behind, would still cover. Whoever opens the state again must not take
// out what was never in.
func TestLateEventBehindTheStoredSpan(t *testing.T) {
	const minute = int64(time.Minute)
	for i, a := range everyFunction(t, "1h") {
		w := newWorld(everyFunction(t, "1h")...)
		p, rows := fill(t, w, 1, i) // an event at 0, moved there
		s, err := a.Open(rows)
		if err != nil {
			t.Fatal(err)
		}
		first := numbered(100)
		first.Time = 10 * minute
		p.store(first)
		if _, err := s.Insert(first); err != nil {
			t.Fatal(err)
		}
		must := func(now int64) {
			t.Helper()
			if done, err := s.Move(now, p, 100); !done || err != nil {
				t.Fatal(done, err)
			}
			if err := s.Save(); err != nil {
				t.Fatal(err)
			}
		}
		must(20 * minute)
		must(69 * minute) // one has left
		must(69*minute + 30)
		late := numbered(200)
		late.Time = 9*minute + 5 // it had left before it came
		p.store(late)
		if _, err := s.Insert(late); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(); err != nil {
			t.Fatal(err)
		}
		if s, err = a.Open(rows); err != nil {
			t.Fatal(err)
		}
		must(69*minute + 60)
		got, err := a.Fold([]*State{s}, 69*minute+60)
		if err != nil || s.Counts() != 1 {
			t.Errorf("%s: %s of %d events (%v)", a.Name(), show(got), s.Counts(), err)
		}
	}
}
