package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"selfsame/store"
)

// post sends a control record and returns status and body.
func (w *world) post(o Options, body string, headers ...string) (int, string) {
	return w.postTo(controlPath, o, body, headers...)
}

// postTo sends JSON, unless a header says that it is something else.
func (w *world) postTo(path string, o Options, body string, headers ...string) (int, string) {
	r := httptest.NewRequest("POST", "http://localhost:8080"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	recorded := httptest.NewRecorder()
	w.handler(o).ServeHTTP(recorded, r)
	return recorded.Code, recorded.Body.String()
}

// TestControl: a record is written to the topic and found by its id once it is applied.
func TestControl(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1), ann(2))
	const link = `{"id":"a/b","op":"link","identities":["crm:1","crm:2"]}`
	if code, body := w.get("/v1/control/a%2Fb"); code != 404 {
		t.Errorf("before: %d %s", code, body)
	}
	code, body := w.post(Options{}, link)
	if code != 202 || !strings.Contains(body, `"id":"a/b"`) {
		t.Errorf("%d %s", code, body)
	}
	code, body = w.get("/v1/control/a%2Fb")
	if code != 200 || !strings.Contains(body, `"op":"link"`) ||
		!strings.Contains(body, `"cause":{"topic":"control","partition":0,"offset":0}`) {
		t.Errorf("after: %d %s", code, body)
	}
	if code, body := w.get("/v1/profiles/crm/2"); code != 200 ||
		!strings.Contains(body, `"crm":["1","2"]`) {
		t.Errorf("the profile: %d %s", code, body)
	}
	if code, _ := w.post(Options{}, `{"op":"remerge"}`); code != 202 ||
		len(w.controlled) != 2 || len(w.controlled[1]) < 20 {
		t.Errorf("without an id: %d, ids %v", code, w.controlled)
	}
	must(t, w.shard.Apply(nil, w.now.UnixNano())) // a job begins one commit later
	code, body = w.get("/v1/jobs")
	done := `"kind":"remerge","state":"done","done":1,"total":1`
	if code != 200 || !strings.Contains(body, done) {
		t.Errorf("jobs: %d %s", code, body)
	}
	b := w.backend.Store.NewBatch()
	b.SetJob(&store.Job{ID: "waits", Kind: "retain", State: store.JobRunning})
	must(t, w.backend.Store.Commit(b, true))
	code, body = w.get("/v1/jobs")
	if code != 200 || strings.Contains(body, "1970") ||
		!strings.Contains(body, `"kind":"retain","state":"running","done":0,"total":0}`) {
		t.Errorf("a job that has taken no step: %d %s", code, body)
	}
}

// TestControlRefusedLater: what only the pipeline can refuse is told under its id, too.
func TestControlRefusedLater(t *testing.T) {
	w := newWorld(t)
	const early = `{"id":"f","op":"link","identities":["crm:1","crm:2"],` +
		`"time":"2200-01-01T00:00:00Z"}`
	if code, body := w.post(Options{}, early); code != 202 {
		t.Errorf("posting: %d %s", code, body)
	}
	code, body := w.get("/v1/control/f")
	if code != 200 || !strings.Contains(body, `"outcome":"rejected","op":"link",`+
		`"reason":"future_timestamp"`) || !strings.Contains(body, `"offset":0}`) {
		t.Errorf("refused: %d %s", code, body)
	}
	if code, body := w.post(Options{}, strings.Replace(early, "2200", "2020", 1)); code != 202 {
		t.Errorf("posting again: %d %s", code, body)
	}
	code, body = w.get("/v1/control/f")
	if code != 200 || !strings.Contains(body, `"outcome":"applied"`) ||
		!strings.Contains(body, `"offset":1}`) {
		t.Errorf("applied: %d %s", code, body)
	}
}

// TestControlRefused: nothing reaches the topic of what is wrong or may not be asked.
func TestControlRefused(t *testing.T) {
	w := newWorld(t)
	const link = `{"op":"link","identities":["crm:1","crm:2"]}`
	tests := []struct {
		name    string
		options Options
		body    string
		header  string
		code    int
		want    string
	}{
		{"no JSON", Options{}, "{", "", 400, "not one JSON object"},
		{"null", Options{}, "null", "", 400, "not one JSON object"},
		{"another type", Options{}, link, "Content-Type: text/plain", 415, "application/json"},
		{"wrong", Options{}, `{"op":"link"}`, "", 400, "identities: wanted 2 of them, found 0"},
		{"unknown field", Options{}, `{"op":"remerge","x":1}`, "", 400, "an unknown field"},
		{"twice", Options{}, `{"op":"remerge","op":"remerge"}`, "", 400, "each field once"},
		{"other letters", Options{}, `{"OP":"remerge"}`, "", 400, "an unknown field"},
		{"no token", Options{Token: "x"}, link, "", 401, "token"},
		{"too large", Options{}, `{"op":"` + strings.Repeat("x", 2<<20) + `"}`, "", 413, "large"},
	}
	for _, test := range tests {
		code, body := w.post(test.options, test.body, test.header)
		if code != test.code || !strings.Contains(body, test.want) {
			t.Errorf("%s: %d %s", test.name, code, body)
		}
	}
	if code, body := w.ask(Options{}, http.MethodGet, "/v1/control"); code != 405 {
		t.Errorf("GET: %d %s", code, body)
	}
	if len(w.controlled) > 0 {
		t.Errorf("written: %v", w.controlled)
	}
	w.broken = errNotYet
	if code, body := w.post(Options{}, link); code != 503 {
		t.Errorf("without Kafka: %d %s", code, body)
	}
}

