package schemas

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"selfsame/profile"
)

const (
	typeDecimal = `{"type":"bytes","logicalType":"decimal","precision":5,"scale":2}`
	typeEnum    = `{"type":"enum","name":"E","symbols":["RED","BLUE"]}`
	typeFixed   = `{"type":"fixed","name":"F","size":3}`
	typeUUID    = `{"type":"string","logicalType":"uuid"}`
	typeInner   = `{"type":"record","name":"Inner","fields":[{"name":"x","type":"int"},` +
		`{"name":"y","type":["null","int"]},{"name":"z","type":"int","default":7}]}`
)

func logical(kind, name string) string {
	return `{"type":"` + kind + `","logicalType":"` + name + `"}`
}

// jsonValue: field a of the type, with the text, gives the value, printed with its kind.
type jsonValue struct{ typ, text, want string }

func TestDecodeJSONScalars(t *testing.T) {
	checkValues(t, []jsonValue{
		{`"boolean"`, `true`, `boolean true`},
		{`"int"`, `-2147483648`, `integer -2147483648`},
		{`"int"`, `-0`, `integer 0`},
		{`"long"`, `9223372036854775807`, `integer 9223372036854775807`},
		{`"double"`, `3`, `number 3`},
		{`"double"`, `1e-3`, `number 0.001`},
		{`"float"`, `0.5`, `number 0.5`},
		{`"float"`, `0.1`, `number 0.10000000149011612`},
		{`"string"`, `"a\u00e4\n\ud83d\ude00"`, `string "aä\n😀"`},
		{`"string"`, `""`, `string ""`},
		{`"bytes"`, `"AP8="`, `bytes "AP8="`},
		{typeFixed, `"AAEC"`, `bytes "AAEC"`},
		{typeEnum, `"BLUE"`, `string "BLUE"`},
		{typeEnum, `"BL\u0055E"`, `string "BLUE"`},
		{typeUUID, `"01234567-89AB-CDEF-0123-456789abcdef"`,
			`string "01234567-89ab-cdef-0123-456789abcdef"`},
		{typeDecimal, `12`, `decimal 12.00`},
		{typeDecimal, `-0.5`, `decimal -0.50`},
		{typeDecimal, `-0.0`, `decimal 0.00`},
		{typeDecimal, `"999.99"`, `decimal 999.99`},
		{typeDecimal, `1.5000`, `decimal 1.50`},
		{typeDecimal, `1e2`, `decimal 100.00`},
		{typeDecimal, `12345e-2`, `decimal 123.45`},
		{typeDecimal, `0e999999999`, `decimal 0.00`},
	})
}

func TestDecodeJSONTimes(t *testing.T) {
	date, clock := logical("int", "date"), logical("int", "time-millis")
	millis, nanos := logical("long", "timestamp-millis"), logical("long", "timestamp-nanos")
	checkValues(t, []jsonValue{
		{date, `"2024-02-29"`, `date "2024-02-29"`},
		{date, `"1969-12-31"`, `date "1969-12-31"`},
		{date, `19782`, `date "2024-02-29"`},
		{clock, `"23:59:59.5"`, `time-millis "23:59:59.500"`},
		{clock, `0`, `time-millis "00:00:00.000"`},
		{logical("long", "time-micros"), `"00:00:00.000001"`, `time-micros "00:00:00.000001"`},
		{millis, `"2024-01-02T03:04:05Z"`, `timestamp-millis "2024-01-02T03:04:05.000Z"`},
		{millis, `"2024-01-02t03:04:05.120000000000+05:30"`,
			`timestamp-millis "2024-01-01T21:34:05.120Z"`},
		{millis, `"1969-12-31T23:59:59.500Z"`, `timestamp-millis "1969-12-31T23:59:59.500Z"`},
		{millis, `1704164645000`, `timestamp-millis "2024-01-02T03:04:05.000Z"`},
		{logical("long", "timestamp-micros"), `"0000-01-01T00:00:00Z"`,
			`timestamp-micros "0000-01-01T00:00:00.000000Z"`},
		{nanos, `"2261-01-01T00:00:00.123456789z"`,
			`timestamp-nanos "2261-01-01T00:00:00.123456789Z"`},
		{nanos, `"2262-04-11T23:47:16.854775807Z"`,
			`timestamp-nanos "2262-04-11T23:47:16.854775807Z"`},
		{logical("long", "local-timestamp-millis"), `"2024-01-02T03:04:05"`,
			`local-timestamp-millis "2024-01-02T03:04:05.000"`},
	})
}

