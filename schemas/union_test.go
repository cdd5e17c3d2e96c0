package schemas

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"selfsame/profile"
)

func mustCompose(t testing.TB, members ...Member) *Union {
	t.Helper()
	u, err := Compose("profile", members)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func member(t testing.TB, dataset string, fields ...string) Member {
	t.Helper()
	return Member{Dataset: dataset, Schema: mustParse(t, recordOf(fields...))}
}

func record(name string, fields ...string) string {
	return strings.Replace(recordOf(fields...), `"Test"`, `"`+name+`"`, 1)
}

func array(items string) string    { return `{"type":"array","items":` + items + `}` }
func mapping(values string) string { return `{"type":"map","values":` + values + `}` }
func enum(symbols string) string {
	quoted := strings.ReplaceAll(symbols, " ", `","`)
	return `{"type":"enum","name":"E","symbols":["` + quoted + `"]}`
}

// TestComposeTypes: two datasets have field a of these types; want is the type in the text of the
// union.
func TestComposeTypes(t *testing.T) {
	named := func(kind, path string) string {
		name := strings.ToUpper(kind[:1]) + kind[1:]
		return `{"type":"` + kind + `","name":"selfsame.profile.` + path + name + `"`
	}
	tests := []struct{ a, b, want string }{
		{`"int"`, `"int"`, `"int"`},
		{`"int"`, `["null","long"]`, `"long"`},
		{`["float"]`, `"double"`, `"double"`},
		{`"float"`, `"float"`, `"float"`},
		{logical("long", "timestamp-millis"), logical("long", "timestamp-millis"),
			logical("long", "timestamp-millis")},
		{logical("long", "moon-phase"), `"int"`, `"long"`},
		{typeDecimal, typeDecimal, typeDecimal},
		{typeFixed, strings.Replace(typeFixed, `"F"`, `"x.G"`, 1),
			named("fixed", "a.") + `,"size":3}`},
		{enum("B A"), enum("C A"), named("enum", "a.") + `,"symbols":["A","B","C"]}`},
		{array(`"int"`), array(`["null","long"]`), array(`["null","long"]`)},
		{mapping(array(`"int"`)), mapping(array(`"long"`)), mapping(array(`"long"`))},
		{record("A", `y: "int"`, `x: "string"`), record("B", `x: "string"`, `z: "boolean"`),
			named("record", "a.") + `,"fields":[` +
				`{"name":"x","type":["null","string"],"default":null},` +
				`{"name":"y","type":["null","int"],"default":null},` +
				`{"name":"z","type":["null","boolean"],"default":null}]}`},
		{array(record("A", "e: "+enum("X"))), array(record("B", "e: "+enum("Y"))),
			array(named("record", "a.") + `,"fields":[{"name":"e",` +
				`"type":["null",` + named("enum", "a.e.") + `,"symbols":["X","Y"]}],` +
				`"default":null}]}`)},
	}
	for _, test := range tests {
		u := mustCompose(t, member(t, "crm", "a: "+test.a), member(t, "shop", "a: "+test.b))
		want := named("record", "") + `,"fields":[{"name":"a","type":["null",` +
			test.want + `],"default":null}]}`
		if got := string(u.Avro()); got != want {
			t.Errorf("%s with %s\ngot  %s\nwant %s", test.a, test.b, got, want)
		}
	}
}

func TestComposeConflicts(t *testing.T) {
	decimal := strings.Replace(typeDecimal, `"scale":2`, `"scale":1`, 1)
	fixed := strings.Replace(typeFixed, `3`, `4`, 1)
	tests := []struct{ a, b, path, typeA, typeB string }{
		{`"int"`, `"double"`, "a", "int", "double"},
		{`"float"`, `"long"`, "a", "float", "long"},
		{`"string"`, `"int"`, "a", "string", "int"},
		{`"string"`, enum("A"), "a", "string", "enum"},
		{`"string"`, `"bytes"`, "a", "string", "bytes"},
		{`"string"`, typeUUID, "a", "string", "uuid"},
		{`"long"`, logical("long", "timestamp-millis"), "a", "long", "timestamp-millis"},
		{logical("long", "timestamp-micros"), logical("long", "timestamp-millis"), "a",
			"timestamp-micros", "timestamp-millis"},
		{typeDecimal, decimal, "a", "decimal(5,2)", "decimal(5,1)"},
		{typeFixed, fixed, "a", "fixed(3)", "fixed(4)"},
		{typeFixed, `"bytes"`, "a", "fixed(3)", "bytes"},
		{record("A"), mapping(`"int"`), "a", "record", "map of int"},
		{array(`"int"`), `"int"`, "a", "array of int", "int"},
		{array(`"int"`), array(`"string"`), "a[]", "int", "string"},
		{mapping(record("A", `b: "int"`)), mapping(record("A", `b: "string"`)), "a.*.b",
			"int", "string"},
	}
	for _, test := range tests {
		members := []Member{member(t, "crm", "a: "+test.a), member(t, "shop", "a: "+test.b)}
		for range 2 {
			_, err := Compose("profile", members)
			var got *ConflictError
			if !errors.As(err, &got) {
				t.Fatalf("%s with %s: got %v", test.a, test.b, err)
			}
			want := ConflictError{"profile", test.path, "crm", test.typeA, "shop",
				test.typeB, "test.avsc:1", "test.avsc:1", got.Hint}
			if *got != want || got.Hint == "" {
				t.Errorf("got  %v\nwant %v", got, &want)
			}
			slices.Reverse(members)
		}
	}
}

func TestComposeReportsAllConflicts(t *testing.T) {
	_, err := Compose("profile", []Member{
		member(t, "c", `a: "string"`, `b: "int"`),
		member(t, "b", `a: "long"`, `b: "double"`),
		member(t, "a", `a: "int"`, `b: "int"`),
		member(t, "d", `a: "int"`),
	})
	want := `composing profile: a is int in a (test.avsc:1) and string in c (test.avsc:1): ` +
		hintRename + `
composing profile: a is long in b (test.avsc:1) and string in c (test.avsc:1): ` + hintRename + `
composing profile: b is int in a (test.avsc:1) and double in b (test.avsc:1): ` + hintLossy
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	_, err = Compose("profile", []Member{member(t, "a"), member(t, "a")})
	if err == nil || err.Error() != "composing profile: dataset a stands twice" {
		t.Errorf("got %v", err)
	}
}

func TestComposeLossyNumbers(t *testing.T) {
	a, b, c := member(t, "a", `n: "int"`), member(t, "b", `n: "float"`), member(t, "c", `n: "long"`)
	b.LossyNumbers = true
	u := mustCompose(t, a, b, c)
	if got, _ := u.Schema().Lookup("n"); got.Kind != KindDouble {
		t.Errorf("got %s", got)
	}
	d := member(t, "d", `n: "double"`)
	if _, err := Compose("profile", []Member{a, b, c, d}); err == nil {
		t.Error("d and a both keep their numbers exact, and were merged")
	}
	clock := member(t, "e", "n: "+logical("int", "time-millis"))
	if _, err := Compose("profile", []Member{b, clock}); err == nil {
		t.Error("a time of day was taken for a number")
	}
}

func TestUnionLineageAndPaths(t *testing.T) {
	schema := func(text string) *Schema { return mustParse(t, text) }
	u := mustCompose(t,
		Member{Dataset: "shop", Schema: schema(`{"type":"record","name":"S","fields":[
			{"name":"home","type":{"type":"record","name":"H","fields":[
				{"name":"city","type":"string"},{"name":"old","type":"string"}]},"deprecated":true},
			{"name":"fax","type":"string","deprecated":true},
			{"name":"prefs","type":{"type":"map","values":{"type":"record","name":"P","fields":[
				{"name":"on","type":"boolean"}]}}}]}`)},
		Member{Dataset: "crm", Schema: schema(`{"type":"record","name":"C","fields":[
			{"name":"home","type":{"type":"record","name":"H","fields":[
				{"name":"city","type":"string"},{"name":"zip","type":"string"}]}},
			{"name":"fax","type":"string","deprecated":true},
			{"name":"tags","type":{"type":"array","items":"string"}}]}`)})
	tests := []struct {
		path, lineage string
		deprecated    bool
	}{
		{"", "crm shop", false},
		{"fax", "crm shop", true},
		{"home", "crm shop", false},
		{"home.city", "crm shop", false},
		{"home.old", "shop", true},
		{"home.zip", "crm", false},
		{"prefs", "shop", false},
		{"prefs.any.on", "shop", false},
		{"tags", "crm", false},
		{"tags.0", "", false},
		{"no", "", false},
		{"home.city.no", "", false},
	}
	back, err := ParseUnion(u.Class(), u.Avro())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		path := profile.ParsePath(test.path)
		if got := strings.Join(u.Lineage(path), " "); got != test.lineage {
			t.Errorf("%s: lineage %q, want %q", test.path, got, test.lineage)
		}
		if u.Deprecated(path) != test.deprecated || back.Deprecated(path) != test.deprecated {
			t.Errorf("%s: deprecated %v, read back %v, want %v", test.path, u.Deprecated(path),
				back.Deprecated(path), test.deprecated)
		}
	}
	var paths []string
	for _, p := range u.Paths() {
		paths = append(paths, p.String())
	}
	if got := strings.Join(paths, " "); got != "fax home.city home.old home.zip prefs tags" {
		t.Errorf("paths %s", got)
	}
}

