package schemas

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"selfsame/profile"
)

// mustParse parses a schema that a test relies on.
func mustParse(t testing.TB, text string) *Schema {
	t.Helper()
	s, err := Parse("test.avsc", []byte(text))
	if err != nil {
		t.Fatalf("parsing %s: %v", text, err)
	}
	return s
}

// recordOf makes a record schema with the given fields, each `name: type`.
func recordOf(fields ...string) string {
	var members []string
	for _, f := range fields {
		name, typ, _ := strings.Cut(f, ": ")
		members = append(members, fmt.Sprintf(`{"name":%q,"type":%s}`, name, typ))
	}
	return `{"type":"record","name":"Test","fields":[` + strings.Join(members, ",") + `]}`
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, schema, want string }{
		{"not JSON", "{\"type\":\n}", "test.avsc:2: not JSON: "},
		{"text after it", recordOf() + " 1", "test.avsc:1: not JSON: text after the schema"},
		{"duplicate key", `{"type":"record","type":"record"}`, "test.avsc:1: not JSON: duplicate"},
		{"not a record", `"string"`, "test.avsc:1: the top level of a schema must be a record"},
		{"nullable root", `["null",` + recordOf() + `]`, "top level of a schema must be a record"},
		{"number", recordOf(`a: 3`), "a: a type must be a name, an object or a union"},
		{"no type", recordOf(`a: {}`), `a: a type needs a "type"`},
		{"unknown type", recordOf(`a: "strin"`), `a: unknown type "strin"`},
		{"null", recordOf(`a: "null"`), "a: a place that is always null holds no data"},
		{"only null", recordOf(`a: ["null"]`), "a: a union needs a type besides null"},
		{"empty union", recordOf(`a: []`), "a: a union needs a type besides null"},
		{"null twice", recordOf(`a: ["null","int","null"]`), "a: null stands twice in a union"},
		{"union", recordOf(`a: ["null","int","string"]`),
			"a: a union of several types is not supported; model them as separate fields"},
		{"union in a union", recordOf(`a: ["null",["int"]]`), "a: a union directly inside a union"},
		{"hidden union", recordOf(`a: ["null",{"type":["int"]}]`),
			"a union directly inside a union"},
		{"deep union", recordOf("a: " + mapping(array(`["int","long"]`))),
			"a.*[]: a union of several types is not supported"},
		{"recursion", recordOf(`a: ["null","Test"]`),
			"a: record Test contains itself; recursive types are not supported"},
		{"recursion by an array", recordOf(`a: {"type":"array","items":"Test"}`),
			"a[]: record Test contains itself"},
		{"no items", recordOf(`a: {"type":"array"}`), `a[]: array needs "items"`},
		{"no values", recordOf(`a: {"type":"map"}`), `a.*: map needs "values"`},
		{"no name", `{"type":"record","fields":[]}`, "record needs a name"},
		{"no fields", `{"type":"record","name":"A"}`, `record A needs "fields"`},
		{"bad name", `{"type":"record","name":"a-b","fields":[]}`, `"a-b" is not a valid name`},
		{"primitive name", `{"type":"record","name":"int","fields":[]}`,
			`"int" is the name of a primitive type`},
		{"bad field name", recordOf(`a-b: "int"`), "a field needs a valid name"},
		{"field twice", recordOf(`a: "int"`, `a: "int"`), "a: the field is defined twice"},
		{"type twice", recordOf(`a: {"type":"fixed","name":"Test","size":1}`),
			"a: Test is defined twice"},
		{"fixed", recordOf(`a: {"type":"fixed","name":"F","size":0}`),
			"a: fixed F needs a size of at least 1"},
		{"enum", recordOf(`a: {"type":"enum","name":"E","symbols":[]}`), "a: enum E needs symbols"},
		{"symbol twice", recordOf(`a: {"type":"enum","name":"E","symbols":["X","X"]}`),
			`a: enum E: symbol "X" is invalid or stands twice`},
		{"symbol", recordOf(`a: {"type":"enum","name":"E","symbols":["X-Y"]}`),
			`a: enum E: symbol "X-Y" is invalid or stands twice`},
		{"no precision", recordOf(`a: {"type":"bytes","logicalType":"decimal"}`),
			"a: a decimal needs a precision between 1 and 1000"},
		{"scale", recordOf(`a: {"type":"bytes","logicalType":"decimal","precision":2,"scale":3}`),
			"a: the scale of a decimal must be between 0 and its precision"},
		{"small fixed", recordOf(`a: {"type":"fixed","name":"F","size":2,"logicalType":"decimal",` +
			`"precision":5}`), "a: 2 bytes hold 4 digits, not 5"},
		{"default", `{"type":"record","name":"A","fields":[` +
			`{"name":"a","type":"int","default":"x"}]}`,
			"goavro does not accept it: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Parse("test.avsc", []byte(test.schema))
			var fault *SchemaError
			if !errors.As(err, &fault) {
				t.Fatalf("got %v, want a SchemaError", err)
			}
			if text := err.Error(); !strings.HasPrefix(text, "test.avsc") ||
				!strings.Contains(text, test.want) {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestParseErrorsNameTheLine(t *testing.T) {
	_, err := Parse("crm.avsc", []byte(`{
  "type": "record", "name": "Person", "fields": [
    {"name": "address", "type": {"type": "record", "name": "Address", "fields": [
      {"name": "city", "type": "text"}
    ]}}
  ]
}`))
	want := `crm.avsc:4: address.city: unknown type "text"`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestParseLimits(t *testing.T) {
	deep := `"int"`
	for range maxDepth {
		deep = `{"type":"array","items":` + deep + `}`
	}
	// Each level uses the one before twice: 2^20 fields in a small text.
	wide := []string{`r0: {"type":"record","name":"R0","fields":[{"name":"a","type":"int"}]}`}
	for i := 1; i <= 20; i++ {
		wide = append(wide, fmt.Sprintf(`r%d: {"type":"record","name":"R%d","fields":[`+
			`{"name":"a","type":"R%d"},{"name":"b","type":"R%d"}]}`, i, i, i-1, i-1))
	}
	for want, schema := range map[string]string{
		"nested more than 64 levels deep": recordOf("a: " + deep),
		"more than 65536 fields":          recordOf(wide...),
	} {
		if _, err := Parse("test.avsc", []byte(schema)); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestTypes(t *testing.T) {
	tests := []struct {
		schema, want string
		kind         profile.Kind
		nullable     bool
	}{
		{`"boolean"`, "boolean", profile.KindBool, false},
		{`["null","int"]`, "int", profile.KindInt, true},
		{`["long","null"]`, "long", profile.KindInt, true},
		{`["float"]`, "float", profile.KindFloat, false},
		{`{"type":"double"}`, "double", profile.KindFloat, false},
		{`{"type":{"type":"bytes"}}`, "bytes", profile.KindBytes, false},
		{`["null",{"type":"string","logicalType":"uuid"}]`, "uuid", profile.KindString, true},
		{`{"type":"enum","name":"E","symbols":["A"]}`, "enum", profile.KindString, false},
		{`{"type":"fixed","name":"F","size":3}`, "fixed(3)", profile.KindBytes, false},
		{`{"type":"fixed","name":"F","size":12,"logicalType":"duration"}`, "duration",
			profile.KindBytes, false},
		{`{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`, "decimal(9,2)",
			profile.KindDecimal, false},
		{`{"type":"bytes","logicalType":"decimal","precision":9}`, "decimal(9,0)",
			profile.KindDecimal, false},
		{`{"type":"fixed","name":"F","size":4,"logicalType":"decimal","precision":9,"scale":2}`,
			"decimal(9,2) in fixed(4)", profile.KindDecimal, false},
		{`{"type":"int","logicalType":"date"}`, "date", profile.KindDate, false},
		{logical("int", "time-millis"), "time-millis", profile.KindTimeMillis, false},
		{`{"type":"long","logicalType":"timestamp-nanos"}`, "timestamp-nanos",
			profile.KindTimestampNanos, false},
		{`{"type":"long","logicalType":"local-timestamp-micros"}`, "local-timestamp-micros",
			profile.KindLocalMicros, false},
		{`{"type":"string","logicalType":"date"}`, "string", profile.KindString, false},
		{`{"type":"int","logicalType":"timestamp-millis"}`, "int", profile.KindInt, false},
		{`{"type":"long","logicalType":"moon-phase"}`, "long", profile.KindInt, false},
		{`{"type":"array","items":["null","string"]}`, "array of string", profile.KindArray, false},
		{`{"type":"map","values":{"type":"array","items":"int"}}`, "map of array of int",
			profile.KindObject, false},
		{recordOf(), "record", profile.KindObject, false},
	}
	for _, test := range tests {
		schema := strings.Replace(test.schema, `"Test"`, `"Inner"`, 1)
		got, _ := mustParse(t, recordOf("a: "+schema)).Lookup("a")
		if got.String() != test.want || got.ValueKind() != test.kind ||
			got.Nullable != test.nullable {
			t.Errorf("%s: got %s, %s, nullable %v", test.schema, got, got.ValueKind(), got.Nullable)
		}
	}
}

func TestNamesAreResolvedByNamespace(t *testing.T) {
	s := mustParse(t, `{"type":"record","name":"A","namespace":"x.y","fields":[
		{"name":"a","type":{"type":"fixed","name":"F","size":1}},
		{"name":"b","type":["null","F"]},
		{"name":"c","type":{"type":"record","name":"other.B","fields":[
			{"name":"d","type":{"type":"fixed","name":"F","size":2}},
			{"name":"e","type":"F"},
			{"name":"f","type":"x.y.F"}]}},
		{"name":"g","type":"F"}]}`)
	want := map[string]string{"a": "x.y.F", "b": "x.y.F", "c": "other.B", "c.d": "other.F",
		"c.e": "other.F", "c.f": "x.y.F", "g": "x.y.F"}
	for path, name := range want {
		if got, ok := s.Lookup(profile.ParsePath(path)); !ok || got.Name != name {
			t.Errorf("%s: got %+v, want %s", path, got, name)
		}
	}
	wantForm := `{"name":"x.y.A","type":"record","fields":[` +
		`{"name":"a","type":{"name":"x.y.F","type":"fixed","size":1}},` +
		`{"name":"b","type":["null","x.y.F"]},` +
		`{"name":"c","type":{"name":"other.B","type":"record","fields":[` +
		`{"name":"d","type":{"name":"other.F","type":"fixed","size":2}},` +
		`{"name":"e","type":"other.F"},{"name":"f","type":"x.y.F"}]}},` +
		`{"name":"g","type":"x.y.F"}]}`
	if got := string(canonicalForm(s.Root())); got != wantForm {
		t.Errorf("canonical form\ngot  %s\nwant %s", got, wantForm)
	}
}

// The numbers are those of Avro's own test data, as signed integers there.
func TestFingerprint(t *testing.T) {
	for text, want := range map[string]int64{
		`"null"`:    7195948357588979594,
		`"boolean"`: -6970731678124411036,
		`"int"`:     8247732601305521295,
		`"long"`:    -3434872931120570953,
		`"string"`:  -8142146995180207161,
	} {
		if got := int64(rabin([]byte(text))); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
	s := mustParse(t, `{"fields":[], "type":"record", "name":"foo"}`)
	if got := int64(s.Fingerprint()); got != -4824392279771201922 {
		t.Errorf("empty record: got %d", got)
	}
	a := mustParse(t, `{"type":"record","name":"A","doc":"d","fields":[{"name":"a","type":"int"}]}`)
	b := mustParse(t, `{"name":"A","fields":[{"type":{"type":"int"},"name":"a","default":1}],`+
		`"type":"record"}`)
	if a.Fingerprint() != b.Fingerprint() {
		t.Error("what the canonical form strips changes the fingerprint")
	}
}

func TestLookup(t *testing.T) {
	s := mustParse(t, recordOf(`a: {"type":"map","values":{"type":"record","name":"R","fields":[`+
		`{"name":"b","type":{"type":"array","items":"int"}}]}}`))
	for path, want := range map[string]string{
		"": "record", "a": "map of record", "a.any": "record", "a.any.b": "array of int",
		"b": "", "a.any.c": "", "a.any.b.0": "",
	} {
		got, ok := s.Lookup(profile.ParsePath(path))
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q: got %v, want %q", path, got, want)
		}
	}
}

func TestMarks(t *testing.T) {
	mark := func(typ, identity string) string {
		return fmt.Sprintf(`{"type":"record","name":"Test","fields":[{"name":"p","type":{`+
			`"type":"record","name":"P","fields":[{"name":"q","type":%s,"identity":%s}]}}]}`,
			typ, identity)
	}
	s := mustParse(t, mark(`["null","string"]`, `{"namespace":"email","primary":true}`))
	want := []Mark{{profile.MakePath("p", "q"), "email", true}}
	if !slices.Equal(s.Marks(), want) {
		t.Errorf("got %v, want %v", s.Marks(), want)
	}
	for schema, want := range map[string]string{
		mark(`"int"`, `"email"`):           "p.q: identity must be an object",
		mark(`"int"`, `{}`):                "p.q: identity needs a namespace",
		mark(`"int"`, `{"namespace":" "}`): "p.q: identity needs a namespace",
		mark(`"int"`, `{"namespace":"a","primary":"yes"}`): "p.q: primary must be true or " +
			"false",
		mark(`"int"`, `{"namespace":"a","prime":true}`): `p.q: identity has no property "prime"`,
		mark(`"boolean"`, `{"namespace":"a"}`):          "must be a string, int or long, not bool",
		mark(array(`"int"`), `{"namespace":"a"}`):       "not array of int",
		recordOf("p: " + array(`{"type":"record","name":"P","fields":[{"name":"q","type":"int",`+
			`"identity":{"namespace":"a"}}]}`)): "p.q: an identity cannot be marked inside",
		`{"type":"record","name":"Test","fields":[` +
			`{"name":"a","type":"int","identity":{"namespace":"a","primary":true}},` +
			`{"name":"b","type":"int","identity":{"namespace":"b","primary":true}}` +
			`]}`: "b: a second primary identity besides a",
		`{"type":"record","name":"Test","fields":[` +
			`{"name":"a","type":"int","deprecated":1}]}`: "a: deprecated must be true or false",
	} {
		if _, err := Parse("test.avsc", []byte(schema)); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", schema, err, want)
		}
	}
}

// goavro panics on the second of two decimals that leave out the scale; the schema is valid.
func TestDecimalsWithoutScale(t *testing.T) {
	decimal := `{"type":"bytes","logicalType":"decimal","precision":4}`
	mustParse(t, recordOf("a: "+decimal, "b: "+decimal))
}
