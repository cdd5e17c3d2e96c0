package store

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/computed"
	"selfsame/profile"
)

// TestComputedRows compares rows that lie partly in the store and partly in memory with a map.
func TestComputedRows(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			s := openTest(t, vfs.NewMem())
			defer s.Close()
			rowsLikeMap(t, s, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

func rowsLikeMap(t *testing.T, s *Store, rnd *rand.Rand) {
	ref := ComputedRef{Class: "profile", Identity: ann, Number: 3}
	rows, err := s.Reader().Computed(ref, nil)
	must(t, err)
	like := map[string]string{}
	key := func() []byte {
		if rnd.IntN(10) == 0 {
			return []byte(computed.SummaryKey)
		}
		return []byte{'i', byte(rnd.IntN(40)), byte(rnd.IntN(3))}
	}
	for i := range 400 {
		from, to := key(), key()
		switch fate := rnd.IntN(20); {
		case fate < 9:
			value := fmt.Sprint(i)
			like[string(from)] = value
			must(t, rows.Put(from, []byte(value)))
		case fate < 13:
			delete(like, string(from))
			must(t, rows.Put(from, nil))
		case fate < 14:
			maps.DeleteFunc(like, func(k, _ string) bool {
				return k >= string(from) && k < string(to)
			})
			must(t, rows.Clear(from, to))
		case fate < 16:
			b := s.NewBatch()
			b.SetComputed(rows)
			must(t, s.Commit(b, false))
		case fate < 18:
			got, err := rows.Get(from)
			must(t, err)
			if string(got) != like[string(from)] {
				t.Fatalf("row %x is %q, want %q", from, got, like[string(from)])
			}
		default:
			compareScan(t, rows, like, keyRange{string(from), string(to)}, rnd.IntN(2) == 0)
		}
	}
}

func compareScan(t *testing.T, rows *ComputedRows, like map[string]string, over keyRange,
	reverse bool) {
	t.Helper()
	from, to := []byte(over.from), []byte(over.to)
	var want, got []string
	for _, k := range slices.Sorted(maps.Keys(like)) {
		if k >= string(from) && k < string(to) {
			want = append(want, k+"="+like[k])
		}
	}
	if reverse {
		slices.Reverse(want)
	}
	for row, err := range rows.Scan(from, to, reverse) {
		must(t, err)
		got = append(got, string(row.Key)+"="+string(row.Value))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("rows %x to %x: %q, want %q", from, to, got, want)
	}
	for row, err := range rows.Scan(from, to, reverse) {
		must(t, err)
		if one := string(row.Key) + "=" + string(row.Value); one != want[0] {
			t.Fatalf("the first row is %q, want %q", one, want[0])
		}
		break
	}
}

// TestComputedClassRoundTrip writes what is remembered of computed attributes, and reads it back.
func TestComputedClassRoundTrip(t *testing.T) {
	s := openTest(t, vfs.NewMem())
	defer s.Close()
	row := &ComputedClass{Class: "profile", Next: 4, Job: "j", Attributes: []ComputedAttribute{
		{Name: "a", Number: 1, Fingerprint: "f", Definition: []byte("{}"), From: 7, Until: NotYet,
			Since: -3, Ready: 9},
		{Name: "b", Number: 3, Fingerprint: "g", Definition: []byte("x"), From: NotYet,
			Until: NotYet}}}
	must(t, s.SetComputedClasses([]*ComputedClass{row}, []*Job{{ID: "j", Kind: "k",
		State: JobRunning}}))
	got, err := s.Reader().ComputedClass("profile")
	must(t, err)
	if !reflect.DeepEqual(got, row) {
		t.Errorf("read %+v, want %+v", got, row)
	}
	if none, err := s.Reader().ComputedClass("account"); none != nil || err != nil {
		t.Errorf("another class: %v, %v", none, err)
	}
}

// TestCheckFindsComputed breaks what ties the rows of computed attributes together.
func TestCheckFindsComputed(t *testing.T) {
	ref := ComputedRef{Class: "profile", Identity: tab, Number: 2}
	var summary string // of a state of nothing
	{
		class := &computed.Class{Type: &computed.Type{Kind: profile.KindObject},
			Datasets: []computed.Dataset{{Name: "web"}}}
		a, err := computed.Compile(computed.Definition{Name: "a", Datasets: []string{"web"},
			Function: computed.Count, Window: "lifetime"}, class)
		must(t, err)
		rows := EmptyComputedRows()
		state, err := a.Open(rows)
		must(t, err)
		_, err = state.Move(0, noEvents{}, 1)
		must(t, err)
		_, err = state.Insert(&computed.Event{Dataset: "web"})
		must(t, err)
		must(t, state.Save())
		summary = string(rows.Summary())
	}
	head := func(wake int64, summary string, numbers ...uint16) func(*Batch) {
		return func(b *Batch) {
			var row ComputedHead
			for _, n := range numbers {
				row.Attributes = append(row.Attributes,
					ComputedSummary{Number: n, Wake: wake, Summary: []byte(summary)})
			}
			b.SetComputedHead("profile", tab, &row)
		}
	}
	put := func(key, value string) func(*Batch) {
		return func(b *Batch) {
			rows, err := b.store.Reader().Computed(ref, nil)
			must(t, err)
			must(t, rows.Put([]byte(key), []byte(value)))
			b.SetComputed(rows)
		}
	}
	for name, c := range map[string]struct {
		change []func(*Batch)
		want   string
	}{
		"sound": {[]func(*Batch){head(computed.Never, summary, 2, 3), put("i1", "x")}, ""},
		"not listed": {[]func(*Batch){put("i1", "x")},
			"identity profile/cookie(1 bytes): has rows of computed attribute 2 and no summary"},
		"no timer": {[]func(*Batch){head(77, summary, 2)},
			"computed profile/cookie(1 bytes): its timer is missing"},
		"summary": {[]func(*Batch){head(computed.Never, "x", 2)},
			"computed profile/cookie(1 bytes): attribute 2: its summary: " +
				"malformed row of a computed attribute"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openTest(t, vfs.NewMem())
			defer s.Close()
			must(t, s.Intern(TimerComputed))
			must(t, s.Commit(person(s), true))
			before := problemsOf(t, s)
			b := s.NewBatch()
			for _, change := range c.change {
				change(b)
			}
			must(t, s.Commit(b, true))
			found := problemsOf(t, s)
			var more []string
			for _, p := range found {
				if !slices.Contains(before, p) {
					more = append(more, p)
				}
			}
			if got := strings.Join(more, "\n"); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

type noEvents struct{}

// Within implements computed.Events.
func (noEvents) Within(computed.Span) iter.Seq2[*computed.Event, error] {
	return func(func(*computed.Event, error) bool) {}
}

func problemsOf(t *testing.T, s *Store) []string {
	t.Helper()
	var found []string
	_, err := s.Check(context.Background(), func(p Problem) { found = append(found, p.String()) })
	must(t, err)
	return found
}