func TestRename(t *testing.T) {
	path := profile.ParsePath
	source := []string{`email_addr: "string"`, `name: "string"`,
		"home: " + record("H", `city: "string"`, `zip: "string"`), "m: " + mapping(`"int"`)}
	tests := []struct {
		name, renames, want string // want: the paths of the union, or an error
	}{
		{"none", "", "email_addr home.city home.zip m name"},
		{"a field", "email_addr>email", "email home.city home.zip m name"},
		{"into a new record", "email_addr>contact.email",
			"contact.email home.city home.zip m name"},
		{"into a record", "email_addr>home.email", "home.city home.email home.zip m name"},
		{"a record", "home>address", "address.city address.zip email_addr m name"},
		{"a record and a part", "home>address home.zip>zip", "address.city email_addr m name zip"},
		{"hoisted", "home>", "city email_addr m name zip"},
		{"all of a record", "home.city>city home.zip>zip", "city email_addr m name zip"},
		{"swapped", "name>email_addr email_addr>name", "email_addr home.city home.zip m name"},
		{"merged", "home>a home.zip>a.b.zip", "a.b.zip a.city email_addr m name"},
		{"missing", "phone>tel", "renaming phone to tel: the schema has no such field"},
		{"twice", "name>a name>b", "renaming name to b: the schema has no such field"},
		{"inside a map", "m.k>k", "renaming m.k to k: the schema has no such field"},
		{"the whole", ">a", "renaming  to a: the schema has no such field"},
		{"taken", "email_addr>name", "renaming email_addr to name: name is there already"},
		{"taken below", "home>name.x",
			"renaming home to name.x: name is there already and no record"},
		{"below a field", "email_addr>name.x", "name is there already and no record"},
		{"onto a record", "name>home", "renaming name to home: home is there already"},
		{"field as the whole", "name>", "only a record can become the whole record"},
		{"name", "name>full-name", `"full-name" is not a valid field name`},
	}
	for _, test := range tests {
		m := member(t, "crm", source...)
		for pair := range strings.FieldsSeq(test.renames) {
			from, to, _ := strings.Cut(pair, ">")
			m.Rename = append(m.Rename, Rename{path(from), path(to)})
		}
		u, err := Compose("profile", []Member{m})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			for _, p := range u.Paths() {
				got += " " + p.String()
			}
		}
		if !strings.Contains(got, test.want) || err == nil && strings.TrimSpace(got) != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

// randomMembers makes schemas that agree on names and shapes, not on numbers, symbols and presence.
func randomMembers(t testing.TB, r *rand.Rand, n int) []Member {
	var members []Member
	for i := range n {
		pick := func(options ...string) string { return options[r.IntN(len(options))] }
		kinds := map[string]func() string{
			"n": func() string { return pick(`"int"`, `"long"`, `["null","int"]`) },
			"f": func() string { return pick(`"float"`, `"double"`) },
			"e": func() string { return enum(pick("A", "B A", "C", "B D")) },
			"l": func() string { return array(pick(`"int"`, `["null","long"]`)) },
			"m": func() string { return mapping(pick(`"float"`, `["double","null"]`)) },
			"s": func() string { return `"string"` },
			"r": func() string {
				return record(pick("P", "Q"), pick(`x: "int"`, `y: "long"`),
					pick(`v: "string"`, `w: "bytes"`))
			},
			"q": func() string {
				return array(record(pick("U", "V"), pick(`x: "int"`, `x: "long"`, `y: "long"`)))
			},
		}
		var fields []string
		for _, name := range []string{"n", "f", "e", "l", "m", "s", "r", "q"} {
			if r.IntN(3) > 0 {
				fields = append(fields, name+": "+kinds[name]())
			}
		}
		r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		members = append(members, member(t, string(rune('a'+i)), fields...))
	}
	return members
}

func TestComposeLaws(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		members := randomMembers(t, r, 4)
		u := mustCompose(t, members...)
		want := string(u.Avro())
		if !json.Valid(u.Avro()) {
			t.Fatalf("not JSON: %s", want)
		}
		shuffled := slices.Clone(members)
		r.Shuffle(4, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		again := mustCompose(t, shuffled...)
		if string(again.Avro()) != want || again.Fingerprint() != u.Fingerprint() {
			t.Fatalf("not commutative\n%s\n%s", want, again.Avro())
		}
		left := Member{Dataset: "left", Schema: mustCompose(t, members[:2]...).Schema()}
		right := Member{Dataset: "right", Schema: mustCompose(t, members[2:]...).Schema()}
		if got := string(mustCompose(t, left, right).Avro()); got != want {
			t.Fatalf("not associative\n%s\n%s", want, got)
		}
		whole := Member{Dataset: "whole", Schema: u.Schema()}
		if got := string(mustCompose(t, append(members, whole)...).Avro()); got != want {
			t.Fatalf("not idempotent\n%s\n%s", want, got)
		}
		back, err := ParseUnion(u.Class(), u.Avro())
		if err != nil || string(back.Avro()) != want || !slices.Equal(back.Paths(), u.Paths()) {
			t.Fatalf("read back: %v\n%s\n%s", err, want, back.Avro())
		}
		if err := errors.Join(CheckEvolution(back, u), CheckEvolution(u, back)); err != nil {
			t.Fatalf("no change is an evolution: %v", err)
		}
		if err := CheckEvolution(mustCompose(t, members[1:]...), u); err != nil {
			t.Fatalf("one more dataset is refused: %v", err)
		}
	}
}

func TestUnionOfNoDatasets(t *testing.T) {
	u := mustCompose(t)
	want := `{"type":"record","name":"selfsame.profile.Record","fields":[]}`
	if string(u.Avro()) != want || len(u.Paths()) != 0 || len(u.Lineage("")) != 0 {
		t.Errorf("got %s", u.Avro())
	}
	for class, name := range map[string]string{"web-event": "web_event", "3d": "_3d", "ä": "_"} {
		u, err := Compose(class, nil)
		if err != nil || u.Type().Name != "selfsame."+name+".Record" {
			t.Errorf("%s: got %v, %v", class, u, err)
		}
	}
}

func TestCheckEvolution(t *testing.T) {
	tests := []struct{ old, next, want string }{
		{`"int"`, `"long"`, ""},
		{`"float"`, `"double"`, ""},
		{enum("A"), enum("A B"), ""},
		{array(`"int"`), array(`["null","int"]`), ""},
		{record("A", `b: "int"`), record("A", `b: "int"`, `c: "int"`), ""},
		{`"long"`, `"int"`, "a was long and is now int: give the new type a new field name, or " +
			"rebuild the store from the input topics"},
		{`"long"`, `"double"`, "a was long and is now double"},
		{`"long"`, logical("long", "timestamp-millis"), "a was long and is now timestamp-millis"},
		{`"int"`, logical("int", "date"), "a was int and is now date"},
		{enum("A B"), enum("A"), "a was enum with B and is now without"},
		{array(`["null","int"]`), array(`"int"`), "a[] was nullable and is now not"},
		{array(`"int"`), array(`"string"`), "a[] was int and is now string"},
		{mapping(`"int"`), record("A"), "a was map and is now record"},
		{mapping(record("A", `b: "int"`)), mapping(record("A")), "a.*.b (int) is gone from the " +
			`union schema: keep the field, marked "deprecated": true to hide it, or rebuild`},
	}
	for _, test := range tests {
		old := mustCompose(t, member(t, "crm", "a: "+test.old))
		err := CheckEvolution(old, mustCompose(t, member(t, "crm", "a: "+test.next)))
		if test.want == "" && err != nil || test.want != "" &&
			(err == nil || !strings.HasPrefix(err.Error(), test.want)) {
			t.Errorf("%s to %s: got %v, want %s", test.old, test.next, err, test.want)
		}
	}
	long := mustCompose(t, member(t, "crm", `a: "long"`))
	lossy := member(t, "shop", `a: "double"`)
	lossy.LossyNumbers = true
	both := mustCompose(t, member(t, "crm", `a: "long"`), lossy)
	if err := CheckEvolution(long, both); err != nil {
		t.Errorf("a lossy promotion that was asked for: %v", err)
	}
}
