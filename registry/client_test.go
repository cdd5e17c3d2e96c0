package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/registry"
	"selfsame/schemas"
)

const (
	user  = `{"type":"record","name":"User","fields":[{"name":"a","type":"org.Address"}]}`
	place = `{"type":"record","name":"Address","namespace":"org","fields":[
		{"name":"kind","type":"Kind"}]}`
	kind = `{"type":"enum","name":"Kind","namespace":"org","symbols":["HOME"]}`
)

// answers are what a registry says, by method and path.
type answers map[string]struct {
	status int
	body   string
}

// server is a registry that gives prepared answers and counts requests.
type server struct {
	*httptest.Server
	asked atomic.Int64
}

func serve(t *testing.T, a answers) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		one, ok := a[r.Method+" "+r.URL.EscapedPath()]
		if !ok {
			t.Errorf("asked for %s %s", r.Method, r.URL)
		}
		w.WriteHeader(one.status)
		_, _ = io.WriteString(w, one.body)
	}))
	t.Cleanup(s.Close)
	return s
}

// client returns a client that waits in no time.
func client(t *testing.T, url string, change func(*registry.Config)) *registry.Client {
	t.Helper()
	cfg := registry.Default()
	cfg.URL = url
	if change != nil {
		change(&cfg)
	}
	c, err := registry.New(cfg, func(ctx context.Context, _ time.Duration) error {
		return ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func quoted(schema, rest string) string {
	text, err := json.Marshal(schema)
	if err != nil {
		panic(err)
	}
	return `{"schema":` + string(text) + rest + `}`
}

// TestReferences: a schema comes as one text with all that it refers to, and from then on out of
// the cache.
func TestReferences(t *testing.T) {
	s := serve(t, answers{
		"GET /api/schemas/ids/7": {200, quoted(user, `,"schemaType":"AVRO","references":[
			{"name":"org.Address","subject":"org/address","version":3},
			{"name":"org.Kind","subject":"kind","version":1}]`)},
		"GET /api/subjects/org%2Faddress/versions/3": {200, quoted(place,
			`,"references":[{"name":"org.Kind","subject":"kind","version":1}]`)},
		"GET /api/subjects/kind/versions/1": {200, quoted(kind, "")},
	})
	c := client(t, s.URL+"/api/", nil)
	for range 2 {
		text, err := c.SchemaText(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		schema, err := schemas.Parse("7", text)
		if err != nil {
			t.Fatal(err)
		}
		if at, ok := schema.Lookup(profile.ParsePath("a.kind")); !ok || at.Name != "org.Kind" {
			t.Errorf("resolved to %s", text)
		}
	}
	if n := s.asked.Load(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

// TestErrorsAreToldApart: unknown is only what the registry itself says it does not have.
func TestErrorsAreToldApart(t *testing.T) {
	cases := map[string]struct {
		status   int
		body     string
		want     error
		attempts int64
	}{
		"no such id": {404, `{"error_code":40403,"message":"Schema not found"}`,
			pipeline.ErrUnknownSchema, 1},
		"a wrong path": {404, `{"error_code":404,"message":"HTTP 404"}`,
			registry.ErrUnreachable, 3},
		"a proxy":        {404, `<html>not here</html>`, registry.ErrUnreachable, 3},
		"a web page":     {200, `<html>welcome</html>`, registry.ErrUnreachable, 3},
		"overload":       {429, `{}`, registry.ErrUnreachable, 3},
		"a failure":      {500, `{"error_code":50001}`, registry.ErrUnreachable, 3},
		"no credentials": {401, `{"error_code":401,"message":"no"}`, registry.ErrUnauthorized, 1},
		"no right":       {403, `no`, registry.ErrUnauthorized, 1},
		"another kind": {200, quoted(`syntax = "proto3";`, `,"schemaType":"PROTOBUF"`),
			pipeline.ErrUnusableSchema, 1},
		"a reference that is no JSON": {200, quoted(user,
			`,"references":[{"name":"x","subject":"bad","version":1}]`),
			pipeline.ErrUnusableSchema, 2},
		"a reference that is gone": {200, quoted(user,
			`,"references":[{"name":"x","subject":"gone","version":1}]`),
			pipeline.ErrUnknownSchema, 2},
		"references in a circle": {200, quoted(user,
			`,"references":[{"name":"x","subject":"circle","version":1}]`), nil, 2},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := serve(t, answers{
				"GET /schemas/ids/7":            {c.status, c.body},
				"GET /subjects/bad/versions/1":  {200, quoted(`{`, "")},
				"GET /subjects/gone/versions/1": {404, `{"error_code":40401}`},
				"GET /subjects/circle/versions/1": {200, quoted(place, `,"references":[
					{"name":"x","subject":"circle","version":1}]`)},
			})
			_, err := client(t, s.URL, nil).SchemaText(t.Context(), 7)
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			known := errors.Is(err, pipeline.ErrUnknownSchema) ||
				errors.Is(err, pipeline.ErrUnusableSchema)
			wanted := errors.Is(c.want, pipeline.ErrUnknownSchema) ||
				errors.Is(c.want, pipeline.ErrUnusableSchema)
			if known != wanted {
				t.Errorf("data would be rejected for: %v", err)
			}
			if n := s.asked.Load(); n != c.attempts {
				t.Errorf("%d requests, want %d", n, c.attempts)
			}
		})
	}
}

// TestUnreachable: nobody listens, or does not answer in time; the first answer ends the retries.
func TestUnreachable(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	_, err := client(t, gone.URL, nil).SchemaText(t.Context(), 1)
	if !errors.Is(err, registry.ErrUnreachable) {
		t.Errorf("nobody listens: %v", err)
	}
	var calls atomic.Int64
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) == 1 {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return
		}
		_, _ = io.WriteString(w, quoted(kind, ""))
	}))
	defer slow.Close()
	defer close(release)
	c := client(t, slow.URL, func(cfg *registry.Config) {
		cfg.RequestTimeout = 200 * time.Millisecond
	})
	if _, err := c.SchemaText(t.Context(), 1); err != nil || calls.Load() != 2 {
		t.Errorf("after one that did not answer: %v, %d requests", err, calls.Load())
	}
}

