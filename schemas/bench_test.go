package schemas

import (
	"encoding/json"
	"testing"

	"github.com/linkedin/goavro/v2"
)

// benchSchema and benchRecord are a small purchase event, as web shops send them.
const benchSchema = `{"type":"record","name":"Purchase","namespace":"shop","fields":[
	{"name":"eventId","type":{"type":"string","logicalType":"uuid"}},
	{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"email","type":["null","string"],"default":null},
	{"name":"cookie","type":["null","string"],"default":null},
	{"name":"phone","type":["null","string"],"default":null},
	{"name":"channel","type":{"type":"enum","name":"Channel","symbols":["WEB","APP","STORE"]}},
	{"name":"context","type":{"type":"record","name":"Context","fields":[
		{"name":"page","type":"string"},
		{"name":"referrer","type":["null","string"],"default":null},
		{"name":"viewport","type":"int"},
		{"name":"loyal","type":"boolean"}]}},
	{"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
	{"name":"score","type":"double"},
	{"name":"items","type":{"type":"array","items":{"type":"record","name":"Item","fields":[
		{"name":"sku","type":"string"},
		{"name":"quantity","type":"int"},
		{"name":"price","type":"double"}]}}},
	{"name":"labels","type":{"type":"map","values":"string"}}]}`

const benchRecord = `{"eventId":"0f8fad5b-d9cb-469f-a165-70867728950e",
	"at":"2024-03-01T10:11:12.345Z","email":"ann@example.com","cookie":"c-81723",
	"channel":"WEB","context":{"page":"/checkout/thanks","viewport":1280,"loyal":true},
	"total":"129.90","score":0.731,
	"items":[{"sku":"A-100","quantity":2,"price":19.95},{"sku":"B-7","quantity":1,"price":90.0}],
	"labels":{"campaign":"spring","region":"north"}}`

func benchAvro(b *testing.B, s *Schema) []byte {
	b.Helper()
	v, err := s.DecodeJSON([]byte(benchRecord), Options{Complete: true})
	if err != nil {
		b.Fatal(err)
	}
	data, err := s.EncodeAvro(v)
	if err != nil {
		b.Fatal(err)
	}
	return data
}

func BenchmarkDecodeAvro(b *testing.B) {
	s := mustParse(b, benchSchema)
	data := benchAvro(b, s)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.DecodeAvro(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeAvroGoavro(b *testing.B) {
	data := benchAvro(b, mustParse(b, benchSchema))
	codec, err := goavro.NewCodec(benchSchema)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := codec.NativeFromBinary(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeJSON(b *testing.B) {
	s := mustParse(b, benchSchema)
	b.SetBytes(int64(len(benchRecord)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.DecodeJSON([]byte(benchRecord), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeJSONStandardLibrary(b *testing.B) {
	b.SetBytes(int64(len(benchRecord)))
	b.ReportAllocs()
	for b.Loop() {
		var v any
		if err := json.Unmarshal([]byte(benchRecord), &v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeAvro(b *testing.B) {
	s := mustParse(b, benchSchema)
	v, err := s.DecodeAvro(benchAvro(b, s))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.EncodeAvro(v); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkResolution reads what BenchmarkDecodeAvro reads, as written in a schema of its own.
func BenchmarkResolution(b *testing.B) {
	s := mustParse(b, benchSchema)
	data := benchAvro(b, s)
	r, err := NewResolution(mustWriter(b, benchSchema), s)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}
