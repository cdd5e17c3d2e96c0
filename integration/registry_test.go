package integration

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"selfsame/internal/realkafka"
	"selfsame/internal/realregistry"
	"selfsame/pipeline"
	"selfsame/registry"
)

// The customers' schema as it was, and as it is now.
const (
	customersV1 = `{"type":"record","name":"Customer","namespace":"shop","fields":[
		{"name":"id","type":"string","identity":{"namespace":"customer","primary":true}},
		{"name":"name","type":"string"}]}`
	customersV2 = `{"type":"record","name":"Customer","namespace":"shop","fields":[
		{"name":"name","type":["null","string"],"default":null},
		{"name":"id","type":"string","identity":{"namespace":"customer","primary":true}},
		{"name":"points","type":"long","default":0},
		{"name":"address","type":["null","shop.Address"],"default":null}]}`
	address = `{"type":"record","name":"Address","namespace":"shop","fields":[
		{"name":"city","type":"string"}]}`
)

// desk is an installation that reads framed records and writes profiles in three formats.
type desk struct {
	t        *testing.T
	kafka    string
	registry *realregistry.Server
	client   *registry.Client
	producer *kgo.Client
	prefix   string
	dir      string
	ids      map[int]uint32 // of the versions of the customers' schema
}

func openDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, kafka: realkafka.Start(t), registry: realregistry.New(t), dir: t.TempDir(),
		prefix: fmt.Sprintf("desk-%d.", time.Now().UnixNano()), ids: map[int]uint32{}}
	d.producer = connect(t, d.kafka)
	createTopic(t, d.producer, d.prefix+"customers", 1)
	createTopic(t, d.producer, d.prefix+"mails", 1)
	cfg := registry.Default()
	cfg.URL = d.registry.URL
	var err error
	d.client, err = registry.New(cfg, pipeline.Sleep)
	must(t, err)
	t.Cleanup(d.client.Close)
	d.ids[1], err = d.client.Register(soon(t), d.subject(), []byte(customersV1))
	must(t, err)
	_, err = d.client.Register(soon(t), "address", []byte(address))
	must(t, err)
	d.register(customersV2, `[{"name":"shop.Address","subject":"address","version":1}]`)
	found, err := d.client.Find(soon(t), d.subject(), "2")
	must(t, err)
	d.ids[2] = found.ID
	must(t, os.WriteFile(filepath.Join(d.dir, "id.key"), []byte(idKey), 0o600))
	must(t, os.WriteFile(filepath.Join(d.dir, "mails.avsc"), []byte(`{"type":"record",
		"name":"Mail","fields":[{"name":"customer","type":"string"},
		{"name":"mail","type":"string"}]}`), 0o600))
	return d
}

func (d *desk) subject() string { return registry.ValueSubject(d.prefix + "customers") }

// register makes a version that refers to others.
func (d *desk) register(schema, references string) {
	body := fmt.Sprintf(`{"schemaType":"AVRO","schema":%q,"references":%s}`,
		strings.Join(strings.Fields(schema), ""), references)
	d.ask(http.MethodPost, "/subjects/"+d.subject()+"/versions", body)
}

func (d *desk) ask(method, path, body string) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(soon(d.t), method, d.registry.URL+path,
		strings.NewReader(body))
	must(d.t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	must(d.t, err)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		d.t.Fatalf("%s %s: %s", method, path, response.Status)
	}
}

