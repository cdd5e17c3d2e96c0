package profile

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// randomFragment is what one record, or the join of several, says. Paths nest, so that unsets of
// parents meet leaves below them.
func randomFragment(rnd *rand.Rand, records int) *Fragment {
	f := &Fragment{}
	for range records {
		s := Stamp{Time: rnd.Int64N(6) - 2, Pos: Position{Topic: "t", Offset: rnd.Int64N(40)}}
		f.Join(randomRecord(rnd, s))
	}
	return f
}

// randomRecord depends on the stamp alone, as a position belongs to one record.
func randomRecord(_ *rand.Rand, s Stamp) *Fragment {
	rnd := rand.New(rand.NewPCG(uint64(s.Pos.Offset), uint64(s.Time)))
	f := &Fragment{}
	if rnd.IntN(5) == 0 {
		f.Floor = s
	}
	paths := []Path{"a", "b", MakePath("b", "c"), MakePath("b", "c", "d"), MakePath("b", "e"), "bc"}
	for _, p := range paths {
		inner := p == "b" || p == MakePath("b", "c")
		switch rnd.IntN(4) {
		case 0:
			f.Leaves = append(f.Leaves, Leaf{Path: p, Stamp: s})
		case 1:
			if !inner {
				f.Leaves = append(f.Leaves, Leaf{Path: p, Stamp: s, Value: Int(rnd.Int64N(9))})
			}
		}
	}
	for _, p := range []Path{"list", MakePath("b", "list")} {
		switch n := rnd.IntN(8); n {
		case 0:
			f.Leaves = append(f.Leaves, Leaf{Path: p, Stamp: s})
		case 1:
			f.Leaves = append(f.Leaves, Leaf{Path: p, Stamp: s, Value: randomArray(rnd)})
		case 2, 3, 4:
			if f.Floor.IsZero() { // a replace edits nothing
				f.Edits = append(f.Edits, editsOf(p, s, EditKind(n-2), randomArray(rnd))...)
			}
		}
	}
	SortLeaves(f.Leaves)
	f.Edits = SortEdits(f.Edits)
	f.Edits = f.dropOverruled(f.Edits)
	return f
}

func randomArray(rnd *rand.Rand) Value {
	var items []Value
	for range rnd.IntN(4) {
		items = append(items, Int(rnd.Int64N(4)))
	}
	return Array(items)
}

func editsOf(p Path, s Stamp, kind EditKind, array Value) []Edit {
	var edits []Edit
	for i := range array.Len() {
		edits = append(edits, NewEdit(p, s, kind, i, array.Item(i)))
	}
	return edits
}

func joined(fs ...*Fragment) *Fragment {
	out := &Fragment{}
	for _, f := range fs {
		out.Join(f)
	}
	return out
}

func equal(a, b *Fragment) bool {
	return a.Floor == b.Floor && sameLeaves(a.Leaves, b.Leaves) && sameEdits(a.Edits, b.Edits)
}

// TestJoinLaws: commutative, associative, idempotent, whatever the records.
func TestJoinLaws(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for range 20_000 {
		a, b, c := randomFragment(rnd, 3), randomFragment(rnd, 3), randomFragment(rnd, 2)
		ab := joined(a, b)
		if !equal(ab, joined(b, a)) {
			t.Fatalf("seed %d: join is not commutative:\n%v\n%v", seed, a, b)
		}
		if !equal(joined(ab, c), joined(a, joined(b, c))) {
			t.Fatalf("seed %d: join is not associative:\n%v\n%v\n%v", seed, a, b, c)
		}
		if again := ab.Clone(); again.Join(b) || again.Join(a) || !equal(again, ab) {
			t.Fatalf("seed %d: join is not idempotent:\n%v\n%v", seed, a, b)
		}
	}
}

// naive folds all records at once: the greatest stamp per path, then what floors and unsets hide.
func naive(records []*Fragment) *Fragment {
	out := &Fragment{}
	best := map[Path]Leaf{}
	for _, r := range records {
		out.Floor = Later(out.Floor, r.Floor)
		for _, l := range r.Leaves {
			if old, ok := best[l.Path]; !ok || old.Stamp.Before(l.Stamp) {
				best[l.Path] = l
			}
		}
	}
	for path, l := range best {
		hidden := l.Stamp.Before(out.Floor)
		for above, u := range best {
			hidden = hidden || above != path && above.Contains(path) && u.Unset() &&
				l.Stamp.Before(u.Stamp)
		}
		if !hidden {
			out.Leaves = append(out.Leaves, l)
		}
	}
	SortLeaves(out.Leaves)
	out.Edits = naiveEdits(records, best, out.Floor)
	return out
}

