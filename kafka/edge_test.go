package kafka

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
)

// TestLeaderMoves: after each move one error may come, and then the new leader is found, long
// before the Transport would look by itself.
func TestLeaderMoves(t *testing.T) {
	cluster := startCluster(t, kfake.NumBrokers(3))
	makeTopic(t, cluster, "t", 1)
	c := connect(t, cluster.ListenAddrs())
	tp := pipeline.TopicPartition{Topic: "t"}
	session, err := c.Sink().Open(t.Context(), "id")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		if err := cluster.MoveTopicPartition("t", 0, int32(i%3)); err != nil {
			t.Fatal(err)
		}
		b := sampleBatch(1)
		b.TP, b.Session, b.Sequence = tp, session, int32(i)
		offset, err := c.Sink().Produce(t.Context(), b)
		if err != nil {
			offset, err = c.Sink().Produce(t.Context(), b)
		}
		if err != nil || offset != int64(i) {
			t.Fatalf("produce after move %d: offset %d, %v", i, offset, err)
		}
		if err := cluster.MoveTopicPartition("t", 0, int32((i+1)%3)); err != nil {
			t.Fatal(err)
		}
		got, err := c.Source().Fetch(t.Context(), tp, offset)
		if err != nil {
			got, err = c.Source().Fetch(t.Context(), tp, offset)
		}
		if err != nil || len(got.Records) != 1 {
			t.Fatalf("fetch after move %d: %+v, %v", i, got, err)
		}
	}
}

func TestProduceErrors(t *testing.T) {
	cluster := startCluster(t)
	makeTopic(t, cluster, "t", 1)
	c := connect(t, cluster.ListenAddrs())
	b := sampleBatch(1)
	b.TP, b.Sequence = pipeline.TopicPartition{Topic: "t"}, 0
	for _, e := range []struct {
		code *kerr.Error
		want error // nil: transient
	}{
		{kerr.InvalidProducerEpoch, pipeline.ErrFenced},
		{kerr.ProducerFenced, pipeline.ErrFenced},
		{kerr.OutOfOrderSequenceNumber, pipeline.ErrSequence},
		{kerr.UnknownProducerID, pipeline.ErrSequence},
		{kerr.MessageTooLarge, pipeline.ErrTooLarge},
		{kerr.RecordListTooLarge, pipeline.ErrTooLarge},
		{kerr.UnknownTopicOrPartition, pipeline.ErrUnknownTopic},
		{kerr.NotLeaderForPartition, nil},
		{kerr.NotEnoughReplicas, nil},
		{kerr.NotEnoughReplicasAfterAppend, nil},
		{kerr.RequestTimedOut, nil},
		{kerr.CorruptMessage, nil},
		{kerr.KafkaStorageError, nil},
	} {
		cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: e.code})
		_, err := c.Sink().Produce(t.Context(), b)
		if err == nil {
			t.Errorf("%s: no error", e.code.Message)
		}
		for _, sentinel := range []error{
			pipeline.ErrFenced, pipeline.ErrSequence, pipeline.ErrTooLarge,
			pipeline.ErrUnknownTopic,
		} {
			if errors.Is(err, sentinel) != (sentinel == e.want) {
				t.Errorf("%s: %v, want %v", e.code.Message, err, e.want)
			}
		}
	}
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.DuplicateSequenceNumber})
	if offset, err := c.Sink().Produce(t.Context(), b); offset != -1 || err != nil {
		t.Errorf("duplicate: offset %d, %v", offset, err)
	}
}

// TestOpen: coordinators that are busy are waited for, refusals are not, and the request claims no
// producer id.
func TestOpen(t *testing.T) {
	cluster := startCluster(t)
	c := connect(t, cluster.ListenAddrs())
	claimed := make(chan kmsg.InitProducerIDRequest, 100)
	fault := func(err *kerr.Error, count int) *kfake.FaultHandle {
		return cluster.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.InitProducerID}, TopLevel: true, Err: err, Count: count,
			When: func(r kmsg.Request) bool {
				claimed <- *r.(*kmsg.InitProducerIDRequest)
				return true
			},
		})
	}
	for _, busy := range []*kerr.Error{
		kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator,
		kerr.CoordinatorNotAvailable,
	} {
		fault(busy, 2)
		if _, err := c.Sink().Open(t.Context(), "id"); err != nil {
			t.Errorf("after two %s: %v", busy.Message, err)
		}
	}
	fault(kerr.TransactionalIDAuthorizationFailed, 1)
	if _, err := c.Sink().Open(t.Context(), "id"); err == nil {
		t.Error("a refusal was not reported")
	}
	forever := fault(kerr.ConcurrentTransactions, -1)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Sink().Open(ctx, "id"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("busy for ever: %v", err)
	}
	forever.Remove()
	close(claimed)
	for r := range claimed {
		if r.ProducerID != -1 || r.ProducerEpoch != -1 || *r.TransactionalID != "id" {
			t.Fatalf("it asked as producer %d epoch %d", r.ProducerID, r.ProducerEpoch)
		}
	}
	if s, err := c.Sink().Open(t.Context(), ""); err != nil || s.ID < 0 || s.Epoch != 0 {
		t.Errorf("a session without an id: %+v, %v", s, err)
	}
}

