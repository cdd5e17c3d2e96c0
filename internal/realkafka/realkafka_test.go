package realkafka

import (
	"log/slog"
	"net"
	"testing"

	"selfsame/kafka"
)

// TestRestart bounces a broker as an operator does and as a power cut does: what was acknowledged
// before a stop is there afterwards, and the address is the same.
func TestRestart(t *testing.T) {
	cluster := New(t, nil)
	client := newClient(t, cluster.Addr)
	ctx := t.Context()
	if err := client.EnsureTopics(ctx, []kafka.TopicSpec{{Name: "t", Owned: true}}); err != nil {
		t.Fatal(err)
	}
	for _, down := range []struct {
		name string
		do   func() error
	}{{"stop", cluster.Stop}, {"kill", cluster.Kill}} {
		if err := down.do(); err != nil {
			t.Fatalf("%s: %v", down.name, err)
		}
		if conn, err := net.Dial("tcp", cluster.Addr); err == nil {
			conn.Close()
			t.Fatalf("%s: the broker still listens", down.name)
		}
		if err := cluster.Start(); err != nil {
			t.Fatalf("start after %s: %v", down.name, err)
		}
		if ok, err := newClient(t, cluster.Addr).TopicExists(ctx, "t"); err != nil || !ok {
			t.Errorf("after %s and start: topic exists %v, %v", down.name, ok, err)
		}
	}
}

func TestStartIsShared(t *testing.T) {
	if a, b := Start(t), Start(t); a != b {
		t.Errorf("two brokers, %s and %s", a, b)
	}
}

func newClient(t *testing.T, addr string) *kafka.Client {
	t.Helper()
	cfg := kafka.Default()
	cfg.Brokers = []string{addr}
	client, err := kafka.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}
