package schemas

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"

	"selfsame/profile"
)

// fuzzSchema has every kind that goavro decodes as we do.
func fuzzSchema() string {
	return recordOf(`a: "boolean"`, `b: ["null","int"]`, `c: ["long","null"]`, `d: "float"`,
		`e: "double"`, `f: "string"`, `g: ["null","bytes"]`, "h: "+typeDecimal, "i: "+typeFixed,
		"j: "+enum("A B C"), "k: "+array(`["null","int"]`), "l: "+mapping(`["null","string"]`),
		"m: "+logical("int", "date"), "n: "+logical("long", "timestamp-micros"),
		"o: "+array(record("Inner", `x: "int"`, `y: ["null","string"]`)), `p: ["string"]`)
}

// stricter holds the reasons for which we refuse what goavro accepts: it cuts integers to their
// size, believes in any block size, and checks no text.
func stricter(err error) bool {
	var violation *ViolationError
	if errors.As(err, &violation) {
		return true
	}
	for _, reason := range []string{"not UTF-8", "more than 32 bits", "more than 64 bits",
		"impossible size of a block", "no such", "more items than bytes"} {
		if strings.Contains(err.Error(), reason) {
			return true
		}
	}
	return false
}

func FuzzDecodeAvro(f *testing.F) {
	s := mustParse(f, fuzzSchema())
	codec, err := goavro.NewCodec(fuzzSchema())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte("\x01\x02\x06\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0\x7f" +
		"\x04ab\x00\x04\xff\x6a\x00\x01\x02\x04\x04\x00\x02\x06\x00\x02\x02k\x02\x02v\x00" +
		"\x02\x01\x02\x02\x02\x02z\x00\x00\x02q"))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := s.DecodeAvro(data)
		if err != nil && stricter(err) {
			return // and goavro might allocate what an impossible count asks for
		}
		native, rest, oracle := codec.NativeFromBinary(data)
		accepted := oracle == nil && len(rest) == 0
		if err != nil {
			if accepted {
				t.Fatalf("goavro accepts it: %v", err)
			}
			return
		}
		if !accepted {
			t.Fatalf("goavro refuses it: %v, %d bytes left", oracle, len(rest))
		}
		if want := fromNative(s.Root(), native); !v.Equal(want) {
			t.Fatalf("got  %s\nwant %s", profile.AppendJSON(nil, v), profile.AppendJSON(nil, want))
		}
		again, err := s.EncodeAvro(v)
		if err != nil {
			t.Fatalf("encoding it again: %v", err)
		}
		if back, err := s.DecodeAvro(again); err != nil || !back.Equal(v) {
			t.Fatalf("decoding it again: %v", err)
		}
	})
}

func FuzzDecodeJSON(f *testing.F) {
	s := mustParse(f, fuzzSchema())
	f.Add([]byte(`{"a":true,"b":null,"c":-1,"d":0.5,"e":1e9,"f":"x\u00e4","g":"AP8=","h":"-1.5"}`))
	f.Add([]byte(`{"i":"AAEC","j":"B","k":[1,null],"l":{"a":"b","c":null},"m":"2024-02-29",` +
		`"n":"2024-01-02T03:04:05.123456+01:00","o":[{"x":1,"y":null}],"p":"q"}`))
	f.Add([]byte(`{"q":[{}],"q":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := s.DecodeJSON(data, Options{})
		if err != nil {
			checkFault(t, data, err)
			return
		}
		text := profile.AppendJSON(nil, v)
		back, err := s.DecodeJSON(text, Options{})
		if err != nil || !back.Equal(v) {
			t.Fatalf("%s read back: %v, %s", text, err, profile.AppendJSON(nil, back))
		}
		if _, err := s.DecodeJSON(data, Options{IgnoreUnknown: true}); err != nil {
			t.Fatalf("lenient is stricter: %v", err)
		}
		if v, err = s.DecodeJSON(data, Options{Complete: true}); err != nil {
			return
		}
		if data, err = s.EncodeAvro(v); err != nil {
			t.Fatalf("a complete record cannot be encoded: %v", err)
		}
		if _, err = s.DecodeAvro(data); err != nil {
			t.Fatalf("encoded and not decoded: %v", err)
		}
	})
}

// checkFault knows both kinds of error, and that what the standard library cannot read is no
// violation, unless the fault that was found first is one.
func checkFault(t *testing.T, data []byte, err error) {
	t.Helper()
	var malformed *MalformedError
	var violation *ViolationError
	switch {
	case errors.As(err, &malformed):
		if malformed.Offset < 0 || malformed.Offset > int64(len(data)) {
			t.Fatalf("impossible offset in %v", err)
		}
		if json.Valid(data) && malformed.Reason == "ends early" {
			t.Fatalf("complete JSON: %v", err)
		}
	case errors.As(err, &violation):
		if violation.Wanted == "" || violation.Found == "" {
			t.Fatalf("half a violation: %v", err)
		}
	default:
		t.Fatalf("neither kind of error: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(fuzzSchema()))
	f.Add([]byte(`{"type":"record","name":"a.B","fields":[{"name":"c","type":"B"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("fuzz", text)
		if err != nil {
			var fault *SchemaError
			if !errors.As(err, &fault) {
				t.Fatalf("not a SchemaError: %v", err)
			}
			return
		}
		u, err := Compose("fuzz", []Member{{Dataset: "a", Schema: s}})
		if err != nil {
			t.Fatalf("a schema does not compose with itself: %v", err)
		}
		back, err := ParseUnion(u.Class(), u.Avro())
		if err != nil || back.Fingerprint() != u.Fingerprint() {
			t.Fatalf("reading the union back: %v", err)
		}
	})
}
