package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
)

func TestEnsureTopicsCreates(t *testing.T) {
	cluster := startCluster(t, kfake.DefaultNumPartitions(4))
	c := connect(t, cluster.ListenAddrs())
	specs := []TopicSpec{
		{Name: "plain", Owned: true},
		{Name: "set", Owned: true, Partitions: 7, ReplicationFactor: 1, Configs: map[string]string{
			"cleanup.policy": "compact,delete", "max.message.bytes": "2000000",
		}},
	}
	for range 2 { // the second time they are checked
		if err := c.EnsureTopics(t.Context(), specs); err != nil {
			t.Fatal(err)
		}
	}
	for topic, want := range map[string]int32{"plain": 4, "set": 7} {
		if n, err := c.Sink().Partitions(t.Context(), topic); err != nil || n != want {
			t.Errorf("%s has %d partitions, %v, want %d", topic, n, err, want)
		}
	}
	if ok, err := c.TopicExists(t.Context(), "other"); ok || err != nil {
		t.Errorf("a topic of nobody's exists: %v", err)
	}
}

// TestEnsureTopicsComplains: everything at once, with the command for each.
func TestEnsureTopicsComplains(t *testing.T) {
	cluster := startCluster(t)
	c := connect(t, cluster.ListenAddrs())
	for _, topic := range []string{"few", "many", "policy"} {
		makeTopic(t, cluster, topic, 3)
	}
	err := c.EnsureTopics(t.Context(), []TopicSpec{
		{Name: "few", Partitions: 5},
		{Name: "many", Partitions: 2},
		{Name: "policy", Owned: true, Configs: map[string]string{
			"cleanup.policy": "compact,delete", "max.message.bytes": "9000000",
		}},
		{Name: "foreign"},
		{Name: "own", Owned: true},
	})
	if err == nil {
		t.Fatal("nothing to complain about")
	}
	server := "--bootstrap-server " + cluster.ListenAddrs()[0]
	for _, want := range []string{
		"topic few: partitions is 3, wanted 5",
		"kafka-topics.sh " + server + " --alter --topic few --partitions 5",
		"topic many: partitions is 3, wanted 2",
		"topic policy: cleanup.policy is delete, wanted compact,delete",
		"kafka-configs.sh " + server + " --alter --entity-type topics --entity-name policy " +
			"--add-config 'cleanup.policy=[compact,delete]'",
		"topic policy: max.message.bytes is 1048588, wanted at least 9000000",
		"topic foreign does not exist",
		"kafka-topics.sh " + server + " --create --topic foreign",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not said: %s\nin: %v", want, err)
		}
	}
	for _, topic := range []string{"foreign", "own"} {
		if ok, _ := c.TopicExists(t.Context(), topic); ok {
			t.Errorf("topic %s was created", topic)
		}
	}
}

// TestEnsureTopicsLooksTwice: a topic that is being created by another is found.
func TestEnsureTopicsLooksTwice(t *testing.T) {
	cluster := startCluster(t)
	c := connect(t, cluster.ListenAddrs())
	made := make(chan error, 1)
	time.AfterFunc(100*time.Millisecond, func() { made <- cluster.CreateTopic("new", 1, nil) })
	if err := c.EnsureTopics(t.Context(), []TopicSpec{{Name: "new"}}); err != nil {
		t.Error(err)
	}
	if err := <-made; err != nil {
		t.Error(err)
	}
}

// TestOffsetsWithoutCoordinator: the first commit of a new cluster waits for the coordinator.
func TestOffsetsWithoutCoordinator(t *testing.T) {
	cluster := startCluster(t)
	makeTopic(t, cluster, "t", 2)
	c := connect(t, cluster.ListenAddrs())
	refused := 0
	cluster.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (
		kmsg.Response, error, bool) {
		if refused == 2 {
			return nil, nil, false
		}
		refused++
		cluster.KeepControl()
		return refuseCommit(req.(*kmsg.OffsetCommitRequest)), nil, true
	})
	offsets := map[pipeline.TopicPartition]int64{{Topic: "t"}: 1, {Topic: "t", Partition: 1}: 2}
	if err := c.CommitOffsets(t.Context(), "g", offsets); err != nil || refused != 2 {
		t.Errorf("after %d refusals: %v", refused, err)
	}
}

