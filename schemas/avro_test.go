package schemas

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"selfsame/profile"
)

func fromHex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestDecodeAvroValues: the bytes, as a record with field a of the type, give the record, and
// encoding it gives canonical bytes again (same bytes where "again" is empty).
func TestDecodeAvroValues(t *testing.T) {
	ints, nulls := array(`"int"`), array(`["null","int"]`)
	numbers := mapping(`["null","int"]`)
	fixedDecimal := `{"type":"fixed","name":"D","size":3,"logicalType":"decimal",` +
		`"precision":5,"scale":2}`
	tests := []struct{ typ, data, want, again string }{
		{`"boolean"`, "01", `{"a":true}`, ""},
		{`"int"`, "ffffffff0f", `{"a":-2147483648}`, ""},
		{`"int"`, "8000", `{"a":0}`, "00"},
		{`"long"`, "feffffffffffffffff01", `{"a":9223372036854775807}`, ""},
		{`"float"`, "cdcccc3d", `{"a":0.10000000149011612}`, ""},
		{`"double"`, "9a9999999999b93f", `{"a":0.1}`, ""},
		{`"double"`, "000000000000f87f", `{"a":"NaN"}`, ""},
		{`"double"`, "000000000000f0ff", `{"a":"-Infinity"}`, ""},
		{`"string"`, "04c3a4", `{"a":"ä"}`, ""},
		{`"bytes"`, "0400ff", `{"a":"AP8="}`, ""},
		{typeFixed, "000102", `{"a":"AAEC"}`, ""},
		{typeEnum, "02", `{"a":"BLUE"}`, ""},
		{typeDecimal, "04ff6a", `{"a":-1.50}`, ""},
		{typeDecimal, "06ffff6a", `{"a":-1.50}`, "04ff6a"},
		{typeDecimal, "00", `{"a":0.00}`, "0200"},
		{typeDecimal, "040080", `{"a":1.28}`, ""},
		{typeDecimal, "0280", `{"a":-1.28}`, ""},
		{fixedDecimal, "ffff6a", `{"a":-1.50}`, ""},
		{logical("int", "date"), "02", `{"a":"1970-01-02"}`, ""},
		{logical("long", "timestamp-micros"), "01", `{"a":"1969-12-31T23:59:59.999999Z"}`, ""},
		{`["null","int"]`, "00", `{}`, ""},
		{`["null","int"]`, "0206", `{"a":3}`, ""},
		{`["int","null"]`, "02", `{}`, ""},
		{`["int","null"]`, "0006", `{"a":3}`, ""},
		{`["int"]`, "0006", `{"a":3}`, ""},
		{ints, "00", `{"a":[]}`, ""},
		{ints, "04020400", `{"a":[1,2]}`, ""},
		{ints, "0202 0204 00", `{"a":[1,2]}`, "04020400"},
		{ints, "03 04 02 04 00", `{"a":[1,2]}`, "04020400"},
		{nulls, "04 00 0206 00", `{"a":[null,3]}`, ""},
		{array(typeInner), "02 02 00 02 00", `{"a":[{"x":1,"z":1}]}`, ""},
		{`{"type":"array","items":{"type":"record","name":"E","fields":[]}}`, "06 00",
			`{"a":[{},{},{}]}`, ""},
		{numbers, "00", `{"a":{}}`, ""},
		{numbers, "04 0262 0206 0261 00 00", `{"a":{"b":3}}`, "02 0262 0206 00"},
		{`{"type":"map","values":"int"}`, "02 0262 06 02 0261 06 00", `{"a":{"a":3,"b":3}}`,
			"04 0261 06 0262 06 00"},
	}
	for _, test := range tests {
		s := mustParse(t, recordOf("a: "+test.typ))
		data := fromHex(t, test.data)
		v, err := s.DecodeAvro(data)
		if got := string(profile.AppendJSON(nil, v)); err != nil || got != test.want {
			t.Errorf("%s %s: got %s, %v, want %s", test.typ, test.data, got, err, test.want)
			continue
		}
		if test.again != "" {
			data = fromHex(t, test.again)
		}
		if got, err := s.EncodeAvro(v); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s %s: encoded again %x, %v, want %x", test.typ, test.data, got, err, data)
		}
	}
}

