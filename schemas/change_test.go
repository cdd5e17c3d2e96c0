package schemas

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"selfsame/profile"
)

// TestDiff: two versions of field a of a dataset's schema; want is the changes, A for additive,
// and the word for all of them.
func TestDiff(t *testing.T) {
	tests := []struct{ old, next, want string }{
		{`"int"`, `"int"`, "full"},
		{`"int"`, `"long"`, "A a widened int long; backward"},
		{`"long"`, `"int"`, "a retyped long int; forward"},
		{`"float"`, `"double"`, "A a widened float double; backward"},
		{`"int"`, `"double"`, "a retyped int double; backward"},
		{`"string"`, `"bytes"`, "a retyped string bytes; full"},
		{`"string"`, `"int"`, "a retyped string int; none"},
		{`"long"`, logical("long", "timestamp-millis"), "a retyped long timestamp-millis; none"},
		{`"int"`, `["null","int"]`, "A a made nullable not nullable; backward"},
		{`["null","int"]`, `"int"`, "A a made not nullable nullable not; forward"},
		{enum("A"), enum("A B"), "A a symbol added without enum with B; backward"},
		{enum("A B"), enum("B"), "a symbol removed enum with A without; forward"},
		{array(`"int"`), array(`["null","int"]`),
			"A a[] made nullable not nullable; backward"},
		{mapping(`["null","int"]`), mapping(`"int"`),
			"a.* made not nullable nullable not; forward"},
		{record("A", `b: "int"`), record("B", `b: "int"`, `c: "int"`),
			"A a.c added  int; forward"},
		{record("A", `b: "int"`, `c: "int"`), record("A", `b: "int"`),
			"a.c removed int ; backward"},
		{array(record("A", `b: "int"`)), array(record("A", `b: "string"`)),
			"a[].b retyped int string; none"},
		{record("A", `b: "int"`), record("A", `b: "long"`, `c: "int"`),
			"A a.b widened int long, A a.c added  int; none"},
	}
	for _, test := range tests {
		old, next := mustParse(t, recordOf("a: "+test.old)), mustParse(t, recordOf("a: "+test.next))
		changes := Diff(old, next)
		var lines []string
		for _, c := range changes {
			line := fmt.Sprintf("%s %s %s %s", c.Path, c.Kind, c.Was, c.Is)
			if c.Additive {
				line = "A " + line
			}
			lines = append(lines, line)
		}
		got := strings.TrimPrefix(strings.Join(lines, ", ")+"; "+Compatibility(changes), "; ")
		if got != test.want {
			t.Errorf("%s to %s\ngot  %s\nwant %s", test.old, test.next, got, test.want)
		}
	}
}

func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestDiffOfFieldProperties(t *testing.T) {
	parse := func(field string) *Schema {
		return mustParse(t, `{"type":"record","name":"Test","fields":[`+field+`]}`)
	}
	plain := `{"name":"a","type":"int"}`
	tests := []struct{ old, next, want string }{
		{"", `{"name":"a","type":"int","default":1}`, "added full"},
		{"", `{"name":"a","type":["null","int"]}`, "added forward"},
		{`{"name":"a","type":"int","default":1}`, "", "removed full"},
		{plain, "", "removed backward"},
		{plain, `{"name":"b","type":"int","aliases":["a"]}`, "removed added backward"},
		{plain, `{"name":"a","type":"int","deprecated":true}`, "deprecated full"},
		{`{"name":"a","type":"int","deprecated":true}`, plain, "no longer deprecated full"},
	}
	for _, test := range tests {
		changes := Diff(parse(test.old), parse(test.next))
		var kinds []string
		for _, c := range changes {
			kinds = append(kinds, string(c.Kind))
		}
		got := strings.Join(append(kinds, Compatibility(changes)), " ")
		if got != test.want {
			t.Errorf("%s to %s: got %s, want %s", test.old, test.next, got, test.want)
		}
	}
}

// TestDiffUnionsAgreesWithComposition: where a dataset is added to a union, everything that the
// diff finds is additive and readable backward, because all was promoted or was not there.
func TestDiffUnionsAgreesWithComposition(t *testing.T) {
	r := seeded(t)
	for range 200 {
		members := randomMembers(t, r, 3)
		old, next := mustCompose(t, members[:2]...), mustCompose(t, members...)
		for _, c := range DiffUnions(old, next) {
			if !c.Additive || !c.Backward {
				t.Fatalf("not additive: %+v\n%s\n%s", c, old.Avro(), next.Avro())
			}
		}
		if Compatibility(DiffUnions(next, next)) != "full" {
			t.Fatal("a union is not compatible with itself")
		}
	}
}

