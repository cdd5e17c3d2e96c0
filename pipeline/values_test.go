package pipeline_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/schemas"
)

// threeFormats gives the model's policy twins whose topics are in the other formats.
func threeFormats(m *pipeline.Model) {
	e := m.Entities[0]
	for name, format := range map[string]pipeline.Format{
		"bare": pipeline.FormatAvro, "framed": pipeline.FormatRegistry} {
		policy := e.Policies[0]
		policy.Name, policy.Topic, policy.Default = name, name, false
		policy.Format, policy.SchemaID = format, 258
		e.Policies = append(e.Policies, policy)
	}
}

// profileCodec is an independent decoder of the values.
func profileCodec(t testing.TB, m *pipeline.Model) *goavro.Codec {
	t.Helper()
	schema, err := m.ProfileSchema(m.Entities[0])
	if err != nil {
		t.Fatal(err)
	}
	codec, err := goavro.NewCodec(string(schema.Avro()))
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

// decoded reads a value of one of the three topics as encoding/json would read the JSON one.
func decoded(t testing.TB, codec *goavro.Codec, topic string, value []byte) map[string]any {
	t.Helper()
	var native any
	var rest []byte
	var err error
	switch topic {
	case "framed":
		if value[0] != 0 || binary.BigEndian.Uint32(value[1:]) != 258 {
			t.Fatalf("a value begins with %x", value[:5])
		}
		native, rest, err = codec.NativeFromBinary(value[5:])
	case "bare":
		native, rest, err = codec.NativeFromBinary(value)
	default:
		err = json.Unmarshal(value, &native)
	}
	if err != nil || len(rest) > 0 {
		t.Fatalf("%v, %d bytes are left", err, len(rest))
	}
	object := plain(native).(map[string]any)
	delete(object, "policy")
	return object
}

// TestValuesAgree: whatever the format, the topics of three like policies hold the same records,
// versions, headers and tombstones included.
func TestValuesAgree(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 2, threeFormats)
	defer w.close()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w.lay(rnd, facts(rnd, 300), 2)
	w.drain()
	codec := profileCodec(t, w.model)
	profiles, tombstones := 0, 0
	for _, tp := range w.partitions([]string{"profiles"}) {
		want := w.log.Records(tp)
		for _, topic := range []string{"bare", "framed"} {
			got := w.log.Records(pipeline.TopicPartition{Topic: topic, Partition: tp.Partition})
			if len(got) != len(want) {
				t.Fatalf("%s has %d records, profiles %d", topic, len(got), len(want))
			}
			for i := range got {
				if toldBy(&got[i]) != toldBy(&want[i]) {
					t.Fatalf("got  %s\nwant %s", toldBy(&got[i]), toldBy(&want[i]))
				}
				if got[i].Value == nil {
					tombstones++
					continue
				}
				profiles++
				a := decoded(t, codec, topic, got[i].Value)
				b := decoded(t, codec, "profiles", want[i].Value)
				if !reflect.DeepEqual(a, b) {
					t.Fatalf("got  %v\nwant %v", a, b)
				}
			}
		}
	}
	if profiles < 10 || tombstones == 0 {
		t.Errorf("only %d profiles and %d tombstones were compared", profiles, tombstones)
	}
}

// toldBy is the key and those headers that do not differ between policies.
func toldBy(r *pipeline.Record) string {
	text := fmt.Sprintf("%s tombstone=%t", r.Key, r.Value == nil)
	for _, h := range r.Headers {
		if h.Key != pipeline.HeaderPolicy && h.Key != pipeline.HeaderSequence {
			text += fmt.Sprintf(" %s=%s", h.Key, h.Value)
		}
	}
	return text
}

// TestOversizeInAvro: the marker of a profile that its topic cannot hold is a record of the same
// schema.
func TestOversizeInAvro(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, threeFormats)
	defer w.close()
	w.send(crm0, pipeline.Record{Value: fmt.Appendf(nil,
		`{"id":"1","tags":["%s"]}`, strings.Repeat("x", 2100))})
	w.drain()
	codec := profileCodec(t, w.model)
	for _, topic := range []string{"profiles", "bare", "framed"} {
		for _, tp := range w.partitions([]string{topic}) {
			for _, r := range w.log.Records(tp) {
				marker := decoded(t, codec, topic, r.Value)
				size, _ := r.Header(pipeline.HeaderOversize)
				if fmt.Sprint(marker["oversize"]) != string(size) ||
					marker["id"] != string(r.Key) || marker["version"].(float64) < 1 {
					t.Errorf("%s: marker %v, header %s", topic, marker, size)
				}
			}
		}
	}
	if n := strings.Count(w.emitted("dead", "selfsame-dead-reason"), "too_large"); n != 3 {
		t.Errorf("%d dead letters, want one for each policy", n)
	}
}

// TestOtherFormatIsNoChange: what decides is what a profile says, not how it is written.
func TestOtherFormatIsNoChange(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, nil)
	defer w.close()
	again := func() {
		w.send(crm0, pipeline.Record{Value: []byte(`{"id":"1","name":"Ann"}`)})
		w.drain()
	}
	again()
	if text := w.emitted("profiles"); !strings.Contains(text, "Ann") {
		t.Fatalf("emitted %s", text)
	}
	w.must(w.store.Close())
	w.model.Entities[0].Policies[0].Format = pipeline.FormatAvro
	w.open()
	again()
	if text := w.emitted("profiles"); text != "" {
		t.Errorf("emitted again: %q", text)
	}
}

// TestValueWithoutSchema: what the state holds but no schema has is never left out in silence.
func TestValueWithoutSchema(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, threeFormats)
	defer w.close()
	w.send(crm0, pipeline.Record{Value: []byte(`{"id":"1","name":"Ann"}`)})
	w.drain()
	w.must(w.store.Close())
	w.model.Dataset("crm").Schema = parse(t, `{"type":"record","name":"crm","fields":[
		{"name":"id","type":"string"},{"name":"age","type":["null","int"],"default":null}]}`)
	w.model.Dataset("crm").Identities = w.model.Dataset("crm").Identities[:1]
	w.model.Dataset("crm").Timestamp = ""
	w.model.Dataset("shop").Schema = w.model.Dataset("crm").Schema
	w.model.Dataset("shop").Rename = nil
	w.decoder = pipeline.NewDecoder(w.model)
	w.open()
	in := w.decoder.Decode(pipeline.Record{Pos: profile.Position{Topic: "crm", Offset: 1},
		Time: w.now.UnixNano(), Value: []byte(`{"id":"1","age":7}`)})
	err := w.shard.Apply([]pipeline.Chunk{{TP: crm0, Inputs: []pipeline.Input{in}, From: 1,
		Next: 2}}, w.now.UnixNano())
	var unknown *schemas.ViolationError
	if !errors.As(err, &unknown) || unknown.Path != "attributes.name" {
		t.Errorf("applied: %v", err)
	}
}
