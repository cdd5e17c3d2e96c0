package pipeline_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/schemas"
)

const (
	oldCRM = `{"type":"record","name":"crm","fields":[
		{"name":"name","type":"bytes"},{"name":"id","type":"string"},
		{"name":"shoe","type":"int"},{"name":"age","type":"int"}]}`
	numberedCRM = `{"type":"record","name":"crm","fields":[{"name":"id","type":"long"}]}`
	// changeOfCRM is what a connector registers for a table, with what we do not read.
	changeOfCRM = `{"type":"record","name":"Envelope","namespace":"shop.crm","fields":[
		{"name":"before","type":["null",{"type":"record","name":"Value","fields":[
			{"name":"id","type":"string"},
			{"name":"name","type":["null","string"],"default":null}]}],"default":null},
		{"name":"after","type":["null","Value"],"default":null},
		{"name":"source","type":{"type":"record","name":"Source","fields":[
			{"name":"version","type":"string"},{"name":"ts_ms","type":"long"}]}},
		{"name":"op","type":"string"},
		{"name":"ts_ms","type":["null","long"],"default":null},
		{"name":"transaction","type":["null",{"type":"record","name":"block","fields":[
			{"name":"id","type":"string"}]}],"default":null}]}`
	keyOfCRM = `{"type":"record","name":"Key","namespace":"shop.crm","fields":[
		{"name":"id","type":"string"}]}`
)

// decoderOf makes the decoder of one dataset of CRM records in a format, and the dataset.
func decoderOf(t testing.TB, format pipeline.Format, change func(*pipeline.Dataset)) (
	*pipeline.Decoder, *pipeline.Dataset) {
	t.Helper()
	m := testModel(t)
	ds := m.Datasets[0]
	ds.Format, ds.Timestamp = format, ""
	if change != nil {
		change(ds)
	}
	return pipeline.NewDecoder(m), ds
}

