package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"selfsame/pipeline"
	"selfsame/profile"
)

func TestProvenance(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	w.now = w.now.Add(1e9)
	w.send("crm", `{"id":"2","email":"ann@example.org","name":"Anna"}`)
	w.sendWith("crm", []pipeline.Header{{Key: "selfsame-unset", Value: []byte("name")}},
		`{"id":"3"}`)
	for _, target := range []string{"/v1/provenance?identity=crm:1&path=name",
		"/v1/provenance/crm/1?path=name"} {
		code, body := w.get(target)
		if code != 200 || !strings.Contains(body, `"attributes":[{"path":"name","value":"Ann",`+
			`"statements":[{"stands":true,"reason":"only","value":"Ann","dataset":"crm",`+
			`"identity":{"namespace":"crm","value":"1"},"time":"2023-11-14T22:13:20Z",`+
			`"topic":"crm","partition":0,"offset":0}]}]`) {
			t.Errorf("%s: %d %s", target, code, body)
		}
	}
	for target, want := range map[string]int{
		"/v1/provenance?identity=crm:9":               404,
		"/v1/provenance?identity=crm":                 400,
		"/v1/provenance?identity=crm:1&policy=x":      400,
		"/v1/provenance?identity=crm:1&provenance=1":  400,
		"/v1/provenance":                              400,
		"/v1/provenance/crm":                          400,
		"/v1/provenance/crm/1?path=name&path=address": 400,
	} {
		if code, body := w.get(target); code != want {
			t.Errorf("%s: %d %s, want %d", target, code, body, want)
		}
	}
}

func TestPreview(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1), `{"id":"2","name":"Bea"}`)
	for body, want := range map[string]string{
		`{"policy":{"stitching":"none"},"identity":"email:ANN@example.org"}`: `"ends":true,` +
			`"attributes":[{"path":"email","old":"ann@example.org"},{"path":"id","old":"1"},` +
			`{"path":"name","old":"Ann"}]`,
		`{"policy":{"strategy":"earliest"}}`:           `"looked":2,"profiles":[]`,
		`{"policy":{"overrides":{"nope":{"a":1}}}}`:    `unknown field`,
		`{"policy":{"precedence":["nope"]}}`:           `there is no dataset \"nope\"`,
		`{"policy":{},"sample":-1}`:                    `want a sample of 1 to 1000`,
		`{"policy":{},"sample":1,"identity":"crm:1"}`:  `want an identity or a sample`,
		`{"policy":{},"identity":"crm:9"}`:             `no profile has this identity`,
		`{"policy":{},"identity":"nobody"}`:            `want an identity as NAMESPACE:VALUE`,
		`{"policy":{},"against":"x"}`:                  `has no merge policy \"x\"`,
		`{"policy":{}} {}`:                             `more than one JSON object`,
		`{"policy":{"strategy":"newest"},"sample":10}`: `\"newest\" is not latest`,
	} {
		code, got := w.postTo(previewPath, Options{}, body)
		if !strings.Contains(got, want) || (code == 200) != strings.Contains(got, "looked") {
			t.Errorf("%s: %d %s, want %s", body, code, got, want)
		}
	}
	if code, _ := w.get(previewPath); code != 405 {
		t.Errorf("GET: %d", code)
	}
}

// TestProvenanceClient asks a server for both.
func TestProvenanceClient(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	server := httptest.NewServer(w.handler(Options{}))
	defer server.Close()
	c := NewClient(server.URL, "")
	body, err := c.Provenance(context.Background(), ProvenanceQuery{Path: "name",
		Identity: profile.Identity{Namespace: "email", Value: "ann@example.org"}})
	must(t, err)
	var x pipeline.Explanation
	must(t, json.Unmarshal(body, &x))
	if len(x.Attributes) != 1 || x.Attributes[0].Statements[0].Identity.Value != "1" {
		t.Errorf("explained %+v", x)
	}
	body, err = c.Preview(context.Background(), pipeline.PreviewQuery{Class: "profile",
		Identity: "crm:1", Policy: pipeline.MergeSpec{Precedence: []string{"crm"}}})
	must(t, err)
	var p pipeline.Preview
	must(t, json.Unmarshal(body, &p))
	if p.Looked != 1 || len(p.Profiles) != 0 {
		t.Errorf("previewed %+v", p)
	}
	_, err = c.Preview(context.Background(), pipeline.PreviewQuery{Class: "profile",
		Identity: "crm:9"})
	if !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown identity: %v", err)
	}
}