// TestCredentials are sent, and are in no error.
func TestCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*registry.Config)
		want   string
	}{
		"basic": {func(cfg *registry.Config) {
			cfg.Username, cfg.Password = "ann", "hunter2"
		}, "Basic YW5uOmh1bnRlcjI="},
		"bearer": {func(cfg *registry.Config) { cfg.Token = "hunter2" }, "Bearer hunter2"},
	} {
		t.Run(name, func(t *testing.T) {
			var got atomic.Value
			s := httptest.NewServer(http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					got.Store(r.Header.Get("Authorization"))
					w.WriteHeader(http.StatusUnauthorized)
				}))
			_, err := client(t, s.URL, c.change).SchemaText(t.Context(), 1)
			if got.Load() != c.want || !errors.Is(err, registry.ErrUnauthorized) {
				t.Errorf("sent %q, got %v", got.Load(), err)
			}
			s.Close()
			_, away := client(t, s.URL, c.change).SchemaText(t.Context(), 1)
			for _, err := range []error{err, away} {
				if text := fmt.Sprintf("%+v", err); strings.Contains(text, "hunter2") ||
					strings.Contains(text, "YW5u") {
					t.Errorf("told: %s", text)
				}
			}
		})
	}
}

// TestTLS: the certificate authority of the configuration is trusted, others are not.
func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, quoted(kind, ""))
		}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	s.StartTLS()
	defer s.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	var ca bytes.Buffer
	if err := pem.Encode(&ca, &pem.Block{Type: "CERTIFICATE",
		Bytes: s.Certificate().Raw}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, ca.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	trusting := client(t, s.URL, func(cfg *registry.Config) { cfg.CAFile = file })
	if _, err := trusting.SchemaText(t.Context(), 1); err != nil {
		t.Error(err)
	}
	_, err := client(t, s.URL, nil).SchemaText(t.Context(), 1)
	if !errors.Is(err, registry.ErrUnreachable) {
		t.Errorf("an unknown certificate: %v", err)
	}
}

