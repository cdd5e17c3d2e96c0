package computed

import (
	"fmt"
	"testing"
	"time"
)

// fifty are attributes of every function and several windows.
func fifty(b *testing.B) []*Attribute {
	var all []*Attribute
	for _, window := range []string{"lifetime", "30d", "36h", "month", "day"} {
		all = append(all, everyFunction(b, window)...)
	}
	return all[:50]
}

// BenchmarkInsert takes one event in, with so many attributes: reading it, changing the states of
// one of a thousand identities, moving them to now, and writing them.
func BenchmarkInsert(b *testing.B) {
	all := fifty(b)
	for _, n := range []int{0, 1, 10, 50} {
		b.Run(fmt.Sprintf("attributes=%d", n), func(b *testing.B) {
			w := newWorld(all[:n]...)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := w.insert("p"+itoa(i%1000), numbered(i), numbered(i).Time); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRead evaluates a filter and a value.
func BenchmarkRead(b *testing.B) {
	class := randomClass(b)
	for name, filter := range map[string]string{"none": "", "one": `event.qty >= 3`,
		"two": `event.qty >= 3 && dataset == "web"`} {
		b.Run("filter="+name, func(b *testing.B) {
			a := compile(b, Definition{Name: "n", Datasets: []string{"web"}, Function: Sum,
				Value: "qty", Window: "lifetime", Filter: filter}, class)
			e := numbered(7)
			b.ReportAllocs()
			for b.Loop() {
				if !a.Read(e).Counts {
					b.Fatal("does not count")
				}
			}
		})
	}
}

// BenchmarkLargeIdentity inserts and folds where an identity has 100,000 events, all of different
// values.
func BenchmarkLargeIdentity(b *testing.B) {
	const n = 100_000
	for i, a := range everyFunction(b, "30d") {
		w := newWorld(everyFunction(b, "30d")...)
		p, rows := fill(b, w, n, i)
		now := int64(n) * int64(time.Second)
		open := func(b *testing.B) *State {
			s, err := a.Open(rows)
			if err != nil {
				b.Fatal(err)
			}
			return s
		}
		b.Run("insert/"+a.Name(), func(b *testing.B) {
			e := numbered(n / 2)
			e.ID = "new"
			for b.Loop() {
				s := open(b)
				_, err1 := s.Insert(e)
				_, err2 := s.Move(now, p, 100)
				_, err3 := s.Delete(e)
				if err := s.Save(); err != nil || err1 != nil || err2 != nil || err3 != nil {
					b.Fatal(err, err1, err2, err3)
				}
			}
		})
		b.Run("fold/"+a.Name(), func(b *testing.B) {
			for b.Loop() {
				if _, err := a.Fold([]*State{open(b)}, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkExpiries lets a million events leave a window, one wake each: opening the state of the
// identity, moving it, asking for the next wake, writing it.
func BenchmarkExpiries(b *testing.B) {
	const people, each = 1000, 1000
	for _, f := range []int{0, 3} { // count, min
		a := everyFunction(b, "30d")[f]
		b.Run(a.Name(), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				w := newWorld(a)
				w.limit = each + 1
				wakes := make([]int64, people)
				for i := range people {
					p := w.person("p" + itoa(i))
					for j := range each {
						p.events = append(p.events, numbered(j))
					}
					wakes[i] = wakeOf(b, w, i, int64(each)*int64(time.Second))
				}
				b.StartTimer()
				for range each {
					for i := range people {
						wakes[i] = wakeOf(b, w, i, wakes[i])
					}
				}
				if wakes[0] != Never {
					b.Fatal("not all have left")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/people/each, "ns/expiry")
		})
	}
}

// BenchmarkFolding lets events of one identity expire from a lifetime attribute into their days.
func BenchmarkFolding(b *testing.B) {
	for _, f := range []int{0, 3, 8} { // count, min, unique_count
		w := newWorld(everyFunction(b, "lifetime")...)
		p, rows := fill(b, w, 100_000, f)
		b.Run(w.attributes[f].Name(), func(b *testing.B) {
			for b.Loop() {
				if len(p.events) == 0 {
					b.StopTimer()
					w = newWorld(w.attributes...)
					p, rows = fill(b, w, 100_000, f)
					b.StartTimer()
				}
				s, err := w.attributes[f].Open(rows)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Expire(p.events[0], 0); err != nil {
					b.Fatal(err)
				}
				if err := s.Save(); err != nil {
					b.Fatal(err)
				}
				p.events = p.events[1:]
			}
		})
	}
}

func wakeOf(b *testing.B, w *world, i int, now int64) int64 {
	at, err := w.wake(0, []string{"p" + itoa(i)}, now)
	if err != nil {
		b.Fatal(err)
	}
	return at
}
