package config

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"selfsame/pipeline"
)

// customers is the starting configuration with its schema in a registry at url.
func customers(t *testing.T, url string, changes ...string) string {
	t.Helper()
	dir := t.TempDir()
	text := changed(t, append([]string{
		"schema: schemas/customers.avsc", "schema: {subject: customers-value}",
		"output: {partitions: 4}", "output: {partitions: 4}\nregistry: {url: \"" + url + "\"}\n",
	}, changes...)...)
	path := filepath.Join(dir, "selfsame.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// changed is the starting configuration with one text after the other replaced.
func changed(t *testing.T, changes ...string) string {
	t.Helper()
	text := string(Starter()["selfsame.yaml"])
	changes = append([]string{"{file: id.key}", testKey}, changes...)
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			t.Fatalf("the configuration does not hold %q", changes[i])
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	return text
}

// subjects answers for one subject, with the schema that the starting configuration has in a file.
func subjects(t *testing.T) (url string, asked *atomic.Int64) {
	t.Helper()
	schema, err := os.ReadFile("starter/schemas/customers.avsc")
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"id": 7, "version": 3, "schema": string(schema)})
	if err != nil {
		t.Fatal(err)
	}
	asked = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if !strings.HasPrefix(r.URL.Path, "/subjects/customers-value/versions/") {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error_code":40401,"message":"no such subject"}`)
			return
		}
		_, _ = w.Write(body)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func TestSchemaOfSubject(t *testing.T) {
	url, asked := subjects(t)
	cfg, err := Load(customers(t, url, "topic: selfsame.profiles}",
		"topic: selfsame.profiles, format: registry}"))
	if err != nil {
		t.Fatal(err)
	}
	model, err := cfg.Model()
	if err != nil {
		t.Fatal(err)
	}
	ds := model.Datasets[0]
	if ds.SchemaID != 7 || ds.Schema.File() != "subject customers-value, version latest" {
		t.Errorf("schema %d is from %s", ds.SchemaID, ds.Schema.File())
	}
	if f := model.Entities[0].DefaultPolicy().Format; f != pipeline.FormatRegistry {
		t.Errorf("the policy has format %d", f)
	}
	before := asked.Load()
	if _, err := LoadOffline(customers(t, url)); err != nil || asked.Load() != before {
		t.Errorf("offline: %v, asked %d times more", err, asked.Load()-before)
	}
}

func TestSchemaOfSubjectRefused(t *testing.T) {
	url, asked := subjects(t)
	gone := httptest.NewServer(nil)
	gone.Close()
	subject := "schema: {subject: customers-value}"
	for name, c := range map[string]struct {
		path string
		want string
	}{
		"no registry": {customers(t, url, "\nregistry: ", "\n#"), "registry.url is missing"},
		"no subject": {customers(t, url, subject, "schema: {subject: x}"),
			"datasets.customers.schema: asking the schema registry for subject x, version " +
				"latest: the registry does not have it (status 404, code 40401): no such subject"},
		"no version": {customers(t, url, subject, "schema: {subject: x, version: new}"),
			`version "new" is not latest or a number from 1 on`},
		"two sources": {customers(t, url, subject, "schema: {subject: x, file: y}"),
			"in a file or in the registry, not both"},
		"another key": {customers(t, url, subject, "schema: {subjekt: x}"),
			`unknown key "subjekt"`},
		"away": {customers(t, gone.URL), "datasets.customers.schema: asking the schema registry " +
			"for subject customers-value, version latest: the registry is not reachable"},
		"a wrong address": {customers(t, "registry:8081"), "registry: url: must be an address"},
	} {
		_, err := Load(c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	if asked.Load() == 0 {
		t.Error("the registry was never asked")
	}
}

func TestFormatsNeedRegistry(t *testing.T) {
	text := changed(t, "format: json", "format: registry", "topic: selfsame.profiles}",
		"topic: selfsame.profiles, format: registry}")
	_, err := Example([]byte(text), os.DirFS("starter"), Overrides{})
	if err == nil || strings.Count(err.Error(), "format: registry needs registry.url") != 2 {
		t.Errorf("got %v", err)
	}
}