// meanBroker cuts every batch at what was asked for, as brokers before KIP-74 did.
type meanBroker struct {
	log   []byte
	asked []int32
}

func (m *meanBroker) RoundTrip(_ context.Context, _ net.Addr, req kafkago.Request) (
	kafkago.Response, error) {
	call, ok := req.(*rawCall)
	if !ok {
		return &createtopics.Response{}, nil // a refresh
	}
	fetch := call.request.(*kmsg.FetchRequest)
	size := fetch.Topics[0].Partitions[0].PartitionMaxBytes
	m.asked = append(m.asked, size)
	res := kmsg.NewPtrFetchResponse()
	part := kmsg.NewFetchResponseTopicPartition()
	part.RecordBatches = m.log[:min(len(m.log), int(size))]
	topic := kmsg.NewFetchResponseTopic()
	topic.Partitions = append(topic.Partitions, part)
	res.Topics = append(res.Topics, topic)
	return &rawAnswer{res}, nil
}

// TestBatchLargerThanAsked: a batch that does not fit is asked for again with room for it.
func TestBatchLargerThanAsked(t *testing.T) {
	raw := built{base: 0, values: []string{string(make([]byte, 5000))}}.bytes(t)
	cfg := Default()
	cfg.FetchMaxBytes = 100
	broker := &meanBroker{log: raw}
	c := newClient(cfg, slog.New(slog.DiscardHandler), broker, func() {})
	got, err := c.Source().Fetch(t.Context(), testTP, 0)
	if err != nil || len(got.Records) != 1 || got.Next != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	if len(broker.asked) != 2 || broker.asked[1] != int32(len(raw)) {
		t.Errorf("it asked for %v bytes", broker.asked)
	}
	cfg.DecompressedMaxBytes = 1000
	c = newClient(cfg, slog.New(slog.DiscardHandler), broker, func() {})
	if got, err := c.Source().Fetch(t.Context(), testTP, 0); err == nil {
		t.Errorf("beyond the limit: %+v", got)
	}
}

// TestRoute: what the Transport's view of the cluster lacks is an error and not a panic.
func TestRoute(t *testing.T) {
	cluster := protocol.Cluster{
		Brokers: map[int32]protocol.Broker{1: {ID: 1}},
		Topics: map[string]protocol.Topic{"t": {Partitions: map[int32]protocol.Partition{
			0: {Leader: 1}, 1: {Leader: -1}, 2: {Leader: 9},
		}}},
	}
	for _, c := range []struct {
		tp   pipeline.TopicPartition
		want error
	}{
		{pipeline.TopicPartition{Topic: "t"}, nil},
		{pipeline.TopicPartition{Topic: "t", Partition: 1}, protocol.ErrNoLeader},
		{pipeline.TopicPartition{Topic: "t", Partition: 2}, protocol.ErrNoLeader},
		{pipeline.TopicPartition{Topic: "t", Partition: 3}, protocol.ErrNoPartition},
		{pipeline.TopicPartition{Topic: "x"}, protocol.ErrNoTopic},
		{pipeline.TopicPartition{}, nil}, // any broker
	} {
		if _, err := (&rawCall{tp: c.tp}).Broker(cluster); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.tp, err, c.want)
		}
	}
	if _, err := (&rawCall{tp: testTP}).Broker(protocol.Cluster{}); err == nil {
		t.Error("an empty cluster has a leader")
	}
}

// answer is a connection with a response on it.
type answer struct{ left []byte }

func (a *answer) Write(b []byte) (int, error) { return len(b), nil }

func (a *answer) Read(b []byte) (int, error) {
	if len(a.left) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(b, a.left)
	a.left = a.left[n:]
	return n, nil
}

func TestBadResponses(t *testing.T) {
	for name, response := range map[string][]byte{
		"nothing":           {},
		"negative size":     {0xff, 0xff, 0xff, 0xff, 0, 0, 0x5e, 0x1f},
		"too small":         {0, 0, 0, 3, 0, 0, 0x5e, 0x1f},
		"too large":         {0x7f, 0, 0, 0, 0, 0, 0x5e, 0x1f},
		"not our answer":    {0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0},
		"cut short":         {0, 0, 0, 80, 0, 0, 0x5e, 0x1f, 1, 2, 3},
		"not a fetch's":     {0, 0, 0, 6, 0, 0, 0x5e, 0x1f, 1, 2},
		"an array too long": {0, 0, 0, 16, 0, 0, 0x5e, 0x1f, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff},
	} {
		req := kmsg.NewPtrFetchRequest()
		req.Version = fetchVersion
		call := &rawCall{request: req, maxBytes: 1 << 20}
		if res, err := call.RawExchange(&answer{response}); err == nil {
			t.Errorf("%s: %+v", name, res)
		}
	}
}
