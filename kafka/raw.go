package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
)

// rawCall is a request that the Transport routes, to the leader of a partition or to any broker,
// and then lets us write and read ourselves, on a connection that it has set up and authenticated.
// Its methods run on a goroutine of the Transport, so nothing changes it once it is under way.
type rawCall struct {
	tp       pipeline.TopicPartition // whose leader is asked; any broker where the topic is empty
	clientID string
	request  kmsg.Request
	newer    kmsg.Request // sent in its place where the broker speaks its version; nil: never
	maxBytes int64        // of the response
}

// rawAnswer is what a rawCall brings back.
type rawAnswer struct{ response kmsg.Response }

// correlation is the id in the header of every raw request. A connection carries one request at a
// time, so it only has to come back.
const correlation = 0x5e1f

// ApiKey implements protocol.Message.
func (r *rawCall) ApiKey() protocol.ApiKey { return protocol.ApiKey(r.request.Key()) }

// ApiKey implements protocol.Message.
func (r *rawAnswer) ApiKey() protocol.ApiKey { return protocol.ApiKey(r.response.Key()) }

// Required implements protocol.RawExchanger.
func (r *rawCall) Required(map[protocol.ApiKey]int16) bool { return true }

// Broker implements protocol.BrokerMessage. The cluster is the Transport's cached view of it, which
// can lack a topic, a partition, or a leader that is up.
func (r *rawCall) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	if r.tp.Topic == "" {
		return protocol.Broker{ID: -1}, nil
	}
	topic, ok := cluster.Topics[r.tp.Topic]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoTopic(r.tp.Topic)
	}
	partition, ok := topic.Partitions[r.tp.Partition]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoPartition(r.tp.Topic, r.tp.Partition)
	}
	broker, ok := cluster.Brokers[partition.Leader]
	if !ok {
		return protocol.Broker{}, protocol.NewErrNoLeader(r.tp.Topic, r.tp.Partition)
	}
	return broker, nil
}

// RawExchange implements protocol.RawExchanger.
func (r *rawCall) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	request := r.request
	if r.newer != nil {
		speaks, err := r.speaks(rw, r.newer)
		if err != nil {
			return nil, err
		}
		if speaks {
			request = r.newer
		}
	}
	response, err := r.exchange(rw, request)
	if err != nil {
		return nil, err
	}
	return &rawAnswer{response}, nil
}

// exchange sends one request and reads the answer.
func (r *rawCall) exchange(rw io.ReadWriter, request kmsg.Request) (kmsg.Response, error) {
	formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID(r.clientID))
	if _, err := rw.Write(formatter.AppendRequest(nil, request, correlation)); err != nil {
		return nil, fmt.Errorf("sending the request: %w", err)
	}
	body, err := readFrame(rw, r.maxBytes)
	if err != nil {
		return nil, err
	}
	response := request.ResponseKind()
	if response.IsFlexible() {
		if body, err = cutTags(body); err != nil {
			return nil, err
		}
	}
	if err := response.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("decoding the response: %w", err)
	}
	return response, nil
}

// speaks asks the broker at the other end whether it speaks the version of request. The Transport
// has asked it too, but tells the versions that it speaks itself only.
func (r *rawCall) speaks(rw io.ReadWriter, request kmsg.Request) (bool, error) {
	ask := kmsg.NewPtrApiVersionsRequest() // version 0: no flexible fields
	answer, err := r.exchange(rw, ask)
	if err != nil {
		return false, fmt.Errorf("asking for versions: %w", err)
	}
	versions := answer.(*kmsg.ApiVersionsResponse)
	if err := codeError(versions.ErrorCode); err != nil {
		return false, fmt.Errorf("asking for versions: %w", err)
	}
	for _, k := range versions.ApiKeys {
		if k.ApiKey == request.Key() {
			return k.MinVersion <= request.GetVersion() && request.GetVersion() <= k.MaxVersion, nil
		}
	}
	return false, nil
}

// cutTags returns what follows the tagged fields in the header of a flexible response.
func cutTags(b []byte) ([]byte, error) {
	count, b, ok := cutUvarint(b)
	for range count {
		var size uint64
		if _, b, ok = cutUvarint(b); !ok {
			break
		}
		if size, b, ok = cutUvarint(b); !ok || size > uint64(len(b)) {
			ok = false
			break
		}
		b = b[size:]
	}
	if !ok {
		return nil, errors.New("reading the response: its header is cut short")
	}
	return b, nil
}