func TestDecodeJSONStructures(t *testing.T) {
	checkValues(t, []jsonValue{
		{logical("long", "moon-phase"), `5`, `integer 5`},
		{array(`["null","int"]`), `[1,null,2]`, `array [1,null,2]`},
		{array(`"int"`), `[]`, `array []`},
		{array(typeInner), `[{"x":1,"y":null,"z":null}]`, `array [{"x":1}]`},
		{array(mapping(`["null","int"]`)), `[{"x":null,"y":1}]`, `array [{"y":1}]`},
		{mapping(`"int"`), `{"b":1,"a":null,"":2}`, `object {"":2,"a":null,"b":1}`},
		{typeInner, `{"z":null,"x":null}`, `object {"x":null,"z":null}`},
		{typeInner, `{}`, `object {}`},
		{`["null","int"]`, `null`, `null null`},
		{`"int"`, `null`, `null null`},
	})
}

func checkValues(t *testing.T, tests []jsonValue) {
	t.Helper()
	for _, test := range tests {
		s := mustParse(t, recordOf("a: "+test.typ))
		v, err := s.DecodeJSON([]byte(`{"a":`+test.text+`}`), Options{})
		if err != nil {
			t.Errorf("%s %s: %v", test.typ, test.text, err)
			continue
		}
		v = v.Item(0)
		if got := v.Kind().String() + " " + string(profile.AppendJSON(nil, v)); got != test.want {
			t.Errorf("%s %s\ngot  %s\nwant %s", test.typ, test.text, got, test.want)
		}
	}
}

// jsonViolation: field a of the type, with the text, is refused so.
type jsonViolation struct{ typ, text, path, wanted, found string }

func TestDecodeJSONRefusesScalars(t *testing.T) {
	fraction, noUUID := "number with fraction or exponent", "string that is not a UUID"
	checkViolations(t, []jsonViolation{
		{`"boolean"`, `1`, "a", "boolean", "number"},
		{`"boolean"`, `"true"`, "a", "boolean", "string"},
		{`"int"`, `true`, "a", "int", "boolean"},
		{`"int"`, `1.0`, "a", "int", fraction},
		{`"int"`, `1e3`, "a", "int", fraction},
		{`"int"`, `2147483648`, "a", "int", "number out of range"},
		{`"int"`, `"1"`, "a", "int", "string"},
		{`"long"`, `9223372036854775808`, "a", "long", "number out of range"},
		{`"long"`, `[1]`, "a", "long", "array"},
		{`"double"`, `1e999`, "a", "double", "number out of range"},
		{`"float"`, `1e39`, "a", "float", "number out of range"},
		{`"double"`, `"NaN"`, "a", "double", "string"},
		{`"string"`, `1`, "a", "string", "number"},
		{`"string"`, `{"b":1}`, "a", "string", "object"},
		{`"bytes"`, `"AP8"`, "a", "bytes", "string that is not base64"},
		{`"bytes"`, `"AP\n8="`, "a", "bytes", "string that is not base64"},
		{`"bytes"`, `"AP9="`, "a", "bytes", "string that is not base64"},
		{typeFixed, `"AP8="`, "a", "fixed(3)", "2 bytes"},
		{typeEnum, `"red"`, "a", "enum", "unknown symbol"},
		{typeUUID, `"01234567-89AB-CDEF-0123-456789abcde"`, "a", "uuid", noUUID},
		{typeUUID, `"01234567-89AB-CDEF-0123-456789abcdeg"`, "a", "uuid", noUUID},
		{typeUUID, `"0123456789AB-CDEF-0123-456789abcdef0-"`, "a", "uuid", noUUID},
		{typeDecimal, `1.005`, "a", "decimal(5,2)", "number finer than 2 places"},
		{typeDecimal, `1000`, "a", "decimal(5,2)", "number longer than 5 digits"},
		{typeDecimal, `1e999999999`, "a", "decimal(5,2)", "number longer than 5 digits"},
		{typeDecimal, `1e-999999999`, "a", "decimal(5,2)", "number finer than 2 places"},
		{typeDecimal, `"1,5"`, "a", "decimal(5,2)", "string that is not a decimal"},
		{typeDecimal, `""`, "a", "decimal(5,2)", "string that is not a decimal"},
		{typeDecimal, `".5"`, "a", "decimal(5,2)", "string that is not a decimal"},
		{typeDecimal, `"5."`, "a", "decimal(5,2)", "string that is not a decimal"},
		{typeDecimal, `"1e"`, "a", "decimal(5,2)", "string that is not a decimal"},
		{typeDecimal, `true`, "a", "decimal(5,2)", "boolean"},
	})
}

