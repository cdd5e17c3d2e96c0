package api

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestProfiles(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	tests := []struct {
		query string
		code  int
		want  string // part of the body
	}{
		{"identity=email:ann@example.org", 200, `"name":"Ann"`},
		{"identity=email:ANN@EXAMPLE.ORG&class=profile&policy=default", 200, `"name":"Ann"`},
		{"identity=crm:1&provenance=true", 200, `"provenance":{"email":{"dataset":"crm"`},
		{"identity=crm:2", 404, `{"error":"no profile has this identity"}`},
		{"", 400, "NAMESPACE:VALUE"},
		{"identity=1", 400, "NAMESPACE:VALUE"},
		{"identity=crm:1&identity=crm:2", 400, "given twice"},
		{"identity=crm:1&polcy=x", 400, "no parameter"},
		{"identity=crm:1&policy=x", 400, "no merge policy"},
		{"identity=crm:1&class=x", 400, "no entity class"},
		{"identity=fax:1", 400, "no namespace"},
		{"identity=crm:1&provenance=maybe", 400, "true or false"},
		{"identity=%zz", 400, "reading the query"},
	}
	for _, test := range tests {
		code, body := w.get("/v1/profiles?" + test.query)
		if code != test.code || !strings.Contains(body, test.want) || !json.Valid([]byte(body)) {
			t.Errorf("%s: got %d %s want %d %s", test.query, code, body, test.code, test.want)
		}
	}
	if _, body := w.get("/v1/profiles?identity=crm:1"); strings.Contains(body, "provenance") {
		t.Errorf("provenance without asking: %s", body)
	}
	if logged := w.log.String(); logged != "" {
		t.Errorf("logged: %s", logged)
	}
}

func TestAdmission(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	const profiles = "/v1/profiles?identity=crm:1"
	open, closed := Options{}, Options{Token: "secret"}
	tests := []struct {
		name    string
		options Options
		method  string
		target  string
		header  string
		code    int
	}{
		{"open", open, "GET", profiles, "", 200},
		{"head", open, "HEAD", profiles, "", 200},
		{"post", open, "POST", profiles, "", 405},
		{"by address", open, "GET", profiles, "Host: 127.0.0.1:8080", 200},
		{"by IPv6 address", open, "GET", profiles, "Host: [::1]", 200},
		{"rebound name", open, "GET", profiles, "Host: evil.example:8080", 403},
		{"no token", closed, "GET", profiles, "", 401},
		{"wrong token", closed, "GET", profiles, "Authorization: Bearer secre", 401},
		{"no scheme", closed, "GET", profiles, "Authorization: secret", 401},
		{"wrong scheme", closed, "GET", profiles, "Authorization: Basic secret", 401},
		{"token", closed, "GET", profiles, "Authorization: Bearer secret", 200},
		{"metrics without token", closed, "GET", "/metrics", "", 401},
		{"status without token", closed, "GET", "/v1/status", "", 401},
		{"unknown path without token", closed, "GET", "/x", "", 401},
		{"health", closed, "GET", "/healthz", "Host: 10.0.0.7:8080", 200},
		{"readiness", closed, "GET", "/readyz", "", 200},
		{"unknown path", open, "GET", "/v1/profile", "", 404},
		{"no pprof", open, "GET", "/debug/pprof/", "", 404},
		{"pprof", Options{Pprof: true}, "GET", "/debug/pprof/", "", 200},
		{"one of pprof", Options{Pprof: true}, "GET", "/debug/pprof/goroutine", "", 200},
		{"pprof, no token", Options{Pprof: true, Token: "x"}, "GET", "/debug/pprof/", "", 401},
	}
	for _, test := range tests {
		code, body := w.ask(test.options, test.method, test.target, test.header)
		if code != test.code {
			t.Errorf("%s: got %d %s want %d", test.name, code, body, test.code)
		}
		if code >= 400 && !strings.HasPrefix(body, `{"error":"`) {
			t.Errorf("%s: not an error in JSON: %s", test.name, body)
		}
	}
}

func TestReadiness(t *testing.T) {
	w := newWorld(t)
	if code, body := w.get("/readyz"); code != 200 {
		t.Errorf("got %d %s", code, body)
	}
	w.broken = errNotYet
	if code, body := w.get("/readyz"); code != 503 || !strings.Contains(body, errNotYet.Error()) {
		t.Errorf("got %d %s", code, body)
	}
	if code, body := w.get("/healthz"); code != 200 {
		t.Errorf("alive but not ready: got %d %s", code, body)
	}
	if _, body := w.get("/v1/status"); !strings.Contains(body, `"ready":false,"reason":"the pipe`) {
		t.Errorf("status: %s", body)
	}
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1), "{", ann(2))
	code, body := w.get("/v1/status")
	for _, want := range []string{
		`"version":"1.2.3","ready":true,"outboxDepth":`,
		`"partitions":[{"topic":"crm","partition":0,"position":3,"lag":null}]`,
		`"datasets":[{"name":"crm","consumed":3,"accepted":2,"duplicate":0,"superseded":0,`,
		`"malformed":1`, `"too_old":0`,
	} {
		if code != 200 || !strings.Contains(body, want) {
			t.Errorf("%d %s lacks %s", code, body, want)
		}
	}
}
