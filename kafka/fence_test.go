package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"slices"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/addpartitionstotxn"
	"github.com/segmentio/kafka-go/protocol/endtxn"
	"github.com/segmentio/kafka-go/protocol/initproducerid"

	"selfsame/pipeline"
)

// coordinator is a transaction coordinator as Kafka's is, for the requests of a fence: epochs rise
// with every claim, and at the last the id changes.
type coordinator struct {
	session  pipeline.Session
	requests []string
	busy     int  // claims to be refused after an abort, while markers are written
	short    bool // leave a partition out of the answer
	code     int16
}

func (c *coordinator) RoundTrip(_ context.Context, _ net.Addr, req kafkago.Request) (
	kafkago.Response, error) {
	switch r := req.(type) {
	case *initproducerid.Request:
		return c.claim(r), nil
	case *addpartitionstotxn.Request:
		return c.enlist(r), nil
	case *endtxn.Request:
		c.note("abort", r.ProducerID, r.ProducerEpoch)
		c.busy = 2
		return &endtxn.Response{}, nil
	}
	return nil, fmt.Errorf("unexpected request %T", req)
}

func (c *coordinator) note(what string, id int64, epoch int16) {
	if len(c.requests) < 10 {
		c.requests = append(c.requests, fmt.Sprintf("%s %d/%d", what, id, epoch))
	}
}

func (c *coordinator) claim(r *initproducerid.Request) *initproducerid.Response {
	c.note("claim", r.ProducerID, r.ProducerEpoch)
	expected := pipeline.Session{ID: r.ProducerID, Epoch: r.ProducerEpoch}
	switch {
	case c.code != 0:
		return &initproducerid.Response{ErrorCode: c.code}
	case c.busy > 0:
		c.busy--
		return &initproducerid.Response{ErrorCode: int16(kafkago.ConcurrentTransactions)}
	case expected != pipeline.NoSession() && expected != c.session:
		return &initproducerid.Response{ErrorCode: int16(kafkago.ProducerFenced)}
	case c.session.Epoch >= math.MaxInt16-1:
		c.session = pipeline.Session{ID: c.session.ID + 1}
	default:
		c.session.Epoch++
	}
	return &initproducerid.Response{ProducerID: c.session.ID, ProducerEpoch: c.session.Epoch}
}

func (c *coordinator) enlist(r *addpartitionstotxn.Request) *addpartitionstotxn.Response {
	c.note("enlist", r.ProducerID, r.ProducerEpoch)
	res := &addpartitionstotxn.Response{}
	for _, topic := range r.Topics {
		result := addpartitionstotxn.ResponseResult{Name: topic.Name}
		for _, p := range topic.Partitions {
			result.Results = append(result.Results,
				addpartitionstotxn.ResponsePartition{PartitionIndex: p})
		}
		if c.short {
			result.Results = result.Results[1:]
		}
		res.Results = append(res.Results, result)
	}
	return res
}

func (c *coordinator) fence(t *testing.T, expected pipeline.Session) (pipeline.Session, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	client := newClient(Default(), slog.New(slog.DiscardHandler), c, func() {})
	return client.Sink().Fence(ctx, "id", expected, []pipeline.TopicPartition{
		{Topic: "a"}, {Topic: "a", Partition: 1}, {Topic: "b"},
	})
}

// TestFenceOrder: the second claim comes after the abort, in the session of the first, and is asked
// for until the markers are written.
func TestFenceOrder(t *testing.T) {
	c := &coordinator{session: pipeline.Session{ID: 7, Epoch: 3}}
	session, err := c.fence(t, pipeline.NoSession())
	if want := (pipeline.Session{ID: 7, Epoch: 5}); err != nil || session != want {
		t.Errorf("%+v, %v, want %+v", session, err, want)
	}
	want := []string{"claim -1/-1", "enlist 7/4", "abort 7/4",
		"claim 7/4", "claim 7/4", "claim 7/4"}
	if !slices.Equal(c.requests, want) {
		t.Errorf("requests %q, want %q", c.requests, want)
	}
}

// TestFenceRotates: an id whose epochs run out is left, after the fence is up under the old one.
func TestFenceRotates(t *testing.T) {
	for _, epoch := range []int16{rotateAbove - 1, rotateAbove, lastEpoch - 2, lastEpoch - 1} {
		c := &coordinator{session: pipeline.Session{ID: 7, Epoch: epoch}}
		session, err := c.fence(t, pipeline.Session{ID: 7, Epoch: epoch})
		if err != nil || session != (pipeline.Session{ID: 8}) {
			t.Errorf("from epoch %d: %+v, %v", epoch, session, err)
		}
		if want := fmt.Sprintf("abort 7/%d", epoch+1); c.requests[2] != want {
			t.Errorf("from epoch %d: %q, want %q", epoch, c.requests[2], want)
		}
	}
	c := &coordinator{session: pipeline.Session{ID: 7, Epoch: rotateAbove - 2}}
	if session, err := c.fence(t, c.session); err != nil || session.ID != 7 {
		t.Errorf("below the bound: %+v, %v", session, err)
	}
}

// TestFenceRefused: what each refusal is to the caller.
func TestFenceRefused(t *testing.T) {
	mine := pipeline.Session{ID: 7, Epoch: 3}
	for name, c := range map[string]struct {
		coordinator coordinator
		want        error
	}{
		"overtaken": {
			coordinator{session: pipeline.Session{ID: 7, Epoch: 5}}, pipeline.ErrFenced,
		},
		"unknown id": {
			coordinator{code: int16(kafkago.InvalidProducerIDMapping)}, pipeline.ErrFenced,
		},
		"not authorized": {
			coordinator{code: int16(kafkago.TransactionalIDAuthorizationFailed)},
			pipeline.ErrNotAuthorized,
		},
		"incomplete": {coordinator{session: mine, short: true}, context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if session, err := c.coordinator.fence(t, mine); !errors.Is(err, c.want) {
				t.Errorf("%+v, %v, want %v", session, err, c.want)
			}
		})
	}
}

// TestHolds: markers of a fence are no records.
func TestHolds(t *testing.T) {
	cluster := startCluster(t)
	makeTopic(t, cluster, "t", 2)
	c := connect(t, cluster.ListenAddrs())
	_, err := c.Sink().Fence(t.Context(), "id", pipeline.NoSession(), []pipeline.TopicPartition{
		{Topic: "t"}, {Topic: "t", Partition: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	ends, err := c.EndOffsets(t.Context(), "t")
	if err != nil || ends[pipeline.TopicPartition{Topic: "t"}] == 0 {
		t.Fatalf("the fence left no marker: %v, %v", ends, err)
	}
	if held, err := c.Holds(t.Context(), "t"); held || err != nil {
		t.Errorf("with markers only: %t, %v", held, err)
	}
	send(t, c, "t", "a")
	if held, err := c.Holds(t.Context(), "t"); !held || err != nil {
		t.Errorf("with a record: %t, %v", held, err)
	}
}

// TestWeaknesses on one broker, which has them.
func TestWeaknesses(t *testing.T) {
	cluster := startCluster(t)
	makeTopic(t, cluster, "t", 1)
	c := connect(t, cluster.ListenAddrs())
	weak, err := c.Weaknesses(t.Context(), "t")
	if err != nil || len(weak) == 0 || weak[0] != "replication factor 1, wanted 3" {
		t.Errorf("%q, %v", weak, err)
	}
	if _, err := c.Weaknesses(t.Context(), "u"); !errors.Is(err, pipeline.ErrUnknownTopic) {
		t.Errorf("of a topic that is not there: %v", err)
	}
}
