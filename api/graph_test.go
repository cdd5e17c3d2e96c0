package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"selfsame/pipeline"
)

// TestGraph asks about two customers with one address.
func TestGraph(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1), `{"id":"a/b","email":"bob@example.org"}`)
	w.now = w.now.Add(1)
	w.send("crm", ann(2))
	for _, target := range []string{"/v1/graph?identity=email:ANN@example.org",
		"/v1/graph/email:ann@example.org", "/v1/graph/email%3Aann%40example.org?limit=5"} {
		var c pipeline.GraphCluster
		w.getInto(target, &c)
		if len(c.Identities) != 2 || len(c.Links) != 1 || len(c.LeftOut) != 1 ||
			c.LeftOut[0].Rule != "unique crm" || c.Links[0].Assertions[0].Latest.Offset != 2 {
			t.Errorf("%s: %+v", target, c)
		}
	}
	var c pipeline.GraphCluster
	w.getInto("/v1/graph/crm:a/b", &c)
	if len(c.Identities) != 2 {
		t.Errorf("a value with a slash: %+v", c)
	}
	var e pipeline.GraphExplanation
	w.getInto("/v1/graph/explain?from=crm:1&to=crm:2", &e)
	if e.Connected || len(e.LeftOut) != 1 || e.From.Profile == e.To.Profile {
		t.Errorf("%+v", e)
	}
	w.getInto("/v1/graph/explain?from=crm:2&to=email:ann@example.org", &e)
	if !e.Connected || len(e.Path) != 1 || e.Path[0].A != "crm:2" {
		t.Errorf("%+v", e)
	}
	var top pipeline.GraphTop
	w.getInto("/v1/graph/top?limit=1", &top)
	if len(top.Largest) != 1 || top.Clusters != 3 || len(top.Moved) != 1 ||
		top.Moved[0].Identity != "email:ann@example.org" || top.Moved[0].Dataset != "crm" {
		t.Errorf("%+v", top)
	}
	if strings.Contains(w.log.String(), "example.org") {
		t.Errorf("logs a personal value: %s", w.log.String())
	}
}

// TestSimulateRules asks what a second customer number per person would do: one person of two.
func TestSimulateRules(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1), ann(2))
	rules := pipeline.RulesTextOf(w.backend.Model.Entities[0].Rules)
	rules.Namespaces[0].Unique, rules.Namespaces[0].Limit = false, 2
	body, err := json.Marshal(Simulation{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	code, answer := w.postTo(simulatePath, Options{}, string(body))
	var e pipeline.RulesEffect
	if err := json.Unmarshal([]byte(answer), &e); code != 200 || err != nil {
		t.Fatalf("%d %s: %v", code, answer, err)
	}
	if e.ClustersBefore != 2 || e.ClustersAfter != 1 || e.Merged != 1 || e.LargestAfter != 3 {
		t.Errorf("%+v", e)
	}
	rules.Namespaces[0].Type = "device"
	refused, err := json.Marshal(Simulation{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{string(refused): "its type changes",
		`{"rules":{"namespaces":[{"name":"crm","type":"x"}]}}`: "unknown identity type",
		`{"rule":{}}`: "unknown field", `{"class":"nope","rules":{"namespaces":[{"name":"crm",` +
			`"type":"email"}]}}`: "no entity class"} {
		code, answer := w.postTo(simulatePath, Options{}, body)
		if code != 400 || !strings.Contains(answer, want) {
			t.Errorf("%s: %d %s, want %s", body, code, answer, want)
		}
	}
}

// getInto decodes the answer of a request that must succeed.
func (w *world) getInto(target string, into any) {
	w.t.Helper()
	code, body := w.get(target)
	if code != 200 {
		w.t.Fatalf("%s: %d %s", target, code, body)
	}
	must(w.t, json.Unmarshal([]byte(body), into))
}

func TestGraphRefuses(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	for target, want := range map[string]int{
		"/v1/graph":                                       400,
		"/v1/graph?identity=ann":                          400,
		"/v1/graph?identity=nope:1":                       400,
		"/v1/graph?identity=crm:null":                     400,
		"/v1/graph?identity=crm:1&identity=crm:2":         400,
		"/v1/graph?identity=crm:1&class=nope":             400,
		"/v1/graph?identity=crm:1&from=crm:1":             400,
		"/v1/graph?identity=crm:1&limit=0":                400,
		"/v1/graph?identity=crm:1&limit=10001":            400,
		"/v1/graph?identity=crm:7":                        404,
		"/v1/graph/":                                      400,
		"/v1/graph/ann":                                   400,
		"/v1/graph/crm:1?identity=crm:1":                  400,
		"/v1/graph/explain?from=crm:1":                    400,
		"/v1/graph/explain?from=crm:1&to=crm:7":           404,
		"/v1/graph/explain?from=crm:1&to=crm:1&limit=one": 400,
		"/v1/graph/top?identity=crm:1":                    400,
		"/v1/graph/top?limit=1001":                        400,
		"/v1/graph/top?class=nope":                        400,
	} {
		code, body := w.get(target)
		if code != want || !strings.Contains(body, `"error"`) {
			t.Errorf("%s: %d %s, want %d", target, code, body, want)
		}
	}
	h := w.handler(Options{}).(*handler)
	for range maxExports {
		h.exports.begin()
	}
	recorded := httptest.NewRecorder()
	h.ServeHTTP(recorded, httptest.NewRequest("GET", "http://localhost/v1/graph/top", nil))
	if recorded.Code != 503 || recorded.Header().Get("Retry-After") == "" {
		t.Errorf("with all slots taken: %d %s", recorded.Code, recorded.Body)
	}
}

// TestGraphClient holds client and handler together.
func TestGraphClient(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	server := httptest.NewServer(w.handler(Options{}))
	defer server.Close()
	c, ctx := NewClient(server.URL, ""), context.Background()
	q := GraphQuery{Class: "profile", Limit: 3}
	for name, ask := range map[string]func() ([]byte, error){
		"graph":   func() ([]byte, error) { return c.Graph(ctx, q, "email:ann@example.org") },
		"explain": func() ([]byte, error) { return c.Explain(ctx, q, "crm:1", "crm:1") },
		"top":     func() ([]byte, error) { return c.Top(ctx, q) },
	} {
		body, err := ask()
		if err != nil || !strings.HasPrefix(string(body), `{"class":"profile"`) {
			t.Errorf("%s: %s, %v", name, body, err)
		}
	}
	if _, err := c.Graph(ctx, GraphQuery{}, "crm:7"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an identity that is not known: %v", err)
	}
}