// TestDryRun: the answer says what would be removed, and nothing is sent.
func TestDryRun(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	const erase = `{"op":"erase","identities":["crm:1"]}`
	code, body := w.postTo(controlPath+"?dry_run=true", Options{}, erase)
	want := `"removed":{"fragments":1,"events":0,"links":1}`
	if code != 200 || !strings.Contains(body, want) || !strings.Contains(body, `"crm:1"`) {
		t.Errorf("%d %s", code, body)
	}
	for _, query := range []string{"?dry_run=1", "?x=1", "?dry_run=true&dry_run=true"} {
		if code, body := w.postTo(controlPath+query, Options{}, erase); code != 400 {
			t.Errorf("%s: %d %s", query, code, body)
		}
	}
	code, body = w.postTo(controlPath+"?dry_run=true", Options{}, `{"op":"remerge"}`)
	if code != 400 || !strings.Contains(body, "no dry run") {
		t.Errorf("remerge: %d %s", code, body)
	}
	if len(w.controlled) > 0 {
		t.Errorf("sent: %v", w.controlled)
	}
}

// TestVerify: values are found in the store until they are erased; in this world nothing takes what
// is to be published out of the outbox.
func TestVerify(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	email := "email:" + "ann@example.org"
	order := `{"identities":["` + email + `"]}`
	code, body := w.postTo(verifyPath, Options{}, order)
	if code != 200 || !strings.Contains(body, `"fragment":1`) ||
		!strings.Contains(body, `"identity":"`+email+`"`) {
		t.Errorf("before: %d %s", code, body)
	}
	if code, body := w.post(Options{}, `{"op":"erase","identities":["crm:1"]}`); code != 202 {
		t.Fatalf("%d %s", code, body)
	}
	code, body = w.postTo(verifyPath, Options{}, order)
	if code != 200 || !strings.Contains(body, `"rows":{"outbox":`) {
		t.Errorf("after: %d %s", code, body)
	}
	for _, wrong := range []string{`{}`, `[]`, `{"identities":["x"]}`, `{"identities":["x:y"]}`,
		`{"class":"x","identities":["crm:1"]}`, `{"ids":["crm:1"]}`} {
		if code, body := w.postTo(verifyPath, Options{}, wrong); code != 400 {
			t.Errorf("%s: %d %s", wrong, code, body)
		}
	}
}

// TestControlClasses: of an operation in several classes it is told what it did in each.
func TestControlClasses(t *testing.T) {
	body, err := json.Marshal(statusOf("a", &store.Applied{Op: "erase",
		Removed: store.Removed{Events: 5, Links: 1}, Parts: []store.AppliedPart{
			{Class: "profile", Removed: store.Removed{Events: 2, Links: 1}},
			{Class: "account", Removed: store.Removed{Events: 3}}}}))
	want := `"op":"erase","time":"1970-01-01T00:00:00Z",` +
		`"removed":{"fragments":0,"events":5,"links":1},"classes":[` +
		`{"class":"profile","removed":{"fragments":0,"events":2,"links":1}},` +
		`{"class":"account","removed":{"fragments":0,"events":3,"links":0}}],"cause"`
	if err != nil || !strings.Contains(string(body), want) {
		t.Errorf("%s, %v, want %s", body, err, want)
	}
}

// TestControlFoldedDays: what became of a record tells of folded days where some were removed.
func TestControlFoldedDays(t *testing.T) {
	for days, want := range map[uint64]string{
		0: `"removed":{"fragments":0,"events":0,"links":0}`,
		2: `"removed":{"fragments":0,"events":0,"links":0,"folded_days":2}`,
	} {
		body, err := json.Marshal(statusOf("a", &store.Applied{Op: "delete_profile",
			Removed: store.Removed{Days: days}}))
		if err != nil || !strings.Contains(string(body), want) {
			t.Errorf("%s, %v, want %s", body, err, want)
		}
	}
}
