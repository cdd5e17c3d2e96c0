package main

import (
	"context"
	"encoding/json"
	"errors"
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

// TestControlWaitRefused: a refusal ends the wait, but not one of an earlier record of this id.
func TestControlWaitRefused(t *testing.T) {
	w := newBench(t)
	if err := w.client.EnsureTopics(context.Background(), []kafka.TopicSpec{{
		Name: "selfsame.control", Partitions: 1, ReplicationFactor: 1, Owned: true}}); err != nil {
		t.Fatal(err)
	}
	asked := 0
	answer := func(rw http.ResponseWriter, r *http.Request) {
		asked++
		fmt.Fprintf(rw, `{"id":"one","outcome":"rejected","reason":"erased","path":"identities",`+
			`"cause":{"topic":"selfsame.control","partition":0,"offset":%d}}`, asked/4)
	}
	daemon := httptest.NewServer(http.HandlerFunc(answer))
	defer daemon.Close()
	err := execute("control", "remerge", "--id", "one", "--wait", "30s", "--config",
		w.path("selfsame.yaml"), "--api", strings.TrimPrefix(daemon.URL, "http://"))
	if err == nil || !strings.Contains(err.Error(), "one was refused: erased at identities") ||
		asked != 4 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

// TestControlGraph: what the commands about silent identities write, and refuse to write.
func TestControlGraph(t *testing.T) {
	w := newBench(t)
	if err := w.client.EnsureTopics(context.Background(), []kafka.TopicSpec{{
		Name: "selfsame.control", Partitions: 1, ReplicationFactor: 1, Owned: true}}); err != nil {
		t.Fatal(err)
	}
	say := func(args ...string) error {
		return execute(append([]string{"control", "--config", w.path("selfsame.yaml")}, args...)...)
	}
	for _, args := range [][]string{
		{"block", "crm:7", "--id", "a", "--note", "everybody's"},
		{"block", "crm:7", "--id", "b", "--lift"},
		{"reset-hub", "crm: 7 ", "--id", "c"},
	} {
		if err := say(args...); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, args := range [][]string{
		{"block"}, {"block", "crm:7", "crm:8"}, {"block", "7"}, {"block", "mail:x@y"},
		{"block", "crm:null"}, {"reset-hub", "crm:7", "--lift"}, {"reset-hub"},
	} {
		if err := say(args...); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v, want an error of usage", args, err)
		}
	}
	w.has("selfsame.control",
		`a="{\"id\":\"a\",\"op\":\"block_value\",\"class\":\"profile\",`+
			`\"identities\":[\"crm:7\"],\"note\":\"everybody's\"}"`,
		`b="{\"id\":\"b\",\"op\":\"block_value\",\"class\":\"profile\",`+
			`\"identities\":[\"crm:7\"],\"lift\":true}"`,
		`c="{\"id\":\"c\",\"op\":\"reset_hub\",\"class\":\"profile\",`+
			`\"identities\":[\"crm: 7 \"]}"`)
}