// TestCompositionInAnyOrderAndSplit: whatever the order of the datasets, and however they are
// split into compositions of compositions, the text is the same.
func TestCompositionInAnyOrderAndSplit(t *testing.T) {
	r := seeded(t)
	for range 100 {
		members := randomMembers(t, r, 2+r.IntN(5))
		want := string(mustCompose(t, members...).Avro())
		for round := 0; len(members) > 1; round++ {
			r.Shuffle(len(members), func(i, j int) {
				members[i], members[j] = members[j], members[i]
			})
			n := 2 + r.IntN(len(members)-1)
			part := mustCompose(t, members[:n]...)
			members = append(slices.Clone(members[n:]),
				Member{Dataset: fmt.Sprint("part", round), Schema: part.Schema()})
			if got := string(mustCompose(t, members...).Avro()); got != want {
				t.Fatalf("got  %s\nwant %s", got, want)
			}
		}
	}
}

// TestDeprecationInAnySplit: a place is deprecated where all who have it deprecate it, however the
// datasets are split into compositions.
func TestDeprecationInAnySplit(t *testing.T) {
	r := seeded(t)
	field := func(name, typ string) string {
		flag := [...]string{"", `,"deprecated":true`}[r.IntN(2)]
		return `{"name":"` + name + `","type":` + typ + flag + `}`
	}
	for range 200 {
		var members []Member
		for i := range 2 + r.IntN(3) {
			item := `{"type":"record","name":"J","fields":[` + field("z", `"int"`) + `]}`
			inner := `{"type":"record","name":"I","fields":[` + field("x", `"int"`) + "," +
				field("y", array(item)) + `]}`
			members = append(members, Member{Dataset: fmt.Sprint("d", i), Schema: mustParse(t,
				`{"type":"record","name":"R","fields":[`+field("a", `"string"`)+","+
					field("i", inner)+`]}`)})
		}
		u := mustCompose(t, members...)
		cut := 1 + r.IntN(len(members)-1)
		left, right := mustCompose(t, members[:cut]...), mustCompose(t, members[cut:]...)
		both := mustCompose(t, Member{Dataset: "right", Schema: right.Schema()},
			Member{Dataset: "left", Schema: left.Schema()})
		if string(both.Avro()) != string(u.Avro()) {
			t.Fatalf("got  %s\nwant %s", both.Avro(), u.Avro())
		}
		if got := CheckEvolution(left, u); got != nil {
			t.Fatalf("what is reinstated is refused: %v", got)
		}
	}
}

func TestConflictsNameFileAndLine(t *testing.T) {
	parse := func(file, text string) *Schema {
		s, err := Parse(file, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	crm := parse("crm.avsc", `{"type":"record","name":"C","fields":[
		{"name":"home","type":{"type":"record","name":"H","fields":[
			{"name":"lines",
			 "type":{"type":"array","items":"string"}}]}}]}`)
	shop := parse("shop.avsc", `{"type":"record","name":"S","fields":[
		{"name":"rows","type":{"type":"array","items":"int"}}]}`)
	_, err := Compose("profile", []Member{{Dataset: "crm", Schema: crm},
		{Dataset: "shop", Schema: shop, Rename: []Rename{{From: "rows",
			To: profile.MakePath("home", "lines")}}}})
	want := "composing profile: home.lines[] is string in crm (crm.avsc:3) and int in shop " +
		"(shop.avsc:2): " + hintRename
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestVisible(t *testing.T) {
	hidden := func(name, typ string) string {
		return `{"name":"` + name + `","type":` + typ + `,"deprecated":true}`
	}
	s := mustParse(t, `{"type":"record","name":"R","fields":[
		{"name":"name","type":"string"},`+hidden("fax", `"string"`)+`,
		{"name":"home","type":{"type":"record","name":"H","fields":[
			{"name":"city","type":"string"},`+hidden("zip", `"string"`)+`]}},
		{"name":"prefs","type":{"type":"map","values":{"type":"record","name":"P","fields":[
			{"name":"on","type":"boolean"},`+hidden("old", `"boolean"`)+`]}}},
		{"name":"orders","type":{"type":"array","items":{"type":"record","name":"O","fields":[
			{"name":"id","type":"int"},`+hidden("note", `"string"`)+`]}}}]}`)
	u := mustCompose(t, Member{Dataset: "crm", Schema: s})
	if !u.Hides() || mustCompose(t, member(t, "crm", `a: "int"`)).Hides() {
		t.Error("whether anything is hidden")
	}
	record, err := s.DecodeJSON([]byte(`{"name":"Ann","fax":"1","home":{"city":"Ulm","zip":"1"},
		"prefs":{"mail":{"on":true,"old":true}},
		"orders":[{"id":1,"note":"x"},{"id":2,"note":""}]}`),
		Options{})
	if err != nil {
		t.Fatal(err)
	}
	var shown []profile.Leaf
	for _, leaf := range profile.Flatten(record, profile.Stamp{}, profile.NullsUnset) {
		if v, ok := u.Visible(leaf.Path, leaf.Value); ok {
			shown = append(shown, profile.Leaf{Path: leaf.Path, Value: v})
		}
	}
	got := string(profile.AppendJSON(nil, profile.Unflatten(shown)))
	want := `{"home":{"city":"Ulm"},"name":"Ann","orders":[{"id":1},{"id":2}],` +
		`"prefs":{"mail":{"on":true}}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, ok := u.Visible(profile.ParsePath("no.such"), profile.Null()); !ok {
		t.Error("what the union does not have is hidden")
	}
}
