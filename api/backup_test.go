package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"

	"selfsame/pipeline"
	"selfsame/store"
)

// backUp is a backup without a pipeline.
func (w *world) backUp(_ context.Context, name string) (*store.Backup, error) {
	if w.broken != nil {
		return nil, w.broken
	}
	c, err := w.backend.Store.Checkpoint(path.Join(w.t.TempDir(), "backups", name), start)
	if err != nil {
		return nil, err
	}
	return c.Seal()
}

// TestBackup: a client has a backup made and is told what is in it.
func TestBackup(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	server := httptest.NewServer(w.handler(Options{Token: "secret"}))
	defer server.Close()
	client := NewClient(server.URL, "secret")
	body, err := client.Backup(t.Context(), "before_upgrade-2")
	must(t, err)
	for _, part := range []string{`"name":"before_upgrade-2"`,
		`"path":"/data/backups/before_upgrade-2"`, `"commit":1,`, `"version":1099511627777,`,
		`"created":"2023-11-14T22:13:20Z"`, `"bytes":`, `"seconds":`} {
		if !strings.Contains(string(body), part) {
			t.Errorf("%s lacks %s", body, part)
		}
	}
	body, err = client.Backup(t.Context(), "")
	must(t, err)
	if !strings.Contains(string(body), `"name":"20`) {
		t.Errorf("without a name: %s", body)
	}
	w.broken = store.ErrBackupExists
	if _, err := client.Backup(t.Context(), "a"); err == nil ||
		!strings.Contains(err.Error(), "a backup of this name exists") {
		t.Errorf("a name that is taken: %v", err)
	}
}

// TestBackupRefused: what may not be asked, and what cannot be done.
func TestBackupRefused(t *testing.T) {
	tests := []struct {
		name    string
		options Options
		body    string
		header  string
		broken  error
		code    int
	}{
		{name: "no JSON", body: "{", code: 400},
		{name: "null", body: "null", code: 400},
		{name: "a name that is a path", body: `{"name":"../x"}`, code: 400},
		{name: "another type", body: "{}", header: "Content-Type: text/plain", code: 415},
		{name: "too large", body: `{"name":"` + strings.Repeat("x", 5<<10) + `"}`, code: 413},
		{name: "no token", options: Options{Token: "x"}, body: "{}", code: 401},
		{name: "running", body: "{}", broken: pipeline.ErrBackupRunning, code: 409},
		{name: "taken", body: "{}", broken: fmt.Errorf("beginning: %w", store.ErrBackupExists),
			code: 409},
		{name: "stopping", body: "{}", broken: pipeline.ErrNotApplying, code: 503},
		{name: "failing", body: "{}", broken: errNotYet, code: 500},
	}
	for _, test := range tests {
		w := newWorld(t)
		w.broken = test.broken
		if code, body := w.postTo(backupPath, test.options, test.body, test.header); code !=
			test.code || !strings.Contains(body, `{"error":"`) {
			t.Errorf("%s: %d %s", test.name, code, body)
		}
	}
	w := newWorld(t)
	if code, body := w.ask(Options{}, http.MethodGet, backupPath); code != 405 {
		t.Errorf("GET: %d %s", code, body)
	}
}
