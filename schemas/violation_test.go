package schemas

import (
	"errors"
	"strings"
	"testing"

	"selfsame/profile"
)

// TestAvroViolationsNameThePath: binary that is well-formed but holds what the type does not allow
// is refused like JSON is, wherever it lies.
func TestAvroViolationsNameThePath(t *testing.T) {
	const secret = "SECRET-VALUE"
	wrong := profile.String(secret)
	object := func(name string, v profile.Value) profile.Value {
		return profile.Object([]string{name}, []profile.Value{v})
	}
	tests := []struct {
		typ   func(leaf string) string
		value func(leaf profile.Value) profile.Value
		path  string
	}{
		{func(leaf string) string { return leaf },
			func(leaf profile.Value) profile.Value { return leaf }, "a"},
		{func(leaf string) string { return `["null",` + leaf + `]` },
			func(leaf profile.Value) profile.Value { return leaf }, "a"},
		{func(leaf string) string { return record("B", "b: "+leaf) },
			func(leaf profile.Value) profile.Value { return object("b", leaf) }, "a.b"},
		{array, func(leaf profile.Value) profile.Value {
			return profile.Array([]profile.Value{leaf})
		}, "a[0]"},
		{func(leaf string) string { return array(record("B", "b: ["+leaf+`,"null"]`)) },
			func(leaf profile.Value) profile.Value {
				none := object("b", profile.Null())
				return profile.Array([]profile.Value{none, object("b", leaf)})
			}, "a[1].b"},
		{mapping, func(leaf profile.Value) profile.Value { return object("k.1", leaf) }, `a.k\.1`},
		{func(leaf string) string { return mapping(array(leaf)) },
			func(leaf profile.Value) profile.Value {
				return object("k", profile.Array([]profile.Value{leaf}))
			}, "a.k[0]"},
	}
	for _, test := range tests {
		// What was written as plain texts is read as UUIDs: one encoding, two schemas.
		writer := mustParse(t, recordOf("a: "+test.typ(`"string"`)))
		reader := mustParse(t, recordOf("a: "+test.typ(typeUUID)))
		data, err := writer.EncodeAvro(object("a", test.value(wrong)))
		if err != nil {
			t.Fatal(err)
		}
		_, err = reader.DecodeAvro(data)
		var violation *ViolationError
		if !errors.As(err, &violation) || violation.Path != test.path ||
			violation.Wanted != "uuid" || violation.Found == "" ||
			strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", test.path, err)
		}
		_, err = reader.EncodeAvro(object("a", test.value(profile.Int(1))))
		if !errors.As(err, &violation) || violation.Path != test.path {
			t.Errorf("%s, encoding: %v", test.path, err)
		}
	}
}

// TestIgnoreUnknownEverywhere: unknown keys are passed over in records inside of anything; keys of
// maps are no unknown fields, and wrong values stay wrong.
func TestIgnoreUnknownEverywhere(t *testing.T) {
	s := mustParse(t, recordOf("l: "+array(record("A", `x: "int"`)),
		"m: "+mapping(record("B", `x: ["null","int"]`)), "r: "+record("C", `x: ["null","int"]`)))
	text := `{"q":{"x":"?"},"l":[{"x":1,"q":[{}]}],"m":{"any":{"q":1,"x":2}},"r":{"q":null,"x":3}}`
	v, err := s.DecodeJSON([]byte(text), Options{IgnoreUnknown: true})
	want := `{"l":[{"x":1}],"m":{"any":{"x":2}},"r":{"x":3}}`
	if got := string(profile.AppendJSON(nil, v)); err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	for text, path := range map[string]string{
		`{"l":[{"x":1},{"x":1,"q":1}]}`: "l[1].q",
		`{"m":{"any":{"q":1}}}`:         "m.any.q",
		`{"r":{"q":1}}`:                 "r.q",
		`{"q":1}`:                       "q",
	} {
		_, err := s.DecodeJSON([]byte(text), Options{})
		var violation *ViolationError
		if !errors.As(err, &violation) || violation.Path != path ||
			violation.Found != foundUnknown {
			t.Errorf("%s: %v", text, err)
		}
	}
	_, err = s.DecodeJSON([]byte(`{"r":{"q":1,"x":"1"}}`), Options{IgnoreUnknown: true})
	if err == nil {
		t.Error("a wrong value was taken")
	}
}