func writer(t testing.TB, text string) *schemas.WriterSchema {
	t.Helper()
	w, err := schemas.ParseWriter("writer.avsc", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// encoded gives the binary form of a record in JSON.
func encoded(t testing.TB, schema, record string) []byte {
	t.Helper()
	s := parse(t, schema)
	v, err := s.DecodeJSON([]byte(record), schemas.Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := s.EncodeAvro(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func singleObject(w *schemas.WriterSchema, body []byte) []byte {
	return append(binary.LittleEndian.AppendUint64([]byte{0xC3, 1}, w.Fingerprint()), body...)
}

func registered(id uint32, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), body...)
}

func record(value []byte) pipeline.Record {
	return pipeline.Record{Pos: profile.Position{Topic: "crm"}, Value: value,
		Time: time.Unix(1_700_000_000, 0).UnixNano()}
}

// said gives what a record says as JSON, or why it is rejected.
func said(in pipeline.Input) string {
	if in.Reject != nil {
		return in.Reject.Error()
	}
	return string(profile.AppendJSON(nil, profile.Unflatten(in.Fragment.Leaves)))
}

func wants(t *testing.T, what string, in pipeline.Input, want string) {
	t.Helper()
	if got := said(in); got != want {
		t.Errorf("%s:\ngot  %s\nwant %s", what, got, want)
	}
}

func TestSingleObject(t *testing.T) {
	old := writer(t, oldCRM)
	d, ds := decoderOf(t, pipeline.FormatSingleObject, func(ds *pipeline.Dataset) {
		ds.Writers = []*schemas.WriterSchema{old, writer(t, numberedCRM)}
	})
	own, err := ds.EncodeValue(profile.Object([]string{"age", "id"},
		[]profile.Value{profile.Int(7), profile.String("1")}), 0)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "own schema", d.Decode(record(own)), `{"age":7,"id":"1"}`)
	body := encoded(t, oldCRM, `{"name":"QW5u","id":"1","shoe":40,"age":30}`)
	wants(t, "older schema", d.Decode(record(singleObject(old, body))),
		`{"age":30,"id":"1","name":"Ann"}`)
	wants(t, "cut off", d.Decode(record(singleObject(old, body[:3]))),
		"malformed at byte 11, found ends early: 3 bytes wanted")
	wants(t, "never readable", d.Decode(record(singleObject(writer(t, numberedCRM), []byte{2}))),
		"schema_violation at id: wanted a schema that can be read as the dataset's, "+
			"found long cannot be read as string")
	unknown := []byte("\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08")
	wants(t, "unknown fingerprint", d.Decode(record(unknown)),
		"unknown_schema at byte 2: wanted the fingerprint of schema or of one of writer_schemas, "+
			"found fingerprint 0807060504030201")
	for _, bare := range []string{"", "\xc3", string(unknown[:9]), "\xc3\x02345678901"} {
		wants(t, "no frame", d.Decode(record([]byte(bare))), "malformed at byte 0: "+
			"wanted C3 01 and a fingerprint of 8 bytes, found something else")
	}
	if err := ds.CheckWriters(); err == nil || !strings.Contains(err.Error(), "id: long cannot") {
		t.Errorf("checking the writers: %v", err)
	}
}

// TestMessageV1 reads the reference implementation's single-object message.
func TestMessageV1(t *testing.T) {
	root := os.Getenv("SELFSAME_TESTDATA")
	if root == "" {
		t.Skip("SELFSAME_TESTDATA does not name the folder of the public fixtures")
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(root, "avro_fixtures", "apache_avro", "data",
			"messageV1", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	d, _ := decoderOf(t, pipeline.FormatSingleObject, func(ds *pipeline.Dataset) {
		ds.Schema = parse(t, string(read("test_schema.avsc")))
		ds.Identities = []pipeline.IdentityField{{Path: "id", Namespace: "crm", Primary: true}}
	})
	wants(t, "messageV1", d.Decode(record(read("test_message.bin"))),
		`{"id":42,"name":"Bill","tags":["dog_lover","cat_hater"]}`)
}

func TestBareAvroOfAnotherSchema(t *testing.T) {
	d, _ := decoderOf(t, pipeline.FormatAvro, func(ds *pipeline.Dataset) {
		ds.Writers = []*schemas.WriterSchema{writer(t, oldCRM)}
	})
	body := encoded(t, oldCRM, `{"name":"QW5u","id":"1","shoe":40,"age":30}`)
	wants(t, "older schema", d.Decode(record(body)), `{"age":30,"id":"1","name":"Ann"}`)
}

func TestRegistryFrame(t *testing.T) {
	d, _ := decoderOf(t, pipeline.FormatRegistry, nil)
	body := encoded(t, oldCRM, `{"name":"QW5u","id":"1","shoe":40,"age":30}`)
	r := record(registered(17, body))
	if ids := d.Unlearned(&r); !slices.Equal(ids, []uint32{17}) {
		t.Errorf("unlearned: %d", ids)
	}
	unknown := "unknown_schema at byte 1: wanted a schema id that the registry has, found id 17"
	wants(t, "not learned", d.Decode(r), unknown)
	d.Learn(17, nil)
	wants(t, "learned that there is none", d.Decode(r), unknown)
	if len(d.Unlearned(&r)) == 0 {
		t.Error("an id that does not exist is never asked for again")
	}
	d.Learn(17, writer(t, oldCRM))
	wants(t, "learned", d.Decode(r), `{"age":30,"id":"1","name":"Ann"}`)
	if len(d.Unlearned(&r)) > 0 {
		t.Error("a schema that is held is asked for")
	}
	d.Learn(18, writer(t, numberedCRM))
	wants(t, "never readable", d.Decode(record(registered(18, []byte{2}))),
		"schema_violation at id: wanted a schema that can be read as the dataset's, "+
			"found long cannot be read as string")
	for _, bare := range []string{"", "\x00", "\x00\x00\x00\x00", "\x01\x00\x00\x00\x11", "{}"} {
		r := record([]byte(bare))
		wants(t, "no frame", d.Decode(r), "malformed at byte 0: "+
			"wanted 00 and a schema id of 4 bytes, found something else")
		if len(d.Unlearned(&r)) > 0 {
			t.Errorf("% x names a schema", bare)
		}
	}
	json, _ := decoderOf(t, pipeline.FormatJSON, nil)
	if len(json.Unlearned(&r)) > 0 {
		t.Error("JSON names a schema")
	}
}

func debezium(ds *pipeline.Dataset) {
	ds.Envelope, ds.Mode = pipeline.EnvelopeDebezium, pipeline.OpReplace
	ds.Tombstones = pipeline.TombstonesDelete
}

// TestDebeziumAvro reads change events in each of the Avro formats.
func TestDebeziumAvro(t *testing.T) {
	created := encoded(t, changeOfCRM, `{"after":{"id":"1","name":"Ann"},"op":"c",
		"source":{"version":"3","ts_ms":1699999990000},"ts_ms":1699999991000}`)
	deleted := encoded(t, changeOfCRM, `{"op":"d","source":{"version":"3","ts_ms":1699999992000}}`)
	truncated := encoded(t, changeOfCRM, `{"op":"t","source":{"version":"3","ts_ms":0}}`)
	w := writer(t, changeOfCRM)
	for _, format := range []pipeline.Format{pipeline.FormatAvro, pipeline.FormatSingleObject,
		pipeline.FormatRegistry} {
		frame, key := slices.Clone[[]byte], []byte("1")
		d, ds := decoderOf(t, format, func(ds *pipeline.Dataset) {
			debezium(ds)
			ds.Writers = []*schemas.WriterSchema{w}
		})
		switch format {
		case pipeline.FormatSingleObject:
			frame = func(body []byte) []byte { return singleObject(w, body) }
		case pipeline.FormatRegistry:
			ds.Writers = nil
			d.Learn(17, w)
			key = registered(18, encoded(t, keyOfCRM, `{"id":"1"}`))
			frame = func(body []byte) []byte { return registered(17, body) }
		}
		in := d.Decode(record(frame(created)))
		wants(t, "created", in, `{"id":"1","name":"Ann"}`)
		if in.Op != pipeline.OpReplace || in.Stamp.Time != 1699999991000*1e6 {
			t.Errorf("created: operation %d, time %d", in.Op, in.Stamp.Time)
		}
		r := record(frame(deleted))
		r.Key = key
		if ids := d.Unlearned(&r); slices.Equal(ids, []uint32{18}) {
			d.Learn(18, writer(t, keyOfCRM))
		}
		in = d.Decode(r)
		wants(t, "deleted", in, `{}`)
		if in.Op != pipeline.OpDelete || in.IDs.Primary.Value != "1" ||
			in.Stamp.Time != 1699999992000*1e6 {
			t.Errorf("deleted: operation %d, %v, time %d", in.Op, in.IDs.Primary, in.Stamp.Time)
		}
		wants(t, "truncated", d.Decode(record(frame(truncated))), "bad_operation at op: "+
			"wanted c, r, u or d, found t: a truncation names no row")
		r.Value = nil
		if in := d.Decode(r); in.Reject != nil || in.IDs.Primary.Value != "1" {
			t.Errorf("tombstone: %v, %v", in.Reject, in.IDs.Primary)
		}
	}
}

// FuzzDecode feeds any value and key to every format and envelope: what is not rejected has a
// primary identity, and what is has a reason and a path that can be sent in a header.
func FuzzDecode(f *testing.F) {
	var decoders []*pipeline.Decoder
	for _, format := range []pipeline.Format{pipeline.FormatJSON, pipeline.FormatAvro,
		pipeline.FormatSingleObject, pipeline.FormatRegistry} {
		for _, envelope := range []pipeline.Envelope{pipeline.EnvelopeNone, pipeline.EnvelopeXDM,
			pipeline.EnvelopeDebezium} {
			if envelope == pipeline.EnvelopeXDM && format != pipeline.FormatJSON {
				continue
			}
			d, _ := decoderOf(f, format, func(ds *pipeline.Dataset) {
				debezium(ds)
				ds.Envelope = envelope
				if text := oldCRM; format != pipeline.FormatJSON {
					if envelope == pipeline.EnvelopeDebezium {
						text = changeOfCRM
					}
					ds.Writers = []*schemas.WriterSchema{writer(f, text)}
				}
			})
			d.Learn(17, writer(f, changeOfCRM))
			d.Learn(18, writer(f, oldCRM))
			decoders = append(decoders, d)
		}
	}
	f.Add([]byte(`{"header":{"operations":{"data":"merge"}},"body":{"xdmEntity":{"id":"1"}}}`),
		[]byte{})
	f.Add([]byte(`{"payload":{"before":{"id":"1"},"op":"d","source":{"ts_ms":2}}}`), []byte{})
	f.Add([]byte(`{"op":"d"}`), []byte(`{"payload":{"id":"1"}}`))
	f.Add(registered(17, encoded(f, changeOfCRM, `{"op":"d","source":{"version":"3","ts_ms":1}}`)),
		registered(18, nil))
	f.Add(singleObject(writer(f, oldCRM), []byte("\x02a\x02b\x00\x00")), []byte{})
	f.Fuzz(func(t *testing.T, value, key []byte) {
		for _, d := range decoders {
			r := record(value)
			r.Key = key
			d.Unlearned(&r)
			in := d.Decode(r)
			if in.Reject == nil && in.IDs.Primary.Value == "" {
				t.Fatal("accepted without an identity")
			}
			if in.Reject != nil && in.Reject.Reason == "" {
				t.Fatalf("rejected without a reason: %v", in.Reject)
			}
		}
	})
}
