package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"selfsame/profile"
)

// readContainer reads a file to its end or its fault: how many records are good, and the first as
// JSON where its schema is one that a dataset could have.
func readContainer(t *testing.T, name string, file []byte) (count int, first string, err error) {
	t.Helper()
	c, err := NewContainerReader(name, bytes.NewReader(file))
	if err != nil {
		return 0, "", err
	}
	for {
		record, err := c.Next()
		if err != nil {
			return count, first, err
		}
		if count == 0 {
			first = asJSON(c.Schema(), record)
		}
		count++
	}
}

// asJSON decodes a record by resolving its schema to itself, as the only field of a record: the
// binary form is the same. "" where the schema is none that a dataset could have.
func asJSON(w *WriterSchema, record []byte) string {
	text := recordOf("a: " + string(canonicalForm(w.root)))
	reader, err := Parse("reader", []byte(text))
	if err != nil {
		return ""
	}
	r, err := NewResolution(reader.Writer(), reader)
	if err != nil {
		return err.Error()
	}
	v, err := r.Decode(record)
	if err != nil {
		return err.Error()
	}
	if v.Field("a").IsNull() {
		return "null"
	}
	return string(profile.AppendJSON(nil, v.Field("a")))
}

// TestFixtures reads every container file of the fixtures as two independent decoders do. Where
// they disagree:
//
//   - goavro does not know zstandard; it is the other one that is right.
//   - They agree on how many records come before a fault, and so do we.
//
// The first records are compared where their JSON form is complete in the table, where a dataset
// could have the schema (withUnion has a union of three types), and where the table and we write
// the values alike: it writes a fixed as numbers.
func TestFixtures(t *testing.T) {
	table := strings.Split(strings.TrimSpace(string(readFixture(t, "decoder_check.csv"))), "\n")
	if len(table) != 47 {
		t.Fatalf("%d lines, want 47", len(table))
	}
	compared := 0
	for _, text := range table[1:] {
		line := splitQuoted(t, text)
		name, records, hamba, goavro := line[0], line[1], line[2], line[4]
		count, first, err := readContainer(t, name, readFixture(t, strings.Split(name, "/")...))
		known := !strings.Contains(goavro, "zstandard")
		if known && (hamba == "") != (goavro == "") {
			t.Errorf("%s: the decoders disagree: %s, %s", name, hamba, goavro)
		}
		if fmt.Sprint(count) != records {
			t.Errorf("%s: %d records, want %s: %v", name, count, records, err)
		}
		if refused := err != io.EOF; refused != (hamba != "") {
			t.Errorf("%s: got %v, want %s", name, err, hamba)
		}
		var fault *ContainerError
		if err != io.EOF && !errors.As(err, &fault) {
			t.Errorf("%s: not a ContainerError: %v", name, err)
		}
		var got, want any
		if json.Unmarshal([]byte(line[5]), &want) != nil || first == "" ||
			strings.Contains(line[5], `"fixed"`) {
			continue
		}
		compared++
		if err := json.Unmarshal([]byte(first), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: first record\ngot  %s\nwant %s", name, first, line[5])
		}
	}
	if compared < 20 {
		t.Errorf("only %d first records were compared", compared)
	}
}

// splitQuoted splits a line of fields that are plain or quoted as in Go.
func splitQuoted(t *testing.T, line string) (fields []string) {
	t.Helper()
	for rest := line + ","; rest != ""; {
		field, err := strconv.QuotedPrefix(rest)
		if err == nil {
			rest = rest[len(field)+1:]
			field, err = strconv.Unquote(field)
			if err != nil {
				t.Fatal(err)
			}
		} else {
			field, rest, _ = strings.Cut(rest, ",")
		}
		fields = append(fields, field)
	}
	return fields
}

// TestWeather compares the whole of one file, in each codec, with its JSON form.
func TestWeather(t *testing.T) {
	want := strings.TrimSpace(string(readFixture(t, "apache_avro", "data", "weather.json")))
	for _, codec := range []string{"", "-deflate", "-snappy", "-zstd"} {
		name := "weather" + codec + ".avro"
		file := readFixture(t, "apache_avro", "data", name)
		c, err := NewContainerReader(name, bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		var got []any
		for {
			record, err := c.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var one any
			if err := json.Unmarshal([]byte(asJSON(c.Schema(), record)), &one); err != nil {
				t.Fatal(err)
			}
			got = append(got, one)
		}
		for i, line := range strings.Split(want, "\n") {
			var one any
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatal(err)
			}
			if i >= len(got) || !reflect.DeepEqual(got[i], one) {
				t.Errorf("%s: record %d differs from %s", name, i, line)
			}
		}
	}
}

// TestContainerFaults names the place of a fault.
func TestContainerFaults(t *testing.T) {
	c, err := NewContainer([]byte(`"int"`), CodecNull, [16]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	good := slices.Clip(c.AppendBlock(c.Header(), 2, []byte{2, 4}))
	tests := []struct{ name, file, want string }{
		{"nothing", "", "header: the file ends early"},
		{"another version", "Obj\x02", "header: not an Avro object container file, or one of " +
			"another version: it begins with 4f 62 6a 02"},
		{"no schema", "Obj\x01\x00" + strings.Repeat("s", 16), "header: there is no avro.schema"},
		{"codec", "Obj\x01\x02\x14avro.codec\x04xz\x00" + strings.Repeat("s", 16),
			`header: codec "xz" is not supported: want null, deflate, snappy, zstandard or bzip2`},
		{"huge header", "Obj\x01\x02\xfe\xff\xff\xff\x0f",
			"header: impossible size of 2147483647 bytes"},
		{"cut in a block", string(good[:len(good)-17]), "block 1: the file ends early"},
		{"second block cut", string(good) + "\x02\x02\x02", "block 2: the file ends early"},
		{"count", string(c.AppendBlock(good, 3, []byte{2, 4})),
			"block 2, record 3: malformed at byte 2: ends early: within an integer"},
		{"count of none", string(c.AppendBlock(good, 0, []byte{2, 4})),
			"block 2: impossible count of 0 records"},
		{"too many bytes", string(c.AppendBlock(good, 1, []byte{2, 4})),
			"block 2: malformed at byte 1: bytes after the last record"},
		{"record", string(c.AppendBlock(good, 2, []byte("\x02\xff\xff\xff\xff\xff\x01"))),
			"block 2, record 2: malformed at byte 7: an int has more than 32 bits"},
		{"whole", string(good), "EOF"},
	}
	for _, test := range tests {
		if _, _, err := readContainer(t, test.name, []byte(test.file)); err.Error() != test.want {
			t.Errorf("%s:\ngot  %v\nwant %s", test.name, err, test.want)
		}
	}
}

func FuzzContainer(f *testing.F) {
	for _, codec := range Codecs() {
		c, err := NewContainer([]byte(`["null","string"]`), codec, [16]byte{7})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(c.AppendBlock(c.Header(), 2, []byte("\x00\x02\x02a")))
	}
	f.Add([]byte("Obj\x01\x02\x14avro.codec\x0csnappy\x00ssssssssssssssss"))
	f.Fuzz(func(t *testing.T, file []byte) {
		c, err := NewContainerReader("fuzz", bytes.NewReader(file))
		for err == nil {
			_, err = c.Next()
		}
		var fault *ContainerError
		if err != io.EOF && !errors.As(err, &fault) {
			t.Fatalf("not a ContainerError: %v", err)
		}
	})
}
