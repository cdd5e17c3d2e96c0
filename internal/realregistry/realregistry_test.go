package realregistry_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"selfsame/internal/realregistry"
	"selfsame/pipeline"
	"selfsame/registry"
	"selfsame/schemas"
)

// unique makes a name of this run's own, since the registry may be one that stays.
func unique(name string) string { return fmt.Sprintf("%s-%d", name, time.Now().UnixNano()) }

// put makes a request that the client has no use for.
func put(t *testing.T, url, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url,
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, response.Status)
	}
}

// TestClient plays everything that the client can do against the real thing.
func TestClient(t *testing.T) {
	cfg := registry.Default()
	cfg.URL = realregistry.Start(t)
	c, err := registry.New(cfg, pipeline.Sleep)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, subject := t.Context(), registry.ValueSubject(unique("topic"))
	one := []byte(`{"type":"record","name":"A","fields":[{"name":"x","type":"string"}]}`)
	more := []byte(`{"type":"record","name":"A","fields":[{"name":"x","type":"string"},
		{"name":"y","type":["null","string"],"default":null}]}`)
	broken := []byte(`{"type":"record","name":"A","fields":[{"name":"x","type":"string"},
		{"name":"y","type":"string"}]}`)
	if _, err := c.Find(ctx, subject, registry.Latest); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("a subject that is not there: %v", err)
	}
	if ok, _, err := c.Compatible(ctx, subject, one); !ok || err != nil {
		t.Errorf("compatible with nothing: %t, %v", ok, err)
	}
	first, err := c.Register(ctx, subject, one)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Register(ctx, subject, one)
	if again != first || err != nil {
		t.Errorf("registered as %d, then as %d, %v", first, again, err)
	}
	put(t, cfg.URL+"/config/"+subject, `{"compatibility":"BACKWARD"}`)
	if _, err := c.Register(ctx, subject, broken); !errors.Is(err, registry.ErrIncompatible) ||
		!strings.Contains(err.Error(), "y at /fields/1") {
		t.Errorf("registering what is incompatible: %v", err)
	}
	ok, why, err := c.Compatible(ctx, subject, broken)
	if ok || !strings.Contains(why, "y at /fields/1") || err != nil {
		t.Errorf("compatible: %t, %q, %v", ok, why, err)
	}
	second, err := c.Register(ctx, subject, more)
	if err != nil || second == first {
		t.Errorf("registered as %d after %d, %v", second, first, err)
	}
	if id, err := c.Lookup(ctx, subject, one); id != first || err != nil {
		t.Errorf("looked up as %d, not %d, %v", id, first, err)
	}
	if _, err := c.Lookup(ctx, subject, broken); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("looking up what is not there: %v", err)
	}
	for version, want := range map[string]uint32{"1": first, "2": second, "latest": second} {
		if found, err := c.Find(ctx, subject, version); found.ID != want || err != nil {
			t.Errorf("version %s: %+v, %v", version, found, err)
		}
	}
	if _, err := c.SchemaText(ctx, 1<<31-1); !errors.Is(err, pipeline.ErrUnknownSchema) {
		t.Errorf("an id that is not there: %v", err)
	}
	wrong := cfg
	wrong.URL += "/nowhere"
	elsewhere, err := registry.New(wrong, pipeline.Sleep)
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	if _, err := elsewhere.SchemaText(ctx, first); !errors.Is(err, registry.ErrUnreachable) {
		t.Errorf("a wrong path: %v", err)
	}
}

// TestReferences: a schema that refers to another is read as one.
func TestReferences(t *testing.T) {
	cfg := registry.Default()
	cfg.URL = realregistry.Start(t)
	c, err := registry.New(cfg, pipeline.Sleep)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, address, user := t.Context(), unique("address"), unique("user")
	_, err = c.Register(ctx, address, []byte(`{"type":"record","name":"Address",
		"namespace":"org","fields":[{"name":"city","type":"string"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"schemaType":"AVRO","schema":%q,
		"references":[{"name":"org.Address","subject":%q,"version":1}]}`,
		`{"type":"record","name":"User","fields":[{"name":"home","type":"org.Address"}]}`, address)
	response, err := http.Post(cfg.URL+"/subjects/"+user+"/versions", "application/json",
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	found, err := c.Find(ctx, user, "1")
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.SchemaText(ctx, found.ID)
	if err != nil || string(text) != string(found.Text) {
		t.Fatalf("by id %s, by subject %s, %v", text, found.Text, err)
	}
	schema, err := schemas.Parse("user", text)
	if err != nil {
		t.Fatal(err)
	}
	if home := schema.Root().Field("home"); home.Type.Field("city") == nil {
		t.Errorf("resolved to %s", text)
	}
}