func TestDecodeJSONRefusesTimes(t *testing.T) {
	clock, millis := logical("int", "time-millis"), logical("long", "timestamp-millis")
	fraction, form := "number with fraction or exponent", "string of another form"
	checkViolations(t, []jsonViolation{
		{logical("int", "date"), `"2023-02-29"`, "a", "date", form},
		{logical("int", "date"), `"2023-2-9"`, "a", "date", form},
		{logical("int", "date"), `"2023-02-09T00:00:00Z"`, "a", "date", form},
		{logical("int", "date"), `1.5`, "a", "date", fraction},
		{logical("int", "date"), `3000000000`, "a", "date", "number out of range"},
		{clock, `"24:00:00"`, "a", "time-millis", form},
		{clock, `"12:00"`, "a", "time-millis", form},
		{clock, `"12:00:00.0001"`, "a", "time-millis", "string finer than milliseconds"},
		{clock, `86400000`, "a", "time-millis", "number out of range"},
		{clock, `-1`, "a", "time-millis", "number out of range"},
		{millis, `"2024-01-02T03:04:05"`, "a", "timestamp-millis", form},
		{millis, `"2024-01-02 03:04:05Z"`, "a", "timestamp-millis", form},
		{millis, `"2024-01-02T03:04:05.Z"`, "a", "timestamp-millis", form},
		{millis, `"2024-01-02T03:04:60Z"`, "a", "timestamp-millis", form},
		{millis, `"2024-01-02T03:04:05+5:30"`, "a", "timestamp-millis", form},
		{millis, `"2024-01-02T03:04:05+24:00"`, "a", "timestamp-millis", form},
		{millis, `"2024-01-02"`, "a", "timestamp-millis", form},
		{millis, `""`, "a", "timestamp-millis", form},
		{millis, `"2024-01-02T03:04:05.0001Z"`, "a", "timestamp-millis",
			"string finer than milliseconds"},
		{logical("long", "timestamp-nanos"), `"2024-01-02T03:04:05.0000000001Z"`, "a",
			"timestamp-nanos", "string finer than nanoseconds"},
		{logical("long", "timestamp-nanos"), `"2263-01-01T00:00:00Z"`, "a", "timestamp-nanos",
			"string out of range"},
		{logical("long", "timestamp-nanos"), `"2262-04-11T23:47:16.854775808Z"`, "a",
			"timestamp-nanos", "string out of range"},
		{logical("long", "local-timestamp-micros"), `"2024-01-02T03:04:05Z"`, "a",
			"local-timestamp-micros", form},
	})
}

