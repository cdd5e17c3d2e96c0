package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// serve runs a server over a world until the test ends or stop is called, which returns what Serve
// did.
func (w *world) serve(o Options) (addr string, stop func() error) {
	w.t.Helper()
	o.Listen = "127.0.0.1:0"
	s := New(o, w.backend, slog.New(slog.NewTextHandler(&w.log, nil)))
	addr, err := s.Listen()
	must(w.t, err)
	ctx, cancel := context.WithCancel(w.t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	return addr, func() error {
		cancel()
		return <-served
	}
}

func TestExport(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1), `{"id":"2","name":"Bob"}`)
	addr, stop := w.serve(Options{})
	client := NewClient(addr, "")
	var text, file bytes.Buffer
	n, err := client.Export(t.Context(), ExportQuery{}, &text)
	if err != nil || n != 2 || strings.Count(text.String(), "\n") != 2 ||
		!strings.Contains(text.String(), `"name":"Bob"`) {
		t.Errorf("%d profiles, %v: %s", n, err, &text)
	}
	q := ExportQuery{Class: "profile", Policy: "default", Format: "avro", Codec: "deflate"}
	n, err = client.Export(t.Context(), q, &file)
	if err != nil || n != 2 || !strings.HasPrefix(file.String(), "Obj\x01") {
		t.Errorf("%d profiles, %v: %d bytes", n, err, file.Len())
	}
	q.Codec = "zip"
	_, err = client.Export(t.Context(), q, &file)
	if err == nil || !strings.Contains(err.Error(), `no codec "zip"`) {
		t.Errorf("wrong query: %v", err)
	}
	must(t, stop())
	if _, err = client.Export(t.Context(), q, &file); err == nil {
		t.Error("exported from nobody")
	}
}

func TestExportAnswers(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	tests := []struct {
		target string // after /v1/export
		code   int
		want   string // part of the body
	}{
		{"", 200, `"name":"Ann"`},
		{"?class=profile&policy=default&format=ndjson", 200, `"name":"Ann"`},
		{"?format=avro", 200, "avro.schema"},
		{"?format=xml", 400, "no format"},
		{"?codec=null", 400, "only format avro"},
		{"?class=x", 400, "no entity class"},
		{"?policy=x", 400, "no merge policy"},
		{"?identity=crm:1", 400, "no parameter"},
		{"?class=profile&class=profile", 400, "given twice"},
		{"?class=%zz", 400, "reading the query"},
	}
	for _, test := range tests {
		code, body := w.get("/v1/export" + test.target)
		if code != test.code || !strings.Contains(body, test.want) {
			t.Errorf("%s: got %d %s want %d %s", test.target, code, body, test.code, test.want)
		}
	}
	if code, body := w.ask(Options{}, "HEAD", "/v1/export"); code != 200 || body != "" {
		t.Errorf("head: %d %s", code, body)
	}
	if logged := w.log.String(); logged != "" {
		t.Errorf("logged: %s", logged)
	}
}

// TestExportOldProtocol: HTTP/1.0 has no way to tell that an answer was cut.
func TestExportOldProtocol(t *testing.T) {
	w := newWorld(t)
	addr, stop := w.serve(Options{})
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	defer conn.Close()
	fmt.Fprint(conn, "GET /v1/export HTTP/1.0\r\nHost: localhost\r\n\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "505") {
		t.Errorf("%q, %v", line, err)
	}
	must(t, stop())
}

// TestExportCut stops the daemon while a client takes its time: the client can tell, the server
// does not return before the export has let go of the store.
func TestExportCut(t *testing.T) {
	w := newWorld(t)
	for i := range 12 { // more than fits between the two ends
		var values []string
		for j := range 20 {
			values = append(values, fmt.Sprintf(`{"id":"%d-%d","name":"%s"}`, i, j,
				strings.Repeat("x", 50_000)))
		}
		w.send("crm", values...)
	}
	addr, stop := w.serve(Options{ShutdownTimeout: time.Millisecond})
	slow := &slowWriter{begun: make(chan struct{}), goOn: make(chan struct{})}
	exported := make(chan error, 1)
	go func() {
		_, err := NewClient(addr, "").Export(t.Context(), ExportQuery{}, slow)
		exported <- err
	}()
	<-slow.begun
	must(t, stop())
	close(slow.goOn)
	if err := <-exported; !errors.Is(err, ErrIncomplete) {
		t.Errorf("cut: %v", err)
	}
}

// slowWriter tells of the first write and waits then.
type slowWriter struct {
	begun, goOn chan struct{}
	waited      bool
}

func (s *slowWriter) Write(b []byte) (int, error) {
	if !s.waited {
		s.waited = true
		close(s.begun)
		<-s.goOn
	}
	return len(b), nil
}

// TestExportTrailer: an answer that ends well but does not say so is not believed.
func TestExportTrailer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	proxy := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "{}\n")
	})}
	go func() { _ = proxy.Serve(l) }()
	defer proxy.Close()
	_, err = NewClient(l.Addr().String(), "").Export(t.Context(), ExportQuery{}, io.Discard)
	if !errors.Is(err, ErrIncomplete) {
		t.Errorf("without a trailer: %v", err)
	}
}

func TestExportsAreFew(t *testing.T) {
	e := make(exports, maxExports)
	for range maxExports {
		if !e.begin() {
			t.Fatal("there is no slot")
		}
	}
	if e.begin() {
		t.Error("there is no limit")
	}
	closed := make(chan struct{})
	go func() {
		e.close()
		close(closed)
	}()
	for range maxExports {
		select {
		case <-closed:
			t.Fatal("closed while exports run")
		default:
			e.end()
		}
	}
	<-closed
	if e.begin() {
		t.Error("one begins after the end")
	}
}

// TestExportIncomplete: while profiles are missing an export is refused, unless it is asked for so.
func TestExportIncomplete(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1))
	e := w.backend.Model.Entities[0]
	e.Policies = append(e.Policies, pipeline.PolicyTopic{Topic: "alone",
		Policy: profile.Policy{Name: "alone", Stitching: profile.StitchNone}})
	must(t, w.backend.Store.Intern("alone"))
	b := w.backend.Store.NewBatch()
	b.SetJob(&store.Job{ID: "policy-job", Kind: "policy", State: store.JobRunning,
		Args: []byte(`{"class":"profile","policy":"alone"}`)})
	must(t, w.backend.Store.Commit(b, true))
	if code, body := w.get("/v1/export"); code != 200 {
		t.Errorf("another policy: %d %s", code, body)
	}
	code, body := w.get("/v1/export?policy=alone")
	if code != 409 || !strings.Contains(body, "job policy-job is still bringing its profiles") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := w.get("/v1/export?policy=alone&incomplete=true"); code != 200 {
		t.Errorf("incomplete: %d %s", code, body)
	}
	if code, _ := w.get("/v1/export?incomplete=yes"); code != 400 {
		t.Errorf("no truth value: %d", code)
	}
	addr, stop := w.serve(Options{})
	client, q := NewClient(addr, ""), ExportQuery{Policy: "alone"}
	if _, err := client.Export(t.Context(), q, io.Discard); err == nil ||
		!strings.Contains(err.Error(), "export --incomplete") {
		t.Errorf("the client says %v", err)
	}
	q.Incomplete = true
	if _, err := client.Export(t.Context(), q, io.Discard); err != nil {
		t.Errorf("the client, incomplete: %v", err)
	}
	must(t, stop())
}
