package config

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/schemas"
	"selfsame/schemas/infer"
)

// TestScaffoldFits: the block that is made of a sample can be pasted into the starting
// configuration, beside a dataset that has fields of the same names and other types.
func TestScaffoldFits(t *testing.T) {
	samples := map[string]string{
		"plain": `{"customer_id":"1","email":"ann@x.org","updated_at":"2024-01-02T03:04:05Z"}`,
		"other types": `{"customer_id":7,"name":{"first":"Ann"},"email":"ann@x.org",
			"updated_at":1700000000000}`,
		"ugly": `{"email":"ann@x.org","first-name":"Ann","":1,"a":{"9":1,"x":[{"y":[[1]]}]},
			"n":null,"phone":"+49 731 123456","m":{},"customer_id":null}`,
		"nested identities": `{"who":{"customer_id":"1","mail":"ann@x.org"},"name":["a","b"]}`,
		"primary is moved": `{"customer_id":1.5,"email":"ann@x.org"}
			{"customer_id":2,"email":"bob@x.org"}`,
	}
	for name, text := range samples {
		for _, event := range []bool{false, true} {
			block, schema := scaffold(t, text, event)
			files := fstest.MapFS{"schemas/new.avsc": {Data: schema}}
			cfg, err := paste(t, block, files)
			if err != nil {
				t.Errorf("%s, event %v: %v\n%s\n%s", name, event, err, block, schema)
				continue
			}
			for _, line := range linesOf(text) {
				in := pipeline.NewDecoder(cfg.model).Decode(pipeline.Record{
					Pos: profile.Position{Topic: "new"}, Value: []byte(line)})
				if in.Reject != nil {
					t.Errorf("%s, event %v: %s is rejected: %+v", name, event, line, in.Reject)
				}
			}
		}
	}
}

// scaffold makes the block and schema of a sample, beside the starting configuration.
func scaffold(t *testing.T, text string, event bool) (block string, schema []byte) {
	t.Helper()
	cfg, err := StarterConfig()
	if err != nil {
		t.Fatal(err)
	}
	sample, err := infer.NewSample()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range linesOf(text) {
		if err := sample.Add([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	like, err := cfg.UnionType("profile", event)
	if err != nil {
		t.Fatal(err)
	}
	draft, err := sample.Guess("new", like)
	if err != nil {
		t.Fatal(err)
	}
	w := infer.Wishes{Event: event, Namespaces: cfg.SampleNamespaces("profile")}
	if event {
		w.ID = "email"
		if strings.Contains(text, `"who"`) {
			w.ID = "who.mail"
		}
	}
	s := Scaffold{Name: "new", Topic: "new", Entity: "profile", Event: event,
		Schema: "schemas/new.avsc", Left: draft.Left}
	if s.Plan, err = draft.Suggest(w); err != nil {
		t.Fatal(err)
	}
	parsed, err := schemas.Parse("schemas/new.avsc", draft.Avro)
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Fit(&s, parsed); err != nil {
		t.Fatal(err)
	}
	return s.Block(), draft.Avro
}

// paste checks the starting configuration with a block added to it.
func paste(t *testing.T, block string, files fstest.MapFS) (*Config, error) {
	t.Helper()
	for name, text := range Starter() {
		files[name] = &fstest.MapFile{Data: text}
	}
	text := append(bytes.TrimRight(files["selfsame.yaml"].Data, "\n"), '\n')
	return Example(append(text, block...), files, Overrides{IDKey: testKey})
}

// linesOf splits a sample, whose records may take several lines here.
func linesOf(text string) []string {
	return strings.Split(strings.ReplaceAll(text, "}\n\t\t\t{", "}\x00{"), "\x00")
}

func TestScaffoldRefuses(t *testing.T) {
	cfg, err := StarterConfig()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("starter/schemas/customers.avsc")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := schemas.Parse("x", text)
	if err != nil {
		t.Fatal(err)
	}
	taken := Scaffold{Name: "customers", Topic: "x", Entity: "profile", Plan: &infer.Plan{}}
	if err := cfg.Fit(&taken, schema); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a name that is taken: %v", err)
	}
	for _, bad := range []Scaffold{{Name: "a b", Topic: "t"}, {Name: "n", Topic: "#"},
		{Name: "", Topic: "t"}} {
		if bad.Validate() == nil {
			t.Errorf("%+v can be written", bad)
		}
	}
}

// TestUnionKeys: promote, retired and the primary identity of configuration and schema.
func TestUnionKeys(t *testing.T) {
	other := `
  other:
    topic: other
    entity: profile
    class: record
    schema: schemas/other.avsc
    promote: lossy
    identities: [{path: mail, namespace: email, primary: true}]
  old:
    entity: profile
    class: record
    schema: schemas/old.avsc
    retired: true
`
	files := fstest.MapFS{"schemas/other.avsc": {Data: []byte(`{"type":"record","name":"O",
		"fields":[{"name":"mail","type":"string"},{"name":"points","type":"int"},
		{"name":"no","type":"string","identity":{"namespace":"customer","primary":true}}]}`)},
		"schemas/old.avsc": {Data: []byte(`{"type":"record","name":"O","fields":[
		{"name":"id","type":"string","identity":{"namespace":"customer","primary":true}},
		{"name":"points","type":"double","deprecated":true}]}`)}}
	for name, text := range Starter() {
		files[name] = &fstest.MapFile{Data: text}
	}
	text := string(files["selfsame.yaml"].Data)
	read := func(change func(string) string) (*Config, error) {
		return Example([]byte(change(text+other)), files, Overrides{IDKey: testKey})
	}
	cfg, err := read(func(s string) string { return s })
	if err != nil {
		t.Fatal(err)
	}
	m, err := cfg.Model()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.InputTopics(), " "); got != "customers other" {
		t.Errorf("reads %s", got)
	}
	if typ := m.Entities[0].Union.Type().Field("points").Type.String(); typ != "double" {
		t.Errorf("points is %s", typ)
	}
	for _, id := range m.Dataset("other").Identities {
		if id.Primary != (id.Path == "mail") {
			t.Errorf("the primary mark of the schema wins: %+v", id)
		}
	}
	for want, change := range map[string][2]string{
		"points is double in old (schemas/old.avsc:3) and int in other (schemas/other.avsc:2): " +
			"let one of them say promote: lossy": {"promote: lossy", "promote: exact"},
		"datasets.old.topic: is missing":       {"retired: true", "retired: false"},
		`deprecated: "no" is not hide or show`: {"{strategy: latest,", `{deprecated: "no",`},
	} {
		_, err := read(func(s string) string { return strings.Replace(s, change[0], change[1], 1) })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