// configure writes a configuration whose profile topics begin with name.
func (d *desk) configure(name string) string {
	d.t.Helper()
	text := strings.NewReplacer("KAFKA", d.kafka, "REGISTRY", d.registry.URL, "PRE.", d.prefix,
		"NAME", name, "SUBJECT", d.subject()).Replace(`
id_key: {file: id.key}
data_dir: data-NAME
kafka: {brokers: ["KAFKA"], group: PRE.NAME, transactional_id: PRE.NAME}
registry: {url: "REGISTRY", unknown_retry: 2s}
http: {listen: "127.0.0.1:0"}
entities:
  profile:
    namespaces: [{name: customer, type: cross_device, unique: true}, {name: email, type: email}]
    policies:
      plain: {topic: PRE.NAME.plain, default: true}
      bare: {topic: PRE.NAME.bare, format: avro}
      framed: {topic: PRE.NAME.framed, format: registry}
    topics: {identity: PRE.NAME.identity, assignment: PRE.NAME.assignments}
dead_letters: {topic: PRE.NAME.dead}
control: {topic: PRE.NAME.control, audit: PRE.NAME.audit}
datasets:
  customers:
    topic: PRE.customers
    entity: profile
    class: record
    format: registry
    schema: {subject: SUBJECT}
  mails:
    topic: PRE.mails
    entity: profile
    class: record
    schema: mails.avsc
    identities:
      - {path: mail, namespace: email, primary: true}
      - {path: customer, namespace: customer}
`)
	path := filepath.Join(d.dir, name+".yaml")
	must(d.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func (d *desk) send(topic string, value []byte) {
	d.t.Helper()
	must(d.t, d.producer.ProduceSync(soon(d.t), &kgo.Record{Topic: d.prefix + topic,
		Key: []byte("k"), Value: value}).FirstErr())
}

// customer sends a record in a version of the schema.
func (d *desk) customer(version int, fields ...string) {
	d.t.Helper()
	value := binary.BigEndian.AppendUint32([]byte{0}, d.ids[version])
	d.send("customers", append(value, strings.Join(fields, "")...))
}

// avroText is a text in Avro binary.
func avroText(s string) string { return string(binary.AppendVarint(nil, int64(len(s)))) + s }

// TestRegistry: a daemon on a real registry and a real Kafka reads records of several versions of a
// schema, waits while the registry is away, and writes profiles that others can read.
func TestRegistry(t *testing.T) {
	d := openDesk(t)
	one := start(t, d.configure("one"))
	d.customer(1, avroText("1"), avroText("Ann"))
	d.customer(2, "\x02", avroText("Bea"), avroText("2"), "\x54", "\x02", avroText("Rome"))
	d.send("mails", []byte(`{"customer":"1","mail":"ann@example.org"}`))
	awaitConsumed(t, one, 3)
	d.ids[9] = 1 << 30
	d.customer(9, avroText("9"), avroText("nobody"))
	s := awaitConsumed(t, one, 4)
	for _, ds := range s.Datasets {
		if ds.Name == "customers" && ds.Rejected["unknown_schema"] != 1 {
			t.Errorf("customers: %+v", ds)
		}
	}
	d.produce("one", `{"id":"4","name":"Dee","points":8,"address":{"city":"Bonn"}}`)
	awaitConsumed(t, one, 5)
	d.outage(one)
	one.stop()
	d.checkOutput("one", 4)
	d.refused()
}

// produce sends a line with the program, which writes it in the dataset's schema.
func (d *desk) produce(name, line string) {
	d.t.Helper()
	path := filepath.Join(d.dir, "more.ndjson")
	must(d.t, os.WriteFile(path, []byte(line+"\n"), 0o600))
	_, err := command(d.t, "produce", "--config", filepath.Join(d.dir, name+".yaml"),
		"--dataset", "customers", path)
	must(d.t, err)
	latest, err := d.client.Find(soon(d.t), d.subject(), registry.Latest)
	must(d.t, err)
	if latest.ID != d.ids[2] {
		d.t.Errorf("produce registered another version: id %d", latest.ID)
	}
}

// outage: while the registry is away, a schema that is not known holds reading up; what is known,
// and what needs no registry, is read.
func (d *desk) outage(one *daemon) {
	t := d.t
	t.Helper()
	id, err := d.client.Register(soon(t), "other", []byte(`{"type":"record","name":"C",
		"fields":[{"name":"id","type":"string"},{"name":"points","type":"int"}]}`))
	must(t, err)
	d.ids[3] = id
	must(t, d.registry.Stop())
	d.customer(1, avroText("1"), avroText("Anne"))
	d.customer(3, avroText("3"), "\x0a")
	await(t, "the daemon to see that the registry is away", func() bool {
		return one.journal.count(`what="schema registry"`) > 0
	})
	d.send("mails", []byte(`{"customer":"3","mail":"cy@example.org"}`))
	awaitConsumed(t, one, 6) // the mail, or Anne
	must(t, d.registry.Start())
	s := awaitConsumed(t, one, 8)
	for _, ds := range s.Datasets {
		var rejected int64
		for _, n := range ds.Rejected {
			rejected += n
		}
		if ds.Name == "customers" && (ds.Accepted != 5 || rejected != 1) {
			t.Errorf("customers after the outage: %+v", ds)
		}
	}
	await(t, "everything to be published", func() bool {
		s, ok := one.status()
		return ok && s.OutboxDepth == 0
	})
}

// checkOutput: the topics in the three formats hold the same profiles.
func (d *desk) checkOutput(name string, profiles int) {
	t := d.t
	t.Helper()
	read := func(topic string) map[string][]byte {
		held := map[string][]byte{}
		for _, r := range readAll(t, d.kafka, d.prefix+name+"."+topic) {
			held[string(r.Key)] = r.Value
			if r.Value == nil {
				delete(held, string(r.Key))
			}
		}
		return held
	}
	plain, bare, framed := read("plain"), read("bare"), read("framed")
	if len(plain) != profiles || len(bare) != profiles || len(framed) != profiles {
		t.Fatalf("%d, %d and %d profiles, want %d", len(plain), len(bare), len(framed), profiles)
	}
	found, err := d.client.Find(soon(t), d.prefix+name+".framed-value", registry.Latest)
	must(t, err)
	var keys []string
	var input bytes.Buffer
	for key, value := range framed {
		if id := binary.BigEndian.Uint32(value[1:5]); id != found.ID {
			t.Errorf("framed with id %d, the subject's latest is %d", id, found.ID)
		}
		// The bare value differs in its policy alone, which has another length.
		if n := len(bare[key]) + len("framed") - len("bare"); len(value) != 5+n {
			t.Errorf("%d bytes framed, want 5 more than the bare %d", len(value), n)
		}
		keys = append(keys, key)
		fmt.Fprintln(&input, hex.EncodeToString(value))
	}
	for i, line := range decode(t, d.registry.URL, &input) {
		got, want := profileOf(t, line), profileOf(t, plain[keys[i]])
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	}
}

// profileOf reads JSON without what differs between the formats: the policy, and absent fields.
func profileOf(t *testing.T, text []byte) any {
	t.Helper()
	var object map[string]any
	must(t, json.Unmarshal(text, &object))
	delete(object, "policy")
	return withoutNulls(object)
}

func withoutNulls(v any) any {
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	for name, item := range object {
		if item == nil {
			delete(object, name)
			continue
		}
		object[name] = withoutNulls(item)
	}
	return object
}

// decode has Python's fastavro read framed values.
func decode(t *testing.T, url string, input *bytes.Buffer) [][]byte {
	t.Helper()
	python := os.Getenv("SELFSAME_PYTHON")
	if python == "" {
		python = "python3"
	}
	if out, err := exec.Command(python, "-c", "import fastavro").CombinedOutput(); err != nil {
		if os.Getenv("SELFSAME_REQUIRE_REGISTRY") == "1" {
			t.Fatalf("%s has no fastavro: %v\n%s", python, err, out)
		}
		t.Logf("not read by an independent decoder: %s has no fastavro", python)
		return nil
	}
	cmd := exec.CommandContext(soon(t), python, "testdata/decode.py", url)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = input, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("decoding with fastavro: %v\n%s", err, &stderr)
	}
	return bytes.Split(bytes.TrimSpace(out), []byte("\n"))
}

// refused: where the subject's compatibility forbids the schema, the daemon does not start, and
// says why and what to do.
func (d *desk) refused() {
	t := d.t
	t.Helper()
	subject := registry.ValueSubject(d.prefix + "two.framed")
	_, err := d.client.Register(soon(t), subject, []byte(`{"type":"record",
		"name":"selfsame.profile.Profile","fields":[{"name":"id","type":"long"}]}`))
	must(t, err)
	d.ask(http.MethodPut, "/config/"+subject, `{"compatibility":"BACKWARD"}`)
	two := launch(t, d.configure("two"))
	select {
	case <-two.ended:
	case <-time.After(patience):
		t.Fatal("the daemon starts all the same")
	}
	for _, text := range []string{subject, "not compatible", "to go on: "} {
		if two.exit == nil || two.journal.count(text) == 0 {
			t.Errorf("exit %v, and the log lacks %q", two.exit, text)
		}
	}
}
