package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"selfsame/config"
	"selfsame/pipeline"
	"selfsame/store"
)

// desk is a directory with a starting configuration.
type desk struct {
	t   *testing.T
	dir string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t, t.TempDir()}
	d.must("init", "--dir", d.dir)
	return d
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *desk) must(args ...string) {
	d.t.Helper()
	if err := execute(args...); err != nil {
		d.t.Fatalf("%v: %v", args, err)
	}
}

// fails runs the program and holds its exit code and words to what is wanted.
func (d *desk) fails(code int, words string, args ...string) {
	d.t.Helper()
	err := execute(args...)
	if err == nil || exitCode(err) != code || !strings.Contains(err.Error(), words) {
		d.t.Errorf("%v: %v, want exit code %d and %q", args, err, code, words)
	}
}

func (d *desk) write(name, text string) string {
	d.t.Helper()
	if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return d.path(name)
}

func (d *desk) read(name string) string {
	d.t.Helper()
	text, err := os.ReadFile(d.path(name))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

// printed gives what the program prints on standard output.
func (d *desk) printed(args ...string) string {
	d.t.Helper()
	out := os.Stdout
	defer func() { os.Stdout = out }()
	file, err := os.Create(d.path("out"))
	if err != nil {
		d.t.Fatal(err)
	}
	os.Stdout = file
	d.must(args...)
	if err := file.Close(); err != nil {
		d.t.Fatal(err)
	}
	return d.read("out")
}

// TestSchemaNew: what is printed is pasted, checked and shown.
func TestSchemaNew(t *testing.T) {
	d := newDesk(t)
	cfg := d.path("selfsame.yaml")
	sample := d.write("sample.ndjson", `{"customer_id":"1","email":"ann@x.org","visits":[{"at":1}]}

{"customer_id":"2","name":{"first":"Bob"},"updated_at":"2024-01-02T03:04:05Z"}
`)
	block := d.printed("schema", "new", "-c", cfg, "--name", "visits", sample)
	d.write("selfsame.yaml", d.read("selfsame.yaml")+block)
	d.must("config", "check", "-c", cfg)
	table := strings.Join(strings.Fields(d.printed("schema", "union", "-c", cfg)), " ")
	for _, line := range []string{"visits[].at int visits", "customer (primary of visits)",
		"updated_at string customers, visits", "name_visits.first string visits"} {
		if !strings.Contains(table, line) {
			t.Errorf("%q is not in\n%s", line, table)
		}
	}
	d.fails(exitUsage, "already", "schema", "new", "-c", cfg, "--name", "visits", sample)
	d.fails(exitUsage, "no entity class", "schema", "new", "-c", cfg, "--name", "x",
		"--entity", "account", sample)
	d.fails(exitUsage, "a letter first", "schema", "new", "-c", cfg, "--name", "1 2", sample)
	d.fails(exitFailure, "bad:2: not a JSON object", "schema", "new", "-c", cfg, "--name", "y",
		d.write("bad", "{\"a\":1}\n7\n"))
	alone := d.printed("schema", "new", "-c", d.path("nothing.yaml"), "--name", "alone", sample)
	if !strings.Contains(alone, "namespace: customer, primary: true") {
		t.Errorf("without a configuration: %s", alone)
	}
}

// TestSchemaCheckAndDiff: exit codes for a pipeline that deploys.
func TestSchemaCheckAndDiff(t *testing.T) {
	d := newDesk(t)
	cfg, schema := d.path("selfsame.yaml"), d.read("schemas/customers.avsc")
	union := d.write("union.avsc", d.printed("schema", "union", "-c", cfg, "--format", "avro"))
	old := d.write("old.avsc", schema)
	check := func(more ...string) []string {
		return append([]string{"schema", "check", "-c", cfg, "--against", union}, more...)
	}
	d.must("schema", "check", "-c", cfg)
	d.must(check("--require", "full")...)

	added := strings.Replace(schema, `{"name": "name",`,
		`{"name":"age","type":"int"},{"name": "name",`, 1)
	d.write("schemas/customers.avsc", added)
	d.must(check("--require", "full")...)
	d.must("schema", "diff", old, d.path("schemas/customers.avsc"))
	d.fails(exitSchema, "full is required, it is forward", "schema", "diff", old,
		d.path("schemas/customers.avsc"), "--require", "full")

	d.write("schemas/customers.avsc", strings.Replace(schema, `"name": "name"`, `"name": "nom"`, 1))
	d.fails(exitSchema, "name (string) is gone", check()...)
	d.must(check("--require", "backward")...)
	d.fails(exitSchema, "name (string) is gone", "schema", "diff", old,
		d.path("schemas/customers.avsc"))

	d.fails(exitUsage, "--require", check("--require", "most")...)
	d.fails(exitUsage, "not both", check("--against-store")...)
	d.fails(exitUsage, "which is the union of no class", "schema", "check", "-c", cfg,
		"--against", old)
	d.must("schema", "check", "-c", cfg, "--against", old, "--class", "profile",
		"--require", "backward")
	d.fails(exitUsage, "want two", "schema", "diff", old, cfg)
	d.fails(exitUsage, "no dataset has class", "schema", "union", "-c", cfg, "--class", "x")
	d.fails(exitUsage, "table or avro", "schema", "union", "-c", cfg, "--format", "x")
}

// TestSchemaOfConfigurations: a dataset that is gone is found by comparing configurations, and
// against the store; retired it is not gone.
func TestSchemaOfConfigurations(t *testing.T) {
	d := newDesk(t)
	cfg := d.path("selfsame.yaml")
	more := d.write("more.yaml", d.read("selfsame.yaml")+`
  loyalty:
    topic: loyalty
    entity: profile
    class: record
    schema: schemas/loyalty.avsc
    retired: false
    identities: [{path: card, namespace: customer, primary: true}]
`)
	d.write("schemas/loyalty.avsc", `{"type":"record","name":"L","fields":[
		{"name":"card","type":"string"},{"name":"points","type":"int"}]}`)
	retired := d.write("retired.yaml", strings.Replace(d.read("more.yaml"), "retired: false",
		"retired: true", 1))
	d.must("schema", "diff", cfg, more)
	d.must("schema", "diff", more, retired)
	d.must("schema", "diff", more, more)
	gone := "dataset loyalty is gone from the configuration but what it said is kept " +
		"(gone with it: card, points): declare it with retired: true"
	d.fails(exitSchema, gone, "schema", "diff", more, cfg)

	d.remember(more)
	d.fails(exitSchema, gone, "schema", "check", "-c", cfg, "--against-store")
	d.must("schema", "check", "-c", retired, "--against-store")

	d.empty(more, "loyalty")
	got := d.printed("schema", "check", "-c", cfg, "--against-store")
	got = strings.Join(strings.Fields(got), " ")
	for _, want := range []string{
		"card removed string full accepts points removed int full accepts",
		"delete_dataset has left nothing of it: dataset loyalty compatibility: full, additive"} {
		if !strings.Contains(got, want) || strings.Contains(got, "refuses") {
			t.Errorf("printed %s\nwant %s", got, want)
		}
	}
}

// empty has the store of a configuration hold nothing more of what a dataset said.
func (d *desk) empty(path, dataset string) {
	d.t.Helper()
	cfg, err := config.Load(path)
	if err != nil {
		d.t.Fatal(err)
	}
	s, err := store.Open(storeDir(cfg), store.Options{CacheBytes: 8 << 20, MemtableBytes: 1 << 20})
	if err != nil {
		d.t.Fatal(err)
	}
	err = s.Intern(dataset)
	b := s.NewBatch()
	b.SetCut(dataset, &store.DatasetCut{Done: true})
	if err = errors.Join(err, s.Commit(b, true), s.Close()); err != nil {
		d.t.Fatal(err)
	}
}

// remember makes a store that was used with a configuration.
func (d *desk) remember(path string) {
	d.t.Helper()
	cfg, err := config.Load(path)
	if err != nil {
		d.t.Fatal(err)
	}
	model, err := cfg.Model()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := os.MkdirAll(cfg.DataDir(), 0o700); err != nil {
		d.t.Fatal(err)
	}
	s, err := store.Open(storeDir(cfg), store.Options{CacheBytes: 8 << 20, MemtableBytes: 1 << 20})
	if err != nil {
		d.t.Fatal(err)
	}
	_, err = pipeline.AdoptUnions(model, s)
	if err = errors.Join(err, s.Commit(s.NewBatch(), true), s.Close()); err != nil {
		d.t.Fatal(err)
	}
}
