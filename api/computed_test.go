package api

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"selfsame/pipeline"
)

const visits = `{"visits":{"dataset":"web","function":"count","window":"lifetime"},` +
	`"pages":{"dataset":"web","function":"unique_list","value":"event","max_distinct":1,` +
	`"window":"lifetime"}}`

// TestComputed lists computed attributes and tries definitions.
func TestComputed(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1), `{"id":"2","name":"Bea"}`)
	w.send("web", `{"event":"e1","crm":"1"}`, `{"event":"e2","crm":"1"}`)
	code, body := w.get(computedPath)
	if code != 200 || body != `{"class":"profile","attributes":[]}`+"\n" {
		t.Errorf("none: %d %s", code, body)
	}
	for target, want := range map[string]int{computedPath + "?class=nope": 400,
		computedPath + "?name=x": 400, computedPreviewPath: 405} {
		if code, body := w.get(target); code != want {
			t.Errorf("%s: %d %s, want %d", target, code, body, want)
		}
	}
	for body, want := range map[string]string{
		`{"attributes":` + visits + `,"identity":"email:ann@example.org"}`: `"looked":1,` +
			`"present":{"pages":1,"visits":1},"profiles":[{"id":`,
		`{"attributes":` + visits + `,"sample":2}`: `"looked":2`,
		`{"attributes":` + visits + `}`:            `"computed_flags":{"pages":["truncated"]}`,
		`{"attributes":{"x":{"dataset":"web","function":"count","window":"day",` +
			`"filter":"event.no"}}}`: `{"error":"x: filter: column 6: undefined field 'no'",` +
			`"problems":[{"path":["x","filter"],"problem":"column 6: undefined field 'no'"}]}`,
		`{"attributes":{}}`: `want at least one attribute`,
		`{"attributes":` + visits + `,"identity":"crm:9"}`:        `no profile has this identity`,
		`{"attributes":` + visits + `,"identity":"nobody"}`:       `as NAMESPACE:VALUE`,
		`{"attributes":` + visits + `,"sample":-1}`:               `want a sample of 1 to 1000`,
		`{"attributes":{"x":{"functon":"count"}}}`:                `unknown field`,
		`{"attributes":` + visits + `,"sample":1,"identity":"a"}`: `want an identity or a sample`,
	} {
		code, got := w.postTo(computedPreviewPath, Options{}, body)
		if !strings.Contains(got, want) ||
			(code == 200) != strings.Contains(got, "looked") {
			t.Errorf("%s: %d %s, want %s", body, code, got, want)
		}
	}
}

// TestComputedClient asks a server for both.
func TestComputedClient(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	w.send("web", `{"event":"e1","crm":"1"}`)
	server := httptest.NewServer(w.handler(Options{}))
	defer server.Close()
	c := NewClient(server.URL, "")
	status, err := c.Computed(t.Context(), "profile")
	must(t, err)
	if status.Class != "profile" || len(status.Attributes) != 0 {
		t.Errorf("listed %+v", status)
	}
	q := pipeline.ComputedQuery{Class: "profile", Identity: "crm:1"}
	must(t, json.Unmarshal([]byte(visits), &q.Attributes))
	body, err := c.PreviewComputed(t.Context(), q)
	must(t, err)
	var p pipeline.ComputedPreview
	must(t, json.Unmarshal(body, &p))
	if p.Looked != 1 || string(p.Profiles[0].Computed["visits"]) != "1" {
		t.Errorf("previewed %+v", p)
	}
	q.Identity = "crm:9"
	if _, err = c.PreviewComputed(t.Context(), q); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown identity: %v", err)
	}
	q.Identity = "crm:1"
	q.Attributes["visits"] = pipeline.ComputedSpec{Dataset: "web", Function: "count", Window: "1x"}
	var refused *DefinitionsError
	if _, err = c.PreviewComputed(t.Context(), q); !errors.As(err, &refused) ||
		!slices.Equal(refused.Problems[0].Key, []string{"visits", "window"}) ||
		!strings.Contains(err.Error(), "refused: visits: window: ") {
		t.Errorf("a wrong definition: %v", err)
	}
}
