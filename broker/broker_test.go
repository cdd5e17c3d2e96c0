package broker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"selfsame/kafka"
	"selfsame/pipeline"
)

func start(t *testing.T, o Options) *Broker {
	t.Helper()
	b, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func connect(t *testing.T, b *Broker) *kafka.Client {
	t.Helper()
	cfg := kafka.Default()
	cfg.Brokers = []string{b.Addr()}
	cfg.FetchMaxWait = 50 * time.Millisecond
	c, err := kafka.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestRestart: everything that a client relies on is there after a restart on the same directory
// and port: records, settings, group offsets, and what an idempotent producer had written.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	first := start(t, Options{DataDir: dir, Partitions: 2})
	c := connect(t, first)
	ctx := t.Context()
	spec := kafka.TopicSpec{Name: "t", Owned: true, Configs: map[string]string{
		"cleanup.policy": "compact", "max.message.bytes": "3000000",
	}}
	if err := c.EnsureTopics(ctx, []kafka.TopicSpec{spec}); err != nil {
		t.Fatal(err)
	}
	tp := pipeline.TopicPartition{Topic: "t", Partition: 1}
	session, err := c.Sink().Open(ctx, "id")
	if err != nil {
		t.Fatal(err)
	}
	b := &pipeline.Batch{TP: tp, Session: session, Time: time.Now().UnixNano(),
		Records: []pipeline.OutRecord{{Key: []byte("k"), Value: []byte("v")}}}
	if _, err := c.Sink().Produce(ctx, b); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	c = connect(t, start(t, Options{DataDir: dir, Port: port(t, first)}))
	spec.Partitions = 2
	if err := c.EnsureTopics(ctx, []kafka.TopicSpec{spec}); err != nil {
		t.Errorf("the topic is not as it was: %v", err)
	}
	got, err := c.Source().Fetch(ctx, tp, 0)
	if err != nil || len(got.Records) != 1 || string(got.Records[0].Value) != "v" {
		t.Errorf("records: %+v, %v", got, err)
	}
	if offset, err := c.Sink().Produce(ctx, b); err != nil || offset != 0 {
		t.Errorf("the same batch again: offset %d, %v", offset, err)
	}
	renewed, err := c.Sink().Open(ctx, "id")
	if err != nil || renewed.ID != session.ID || renewed.Epoch <= session.Epoch {
		t.Errorf("session %+v after %+v, %v", renewed, session, err)
	}
}

func port(t *testing.T, b *Broker) int {
	t.Helper()
	_, p, err := net.SplitHostPort(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(p)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNoTopicFromNothing(t *testing.T) {
	c := connect(t, start(t, Options{}))
	err := c.Send(t.Context(), "typo", 0, []pipeline.OutRecord{{}}, []int64{0})
	if !errors.Is(err, pipeline.ErrUnknownTopic) {
		t.Errorf("sending to a topic that does not exist: %v", err)
	}
}

func TestStartRefuses(t *testing.T) {
	running := start(t, Options{})
	for name, o := range map[string]Options{
		"port taken":          {Port: port(t, running)},
		"impossible port":     {Port: 70000},
		"negative partitions": {Partitions: -1},
		"no directory":        {DataDir: "/dev/null/x"},
	} {
		if b, err := Start(o); err == nil {
			b.Close()
			t.Errorf("%s: it started", name)
		}
	}
}

// TestSaysWhatItIs: nobody takes it for a broker to rely on, and it is quiet about requests.
func TestSaysWhatItIs(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	b := start(t, Options{Log: log})
	if err := connect(t, b).Ping(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Count(text, "\n") != 1 ||
		!strings.Contains(text, "not for production") {
		t.Errorf("log:\n%s", text)
	}
}
