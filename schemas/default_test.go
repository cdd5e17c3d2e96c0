package schemas

import (
	"testing"

	"selfsame/profile"
)

// TestEncodeDefaults: a record that lacks field a is encoded with its default.
func TestEncodeDefaults(t *testing.T) {
	inner := record("Inner", `x: "int"`, `y: ["null","string"]`)
	tests := []struct{ typ, value, want string }{
		{`"int"`, `7`, `{"a":7}`},
		{`"string"`, `"x"`, `{"a":"x"}`},
		{`"boolean"`, `true`, `{"a":true}`},
		{`"double"`, `1.5`, `{"a":1.5}`},
		{`"bytes"`, `"\u00ff"`, `{"a":"/w=="}`},
		{typeFixed, `"\u0000\u0001\u0002"`, `{"a":"AAEC"}`},
		{typeDecimal, `"\u00ff\u006a"`, `{"a":-1.50}`},
		{enum("A B"), `"B"`, `{"a":"B"}`},
		{array(`"int"`), `[]`, `{"a":[]}`},
		{array(`"int"`), `[1,2]`, `{"a":[1,2]}`},
		{mapping(`"string"`), `{"k":"v"}`, `{"a":{"k":"v"}}`},
		{inner, `{"x":1,"y":null}`, `{"a":{"x":1}}`},
		{`["int","null"]`, `7`, `{}`}, // what can be null is left null
		{logical("long", "timestamp-millis"), `1`, `{"a":"1970-01-01T00:00:00.001Z"}`},
	}
	for _, test := range tests {
		s := mustParse(t, `{"type":"record","name":"R","fields":[{"name":"a","type":`+test.typ+
			`,"default":`+test.value+`}]}`)
		data, err := s.EncodeAvro(profile.Object(nil, nil))
		if err != nil {
			t.Errorf("%s: %v", test.typ, err)
			continue
		}
		v, err := s.DecodeAvro(data)
		if got := string(profile.AppendJSON(nil, v)); err != nil || got != test.want {
			t.Errorf("%s = %s: got %s, %v, want %s", test.typ, test.value, got, err, test.want)
		}
	}
}

// TestDefaultThatIsNone: goavro lets some defaults pass that are none of their type. They count for
// nothing.
func TestDefaultThatIsNone(t *testing.T) {
	for typ, value := range map[string]string{typeFixed: `"a"`, `"bytes"`: `"\u0100"`,
		enum("A"): `"B"`, array(`"int"`): `{}`, `"int"`: `"x"`} {
		p := &parser{named: map[string]*Type{}, open: map[string]*Type{}}
		n, err := parseTree("test", []byte(`[`+typ+`,`+value+`]`))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := p.parseType(n.items[0], place{})
		if err != nil {
			t.Fatal(err)
		}
		if v := parsed.fallback(n.items[1]); !v.IsNull() {
			t.Errorf("%s = %s gives a value", typ, value)
		}
	}
}
