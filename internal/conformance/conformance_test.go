package conformance

import (
	"fmt"
	"testing"
	"time"

	"selfsame/broker"
	"selfsame/internal/memlog"
	"selfsame/internal/realkafka"
	"selfsame/kafka"
	"selfsame/pipeline"
)

func TestMemory(t *testing.T) {
	Run(t, memory)
}

func TestMemoryContinuity(t *testing.T) { RunContinuity(t, memory) }

// memory is an environment on a log of its own.
func memory(*testing.T) Env {
	log := memlog.New(memlog.Options{FetchWait: time.Minute})
	quick := log.Quick()
	topics := 0
	return Env{
		Source: quick, Patient: log.Source(), Sink: log.Sink(), Sessions: "s",
		Truncate: func(_ *testing.T, tp pipeline.TopicPartition, offset int64) {
			log.Truncate(tp, offset)
		},
		CreateTopic: func(_ *testing.T, partitions int32, _ map[string]string) string {
			topics++
			name := fmt.Sprintf("t%d", topics)
			log.CreateTopic(name, partitions)
			return name
		},
		Recreate: func(_ *testing.T, topic string, partitions int32) {
			log.CreateTopic(topic, partitions)
		},
		Grow: func(t *testing.T, topic string, partitions int32) {
			found, err := quick.Describe(t.Context(), topic)
			if err != nil {
				t.Fatal(err)
			}
			log.AddPartitions(topic, partitions-int32(len(found.Partitions)))
		},
		Expire: func(_ *testing.T, tp pipeline.TopicPartition, offset int64) {
			log.Expire(tp, offset)
		},
		Write: func(_ *testing.T, tp pipeline.TopicPartition, _ string,
			rs []pipeline.Record) {
			log.Append(tp, rs...)
		},
		Transact: func(_ *testing.T, tp pipeline.TopicPartition, rs []pipeline.Record,
			commit bool) {
			if commit {
				log.Append(tp, rs...)
			} else {
				log.Skip(tp, int64(len(rs)))
			}
			log.Skip(tp, 1)
		},
		Compact: func(_ *testing.T, tp pipeline.TopicPartition, _ func() bool) {
			log.Compact(tp)
		},
	}
}

func TestEmbedded(t *testing.T) {
	b, err := broker.Start(broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	cluster := NewCluster(b.Addr())
	Run(t, func(t *testing.T) Env {
		e := cluster.Env(t)
		e.FencesEarly = true
		e.Compact = func(*testing.T, pipeline.TopicPartition, func() bool) { b.Compact() }
		return e
	})
}

func TestEmbeddedContinuity(t *testing.T) {
	b, err := broker.Start(broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	cluster := NewCluster(b.Addr())
	RunContinuity(t, cluster.Env)
}

func TestRealContinuity(t *testing.T) {
	RunContinuity(t, NewCluster(realkafka.Start(t)).Env)
}

func TestReal(t *testing.T) {
	cluster := NewCluster(realkafka.Start(t))
	Run(t, func(t *testing.T) Env {
		e := cluster.Env(t)
		e.Compact = func(t *testing.T, tp pipeline.TopicPartition, done func() bool) {
			compactReal(t, cluster, tp, done)
		}
		return e
	})
}

// compactReal writes until the segment with the records of the test is no longer the active one,
// which the cleaner leaves alone, and the cleaner has come round.
func compactReal(t *testing.T, c *Cluster, tp pipeline.TopicPartition, done func() bool) {
	t.Helper()
	client := c.Client(t, func(*kafka.Config) {})
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	ctx := within(t)
	for !done() {
		filler := []pipeline.OutRecord{{Key: []byte("filler"), Value: []byte("f")}}
		err := client.Send(ctx, tp.Topic, tp.Partition, filler, []int64{baseTime()})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the log is not compacted")
		}
	}
}