func TestDecodeJSONRefusesStructures(t *testing.T) {
	inners := array(typeInner)
	checkViolations(t, []jsonViolation{
		{inners, `{}`, "a", "array of record", "object"},
		{inners, `[{"x":1},{"x":"secret"}]`, "a[1].x", "int", "string"},
		{inners, `[{"y":1}]`, "a[0].x", "int", "missing"},
		{inners, `[{"x":null}]`, "a[0].x", "int", "null"},
		{inners, `[{"x":1},null]`, "a[1]", "record", "null"},
		{array(array(`"int"`)), `[[],[1,true]]`, "a[1][1]", "int", "boolean"},
		{array(mapping(`"int"`)), `[{"k":null}]`, "a[0].k", "int", "null"},
		{mapping(`"int"`), `{"k.l":"1"}`, `a.k\.l`, "int", "string"},
		{mapping(`"int"`), `[]`, "a", "map of int", "array"},
		{typeInner, `[]`, "a", "record", "array"},
		{typeInner, `{"w":1}`, "a.w", "a field of the schema", "unknown field"},
	})
}

func checkViolations(t *testing.T, tests []jsonViolation) {
	t.Helper()
	for _, test := range tests {
		s := mustParse(t, recordOf("a: "+test.typ))
		_, err := s.DecodeJSON([]byte(`{"a":`+test.text+`}`), Options{})
		checkViolation(t, err, ViolationError{test.path, test.wanted, test.found})
	}
}

func checkViolation(t *testing.T, err error, want ViolationError) {
	t.Helper()
	var got *ViolationError
	if !errors.As(err, &got) {
		t.Errorf("got %v, want %v", err, &want)
		return
	}
	if *got != want {
		t.Errorf("got  %v\nwant %v", got, &want)
	}
}

func TestDecodeJSONWholeRecords(t *testing.T) {
	s := mustParse(t, recordOf(`x: "int"`, `y: ["null","int"]`, "in: "+typeInner))
	complete, lenient := Options{Complete: true}, Options{IgnoreUnknown: true}
	missing := func(path, wanted, found string) *ViolationError {
		return &ViolationError{path, wanted, found}
	}
	tests := []struct {
		text    string
		options Options
		want    string
		fault   *ViolationError
	}{
		{`{}`, Options{}, `{}`, nil},
		{` { "y" : 1 } `, Options{}, `{"y":1}`, nil},
		{`{"y":null,"x":null}`, Options{}, `{"x":null,"y":null}`, nil},
		{`{"x":1,"y":null,"in":{"x":1,"z":null}}`, complete,
			`{"in":{"x":1,"z":null},"x":1,"y":null}`, nil},
		{`{"y":1,"in":{"x":1}}`, complete, ``, missing("x", "int", "missing")},
		{`{"x":null,"in":{"x":1}}`, complete, ``, missing("x", "int", "null")},
		{`{"x":1}`, complete, ``, missing("in", "record", "missing")},
		{`{"x":1,"in":{}}`, complete, ``, missing("in.x", "int", "missing")},
		{`{"x":1,"q":{"a":[1,{"b":null}]},"y":2}`, lenient, `{"x":1,"y":2}`, nil},
		{`{"x":1,"in":{"q":[],"x":2}}`, lenient, `{"in":{"x":2},"x":1}`, nil},
		{`{"x":1,"q":1}`, Options{}, ``, missing("q", "a field of the schema", "unknown field")},
		{`{"` + strings.Repeat("ä", 40) + `":1}`, Options{}, ``,
			missing(strings.Repeat("ä", 32)+"...", "a field of the schema", "unknown field")},
		{`null`, Options{}, ``, missing("", "record", "null")},
		{`[]`, Options{}, ``, missing("", "record", "array")},
		{`"x"`, Options{}, ``, missing("", "record", "string")},
	}
	for _, test := range tests {
		v, err := s.DecodeJSON([]byte(test.text), test.options)
		if test.fault != nil {
			checkViolation(t, err, *test.fault)
			continue
		}
		if got := string(profile.AppendJSON(nil, v)); err != nil || got != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.text, got, err, test.want)
		}
	}
}

