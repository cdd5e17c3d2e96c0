package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"selfsame/config"
	"selfsame/examples/retail"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/registry"
	"selfsame/schemas"
)

// TestTopicValues: what tail shows of a value, in each of the formats.
func TestTopicValues(t *testing.T) {
	cfg, err := config.Example(retail.Config(), retail.Schemas(), config.Overrides{
		IDKey: strings.Repeat("0f", 16)})
	if err != nil {
		t.Fatal(err)
	}
	model, err := cfg.Model()
	if err != nil {
		t.Fatal(err)
	}
	schema, err := model.ProfileSchema(model.Entities[0])
	if err != nil {
		t.Fatal(err)
	}
	bare, err := schema.Encode(&schemas.ProfileRecord{ID: "5f1c", Class: "profile",
		Policy: "default", Version: 7, Attributes: profile.Object(nil, nil),
		Identities: map[string][]string{"email": {"ann@example.org"}}, Datasets: []string{"crm"}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"attributes":{},"class":"profile","datasets":["crm"],"id":"5f1c",` +
		`"identities":{"email":["ann@example.org"]},"policy":"default","version":7}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/schemas/ids/12" {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error_code":40403}`)
			return
		}
		text := profile.AppendString([]byte(`{"schema":`), string(schema.Avro()))
		_, _ = w.Write(append(text, '}'))
	}))
	defer s.Close()
	rc := registry.Default()
	rc.URL = s.URL
	client, err := registry.New(rc, pipeline.Sleep)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	policy := &model.Entities[0].Policies[0]
	for _, c := range []struct {
		format pipeline.Format
		value  string
		want   string
	}{
		{pipeline.FormatJSON, `{"id":"5f1c"}`, `{"id":"5f1c"}`},
		{pipeline.FormatAvro, string(bare), want},
		{pipeline.FormatAvro, "\x01", "(1 bytes: malformed"},
		{pipeline.FormatRegistry, "\x00\x00\x00\x00\x0c" + string(bare), want},
		{pipeline.FormatRegistry, "\x00\x00\x00\x00\x0d" + string(bare), "unknown schema id"},
		{pipeline.FormatRegistry, "{}", "it names no schema"},
	} {
		policy.Format = c.format
		v, err := newTopicValues(model, policy.Topic, client)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.text(t.Context(), []byte(c.value)); !strings.Contains(got, c.want) {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
