package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"selfsame/broker"
	"selfsame/config"
	"selfsame/kafka"
	"selfsame/pipeline"
	"selfsame/schemas"
)

// loadConfig has a dataset of each format that produce writes, and some that it does not.
const loadConfig = `id_key: "00112233445566778899aabbccddeeff"
kafka: {brokers: [%s]}
dead_letters: {topic: dead}
entities:
  profile:
    namespaces: [{name: crm, type: cross_device}]
    policies: {default: {topic: profiles}}
    topics: {identity: identity, assignment: assignments}
datasets:
  json: &one {topic: json, entity: profile, class: record, schema: crm.avsc,
    identities: [{path: id, namespace: crm, primary: true}]}
  avro: {<<: *one, topic: avro, format: avro}
  framed: {<<: *one, topic: framed, format: single-object}
  event: {topic: event, entity: profile, class: event, id: id, schema: crm.avsc,
    identities: [{path: id, namespace: crm}]}
  enveloped: {<<: *one, topic: enveloped, envelope: xdm}
`

const loadSchema = `{"type":"record","name":"crm","fields":[
	{"name":"id","type":"string"},{"name":"age","type":["null","long"]},
	{"name":"tier","type":"string","default":"none"}]}`

// bench is a broker with the topics of loadConfig, and the folder of the configuration.
type bench struct {
	t      *testing.T
	dir    string
	client *kafka.Client
}

