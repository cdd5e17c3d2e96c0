package schemas_test

import (
	"strings"
	"testing"

	"selfsame/schemas"
)

func TestInline(t *testing.T) {
	address := `{"type":"record","name":"Address","namespace":"org.shared","fields":[
		{"name":"city","type":"string","default":"a \"b\""},
		{"name":"kind","type":{"type":"enum","name":"Kind","symbols":["HOME","WORK"]}},
		{"name":"again","type":["null","Kind"],"default":null}]}`
	plain := `{"type":"fixed","name":"Tag","size":4}`
	cases := map[string]struct {
		text       string
		references []string
		want       string // canonical form through parsing an equal schema by hand
	}{
		"relative and full names, twice": {
			text: `{"type":"record","name":"C","namespace":"org.shared","fields":[
				{"name":"home","type":"Address"},
				{"name":"work","type":["null","org.shared.Address"],"default":null}]}`,
			references: []string{address},
			want: `{"type":"record","name":"org.shared.C","fields":[
				{"name":"home","type":` + address + `},
				{"name":"work","type":["null","org.shared.Address"],"default":null}]}`,
		},
		"a nested type before the one that holds it": {
			text: `{"type":"record","name":"C","namespace":"x","fields":[
				{"name":"kind","type":"org.shared.Kind"},
				{"name":"all","type":{"type":"array","items":"org.shared.Address"}}]}`,
			references: []string{address},
			want: `{"type":"record","name":"x.C","fields":[
				{"name":"kind","type":{"type":"enum","name":"org.shared.Kind",
					"symbols":["HOME","WORK"]}},
				{"name":"all","type":{"type":"array","items":{"type":"record",
					"name":"org.shared.Address","fields":[
					{"name":"city","type":"string"},
					{"name":"kind","type":"org.shared.Kind"},
					{"name":"again","type":["null","org.shared.Kind"]}]}}}]}`,
		},
		"a type without namespace within one that has one": {
			text: `{"type":"record","name":"C","namespace":"x","fields":[
				{"name":"tag","type":"Tag"},{"name":"map","type":{"type":"map","values":"Tag"}}]}`,
			references: []string{plain},
			want: `{"type":"record","name":"x.C","fields":[
				{"name":"tag","type":{"type":"fixed","name":"Tag","namespace":"","size":4}},
				{"name":"map","type":{"type":"map","values":"Tag"}}]}`,
		},
		"a reference to a reference": {
			text: `{"type":"record","name":"C","fields":[{"name":"a","type":"A"}]}`,
			references: []string{
				`{"type":"record","name":"A","fields":[{"name":"tag","type":"Tag"}]}`, plain},
			want: `{"type":"record","name":"C","fields":[{"name":"a","type":{"type":"record",
				"name":"A","fields":[{"name":"tag","type":` + plain + `}]}}]}`,
		},
		"its own type before a reference of the same name": {
			text: `{"type":"record","name":"C","fields":[
				{"name":"tag","type":{"type":"fixed","name":"Tag","size":2}},
				{"name":"more","type":"Tag"}]}`,
			references: []string{plain},
			want: `{"type":"record","name":"C","fields":[
				{"name":"tag","type":{"type":"fixed","name":"Tag","size":2}},
				{"name":"more","type":"Tag"}]}`,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			references := make([][]byte, len(c.references))
			for i, r := range c.references {
				references[i] = []byte(r)
			}
			text, err := schemas.Inline("test", []byte(c.text), references)
			if err != nil {
				t.Fatal(err)
			}
			got, err := schemas.Parse("got", text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			want, err := schemas.Parse("want", []byte(c.want))
			if err != nil {
				t.Fatal(err)
			}
			if got.Fingerprint() != want.Fingerprint() {
				t.Errorf("inlined to\n%s", text)
			}
		})
	}
}

func TestInlineRefuses(t *testing.T) {
	for name, texts := range map[string][2]string{
		"a text that is not JSON":      {`{`, `"string"`},
		"a reference that is not JSON": {`"string"`, `{`},
	} {
		if _, err := schemas.Inline("s", []byte(texts[0]), [][]byte{[]byte(texts[1])}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	text := `{"type":"record","name":"C","fields":[{"name":"a","type":"T"}]}`
	reference := `{"type":"record","name":"T","doc":"` + strings.Repeat("x", 8<<20) +
		`","fields":[]}`
	if _, err := schemas.Inline("s", []byte(text), [][]byte{[]byte(reference)}); err == nil {
		t.Error("a schema of more than 8 MiB is taken")
	}
}