func TestDecodeAvroMalformed(t *testing.T) {
	ints, numbers := array(`"int"`), mapping(`["null","int"]`)
	empties := `{"type":"array","items":{"type":"record","name":"E","fields":[]}}`
	tests := []struct {
		typ, data string
		offset    int64
		reason    string
	}{
		{`"int"`, "", 0, "ends early: within an integer"},
		{`"int"`, "80", 0, "ends early: within an integer"},
		{`"int"`, "0000", 1, "bytes after the record"},
		{`"int"`, "8080808010", 5, "an int has more than 32 bits"},
		{`"long"`, "ffffffffffffffffff02", 0, "an integer has more than 64 bits"},
		{`"boolean"`, "02", 1, "a boolean is neither 0 nor 1"},
		{`"double"`, "00", 0, "ends early: 8 bytes wanted"},
		{`"string"`, "04 61", 1, "ends early: 2 bytes wanted"},
		{`"string"`, "01", 1, "negative length"},
		{`"string"`, "feffffffffffffffff01", 10, "ends early: 9223372036854775807 bytes wanted"},
		{`"string"`, "02ff", 2, "a string is not UTF-8"},
		{typeEnum, "04", 1, "no such symbol of an enum"},
		{typeEnum, "01", 1, "no such symbol of an enum"},
		{`["null","int"]`, "04", 1, "no such branch of a union"},
		{`["null","int"]`, "01", 1, "no such branch of a union"},
		{`["int"]`, "02", 1, "no such branch of a union"},
		{ints, "02", 1, "more items than bytes"},
		{ints, "feffffffffffffffff01", 10, "more items than bytes"},
		{ints, "ffffffffffffffffff01 00", 11, "impossible size of a block"},
		{ints, "01 01 00", 2, "impossible size of a block"},
		{ints, "01 10 00", 2, "impossible size of a block"},
		{ints, "0200", 2, "ends early: within an integer"},
		{empties, "fefffffff0ff01 00", 7, "too many empty items"},
		{empties, "8080 08 8080 08 00", 6, "too many empty items"},
		{numbers, "04 0261 00 0261 00 00", 8, "a map has a key twice"},
		{numbers, "02 02ff 00 00", 3, "a map key is not UTF-8"},
	}
	for _, test := range tests {
		s := mustParse(t, recordOf("a: "+test.typ))
		_, err := s.DecodeAvro(fromHex(t, test.data))
		var got *MalformedError
		if !errors.As(err, &got) || got.Offset != test.offset || got.Reason != test.reason {
			t.Errorf("%s %s: got %v, want %q at %d",
				test.typ, test.data, err, test.reason, test.offset)
		}
	}
}

func TestDecodeAvroViolations(t *testing.T) {
	tests := []struct{ typ, data, path, wanted, found string }{
		{typeDecimal, "060f4240", "a", "decimal(5,2)", "more than 5 digits"},
		{typeDecimal, "0601869f", "a", "", ""}, // 999.99 is the most there is
		{typeDecimal, "060186a0", "a", "decimal(5,2)", "more than 5 digits"},
		{typeDecimal, "14 7fffffffffffffffffff", "a", "decimal(5,2)", "more than 5 digits"},
		{logical("int", "time-millis"), "01", "a", "time-millis", "number out of range"},
		{typeUUID, "0261", "a", "uuid", "string that is not a UUID"},
		{array(mapping(typeUUID)), "04 00 02 026b 0261 00 00",
			"a[1].k", "uuid", "string that is not a UUID"},
	}
	for _, test := range tests {
		s := mustParse(t, recordOf("a: "+test.typ))
		_, err := s.DecodeAvro(fromHex(t, test.data))
		if test.found == "" && err == nil {
			continue
		}
		checkViolation(t, err, ViolationError{test.path, test.wanted, test.found})
	}
}

func TestEncodeAvroRefuses(t *testing.T) {
	object := func(name string, v profile.Value) profile.Value {
		return profile.Object([]string{name}, []profile.Value{v})
	}
	list := func(items ...profile.Value) profile.Value { return profile.Array(items) }
	tests := []struct {
		typ                 string
		value               profile.Value
		path, wanted, found string
	}{
		{`"int"`, profile.String("secret"), "", "record", "string"},
		{`"int"`, profile.Object(nil, nil), "a", "int", "missing"},
		{`"int"`, object("a", profile.Null()), "a", "int", "missing"},
		{`"int"`, object("b", profile.Int(1)), "b", "record", "unknown field"},
		{`"int"`, object("a", profile.Int(math.MaxInt32+1)), "a", "int", "number out of range"},
		{`"int"`, object("a", profile.Float(1)), "a", "int", "number"},
		{logical("int", "date"), object("a", profile.Int(1)), "a", "date", "integer"},
		{typeEnum, object("a", profile.String("GREEN")), "a", "enum", "unknown symbol"},
		{typeFixed, object("a", profile.Bytes("ab")), "a", "fixed(3)", "2 bytes"},
		{typeDecimal, object("a", profile.Decimal("1.005")), "a", "decimal(5,2)",
			"decimal finer than 2 places"},
		{array(`"int"`), object("a", profile.Int(1)), "a", "array of int", "integer"},
		{array(`"int"`), object("a", list(profile.Int(1), profile.Null())), "a[1]",
			"int", "missing"},
		{mapping(`"int"`), object("a", object("k", profile.Bool(true))), "a.k", "int",
			"boolean"},
		{mapping(`"int"`), object("a", list()), "a", "map of int", "array"},
		{typeInner, object("a", object("z", profile.Int(1))), "a.x", "int", "missing"},
	}
	for _, test := range tests {
		s := mustParse(t, recordOf("a: "+test.typ))
		_, err := s.EncodeAvro(test.value)
		checkViolation(t, err, ViolationError{test.path, test.wanted, test.found})
	}
	s := mustParse(t, recordOf(`a: "double"`))
	data, err := s.EncodeAvro(object("a", profile.Int(3)))
	if v, _ := s.DecodeAvro(data); err != nil || v.Field("a").AsFloat() != 3 {
		t.Errorf("an integer in a double: got %v, %v", v.Field("a").AsFloat(), err)
	}
}
