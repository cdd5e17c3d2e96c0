package api

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"selfsame/pipeline"
	"selfsame/store"
)

func TestProfiles(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	w.send("crm", `{"id":"a/b//..","name":"Bob"}`)
	tests := []struct {
		target string // after /v1/profiles
		code   int
		want   string // part of the body
	}{
		{"?identity=email:ann@example.org", 200, `"name":"Ann"`},
		{"?identity=email:ANN@EXAMPLE.ORG&class=profile&policy=default", 200, `"name":"Ann"`},
		{"?identity=crm:1&provenance=true", 200, `"provenance":{"email":{"dataset":"crm"`},
		{"?identity=crm:2", 404, `{"error":"no profile has this identity"}`},
		{"", 400, "NAMESPACE:VALUE"},
		{"?identity=1", 400, "NAMESPACE:VALUE"},
		{"?identity=crm:1&identity=crm:2", 400, "given twice"},
		{"?identity=crm:1&polcy=x", 400, "no parameter"},
		{"?identity=crm:1&=x", 400, "no parameter"},
		{"?identity=crm:1&policy=x", 400, "no merge policy"},
		{"?identity=crm:1&class=x", 400, "no entity class"},
		{"?identity=fax:1", 400, "no namespace"},
		{"?identity=crm:unknown", 400, "blocked"},
		{"?identity=crm:1&provenance=maybe", 400, "true or false"},
		{"?identity=%zz", 400, "reading the query"},
		{"/email/ann@example.org", 200, `"name":"Ann"`},
		{"/email/ann%40example.org?provenance=1", 200, `"provenance":{"email":{"dataset":"crm"`},
		{"/crm/a%2Fb%2F%2F..", 200, `"name":"Bob"`},
		{"/crm/a/b//..", 200, `"name":"Bob"`},
		{"/crm/a/b", 404, "no profile"},
		{"/crm/2", 404, "no profile"},
		{"/crm/1?policy=x", 400, "no merge policy"},
		{"/crm/1?identity=crm:1", 400, "no parameter"},
		{"/crm%2F1", 400, "NAMESPACE/VALUE"},
		{"/crm/", 400, "NAMESPACE/VALUE"},
		{"//1", 400, "NAMESPACE/VALUE"},
		{"/", 400, "NAMESPACE/VALUE"},
	}
	for _, test := range tests {
		code, body := w.get("/v1/profiles" + test.target)
		if code != test.code || !strings.Contains(body, test.want) || !json.Valid([]byte(body)) {
			t.Errorf("%s: got %d %s want %d %s", test.target, code, body, test.code, test.want)
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
		{"path not clean", open, "GET", "/v1//status", "", 404},
		{"post to an unknown path", open, "POST", "/x", "", 404},
		{"delete", open, "DELETE", "/v1/profiles/crm/1", "", 405},
		{"status", open, "GET", "/v1/status", "", 200},
		{"status of a dataset", open, "GET", "/v1/status?dataset=crm", "", 400},
		{"jobs", open, "GET", "/v1/jobs", "", 200},
		{"jobs of a state", open, "GET", "/v1/jobs?state=done", "", 400},
		{"control record", open, "GET", "/v1/control/x", "", 404},
		{"control record of a class", open, "GET", "/v1/control/x?class=profile", "", 400},
		{"dry control", open, "POST", "/v1/control?dry=true", "", 400},
		{"parameter without token", closed, "GET", "/v1/jobs?x", "", 401},
		{"health of something", open, "GET", "/healthz?verbose", "", 200},
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

// TestUnreadable: what tells of people waits until the store is known to hold nobody who was
// erased; what runs the daemon is told.
func TestUnreadable(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	w.unreadable = errors.New("the daemon is starting")
	erase := `{"op":"erase","identities":["crm:1"]}`
	for _, asked := range []struct{ path, body string }{
		{"/v1/profiles?identity=crm:1", ""}, {"/v1/profiles/crm/1", ""}, {"/v1/export", ""},
		{"/v1/provenance?identity=crm:1", ""}, {"/v1/provenance/crm/1", ""},
		{"/v1/graph?identity=crm:1", ""}, {"/v1/graph/crm/1", ""}, {"/v1/graph/top", ""},
		{"/v1/graph/explain?from=crm:1&to=email:ann@example.org", ""},
		{"/v1/control?dry_run=true", erase}, {"/v1/verify", `{"identities":["crm:1"]}`},
		{"/v1/policies/preview", `{}`}, {"/v1/computed/preview", `{}`},
		{"/v1/graph/simulate", `{}`},
	} {
		code, body := w.get(asked.path)
		if asked.body != "" {
			code, body = w.postTo(asked.path, Options{}, asked.body)
		}
		if code != 503 || !strings.Contains(body, "the daemon is starting") {
			t.Errorf("%s: %d %s", asked.path, code, body)
		}
	}
	for _, path := range []string{"/v1/status", "/v1/jobs", "/healthz", "/readyz", "/metrics",
		"/v1/computed"} {
		if code, body := w.get(path); code != 200 {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if code, body := w.post(Options{}, erase); code != 202 {
		t.Errorf("a control record: %d %s", code, body)
	}
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1), "{", ann(2))
	code, body := w.get("/v1/status")
	var got status
	must(t, json.Unmarshal([]byte(body), &got))
	position := int64(3)
	want := status{
		Version: "1.2.3", Ready: true, OutboxDepth: w.backend.Store.OutboxDepth(),
		Inputs: []inputStatus{
			{Topic: "control", State: "running"}, {Topic: "crm", State: "running"},
			{Topic: "web", State: "running"},
		},
		Partitions: []partitionStatus{{Topic: "crm", Position: &position}},
		Datasets: []datasetStatus{
			{Name: pipeline.ControlName, Topic: "control",
				Rejected: rejections(pipeline.DatasetStats{})},
			{Name: "crm", Topic: "crm", Entity: "profile", Class: "record", Consumed: 3,
				Accepted: 2, Rejected: rejections(pipeline.DatasetStats{
					Rejected: map[pipeline.Reason]uint64{pipeline.ReasonMalformed: 1}})},
			{Name: "web", Topic: "web", Entity: "profile", Class: "event",
				Rejected: rejections(pipeline.DatasetStats{})},
		},
		Topics: []topicStatus{{Topic: "assignments"}, {Topic: "audit"}, {Topic: "dead"},
			{Topic: "identity"}, {Topic: "profiles"}},
	}
	if code != 200 || !reflect.DeepEqual(got, want) || want.OutboxDepth == 0 {
		t.Errorf("%d %s", code, body)
	}
}

// TestHalted: what an operator has to know is told wherever one looks.
func TestHalted(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	halt := pipeline.Chunk{TP: pipeline.TopicPartition{Topic: "crm"}, Kind: pipeline.ChunkHalt,
		Break: store.Break{Case: store.CaseExpired, Next: 1, LogStart: 5, End: 9}}
	must(t, w.shard.Apply([]pipeline.Chunk{halt}, w.now.UnixNano()))
	_, body := w.get("/v1/status")
	var got status
	must(t, json.Unmarshal([]byte(body), &got))
	in := got.Inputs[1]
	want := breakStatus{Case: "expired", Next: 1, LogStart: 5, End: 9}
	if in.State != "halted" || *in.Break != want || !strings.Contains(in.Reason, "4 offsets") ||
		!strings.Contains(in.ToGoOn, "selfsame dataset resume crm --skip") ||
		in.Since != "2023-11-14T22:13:20Z" || got.Inputs[2].State != "running" {
		t.Errorf("%s", body)
	}
	code, body := w.get("/readyz")
	if code != 200 || !strings.Contains(body, `"status":"degraded"`) ||
		!strings.Contains(body, "input topic crm is halted: expired") {
		t.Errorf("%d %s", code, body)
	}
	w.send("crm", ann(2)) // is not consumed
	if n := w.backend.Stats.Figures().Datasets["crm"].Consumed; n != 1 {
		t.Errorf("consumed %d of a topic that is halted", n)
	}
}

// TestPage holds docs/http.md to the code: the same endpoints, and every field of the status.
func TestPage(t *testing.T) {
	raw, err := os.ReadFile("../docs/http.md")
	must(t, err)
	page := string(raw)
	var documented []string
	headings := regexp.MustCompile(`(?m)^## ((?:GET|POST) .*)$`)
	for _, heading := range headings.FindAllStringSubmatch(page, -1) {
		for _, endpoint := range strings.Split(heading[1], ", ") {
			path := strings.TrimPrefix(strings.TrimPrefix(endpoint, "GET "), "POST ")
			path = strings.TrimSuffix(path, "NAMESPACE/VALUE")
			path = strings.TrimSuffix(path, "IDENTITY")
			documented = append(documented, strings.TrimSuffix(path, "ID"))
		}
	}
	w := newWorld(t)
	h := newHandler(Options{Pprof: true}, w.backend, slog.New(slog.DiscardHandler))
	served := slices.AppendSeq(slices.Collect(maps.Keys(h.under)), maps.Keys(h.post))
	for path := range h.exact {
		if !strings.HasPrefix(path, pprofPath) {
			served = append(served, path)
		}
	}
	slices.Sort(documented)
	slices.Sort(served)
	if len(served) == 0 || !slices.Equal(documented, served) {
		t.Errorf("docs/http.md has %v, served are %v", documented, served)
	}
	for _, body := range []any{status{}, partitionStatus{}, datasetStatus{}, topicStatus{},
		inputStatus{}, breakStatus{}, readiness{}, jobStatus{}, controlStatus{},
		backupAnswer{}, pipeline.GraphCluster{}, pipeline.GraphMember{}, pipeline.GraphLink{},
		pipeline.GraphAssertion{}, pipeline.GraphPlace{}, pipeline.GraphLeftOut{},
		pipeline.GraphExplanation{}, pipeline.GraphEnd{}, pipeline.GraphTop{},
		pipeline.GraphSize{}, pipeline.GraphLarge{}, pipeline.GraphRestless{},

		pipeline.Explanation{}, pipeline.Attribute{}, pipeline.Statement{},
		pipeline.ComputedStatus{}, pipeline.ComputedInfo{}, pipeline.ComputedProgress{},
		pipeline.ComputedQuery{}, pipeline.ComputedPreview{}, pipeline.ComputedDiff{},
		pipeline.Preview{}, pipeline.ProfileDiff{}, pipeline.AttributeDiff{},
		pipeline.ListDiff{}} {
		for field := range reflect.TypeOf(body).Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !strings.Contains(page, "`"+name+"`") {
				t.Errorf("docs/http.md lacks field %s", name)
			}
		}
	}
	for _, name := range []string{"identity", "class", "policy", "provenance", "format", "codec",
		"limit", "from", "to",

		"path", "against", "sample"} {
		if !strings.Contains(page, "| `"+name+"` |") {
			t.Errorf("docs/http.md lacks parameter %s", name)
		}
	}
}
