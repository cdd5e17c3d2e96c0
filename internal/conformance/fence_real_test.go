package conformance

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"selfsame/internal/realkafka"
	"selfsame/kafka"
	"selfsame/pipeline"
)

// These tests show on a real broker what the publisher's exactly-once rests on, and where it ends.
// go test -v prints each request of a fence and its answer; docs/guarantees.md quotes them.

// traced is an environment whose sink logs every request of a fence.
func traced(t *testing.T, c *Cluster) Env {
	t.Helper()
	e := c.Env(t)
	cfg := kafka.Default()
	cfg.Brokers, cfg.FetchMaxWait = []string{c.Addr}, 100*time.Millisecond
	handler := slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})
	client, err := kafka.New(cfg, slog.New(handler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	e.Sink = client.Sink()
	return e
}

// TestRealHole: after a bare InitProducerID by a second owner the broker still accepts the first.
func TestRealHole(t *testing.T) {
	e := traced(t, NewCluster(realkafka.Start(t)))
	first, _ := e.pair(t)
	old := e.writer(t, first)
	old.produce(t, numbered(0, 1)...)
	newer := e.open(t)
	if newer.ID != old.session.ID || newer.Epoch != old.session.Epoch+1 {
		t.Fatalf("sessions %+v and then %+v", old.session, newer)
	}
	if _, offset := old.produce(t, numbered(1, 1)...); offset != 1 {
		t.Errorf("the old owner's batch is at %d", offset)
	}
	t.Logf("epoch %d was accepted after epoch %d had been given out",
		old.session.Epoch, newer.Epoch)
}

// TestRealFence: after the fence the first owner is refused in every partition, also in those that
// the second never wrote, and stays so when the broker is stopped, or killed, and started again.
func TestRealFence(t *testing.T) {
	broker := realkafka.New(t, nil)
	e := traced(t, NewCluster(broker.Addr))
	first, second := e.pair(t)
	old := e.writer(t, first)
	sent, _ := old.produce(t, numbered(0, 1)...)
	session := e.fence(t, pipeline.NoSession(), first, second)
	stale := map[string]*pipeline.Batch{
		"next batch":       old.batch(numbered(1, 1)...),
		"batch sent again": sent,
		"batch in a partition nobody wrote": (&writer{e: e, tp: second, session: old.session}).
			batch(numbered(1, 1)...),
	}
	check := func(when string) {
		for name, b := range stale {
			refused(t, e, when+": "+name, b)
		}
	}
	check("fenced")
	for name, down := range map[string]func() error{"stop": broker.Stop, "kill": broker.Kill} {
		if err := down(); err != nil {
			t.Fatal(err)
		}
		if err := broker.Start(); err != nil {
			t.Fatal(err)
		}
		check("after " + name)
	}
	w := &writer{e: e, tp: first, session: session}
	w.produce(t, numbered(1, 1)...)
	fresh := NewCluster(broker.Addr).Env(t) // whose connections have seen no restart
	wantValues(t, readAll(t, fresh, first, 0), "v0", "v1")
}

// TestRealFenceCompacted: the cleaner leaves what a fence rests on.
func TestRealFenceCompacted(t *testing.T) {
	c := NewCluster(realkafka.Start(t))
	e := traced(t, c)
	topic := e.CreateTopic(t, 1, map[string]string{
		"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.001",
		"max.compaction.lag.ms": "100", "min.compaction.lag.ms": "0", "delete.retention.ms": "0",
	})
	tp := pipeline.TopicPartition{Topic: topic}
	old := e.writer(t, tp)
	old.produce(t, numbered(0, 1)...)
	old.produce(t, numbered(0, 1)...)
	e.fence(t, pipeline.NoSession(), tp)
	compactReal(t, c, tp, func() bool {
		left := readAll(t, e, tp, 0)
		return len(left) > 0 && !hasOffset(left, 0)
	})
	refused(t, e, "batch after compaction", old.batch(numbered(1, 1)...))
}

// TestRealExpiry: brokers forget. A partition forgets a producer that is silent for
// producer.id.expiration.ms (24 h by default), and then takes any epoch; the coordinator forgets an
// id after transactional.id.expiration.ms (7 days). A fence that is renewed in time keeps both.
func TestRealExpiry(t *testing.T) {
	broker := realkafka.New(t, map[string]string{
		"producer.id.expiration.ms": "3000", "producer.id.expiration.check.interval.ms": "100",
		"transactional.id.expiration.ms":                              "6000",
		"transaction.remove.expired.transaction.cleanup.interval.ms":  "200",
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
	})
	e := traced(t, NewCluster(broker.Addr))
	first, second := e.pair(t)
	old := e.writer(t, first)
	old.produce(t, numbered(0, 1)...)
	session := e.fence(t, pipeline.NoSession(), first, second)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for range 12 { // twice the broker's memory
		<-tick.C
		session = e.fence(t, session, first, second)
		refused(t, e, "batch while the fence is renewed", old.batch(numbered(1, 1)...))
	}
	ctx := within(t)
	for waiting := true; waiting; {
		<-tick.C
		_, err := e.produce(ctx, old.batch(numbered(1, 1)...))
		waiting = errors.Is(err, pipeline.ErrFenced)
		if err != nil && !waiting && !errors.Is(err, pipeline.ErrSequence) {
			t.Fatalf("once the partition has forgotten: %v", err)
		}
		t.Logf("the old owner's batch: %v", err)
	}
	for range 20 { // well past the coordinator's memory, since each question would renew it
		<-tick.C
	}
	_, err := e.Sink.Fence(ctx, e.Sessions, session, []pipeline.TopicPartition{first, second})
	if !errors.Is(err, pipeline.ErrFenced) {
		t.Fatalf("renewing an expired claim: %v", err)
	}
	t.Logf("renewing a claim after its expiry: %v", err)
}