func refuseCommit(req *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse {
	res := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, topic := range req.Topics {
		one := kmsg.NewOffsetCommitResponseTopic()
		one.Topic = topic.Topic
		for _, p := range topic.Partitions {
			partition := kmsg.NewOffsetCommitResponseTopicPartition()
			partition.Partition = p.Partition
			partition.ErrorCode = int16(kafkago.NotCoordinatorForGroup)
			one.Partitions = append(one.Partitions, partition)
		}
		res.Topics = append(res.Topics, one)
	}
	return res
}

func TestOffsets(t *testing.T) {
	cluster := startCluster(t)
	makeTopic(t, cluster, "t", 2)
	c := connect(t, cluster.ListenAddrs())
	send(t, c, "t", "a", "b", "c", "d")
	ends, err := c.EndOffsets(t.Context(), "t")
	if err != nil || len(ends) != 2 || sum(ends) != 4 {
		t.Fatalf("ends %v, %v", ends, err)
	}
	if err := c.CommitOffsets(t.Context(), "g", ends); err != nil {
		t.Fatal(err)
	}
	res, err := c.calls.OffsetFetch(t.Context(), &kafkago.OffsetFetchRequest{
		GroupID: "g", Topics: map[string][]int{"t": {0, 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range res.Topics["t"] {
		tp := pipeline.TopicPartition{Topic: "t", Partition: int32(p.Partition)}
		if p.CommittedOffset != ends[tp] {
			t.Errorf("%s: committed %d, want %d", tp, p.CommittedOffset, ends[tp])
		}
	}
	nowhere := map[pipeline.TopicPartition]int64{{Topic: "none"}: 1}
	if err := c.CommitOffsets(t.Context(), "g", nowhere); err == nil {
		t.Error("an offset of a topic that does not exist was committed")
	}
	if _, err := c.EndOffsets(t.Context(), "none"); !errors.Is(err, pipeline.ErrUnknownTopic) {
		t.Errorf("ends of no topic: %v", err)
	}
}

func sum(offsets map[pipeline.TopicPartition]int64) int64 {
	n := int64(0)
	for _, o := range offsets {
		n += o
	}
	return n
}

func TestSendAndTail(t *testing.T) {
	cluster := startCluster(t)
	makeTopic(t, cluster, "t", 3)
	c := connect(t, cluster.ListenAddrs())
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("v%02d", i))
	}
	send(t, c, "t", want...)
	got := tailed(t, c, pipeline.Start{}, len(want))
	for _, r := range got {
		if r.Pos.Partition != pipeline.PartitionOf(r.Key, 3) {
			t.Errorf("%q is in partition %d", r.Key, r.Pos.Partition)
		}
	}
	wantTailed(t, got, want)
	fromTen := pipeline.Start{Kind: pipeline.StartTime, At: time.Unix(10, 0)}
	wantTailed(t, tailed(t, c, fromTen, 10), want[10:])
}

func wantTailed(t *testing.T, got []pipeline.Record, want []string) {
	t.Helper()
	var values []string
	for _, r := range got {
		values = append(values, string(r.Value))
	}
	slices.Sort(values)
	if !slices.Equal(values, want) {
		t.Errorf("values %q, want %q", values, want)
	}
}

// tailed stops the tail after n records by an error, which has to come back.
func tailed(t *testing.T, c *Client, start pipeline.Start, n int) []pipeline.Record {
	t.Helper()
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	var got []pipeline.Record
	err := c.Tail(ctx, "t", start, func(r pipeline.Record) error {
		if got = append(got, r); len(got) == n {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("%d records, %v", len(got), err)
	}
	return got
}

func TestTailEnds(t *testing.T) {
	cluster := startCluster(t)
	makeTopic(t, cluster, "t", 2)
	c := connect(t, cluster.ListenAddrs())
	never := func(pipeline.Record) error { return errors.New("a record in an empty topic") }
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := c.Tail(ctx, "t", pipeline.Start{}, never); err != nil {
		t.Errorf("at the end of the context: %v", err)
	}
	if err := c.Tail(t.Context(), "none", pipeline.Start{}, never); !errors.Is(err,
		pipeline.ErrUnknownTopic) {
		t.Errorf("of no topic: %v", err)
	}
}

// TestSendMuch: more than a broker takes at once.
func TestSendMuch(t *testing.T) {
	cluster := startCluster(t)
	makeTopic(t, cluster, "t", 1)
	c := connect(t, cluster.ListenAddrs())
	records := make([]pipeline.OutRecord, 50)
	for i := range records {
		records[i].Value = make([]byte, 100<<10)
	}
	if err := c.Send(t.Context(), "t", ByKey, records, make([]int64, 50)); err != nil {
		t.Fatal(err)
	}
	ends, err := c.EndOffsets(t.Context(), "t")
	if err != nil || sum(ends) != 50 {
		t.Errorf("ends %v, %v", ends, err)
	}
}

func TestSendRefuses(t *testing.T) {
	cluster := startCluster(t)
	makeTopic(t, cluster, "t", 1)
	c := connect(t, cluster.ListenAddrs())
	one := []pipeline.OutRecord{{Value: []byte("v")}}
	if err := c.Send(t.Context(), "t", 0, one, nil); err == nil {
		t.Error("records without times")
	}
	if err := c.Send(t.Context(), "t", 5, one, []int64{0}); !errors.Is(err,
		pipeline.ErrUnknownTopic) {
		t.Errorf("to no partition: %v", err)
	}
	if err := c.Send(t.Context(), "t", ByKey, nil, nil); err != nil {
		t.Errorf("nothing to send: %v", err)
	}
}
