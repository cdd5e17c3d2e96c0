package api

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestFault: a fault of ours is an answer and a line in the log, and names nobody.
func TestFault(t *testing.T) {
	w := newWorld(t)
	h := newHandler(Options{}, w.backend, slog.New(slog.NewTextHandler(&w.log, nil)))
	var nobody map[string]int
	h.exact["/v1/status"] = func(http.ResponseWriter, *http.Request) { nobody["ann"] = 1 }
	h.under["/v1/bare/"] = func(http.ResponseWriter, *http.Request) { panic("ann@example.org") }
	h.exact["/v1/begun"] = func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<16))
		nobody["ann"] = 1
	}
	server := httptest.NewServer(h)
	defer server.Close()
	client := NewClient(server.URL, "")

	_, err := client.Status(t.Context())
	if err == nil || !strings.Contains(err.Error(), "failed: the daemon has met a fault") {
		t.Errorf("got %v", err)
	}
	logged := w.log.String()
	for _, want := range []string{"assignment to entry in nil map", "fault_test.go"} {
		if !strings.Contains(logged, want) {
			t.Errorf("%s is not logged: %s", want, logged)
		}
	}
	_, err = client.get(t.Context(), "/v1/bare/ann@example.org")
	if err == nil || !strings.Contains(err.Error(), "failed") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(w.log.String(), "ann@") {
		t.Errorf("logged %s", w.log.String())
	}
	if body, err := client.get(t.Context(), "/v1/begun"); err == nil {
		t.Errorf("an answer that was cut off passes for one of %d bytes", len(body))
	}
}

// TestNoAnswer: what hangs up is not called absent.
func TestNoAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	_, err := NewClient(server.URL, "").Status(t.Context())
	if err == nil || strings.Contains(err.Error(), "no daemon") ||
		!strings.Contains(err.Error(), "no answer from "+server.URL) {
		t.Errorf("got %v", err)
	}
}
