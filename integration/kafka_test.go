package integration

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

// connect returns a client of franz-go that is closed with the test.
func connect(t *testing.T, addr string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(addr), kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.FetchMaxWait(100 * time.Millisecond),
	}, options...)...)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// soon bounds a step of a test.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// createTopic makes a topic that keeps everything, however old.
func createTopic(t *testing.T, c *kgo.Client, topic string, partitions int32) {
	t.Helper()
	one := kmsg.NewCreateTopicsRequestTopic()
	one.Topic, one.NumPartitions, one.ReplicationFactor = topic, partitions, 1
	keep := kmsg.NewCreateTopicsRequestTopicConfig()
	keep.Name, keep.Value = "retention.ms", kmsg.StringPtr("-1")
	one.Configs = append(one.Configs, keep)
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis, req.Topics = 30_000, append(req.Topics, one)
	res, err := req.RequestWith(soon(t), c)
	must(t, err)
	must(t, kerr.ErrorForCode(res.Topics[0].ErrorCode))
}

// partitionsOf asks for the number of partitions of each topic.
func partitionsOf(t *testing.T, c *kgo.Client, topics ...string) map[string]int32 {
	t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		one := kmsg.NewMetadataRequestTopic()
		one.Topic = kmsg.StringPtr(topic)
		req.Topics = append(req.Topics, one)
	}
	res, err := req.RequestWith(soon(t), c)
	must(t, err)
	counts := map[string]int32{}
	for _, topic := range res.Topics {
		must(t, kerr.ErrorForCode(topic.ErrorCode))
		counts[*topic.Topic] = int32(len(topic.Partitions))
	}
	return counts
}

// endsOf asks for the end of every partition of the topics, open transactions included.
func endsOf(t *testing.T, c *kgo.Client, topics ...string) map[place]int64 {
	t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	for topic, n := range partitionsOf(t, c, topics...) {
		one := kmsg.NewListOffsetsRequestTopic()
		one.Topic = topic
		for p := range n {
			partition := kmsg.NewListOffsetsRequestTopicPartition()
			partition.Partition, partition.Timestamp = p, -1
			one.Partitions = append(one.Partitions, partition)
		}
		req.Topics = append(req.Topics, one)
	}
	res, err := req.RequestWith(soon(t), c)
	must(t, err)
	ends := map[place]int64{}
	for _, topic := range res.Topics {
		for _, p := range topic.Partitions {
			must(t, kerr.ErrorForCode(p.ErrorCode))
			ends[place{topic.Topic, p.Partition}] = p.Offset
		}
	}
	return ends
}

// groupOffsets asks what a consumer group has committed. Partitions without an offset are left out.
func groupOffsets(t *testing.T, c *kgo.Client, group string) map[place]int64 {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	one := kmsg.NewOffsetFetchRequestGroup()
	one.Group = group
	req.Group, req.Groups = group, append(req.Groups, one) // of the two, the version decides
	res, err := req.RequestWith(soon(t), c)
	must(t, err)
	offsets := map[place]int64{}
	for _, g := range res.Groups {
		must(t, kerr.ErrorForCode(g.ErrorCode))
		for _, topic := range g.Topics {
			for _, p := range topic.Partitions {
				must(t, kerr.ErrorForCode(p.ErrorCode))
				offsets[place{topic.Topic, p.Partition}] = p.Offset
			}
		}
	}
	return offsets
}

// readAll returns the committed data records of topics, those of a partition in order, from the
// start to the end that there is now.
func readAll(t *testing.T, addr string, topics ...string) []*kgo.Record {
	t.Helper()
	ends := endsOf(t, connect(t, addr), topics...)
	from := map[string]map[int32]kgo.Offset{}
	for at, end := range ends {
		if end == 0 {
			delete(ends, at)
			continue
		}
		if from[at.topic] == nil {
			from[at.topic] = map[int32]kgo.Offset{}
		}
		from[at.topic][at.partition] = kgo.NewOffset().AtStart()
	}
	// Control records are asked for, since one can be the last of a partition.
	c := connect(t, addr, kgo.ConsumePartitions(from), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer c.Close()
	var all []*kgo.Record
	ctx := soon(t)
	for len(ends) > 0 {
		fetches := c.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("reading %v: %v, still to come %v", topics, err, ends)
		}
		fetches.EachError(func(topic string, p int32, err error) {
			t.Fatalf("reading %s/%d: %v", topic, p, err)
		})
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				all = append(all, r)
			}
			at := place{r.Topic, r.Partition}
			if end, ok := ends[at]; ok && r.Offset >= end-1 {
				delete(ends, at)
			}
		})
	}
	return all
}

// header returns a header of a record, "" where it has none.
func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// at says where a record lies.
func at(r *kgo.Record) string { return fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset) }
