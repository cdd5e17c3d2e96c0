package conformance

import (
	"context"
	"fmt"
	"testing"
	"time"

	"selfsame/internal/simlog"
	"selfsame/pipeline"
)

// TestSimulated holds the simulated cluster to what real brokers do: it answers the same questions
// as TestReal.
func TestSimulated(t *testing.T) {
	Run(t, func(*testing.T) Env { return simulated(simlog.New(simlog.Options{Now: baseTime()})) })
}

// simulated is an environment on a simulated cluster.
func simulated(b *simlog.Broker) Env {
	client := b.Client(simlog.ClientOptions{
		Name: "suite",
		Pause: func(ctx context.Context, d time.Duration) error {
			b.Advance(d)
			for _, m := range b.Markers() {
				b.Mark(m)
			}
			return ctx.Err()
		},
	})
	topics := 0
	return Env{
		Source: client, Sink: client.Sink(), Sessions: "s",
		CreateTopic: func(_ *testing.T, partitions int32, _ map[string]string) string {
			topics++
			name := fmt.Sprintf("t%d", topics)
			b.CreateTopic(name, partitions)
			return name
		},
		Recreate: func(_ *testing.T, topic string, partitions int32) {
			b.CreateTopic(topic, partitions)
		},
		Grow: func(_ *testing.T, topic string, partitions int32) {
			b.AddPartitions(topic, partitions)
		},
		Expire: func(_ *testing.T, tp pipeline.TopicPartition, offset int64) {
			b.DeleteRecords(tp, offset)
		},
		Write: func(_ *testing.T, tp pipeline.TopicPartition, _ string,
			rs []pipeline.Record) {
			b.Append(tp, rs...)
		},
		Transact: func(_ *testing.T, tp pipeline.TopicPartition, rs []pipeline.Record,
			commit bool) {
			transaction := b.Begin()
			transaction.Append(tp, rs...)
			transaction.End(commit)
		},
		Compact: func(_ *testing.T, tp pipeline.TopicPartition, _ func() bool) {
			_, end := b.Bounds(tp)
			b.Compact(tp, end)
		},
		Truncate: func(_ *testing.T, tp pipeline.TopicPartition, offset int64) {
			b.Truncate(tp, offset)
		},
	}
}