func cutUvarint(b []byte) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil, false
	}
	return n, b[size:], true
}

func readFrame(r io.Reader, maxBytes int64) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("reading the response: %w", err)
	}
	size := int64(int32(binary.BigEndian.Uint32(head[:])))
	if size < 4 || size > maxBytes {
		return nil, fmt.Errorf("reading the response: its size of %d bytes is not within 4 to %d",
			size, maxBytes)
	}
	if id := binary.BigEndian.Uint32(head[4:]); id != correlation {
		return nil, fmt.Errorf("reading the response: correlation id %d is not ours", id)
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("reading the response: %w", err)
	}
	return body, nil
}

// callLeader sends a call to the leader of its partition. Where the cached metadata knows no leader
// it is refreshed once.
func (c *Client) callLeader(ctx context.Context, call rawCall) (kmsg.Response, error) {
	res, err := c.roundTrip(ctx, call)
	if !isUnrouted(err) {
		return res, err
	}
	if err := c.unrouted(ctx, call.tp, err); err != nil {
		return nil, err
	}
	return c.roundTrip(ctx, call)
}

// callAny sends request to any broker.
func (c *Client) callAny(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	return c.roundTrip(ctx, rawCall{request: req})
}

// callNewest sends newer to any broker that speaks its version, and old to any other.
func (c *Client) callNewest(ctx context.Context, old, newer kmsg.Request) (kmsg.Response, error) {
	return c.roundTrip(ctx, rawCall{request: old, newer: newer})
}

func (c *Client) roundTrip(ctx context.Context, call rawCall) (kmsg.Response, error) {
	call.clientID, call.maxBytes = c.cfg.ClientID, c.maxResponseBytes()
	msg, err := c.trip.RoundTrip(ctx, c.addr, &call)
	if err != nil {
		return nil, err
	}
	answer, ok := msg.(*rawAnswer)
	if !ok {
		return nil, fmt.Errorf("unexpected answer %T", msg)
	}
	return answer.response, nil
}

// unrouted looks into why the cached metadata has no leader for tp. Where the cluster has the
// partition and a leader for it, the cache is renewed and the call is worth another attempt: nil.
func (c *Client) unrouted(ctx context.Context, tp pipeline.TopicPartition, cause error) error {
	found, err := c.describe(ctx, tp.Topic)
	if err != nil {
		return err
	}
	if !slices.Contains(found.Partitions, tp.Partition) {
		return pipeline.ErrUnknownTopic
	}
	if err := c.refresh(ctx); err != nil {
		return errors.Join(cause, err)
	}
	return nil
}

// maxResponseBytes leaves room for one batch that is larger than what was asked for.
func (c *Client) maxResponseBytes() int64 {
	return max(int64(c.cfg.FetchMaxBytes), c.cfg.DecompressedMaxBytes) + 1<<20
}

func isUnrouted(err error) bool {
	return errors.Is(err, protocol.ErrNoTopic) || errors.Is(err, protocol.ErrNoPartition) ||
		errors.Is(err, protocol.ErrNoLeader) || errors.Is(err, kafkago.BrokerNotAvailable)
}

// refreshCall makes the Transport fetch the cluster's metadata anew and wait for it. The Transport
// has no call for that, but does it after every answer to a CreateTopics request: so this one
// answers itself with an empty one, and sends nothing.
type refreshCall struct{}

// ApiKey implements protocol.Message.
func (refreshCall) ApiKey() protocol.ApiKey { return protocol.CreateTopics }

// Required implements protocol.RawExchanger.
func (refreshCall) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange implements protocol.RawExchanger.
func (refreshCall) RawExchange(io.ReadWriter) (protocol.Message, error) {
	return &createtopics.Response{}, nil
}

// refresh returns once the Transport's metadata is no older than this call. Calls that come while
// one is under way share the next.
func (c *Client) refresh(ctx context.Context) error {
	arrived := time.Now()
	var began time.Time
	select {
	case began = <-c.refreshing:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { c.refreshing <- began }()
	if began.After(arrived) {
		return nil
	}
	now := time.Now()
	if _, err := c.trip.RoundTrip(ctx, c.addr, refreshCall{}); err != nil {
		return fmt.Errorf("refreshing the cluster metadata: %w", err)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	began = now
	return nil
}
