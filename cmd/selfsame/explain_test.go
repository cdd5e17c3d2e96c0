package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"selfsame/pipeline"
)

func TestExplainPrints(t *testing.T) {
	answer := pipeline.Explanation{ID: "5f", Policy: "p", Attributes: []pipeline.Attribute{
		{Path: "name", Statements: []pipeline.Statement{
			{Stands: true, Reason: "newest", Unset: "name", Dataset: "crm", Topic: "t"},
			{Reason: "unset", Value: json.RawMessage(`"` + strings.Repeat("x", 100) + `"`),
				Dataset: "shop", Identity: pipeline.NamedIdentity{Namespace: "email",
					Value: "a@x"}, Topic: "t", Offset: 3},
		}},
	}}
	var asked string
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_ = json.NewEncoder(w).Encode(answer)
	}))
	defer daemon.Close()
	text := string(stdout(t, func() error {
		return execute("explain", "email:a@x", "name", "--policy", "p", "--api",
			strings.TrimPrefix(daemon.URL, "http://"))
	}))
	if asked != "/v1/provenance?class=profile&identity=email%3Aa%40x&path=name&policy=p" {
		t.Errorf("asked for %s", asked)
	}
	for _, want := range []string{"profile 5f under policy p", "(unset name)", "  not ",
		"xxx...", "email:a@x", "t/0/3"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func TestPolicyPreview(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var asked bytes.Buffer
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = asked.ReadFrom(r.Body)
		fmt.Fprint(w, `{"against":"default","looked":7,"roots_only":true,`+
			`"profiles":[{"id":"5f","new_id":"6f",`+
			`"attributes":[{"path":"name","old":"Ann"},{"path":"age","new":3}],`+
			`"datasets":{"old":["a","b"],"new":["a"]}}]}`)
	}))
	defer daemon.Close()
	address := strings.TrimPrefix(daemon.URL, "http://")
	write("precedence: [crm, shop]\noverrides: {tags: {union: true}}\n")
	text := string(stdout(t, func() error {
		return execute("policy", "preview", "--policy", file, "--sample", "7", "--api", address)
	}))
	want := `{"class":"profile","policy":{"precedence":["crm","shop"],"overrides":{"tags":` +
		`{"union":true}}},"against":"","identity":"","sample":7}`
	if asked.String() != want {
		t.Errorf("asked %s", &asked)
	}
	for _, want := range []string{"of each cluster only the profile of its root",
		"1 of 7 profiles would be others than under policy default",
		"profile 5f would be 6f", "name        \"Ann\"     ->  (absent)",
		"age         (absent)  ->  3", "(datasets)  a b       ->  a"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	asked.Reset()
	write("precedence: []\n")
	stdout(t, func() error {
		return execute("policy", "preview", "--policy", file, "--api", address)
	})
	if !strings.Contains(asked.String(), `"policy":{"precedence":[]}`) {
		t.Errorf("the daemon, which refuses an empty list, is asked %s", &asked)
	}
	for text, want := range map[string]string{
		"topic: x\n":          "new.yaml",
		"strategy: [a]\n":     "new.yaml:1: strategy: want a text, not a list",
		"kafka: {}\n":         "new.yaml:1: this is of a whole configuration: want the keys of one",
		"{}\n---\n{}\n":       "a second document",
		"precedence: crm: x":  "new.yaml",
		"\nstategy: latest\n": `new.yaml:2: unknown key "stategy"; did you mean "strategy"?`,
		"overrides:\n  tags: {unoin: true}\n": `new.yaml:2: overrides.tags: unknown key "unoin"; ` +
			`did you mean "union"?`,
	} {
		write(text)
		err := execute("policy", "preview", "--policy", file, "--api", address)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestPreviewRefused: what the daemon refuses is told by the file and line where it is.
func TestPreviewRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new.yaml")
	daemon := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := `"spend","window"`
		if strings.Contains(r.URL.Path, "policies") {
			at = `"overrides","tags"`
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"all","problems":[{"path":[%s],"problem":"is odd"}]}`, at)
	}))
	defer daemon.Close()
	address := strings.TrimPrefix(daemon.URL, "http://")
	for _, c := range []struct {
		text, want string
		command    []string
	}{
		{"spend:\n  function: count\n  window: 1x\n", "new.yaml:3: spend.window: is odd",
			[]string{"computed", "preview", file}},
		{"strategy: latest\noverrides:\n  tags: {union: true}\n",
			"new.yaml:3: overrides.tags: is odd", []string{"policy", "preview", "--policy", file}},
		{"spend: {window: day}", "--sample: want 1 to 1000",
			[]string{"computed", "preview", file, "--sample", "0"}},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := execute(append(c.command, "--api", address)...)
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%v: %v, want %s", c.command, err, c.want)
		}
	}
}