// TestRegister: ids, and the registry's words where it refuses.
func TestRegister(t *testing.T) {
	incompatible := `{"error_code":409,"message":"DEFAULT_MISSING at /fields/1"}`
	checked := `{"is_compatible":false,"messages":["a","b"]}`
	latest := quoted(kind, `,"id":12,"version":4`)
	const check = "POST /compatibility/subjects/"
	s := serve(t, answers{
		"POST /subjects/t-value/versions":       {200, `{"id":12}`},
		"POST /subjects/old-value/versions":     {409, incompatible},
		"POST /subjects/t-value":                {200, `{"id":12,"version":1}`},
		"POST /subjects/old-value":              {404, `{"error_code":40403}`},
		check + "t-value/versions/latest":       {404, `{"error_code":40401}`},
		check + "old-value/versions/latest":     {200, checked},
		"GET /subjects/t-value/versions/latest": {200, latest},
	})
	c, ctx := client(t, s.URL, nil), t.Context()
	id, err := c.Register(ctx, registry.ValueSubject("t"), []byte(kind))
	if id != 12 || err != nil {
		t.Errorf("registered as %d, %v", id, err)
	}
	_, err = c.Register(ctx, "old-value", []byte(kind))
	if !errors.Is(err, registry.ErrIncompatible) ||
		!strings.Contains(err.Error(), "DEFAULT_MISSING at /fields/1") {
		t.Errorf("incompatible: %v", err)
	}
	if id, err := c.Lookup(ctx, "t-value", []byte(kind)); id != 12 || err != nil {
		t.Errorf("looked up as %d, %v", id, err)
	}
	if _, err := c.Lookup(ctx, "old-value", []byte(kind)); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("looked up: %v", err)
	}
	if ok, _, err := c.Compatible(ctx, "t-value", []byte(kind)); !ok || err != nil {
		t.Errorf("a subject without versions: %t, %v", ok, err)
	}
	ok, why, err := c.Compatible(ctx, "old-value", []byte(kind))
	if ok || why != "a; b" || err != nil {
		t.Errorf("incompatible: %t, %q, %v", ok, why, err)
	}
	found, err := c.Find(ctx, "t-value", registry.Latest)
	if found.ID != 12 || found.Version != 4 || string(found.Text) != kind || err != nil {
		t.Errorf("found %+v, %v", found, err)
	}
}

// TestCacheIsBounded: what was not used for long is asked for again.
func TestCacheIsBounded(t *testing.T) {
	a := answers{}
	for id := range 10 {
		a[fmt.Sprintf("GET /schemas/ids/%d", id)] = struct {
			status int
			body   string
		}{200, quoted(kind, "")}
	}
	s := serve(t, a)
	c := client(t, s.URL, func(cfg *registry.Config) { cfg.CacheBytes = 3*len(kind) + 1 })
	ask := func(id uint32) {
		t.Helper()
		if _, err := c.SchemaText(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	for id := range uint32(10) {
		ask(id)
		ask(0) // is used all the time
	}
	if n := s.asked.Load(); n != 10 {
		t.Errorf("%d requests, want one for each", n)
	}
	ask(9)
	ask(2)
	if n := s.asked.Load(); n != 11 {
		t.Errorf("%d requests, want one more for the one that was dropped", n)
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, change := range map[string]func(*registry.Config){
		"no url":              func(c *registry.Config) { c.URL, c.Token = "", "t" },
		"no address":          func(c *registry.Config) { c.URL = "registry:8081" },
		"password in the url": func(c *registry.Config) { c.URL = "http://ann:hunter2@h" },
		"a query":             func(c *registry.Config) { c.URL = "http://h?a=b" },
		"half a user":         func(c *registry.Config) { c.Username = "ann" },
		"user and token": func(c *registry.Config) {
			c.Username, c.Password, c.Token = "a", "b", "c"
		},
		"half a certificate": func(c *registry.Config) { c.URL, c.CertFile = "https://h", "f" },
		"certificate, http":  func(c *registry.Config) { c.CAFile = "f" },
		"no time":            func(c *registry.Config) { c.RequestTimeout = 0 },
	} {
		cfg := registry.Default()
		cfg.URL = "http://h:8081"
		if cfg.Validate() != nil {
			t.Fatal("the configuration to change is wrong already")
		}
		change(&cfg)
		err := cfg.Validate()
		if err == nil {
			t.Errorf("%s: taken", name)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: told: %v", name, err)
		}
	}
}