func TestDecodeJSONMalformed(t *testing.T) {
	s := mustParse(t, recordOf(`x: "int"`, `s: "string"`, `m: {"type":"map","values":"int"}`,
		`l: {"type":"array","items":"int"}`))
	tests := []struct {
		text   string
		offset int64
		reason string
	}{
		{``, 0, "ends early"},
		{`  `, 0, "ends early"},
		{`{`, 1, "ends early"},
		{`{"x"`, 4, "ends early"},
		{`{"x":`, 5, "ends early"},
		{`{"x":1`, 6, "ends early"},
		{`{"l":[1`, 7, "ends early"},
		{`{"m":{"a":1`, 11, "ends early"},
		{`{x:1}`, 1, "not JSON"},
		{`{"x":01}`, 6, "not JSON"},
		{`{"x":1,}`, 6, "not JSON"},
		{`{"l":[1,]}`, 7, "not JSON"},
		{`{"l":[1}`, 7, "not JSON"},
		{`{"x":1]`, 6, "not JSON"},
		{`{"x":NaN}`, 5, "not JSON"},
		{`{"s":"` + "\xff" + `"}`, 6, "not JSON"},
		{`{"s":"\ud800"}`, 6, "not JSON"},
		{`{"x":1,"x":2}`, 7, "an object has a key twice"},
		{`{"x":1,"\u0078":2}`, 7, "an object has a key twice"},
		{`{"m":{"a":1,"a":2}}`, 12, "an object has a key twice"},
		{`{"q":{"a":1,"a":2}}`, 12, "an object has a key twice"},
		{`{"x":1}{}`, 8, "text after the record"},
		{`{"x":1} 2`, 9, "text after the record"},
		{`{"x":1} x`, 8, "not JSON"},
		{`{"q":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000), 10004, "not JSON"},
	}
	for _, test := range tests {
		_, err := s.DecodeJSON([]byte(test.text), Options{IgnoreUnknown: true})
		var got *MalformedError
		if !errors.As(err, &got) || got.Offset != test.offset || got.Reason != test.reason {
			t.Errorf("%.40s: got %v, want %q at %d", test.text, err, test.reason, test.offset)
		}
	}
}

// TestSchemaIsShared is for the race detector.
func TestSchemaIsShared(t *testing.T) {
	s := mustParse(t, recordOf(`x: "int"`, "in: "+typeInner))
	for _, name := range []string{"one", "another", "third"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range 500 {
				want := fmt.Sprintf(`{"in":{"x":%d,"z":1},"x":2}`, i)
				v, err := s.DecodeJSON([]byte(want), Options{})
				if err != nil {
					t.Fatal(err)
				}
				data, err := s.EncodeAvro(v)
				if err != nil {
					t.Fatal(err)
				}
				v, err = s.DecodeAvro(data)
				if got := string(profile.AppendJSON(nil, v)); err != nil || got != want {
					t.Fatalf("got %s, %v, want %s", got, err, want)
				}
			}
		})
	}
}

// TestReadersForget decodes with the pooled reader after a record that failed half-way.
func TestReadersForget(t *testing.T) {
	s := mustParse(t, recordOf(`x: ["null","int"]`, "in: "+typeInner))
	for range 3 {
		if _, err := s.DecodeJSON([]byte(`{"x":1,"in":{"x":1,"y":2,"z":`), Options{}); err == nil {
			t.Fatal("a truncated record was accepted")
		}
		v, err := s.DecodeJSON([]byte(`{"in":{}}`), Options{})
		if got := string(profile.AppendJSON(nil, v)); err != nil || got != `{"in":{}}` {
			t.Fatalf("got %s, %v", got, err)
		}
	}
}
