package schemas

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"selfsame/profile"
)

func mustWriter(t testing.TB, text string) *WriterSchema {
	t.Helper()
	w, err := ParseWriter("writer.avsc", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// TestResolveTypes: the bytes of a record with field a of the writer's type give the record of the
// reader's, or the fault.
func TestResolveTypes(t *testing.T) {
	ab, abc := enum("A B"), `{"type":"enum","name":"other.E","symbols":["A","B","C"]}`
	withDefault := `{"type":"enum","name":"E","symbols":["A","X"],"default":"X"}`
	r1, r2 := record("R", `x: "int"`), record("S", `x: "long"`, `y: ["null","string"]`)
	millis, micros := logical("long", "timestamp-millis"), logical("long", "timestamp-micros")
	wide := `{"type":"bytes","logicalType":"decimal","precision":30,"scale":2}`
	finer := `{"type":"bytes","logicalType":"decimal","precision":30,"scale":3}`
	tests := []struct{ writer, data, reader, want string }{
		{`"int"`, "06", `"int"`, `{"a":3}`},
		{`"int"`, "05", `"long"`, `{"a":-3}`},
		{`"int"`, "05", `"float"`, `{"a":-3}`},
		{`"int"`, "80808040", `"double"`, `{"a":67108864}`},
		{`"int"`, "ffffffff1f", `"long"`, "malformed at byte 5: an int has more than 32 bits"},
		{`"long"`, "8280808002", `"float"`, `{"a":268435456}`},
		{`"long"`, "06", `"double"`, `{"a":3}`},
		{`"long"`, "06", `"int"`, "a: long cannot be read as int"},
		{`"float"`, "0000803f", `"double"`, `{"a":1}`},
		{`"double"`, "", `"float"`, "a: double cannot be read as float"},
		{`"string"`, "0461ff", `"bytes"`, "malformed at byte 3: a string is not UTF-8"},
		{`"string"`, "046162", `"bytes"`, `{"a":"YWI="}`},
		{`"bytes"`, "046162", `"string"`, `{"a":"ab"}`},
		{`"bytes"`, "02ff", `"string"`, "a: wanted string, found bytes that are not UTF-8"},
		{`"bytes"`, "04ff6a", typeDecimal, `{"a":-1.50}`},
		{typeDecimal, "04ff6a", wide, `{"a":-1.50}`},
		{typeDecimal, "04ff6a", `"bytes"`, `{"a":"/2o="}`},
		{typeDecimal, "04ff6a", `"string"`, "a: decimal(5,2) cannot be read as string"},
		{typeDecimal, "", finer, "a: decimal(5,2) cannot be read as decimal(30,3)"},
		{wide, "", typeDecimal, "a: decimal(30,2) cannot be read as decimal(5,2)"},
		{millis, "02", millis, `{"a":"1970-01-01T00:00:00.001Z"}`},
		{millis, "02", `"long"`, `{"a":1}`},
		{`"long"`, "02", millis, `{"a":"1970-01-01T00:00:00.001Z"}`},
		{`"int"`, "02", millis, `{"a":"1970-01-01T00:00:00.001Z"}`},
		{millis, "02", micros, "a: timestamp-millis cannot be read as timestamp-micros"},
		{`"string"`, "046162", logical("string", "uuid"),
			"a: wanted uuid, found string that is not a UUID"},
		{ab, "02", abc, `{"a":"B"}`},
		{abc, "04", ab, "a: wanted enum, found unknown symbol"},
		{abc, "06", ab, "malformed at byte 1: no such symbol of an enum"},
		{abc, "04", withDefault, `{"a":"X"}`},
		{enum("A"), "", `{"type":"enum","name":"F","symbols":["A"]}`,
			"a: enum F is not called E, nor is that an alias"},
		{ab, "00", `{"type":"enum","name":"F","aliases":["old.E"],"symbols":["A"]}`, `{"a":"A"}`},
		{`"string"`, "", ab, "a: string cannot be read as enum"},
		{typeFixed, "000102", typeFixed, `{"a":"AAEC"}`},
		{`{"type":"fixed","name":"F","size":4}`, "", typeFixed,
			"a: fixed(4) cannot be read as fixed(3)"},
		{`{"type":"fixed","name":"G","size":3}`, "", typeFixed,
			"a: fixed F is not called G, nor is that an alias"},
		{`"string"`, "0261", `["null","string"]`, `{"a":"a"}`},
		{`["string","null"]`, "000261", `["null","string"]`, `{"a":"a"}`},
		{`["string","null"]`, "02", `["null","string"]`, `{}`},
		{`["string","null"]`, "000261", `"string"`, `{"a":"a"}`},
		{`["string","null"]`, "02", `"string"`, "a: wanted string, found null"},
		{`["string","null"]`, "04", `"string"`, "malformed at byte 1: no such branch of a union"},
		{`"null"`, "", `["null","string"]`, `{}`},
		{`"null"`, "", `"string"`, "a: null cannot be read as string"},
		{`["null"]`, "00", `["null","string"]`, `{}`},
		{`[]`, "00", `"string"`, "malformed at byte 1: no such branch of a union"},
		{`["int","string","boolean"]`, "020261", `["null","string"]`, `{"a":"a"}`},
		{`["int","string","boolean"]`, "0002", `"string"`, "a: wanted string, found int"},
		{`["int","boolean"]`, "", `"string"`, "a: int cannot be read as string"},
		{`["int","long","null"]`, "0206", `["null","double"]`, `{"a":3}`},
		{"[" + r1 + "," + r2 + "]", "02060202 62", r2, `{"a":{"x":3,"y":"b"}}`},
		{"[" + r1 + "," + r2 + "]", "0006", r2, "a: wanted record, found record"},
		{r1, "06", r2, `{"a":{"x":3}}`},
		{array(`"int"`), "04 02 04 00", array(`["null","long"]`), `{"a":[1,2]}`},
		{array(`["null","int"]`), "04 00 0204 00", array(`"int"`), "a[0]: wanted int, found null"},
		{array(`["null","int"]`), "04 00 0204 00", array(`["int","null"]`), `{"a":[null,2]}`},
		{array(`"int"`), "", array(`"string"`), "a[]: int cannot be read as string"},
		{mapping(`["int","null"]`), "04 0261 0002 0262 02 00", mapping(`["null","long"]`),
			`{"a":{"a":1}}`},
		{mapping(`"int"`), "04 0261 02 0261 02 00", mapping(`"int"`),
			"malformed at byte 8: a map has a key twice"},
		{mapping(`"int"`), "", mapping(`"string"`), "a.*: int cannot be read as string"},
		{mapping(`"int"`), "", r1, "a: map of int cannot be read as record"},
	}
	for _, test := range tests {
		got := resolveOne(t, recordOf("a: "+test.writer), recordOf("a: "+test.reader), test.data)
		if got != test.want {
			t.Errorf("%s as %s\ngot  %s\nwant %s", test.writer, test.reader, got, test.want)
		}
	}
}

// resolveOne gives the JSON of the record, or the first error there is.
func resolveOne(t *testing.T, writer, reader, data string) string {
	t.Helper()
	r, err := NewResolution(mustWriter(t, writer), mustParse(t, reader))
	if err != nil {
		var fault *ResolutionError
		if !errors.As(err, &fault) {
			t.Errorf("not a ResolutionError: %v", err)
		}
		return err.Error()
	}
	v, err := r.Decode(fromHex(t, data))
	if err != nil {
		return err.Error()
	}
	return string(profile.AppendJSON(nil, v))
}

// TestResolveFields: what becomes of the fields of a record, written as x=1, y="b", z=[3].
func TestResolveFields(t *testing.T) {
	writer := recordOf(`x: "int"`, `y: "string"`, "z: "+array(`"int"`))
	field := func(name, typ, more string) string {
		return `{"name":"` + name + `","type":` + typ + more + `}`
	}
	tests := []struct{ name, fields, want string }{
		{"reordered", field("y", `"string"`, "") + "," + field("x", `"long"`, ""),
			`{"x":1,"y":"b"}`},
		{"all skipped", "", `{}`},
		{"alias", field("mail", `"string"`, `,"aliases":["email","y"]`), `{"mail":"b"}`},
		{"the name goes before the alias", field("y", `"string"`, "") + "," +
			field("w", `["null","string"]`, `,"aliases":["y"]`), `{"y":"b"}`},
		{"a default is not filled in", field("n", `"int"`, `,"default":7`), `{}`},
		{"nullable without default", field("n", `["null","int"]`, ""), `{}`},
		{"required", field("n", `"int"`, ""),
			"n: the writer has no such field, and there is no default"},
		{"one source for two", field("m", `"string"`, `,"aliases":["y"]`) + "," +
			field("n", `"string"`, `,"aliases":["y"]`),
			"n: field y of the writer goes to m already"},
	}
	for _, test := range tests {
		reader := `{"type":"record","name":"Another","fields":[` + test.fields + `]}`
		if got := resolveOne(t, writer, reader, "02 0262 020600"); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	if got := resolveOne(t, writer, recordOf(`x: "int"`), "02 0262 0206 00 00"); got !=
		"malformed at byte 6: bytes after the record" {
		t.Errorf("bytes after the record: %s", got)
	}
}

// TestResolveRecursive: a list that contains itself is skipped, however long, within reason.
func TestResolveRecursive(t *testing.T) {
	writer := recordOf(`l: {"type":"record","name":"L","fields":[{"name":"v","type":"int"},`+
		`{"name":"next","type":["null","L"]}]}`, `b: "int"`)
	if got := resolveOne(t, writer, recordOf(`b: "int"`), "02 02 04 00 06"); got != `{"b":3}` {
		t.Errorf("a short list: %s", got)
	}
	long := strings.Repeat("0202", maxSkipDepth)
	got := resolveOne(t, writer, recordOf(`b: "int"`), long)
	if !strings.Contains(got, "too deep") {
		t.Errorf("a long list: %s", got)
	}
	endless := recordOf(`l: {"type":"record","name":"L","fields":[{"name":"next","type":"L"}]}`)
	if got := resolveOne(t, endless, recordOf(), ""); !strings.Contains(got, "too deep") {
		t.Errorf("an endless record: %s", got)
	}
}

// testdata opens the public fixtures, whose place the environment names.
func testdata(t testing.TB, parts ...string) string {
	t.Helper()
	root := os.Getenv("SELFSAME_TESTDATA")
	if root == "" {
		t.Skip("SELFSAME_TESTDATA does not name the folder of the public fixtures")
	}
	return filepath.Join(append([]string{root, "avro_fixtures"}, parts...)...)
}

func readFixture(t testing.TB, parts ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(testdata(t, parts...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestResolveFullRecord reads what is written in version 2 of the reference implementation's record
// as version 1: fields move, int becomes long, long double, a union a float, bytes a string.
func TestResolveFullRecord(t *testing.T) {
	writer := string(readFixture(t, "apache_avro", "java", "full_record_v2.avsc"))
	reader := string(readFixture(t, "apache_avro", "java", "full_record_v1.avsc"))
	// b=true i64=7 i32=-1 f64=3 f32=1.5 newfield="n" h="hi" myMap={"k":"v"}
	data := "01 0e 01 06 00 0000c03f 026e 04 6869 02 026b 0276 00"
	want := `{"b":true,"f32":1.5,"f64":3,"h":"hi","i32":-1,"i64":7}`
	if got := resolveOne(t, writer, reader, data); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	null := "01 0e 01 06 02 026e 04 6869 00"
	if got := resolveOne(t, writer, reader, null); got != "f32: wanted float, found null" {
		t.Errorf("a null where version 1 has none: %s", got)
	}
}

func FuzzResolution(f *testing.F) {
	reader := mustParse(f, fuzzSchema())
	writer := mustWriter(f, recordOf(`z: ["null","string",{"type":"map","values":"int"}]`,
		`b: "int"`, `a: "boolean"`, `c: "int"`, `d: "long"`, `e: ["float","int","string"]`,
		`f: "bytes"`, `g: "string"`, "h: "+typeDecimal, "i: "+typeFixed, "j: "+enum("B A Q"),
		"k: "+array(`"int"`), "l: "+mapping(`"string"`), `m: "int"`, `n: "long"`,
		"o: "+array(record("Inner", `y: "bytes"`, `w: "double"`, `x: "int"`)), `p: "string"`))
	r, err := NewResolution(writer, reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("\x00\x02\x01\x02\x02\x00\x00\x00\x00\x00\x02a\x02b\x04\xff\x6a\x00\x01\x02\x00" +
		"\x02\x02\x00\x02\x02a\x02b\x00\x02\x02\x02\x02c\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x02\x00\x02p"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := r.Decode(data)
		if err != nil {
			checkFault(t, data, err)
			return
		}
		again, err := reader.EncodeAvro(v)
		if err != nil {
			t.Fatalf("not a value of the reader's schema: %v", err)
		}
		if back, err := reader.DecodeAvro(again); err != nil || !back.Equal(v) {
			t.Fatalf("decoding it again: %v", err)
		}
	})
}

func FuzzParseWriter(f *testing.F) {
	f.Add([]byte(fuzzSchema()))
	f.Add([]byte(`["null",{"type":"record","name":"a.B","fields":[` +
		`{"name":"c","type":["B","int"]}]}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		w, err := ParseWriter("fuzz", text)
		if err != nil {
			var fault *SchemaError
			if !errors.As(err, &fault) {
				t.Fatalf("not a SchemaError: %v", err)
			}
			return
		}
		again, err := ParseWriter("again", canonicalForm(w.root))
		if err != nil || again.Fingerprint() != w.Fingerprint() {
			t.Fatalf("reading the canonical form back: %v", err)
		}
		s, err := Parse("strict", text)
		if err != nil {
			return
		}
		if s.Fingerprint() != w.Fingerprint() || s.Writer().root.minSize != w.root.minSize {
			t.Fatal("the schema is another one when read strictly")
		}
		if _, err := NewResolution(w, s); err != nil {
			t.Fatalf("a schema does not resolve to itself: %v", err)
		}
	})
}
