package profile

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// play is the naive reading of a history of one array: everything in order of time, on a plain
// slice. It forgets an addition or removal of an element that a later one follows.
func play(records []*Fragment) (items []string, there bool) {
	var base Leaf
	latest := map[string]Stamp{}
	for _, r := range records {
		for _, l := range r.Leaves {
			if base.Stamp.Before(l.Stamp) {
				base = l
			}
		}
		for _, e := range r.Edits {
			if e.Kind != EditAppend {
				latest[e.key] = Later(latest[e.key], e.Stamp)
			}
		}
	}
	there = !base.Unset()
	for i := range base.Value.Len() {
		items = append(items, elementKey(base.Value.Item(i)))
	}
	var edits []Edit
	for _, r := range records {
		for _, e := range r.Edits {
			if !e.Stamp.Before(base.Stamp) && (e.Kind == EditAppend || latest[e.key] == e.Stamp) {
				edits = append(edits, e)
			}
		}
	}
	slices.SortFunc(edits, func(a, b Edit) int {
		if a.Stamp != b.Stamp {
			return a.Stamp.Compare(b.Stamp)
		}
		return a.Index - b.Index
	})
	for _, e := range edits {
		there = there || e.Kind != EditRemove
		switch {
		case e.Kind == EditRemove:
			items = slices.DeleteFunc(items, func(s string) bool { return s == e.key })
		case e.Kind == EditAppend || !slices.Contains(items, e.key):
			items = append(items, e.key)
		}
	}
	return items, there
}

// TestEditedArrayIsItsBaseAndTheLaterEdits joins the records of one array in any order, some twice.
func TestEditedArrayIsItsBaseAndTheLaterEdits(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 4))
	edited := 0
	for range 20_000 {
		var records []*Fragment
		for i := range 1 + rnd.IntN(7) {
			s := Stamp{Time: rnd.Int64N(5), Pos: Position{Topic: "t", Offset: int64(i)}}
			r := &Fragment{}
			switch n := rnd.IntN(6); n {
			case 0:
				r.Leaves = []Leaf{{Path: "list", Stamp: s, Value: randomArray(rnd)}}
			case 1:
				r.Leaves = []Leaf{{Path: "list", Stamp: s}}
			default:
				kind := EditKind(n % int(editCount))
				r.Edits = SortEdits(editsOf("list", s, kind, randomArray(rnd)))
			}
			records = append(records, r)
		}
		want, there := play(records)
		f := &Fragment{}
		for _, i := range append(rnd.Perm(len(records)), rnd.Perm(len(records))...) {
			f.Join(records[i])
		}
		var got []string
		for _, l := range f.Shown() {
			for i := range l.Value.Len() {
				got = append(got, elementKey(l.Value.Item(i)))
			}
		}
		if !slices.Equal(got, want) || f.Visible() != there {
			t.Fatalf("seed %d: %v\ngot  %v, %v\nwant %v, %v", seed, records, got, f.Visible(),
				want, there)
		}
		if len(f.Edits) > 0 {
			edited++
		}
	}
	if edited < 1000 {
		t.Errorf("only %d histories end with edits", edited)
	}
}

// TestShownKeepsTheOrderOfPaths puts edited arrays among other leaves.
func TestShownKeepsTheOrderOfPaths(t *testing.T) {
	at := func(n int64) Stamp { return Stamp{Time: n, Pos: Position{Topic: "t", Offset: n}} }
	f := &Fragment{}
	f.Join(&Fragment{Leaves: []Leaf{{Path: "b", Stamp: at(1), Value: Int(1)},
		{Path: "d", Stamp: at(1), Value: Array([]Value{Int(7), Int(8), Int(7)})}}})
	f.Join(&Fragment{Edits: SortEdits(slices.Concat(
		editsOf("a", at(2), EditUnion, Array([]Value{Int(1), Int(1)})),
		editsOf("c", at(2), EditRemove, Array([]Value{Int(1)})),
		editsOf("d", at(2), EditRemove, Array([]Value{Int(7)})),
		editsOf("e", at(2), EditAppend, Array([]Value{Int(1), Int(1)}))))})
	shown := f.Shown()
	var text []byte
	for _, l := range shown {
		text = AppendJSON(append(text, string(l.Path)...), l.Value)
	}
	if got := string(text); got != "a[1]b1d[8]e[1,1]" {
		t.Errorf("shown %s", got)
	}
	if n := f.Places(); n != 5 {
		t.Errorf("%d places, want 5", n)
	}
	if n, path := f.MostEdited(); n != 2 || path != "e" {
		t.Errorf("%d edits of %s", n, path)
	}
}