// naiveEdits collects the edits of all records: those of one key that have the greatest stamp, of
// them those that nothing said of the whole array overrules.
func naiveEdits(records []*Fragment, best map[Path]Leaf, floor Stamp) []Edit {
	type key struct {
		path    Path
		append  bool
		stamp   Stamp
		index   int
		element string
	}
	latest := map[key]Edit{}
	for _, r := range records {
		for _, e := range r.Edits {
			k := key{path: e.Path, element: elementKey(e.Value)}
			if e.Kind == EditAppend {
				k = key{path: e.Path, append: true, stamp: e.Stamp, index: e.Index}
			}
			if old, ok := latest[k]; !ok || old.Stamp.Before(e.Stamp) {
				latest[k] = e
			}
		}
	}
	var edits []Edit
	for _, e := range latest {
		overruled := e.Stamp.Before(floor)
		for place, l := range best {
			overruled = overruled || e.Stamp.Before(l.Stamp) &&
				(place == e.Path || place.Contains(e.Path) && l.Unset())
		}
		if !overruled {
			edits = append(edits, e)
		}
	}
	return SortEdits(edits)
}

func TestJoinAgreesWithNaiveFold(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	for range 10_000 {
		var records []*Fragment
		for range 1 + rnd.IntN(6) {
			records = append(records, randomFragment(rnd, 1))
		}
		if got, want := joined(records...), naive(records); !equal(got, want) {
			t.Fatalf("seed %d:\n%v\njoin %v\nwant %v", seed, records, got, want)
		}
	}
}

// TestMergeIgnoresTheOrderOfSources also holds the merge to its rule: a floor acts within its own
// fragment, an unset on all.
func TestMergeIgnoresTheOrderOfSources(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 3))
	for range 5_000 {
		var sources []Source
		all := &Fragment{}
		for i := range 1 + rnd.IntN(4) {
			f := randomFragment(rnd, 3)
			for j := range f.Leaves {
				f.Leaves[j].Stamp.Pos.Partition = int32(i)
			}
			for j := range f.Edits {
				f.Edits[j].Stamp.Pos.Partition = int32(i)
			}
			sources = append(sources, Source{Dataset: fmt.Sprint(i), Fragment: f})
			all.Join(&Fragment{Leaves: f.Shown()})
		}
		want := slices.DeleteFunc(slices.Clone(all.Leaves), Leaf.Unset)
		for range 3 {
			rnd.Shuffle(len(sources), func(i, j int) {
				sources[i], sources[j] = sources[j], sources[i]
			})
			var got []Leaf
			for _, l := range (&Policy{}).Merge(sources).Leaves {
				got = append(got, l.Leaf)
			}
			if !sameLeaves(got, want) {
				t.Fatalf("seed %d: merged %v, want %v", seed, got, want)
			}
		}
	}
}

func TestPaths(t *testing.T) {
	for _, segments := range [][]string{{"a"}, {"a", "b.c", `d\`}, {"x\x00y", "\x01", ""}, {"é"}} {
		p := MakePath(segments...)
		if got := p.Segments(); !reflect.DeepEqual(got, segments) {
			t.Errorf("%q comes back as %q", segments, got)
		}
		if got := ParsePath(p.String()); got != p {
			t.Errorf("%q is written %q and read as %q", segments, p, got.Segments())
		}
	}
	if a := Path("a"); !a.Contains(MakePath("a", "b")) || a.Contains("ab") || a.Contains("") {
		t.Error("containment")
	}
	if moved, ok := MakePath("a", "b").Rebase("a", MakePath("x", "y")); !ok ||
		moved != MakePath("x", "y", "b") {
		t.Errorf("rebased to %q, %v", moved, ok)
	}
}

func TestFlattenAndBack(t *testing.T) {
	v := Object([]string{"z", "a", "m"}, []Value{Int(1),
		Object([]string{"b", "c"}, []Value{String("x"), Null()}),
		Array([]Value{Object([]string{"k"}, []Value{Null()})})})
	leaves := Flatten(v, Stamp{}, NullsUnset)
	if len(leaves) != 4 || !Unflatten(leaves).Equal(v) {
		t.Errorf("leaves %v", leaves)
	}
	if n := len(Flatten(v, Stamp{}, NullsAbsent)); n != 3 {
		t.Errorf("%d leaves without nulls, want 3", n)
	}
}

func TestJSON(t *testing.T) {
	v := Object([]string{"a", "b", "c", "d", "e", "f"}, []Value{
		Float(0.1), Decimal("-12.30"), Temporal(KindTimestampMillis, 1500),
		Temporal(KindDate, 1), Bytes("\x00\xff"), String("q\"\n\u2028\xff")})
	want := `{"a":0.1,"b":-12.30,"c":"1970-01-01T00:00:01.500Z","d":"1970-01-02","e":"AP8=",` +
		`"f":"q\"\n` + "\u2028\ufffd" + `"}`
	if got := string(AppendJSON(nil, v)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	leaves := []MergedLeaf{{Leaf: Leaf{Path: "a", Value: Int(1)}},
		{Leaf: Leaf{Path: MakePath("b", "c", "d"), Value: Int(2)}},
		{Leaf: Leaf{Path: MakePath("b", "e"), Value: Int(3)}},
		{Leaf: Leaf{Path: "f", Value: Int(4)}}}
	nested := `{"a":1,"b":{"c":{"d":2},"e":3},"f":4}`
	if got := string(AppendAttributes(nil, leaves)); got != nested {
		t.Errorf("got %s, want %s", got, nested)
	}
}