func newBench(t *testing.T) *bench {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	b, err := broker.Start(broker.Options{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	w := &bench{t: t, dir: t.TempDir()}
	w.write("crm.avsc", []byte(loadSchema))
	w.write("selfsame.yaml", fmt.Appendf(nil, loadConfig, b.Addr()))
	cfg, err := config.Load(w.path("selfsame.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if w.client, err = kafka.New(cfg.KafkaConfig(), quiet); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	var topics []kafka.TopicSpec
	for _, topic := range cfg.InputTopics() {
		topics = append(topics, kafka.TopicSpec{Name: topic, Partitions: 1, ReplicationFactor: 1,
			Owned: true})
	}
	if err := w.client.EnsureTopics(context.Background(), topics); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *bench) path(name string) string { return filepath.Join(w.dir, name) }

func (w *bench) write(name string, data []byte) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *bench) produce(dataset, file string) error {
	return execute("produce", "--config", w.path("selfsame.yaml"), "-d", dataset, w.path(file))
}

// has checks the records of a topic, as key=value.
func (w *bench) has(topic string, want ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tp := pipeline.TopicPartition{Topic: topic}
	var got []string
	for next, end := int64(0), int64(1); next < end; {
		f, err := w.client.Source().Fetch(ctx, tp, next)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range f.Records {
			got = append(got, fmt.Sprintf("%s=%q", r.Key, r.Value))
		}
		next, end = f.Next, f.End
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("%s\ngot  %v\nwant %v", topic, got, want)
	}
}

// containerOf is a file of an older schema: records id=1 age=7, id=2 age=8 in one block, and a last
// block as given.
func containerOf(t *testing.T, last []byte) []byte {
	t.Helper()
	c, err := schemas.NewContainer([]byte(`{"type":"record","name":"old","fields":[
		{"name":"age","type":"int"},{"name":"shoe","type":["int","string"]},
		{"name":"id","type":"string"}]}`), schemas.CodecDeflate, [16]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	file := c.AppendBlock(c.Header(), 2, []byte("\x0e\x00\x50\x021\x10\x02\x02x\x022"))
	if last == nil {
		return file
	}
	return c.AppendBlock(file, 2, last)
}

func TestProduceContainer(t *testing.T) {
	w := newBench(t)
	w.write("two.avro", containerOf(t, nil))
	for _, dataset := range []string{"json", "avro", "framed"} {
		if err := w.produce(dataset, "two.avro"); err != nil {
			t.Errorf("%s: %v", dataset, err)
		}
	}
	one, two := "\x021\x02\x0e\x08none", "\x022\x02\x10\x08none"
	s, err := schemas.Parse("crm.avsc", []byte(loadSchema))
	if err != nil {
		t.Fatal(err)
	}
	frame := "\xc3\x01"
	for fingerprint := s.Fingerprint(); len(frame) < 10; fingerprint >>= 8 {
		frame += string([]byte{byte(fingerprint)})
	}
	w.has("json", `1="{\"age\":7,\"id\":\"1\"}"`, `2="{\"age\":8,\"id\":\"2\"}"`)
	w.has("avro", fmt.Sprintf("1=%q", one), fmt.Sprintf("2=%q", two))
	w.has("framed", fmt.Sprintf("1=%q", frame+one), fmt.Sprintf("2=%q", frame+two))
}

// TestProduceBrokenContainer: what comes before the fault is sent, and nothing after it.
func TestProduceBrokenContainer(t *testing.T) {
	w := newBench(t)
	w.write("broken.avro", containerOf(t, []byte("\x0e\x00\x50\x023\x10\x06")))
	err := w.produce("json", "broken.avro")
	want := "broken.avro: block 2, record 2: malformed at byte 7: no such branch of a union"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	w.has("json", `1="{\"age\":7,\"id\":\"1\"}"`, `2="{\"age\":8,\"id\":\"2\"}"`,
		`3="{\"age\":7,\"id\":\"3\"}"`)
	for name, test := range map[string]struct{ file, want string }{
		"old.avro": {"Obj\x00", "not an Avro object container file"},
		"cut.avro": {string(containerOf(t, nil)[:40]), "header: the file ends early"},
		"other.avro": {"Obj\x01\x02\x16avro.schema\x0a\"int\"\x00" + strings.Repeat("s", 16),
			"cannot be read as crm.avsc: record: int cannot be read as record"},
	} {
		w.write(name, []byte(test.file))
		if err := w.produce("avro", name); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
	w.has("avro")
}

func TestProduceEnveloped(t *testing.T) {
	w := newBench(t)
	line := `{"header":{"operations":{"data":"merge"}},"body":{"xdmEntity":{"id":"9"}}}`
	w.write("lines", []byte(line+"\n"))
	if err := w.produce("enveloped", "lines"); err != nil {
		t.Fatal(err)
	}
	w.has("enveloped", fmt.Sprintf("9=%q", line))
	w.write("two.avro", containerOf(t, nil))
	err := w.produce("enveloped", "two.avro")
	if err == nil || !strings.Contains(err.Error(), "wants an envelope") {
		t.Errorf("a container file for an envelope: %v", err)
	}
	if errors.Is(err, errUsage) || bytes.Contains([]byte(fmt.Sprint(err)), []byte(`"id"`)) {
		t.Errorf("the error holds a payload: %v", err)
	}
}

// TestUnknownDataset: the message names what was typed and what there is.
func TestUnknownDataset(t *testing.T) {
	w := newBench(t)
	for _, args := range [][]string{{"produce", "-d", "jsno"}, {"dataset", "pause", "jsno"},
		{"dataset", "resume", "jsno"}, {"control", "delete-fragment", "crm:1", "-d", "jsno"}} {
		err := execute(append(args, "--config", w.path("selfsame.yaml"))...)
		want := `has no dataset "jsno": want one of json, avro, framed, event, enveloped`
		if !errors.Is(err, errUsage) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v: got %v, want %s", args, err, want)
		}
	}
}

// TestProduceFlags: values that would only make dead letters are refused before anything is sent.
func TestProduceFlags(t *testing.T) {
	w := newBench(t)
	w.write("lines", []byte(`{"id":"1","age":7}`+"\n"))
	run := func(dataset string, flags ...string) error {
		return execute(append([]string{"produce", "--config", w.path("selfsame.yaml"),
			"-d", dataset, w.path("lines")}, flags...)...)
	}
	for args, want := range map[string]string{
		"json --op zz":           `--op: "zz" is none of dataset json: want one of upsert`,
		"json --op insert":       "want one of upsert, replace, delete",
		"event --op upsert":      "want one of insert, delete",
		"json --time 2026-01-01": `--time: "2026-01-01" is no time in RFC 3339`,
		"avro --key nothing":     `--key: path "nothing" is not in`,
		"json --unset hat":       "header selfsame-unset: wanted a path of the schema",
		"json --array age=union": "header selfsame-array: wanted the path of an array",
		"json --array age":       "wanted path=append, path=remove or path=union",
		"event --unset age":      "--unset and --array go with upserts",
		"enveloped --key id":     "--key: the records of dataset enveloped are in an envelope",
	} {
		words := strings.Fields(args)
		err := run(words[0], words[1:]...)
		if !errors.Is(err, errUsage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", args, err, want)
		}
	}
	for _, topic := range []string{"json", "avro", "event", "enveloped"} {
		w.has(topic)
	}
	if err := run("json", "--op", "replace", "--time", "2026-01-01T00:00:00+01:00", "--key",
		"age"); err != nil {
		t.Error(err)
	}
	w.has("json", `7="{\"id\":\"1\",\"age\":7}"`)
	if err := run("json", "--unset", "tier"); err != nil {
		t.Error(err)
	}
	f, err := w.client.Source().Fetch(t.Context(), pipeline.TopicPartition{Topic: "json"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := f.Records[0].Header(pipeline.HeaderUnset); string(text) != "tier" {
		t.Errorf("the record has headers %v", f.Records[0].Headers)
	}
	w.write("lines", []byte(`{"id":"1","age":7}`+"\n"+`{"id":"2"}`+"\n"))
	err = run("json", "--key", "age")
	if err == nil || !strings.Contains(err.Error(), "lines:2: no text or integer at age") {
		t.Errorf("a record without its key: %v", err)
	}
}
