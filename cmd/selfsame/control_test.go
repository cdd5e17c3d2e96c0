package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"selfsame/kafka"
)

// stdout runs f and returns what it wrote to standard output.
func stdout(t *testing.T, f func() error) []byte {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdout
	os.Stdout = file
	err = f()
	os.Stdout = before
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestControlWait: standard output is the daemon's answer and nothing else, for programs to read.
func TestControlWait(t *testing.T) {
	w := newBench(t)
	if err := w.client.EnsureTopics(context.Background(), []kafka.TopicSpec{{
		Name: "selfsame.control", Partitions: 1, ReplicationFactor: 1, Owned: true}}); err != nil {
		t.Fatal(err)
	}
	answer := func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(rw, `{"asked":%q}`, r.URL.Path)
	}
	daemon := httptest.NewServer(http.HandlerFunc(answer))
	defer daemon.Close()
	text := stdout(t, func() error {
		return execute("control", "remerge", "--id", "one", "--wait", "30s", "--config",
			w.path("selfsame.yaml"), "--api", strings.TrimPrefix(daemon.URL, "http://"))
	})
	var got struct{ Asked string }
	if err := json.Unmarshal(text, &got); err != nil || got.Asked != "/v1/control/one" {
		t.Errorf("standard output is not the answer alone: %v\n%s", err, text)
	}
}
