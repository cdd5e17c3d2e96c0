package schemas

import "testing"

func TestComments(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1}`:                `{"a":1}`,
		"{ // a {\"\n}":          "{        \n}",
		"{/* x\n y */\"a\":1}":   "{    \n     \"a\":1}",
		`{"a":"// no", "b\"/*"}`: `{"a":"// no", "b\"/*"}`,
		`/* never ends`:          `             `,
		`1/2 /`:                  `1/2 /`,
		`/`:                      `/`,
		`"\`:                     `"\`,
	} {
		given := []byte(text)
		if got := string(withoutComments(given)); got != want || string(given) != text {
			t.Errorf("%q: got %q, want %q, left %q", text, got, want, given)
		}
	}
	s := mustParse(t, "// a person\n"+recordOf(`a: "int"`)+" // that is all")
	if s.Root().Fields[0].Line != 2 {
		t.Errorf("line %d", s.Root().Fields[0].Line)
	}
}
