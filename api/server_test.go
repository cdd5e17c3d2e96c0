package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		listen, token, want string
	}{
		{"", "", ""},
		{"127.0.0.1:0", "", ""},
		{"localhost:8080", "", ""},
		{"[::1]:8080", "", ""},
		{"0.0.0.0:8080", "x", ""},
		{"0.0.0.0:8080", "", "set a token"},
		{":8080", "", "set a token"},
		{"example.org:8080", "", "set a token"},
		{"8080", "x", "want HOST:PORT"},
	}
	for _, test := range tests {
		err := Options{Listen: test.listen, Token: test.token}.Validate()
		if (err == nil) != (test.want == "") ||
			err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v", test, err)
		}
	}
	all := Options{Listen: "8080", Token: "se cret\n", ShutdownTimeout: -time.Second}.Validate()
	for _, want := range []string{"want HOST:PORT", "the token holds", "-1s is negative"} {
		if all == nil || !strings.Contains(all.Error(), want) {
			t.Errorf("got %v want %s", all, want)
		}
	}
	if strings.Contains(all.Error(), "cret") {
		t.Errorf("tells the token: %v", all)
	}
	if _, err := New(Options{Listen: ":0"}, Backend{}, slog.Default()).Listen(); err == nil {
		t.Error("listened for everyone without a token")
	}
}

func TestServeAndAsk(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	log := slog.New(slog.DiscardHandler)
	s := New(Options{Listen: "127.0.0.1:0", Token: "secret"}, w.backend, log)
	addr, err := s.Listen()
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()

	client := NewClient(addr, "secret")
	q := ProfileQuery{Class: "profile", Namespace: "email", Value: "ANN@example.org",
		Policy: "default", Provenance: true}
	body, err := client.Profile(t.Context(), q)
	if err != nil || !strings.Contains(string(body), `"provenance":`) {
		t.Errorf("got %s, %v", body, err)
	}
	body, err = client.Status(t.Context())
	if err != nil || !strings.Contains(string(body), `"version":"1.2.3"`) {
		t.Errorf("status: got %s, %v", body, err)
	}
	q.Value = "bob+news@example.org"
	if _, err := client.Profile(t.Context(), q); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: got %v", err)
	}
	q.Policy = "x"
	if _, err := client.Profile(t.Context(), q); err == nil ||
		!strings.Contains(err.Error(), `no merge policy "x"`) {
		t.Errorf("wrong query: got %v", err)
	}
	if _, err := NewClient(addr, "").Status(t.Context()); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("no token: got %v", err)
	}

	stop()
	select {
	case err := <-served:
		must(t, err)
	case <-time.After(20 * time.Second):
		t.Fatal("does not stop")
	}
	_, err = client.Profile(t.Context(), q)
	if err == nil || !strings.Contains(err.Error(), "no daemon at http://"+addr) ||
		strings.Contains(err.Error(), "bob") {
		t.Errorf("stopped: got %v", err)
	}
}

// TestCutOff lets a request outlast the shutdown.
func TestCutOff(t *testing.T) {
	w := newWorld(t)
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	s := New(Options{Listen: "127.0.0.1:0", ShutdownTimeout: time.Millisecond}, w.backend, log)
	entered, released := make(chan struct{}), make(chan struct{})
	defer close(released)
	s.http.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-released
	})
	addr, err := s.Listen()
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served, asked := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	go func() {
		_, err := NewClient(addr, "").Status(t.Context())
		asked <- err
	}()
	<-entered
	stop()
	must(t, <-served)
	if err := <-asked; err == nil || !strings.Contains(err.Error(), "http://"+addr) {
		t.Errorf("the request was answered: %v", err)
	}
	if !strings.Contains(w.log.String(), "cutting off") {
		t.Errorf("logged %s", w.log.String())
	}
}

// TestServeFails ends the server from below.
func TestServeFails(t *testing.T) {
	s := New(Options{Listen: "127.0.0.1:0"}, Backend{}, slog.New(slog.DiscardHandler))
	if err := s.Serve(t.Context()); err == nil {
		t.Error("served without listening")
	}
	_, err := s.Listen()
	must(t, err)
	must(t, s.listener.Close())
	if err := s.Serve(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestListenTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer taken.Close()
	s := New(Options{Listen: taken.Addr().String()}, Backend{}, slog.New(slog.DiscardHandler))
	if _, err := s.Listen(); err == nil {
		t.Error("listened on a port that is taken")
	}
}

// TestClientElsewhere asks what is no daemon.
func TestClientElsewhere(t *testing.T) {
	reached := false
	mux := http.NewServeMux()
	mux.HandleFunc("/plain/", http.NotFound)
	mux.HandleFunc("/away/", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/caught", http.StatusFound)
	})
	mux.HandleFunc("/caught", func(http.ResponseWriter, *http.Request) { reached = true })
	mux.HandleFunc("/endless/", func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 1<<20)
		for n := 0; n <= answerBytes; n += len(block) {
			_, _ = w.Write(block)
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	q := ProfileQuery{Namespace: "email", Value: "bob@example.org"}
	for _, at := range []string{"/plain", "/away/", "/endless"} {
		_, err := NewClient(server.URL+at, "secret").Profile(t.Context(), q)
		if err == nil || !strings.Contains(err.Error(), "is not a selfsame daemon") {
			t.Errorf("%s: got %v", at, err)
		}
	}
	if reached {
		t.Error("followed a redirect with the token")
	}
	for _, address := range []string{"http://%zz", "127.0.0.1:1"} {
		_, err := NewClient(address, "").Profile(t.Context(), q)
		if err == nil || strings.Contains(err.Error(), "bob") {
			t.Errorf("%s: got %v", address, err)
		}
	}
}

func TestBaseURL(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8080":        "http://127.0.0.1:8080",
		":8080":                 "http://localhost:8080",
		"0.0.0.0:8080":          "http://localhost:8080",
		"[::]:8080":             "http://localhost:8080",
		"https://host.example/": "https://host.example",
	} {
		if got := baseURL(address); got != want {
			t.Errorf("%s: got %s want %s", address, got, want)
		}
	}
}
