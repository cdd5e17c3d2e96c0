package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/kafka"
	"selfsame/pipeline"
)

// Cluster makes environments on a broker, the only one of its cluster. What is written around the
// edge under test goes through kafka-go's own encoder.
type Cluster struct {
	Addr string
	run  string // tells the names of this run from those of others on the same broker
	made atomic.Int64
}

// NewCluster returns a maker of environments on the broker at addr.
func NewCluster(addr string) *Cluster {
	return &Cluster{Addr: addr, run: strconv.FormatInt(time.Now().UnixNano(), 36)}
}

// Name returns a name that is used once.
func (c *Cluster) Name() string { return fmt.Sprintf("conformance-%s-%d", c.run, c.made.Add(1)) }

// Client returns a client that is closed with the test.
func (c *Cluster) Client(t *testing.T, change func(*kafka.Config)) *kafka.Client {
	t.Helper()
	cfg := kafka.Default()
	cfg.Brokers = []string{c.Addr}
	change(&cfg)
	client, err := kafka.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// Env returns an environment with all that works on any broker. Compact is missing.
func (c *Cluster) Env(t *testing.T) Env {
	t.Helper()
	quick := c.Client(t, func(cfg *kafka.Config) {
		cfg.FetchMaxWait, cfg.FetchMaxBytes = 100*time.Millisecond, 64<<10
	})
	patient := c.Client(t, func(cfg *kafka.Config) { cfg.FetchMaxWait = time.Minute })
	transport := &kafkago.Transport{ClientID: "conformance"}
	t.Cleanup(transport.CloseIdleConnections)
	other := &other{
		calls: &kafkago.Client{Addr: kafkago.TCP(c.Addr), Transport: transport},
		// Connecting anew makes it see topics that were created since.
		renew: transport.CloseIdleConnections,
		name:  c.Name(),
	}
	return Env{
		Source: quick.Source(), Patient: patient.Source(), Sink: quick.Sink(), Sessions: c.Name(),
		CreateTopic: func(t *testing.T, partitions int32, configs map[string]string) string {
			t.Helper()
			name := c.Name()
			spec := kafka.TopicSpec{
				Name: name, Partitions: partitions, Configs: configs, Owned: true,
			}
			if err := quick.EnsureTopics(within(t), []kafka.TopicSpec{spec}); err != nil {
				t.Fatal(err)
			}
			return name
		},
		Recreate: func(t *testing.T, topic string, partitions int32) {
			t.Helper()
			other.delete(t, topic)
			other.create(t, topic, partitions)
		},
		Grow:     other.grow,
		Expire:   c.expire,
		Write:    other.write,
		Transact: other.transact,
	}
}

// expire deletes records, which kafka-go has no call for.
func (c *Cluster) expire(t *testing.T, tp pipeline.TopicPartition, offset int64) {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.Version, req.TimeoutMillis = 1, 10_000
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = tp.Topic
	rt.Partitions = []kmsg.DeleteRecordsRequestTopicPartition{
		{Partition: tp.Partition, Offset: offset},
	}
	req.Topics = append(req.Topics, rt)
	res := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	if err := c.exchange(req, res); err != nil {
		t.Fatal(err)
	}
	if code := res.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("deleting records: %v", kafkago.Error(code))
	}
}

func (c *Cluster) exchange(req kmsg.Request, res kmsg.Response) error {
	conn, err := net.Dial("tcp", c.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
		return err
	}
	var head [8]byte // size, correlation id
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:])-4)
	if _, err := io.ReadFull(conn, body); err != nil {
		return err
	}
	return res.ReadFrom(body)
}

// other is another client.
type other struct {
	calls *kafkago.Client
	renew func()
	name  string
}

func (o *other) write(t *testing.T, tp pipeline.TopicPartition, codec string,
	records []pipeline.Record) {
	t.Helper()
	var compression kafkago.Compression
	if err := compression.UnmarshalText([]byte(codec)); err != nil {
		t.Fatal(err)
	}
	o.renew()
	res, err := o.calls.Produce(within(t), &kafkago.ProduceRequest{
		Topic: tp.Topic, Partition: int(tp.Partition), RequiredAcks: kafkago.RequireAll,
		Compression: compression, Records: reader(records),
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		t.Fatalf("writing with %s: %v", codec, err)
	}
}

func reader(records []pipeline.Record) protocol.RecordReader {
	var rs []kafkago.Record
	for _, r := range records {
		rec := kafkago.Record{
			Time:  time.Unix(0, r.Time),
			Key:   kafkago.NewBytes(r.Key),
			Value: kafkago.NewBytes(r.Value),
		}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, kafkago.Header{Key: h.Key, Value: h.Value})
		}
		rs = append(rs, rec)
	}
	return kafkago.NewRecordReader(rs...)
}

func (o *other) transact(t *testing.T, tp pipeline.TopicPartition, records []pipeline.Record,
	commit bool) {
	t.Helper()
	ctx := within(t)
	o.renew()
	producer, err := o.begin(ctx, tp)
	if err == nil {
		err = o.append(ctx, tp, producer, records)
	}
	if err == nil {
		err = o.end(ctx, producer, commit)
	}
	if err == nil {
		// The broker answers before the markers are written. It has written them when the next
		// session is granted.
		_, err = o.session(ctx)
	}
	if err != nil {
		t.Fatalf("transaction: %v", err)
	}
}

func (o *other) session(ctx context.Context) (*kafkago.ProducerSession, error) {
	for {
		res, err := o.calls.InitProducerID(ctx, &kafkago.InitProducerIDRequest{
			TransactionalID: o.name, TransactionTimeoutMs: 60_000,
			ProducerID: -1, ProducerEpoch: -1,
		})
		if err != nil {
			return nil, err
		}
		if res.Error == nil {
			return res.Producer, nil
		}
		if !retriable(res.Error) {
			return nil, res.Error
		}
	}
}

func retriable(err error) bool {
	var code kafkago.Error
	return errors.As(err, &code) && (code.Temporary() || code == kafkago.ConcurrentTransactions)
}

func (o *other) begin(ctx context.Context, tp pipeline.TopicPartition) (
	*kafkago.ProducerSession, error) {
	producer, err := o.session(ctx)
	if err != nil {
		return nil, err
	}
	partitions := []kafkago.AddPartitionToTxn{{Partition: int(tp.Partition)}}
	for {
		res, err := o.calls.AddPartitionsToTxn(ctx, &kafkago.AddPartitionsToTxnRequest{
			TransactionalID: o.name,
			ProducerID:      producer.ProducerID,
			ProducerEpoch:   producer.ProducerEpoch,
			Topics:          map[string][]kafkago.AddPartitionToTxn{tp.Topic: partitions},
		})
		if err != nil {
			return nil, err
		}
		if err := res.Topics[tp.Topic][0].Error; err == nil || !retriable(err) {
			return producer, err
		}
	}
}

// Where the fields of a producer lie in a record batch.
const (
	crcAt, crcFrom            = 17, 21
	producerAt, epochAt, seqs = 43, 51, 53
)

// append stamps a producer into a batch of kafka-go's encoder.
func (o *other) append(ctx context.Context, tp pipeline.TopicPartition,
	producer *kafkago.ProducerSession, records []pipeline.Record) error {
	var buf bytes.Buffer
	set := protocol.RecordSet{
		Version: 2, Attributes: protocol.Transactional, Records: reader(records),
	}
	if _, err := set.WriteTo(&buf); err != nil {
		return err
	}
	b := buf.Bytes()[4:]
	binary.BigEndian.PutUint64(b[producerAt:], uint64(producer.ProducerID))
	binary.BigEndian.PutUint16(b[epochAt:], uint16(producer.ProducerEpoch))
	binary.BigEndian.PutUint32(b[seqs:], 0)
	sum := crc32.Checksum(b[crcFrom:], crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(b[crcAt:], sum)
	res, err := o.calls.RawProduce(ctx, &kafkago.RawProduceRequest{
		Topic: tp.Topic, Partition: int(tp.Partition), RequiredAcks: kafkago.RequireAll,
		TransactionalID: o.name, RawRecords: protocol.RawRecordSet{Reader: &buf},
	})
	if err != nil {
		return err
	}
	return res.Error
}

func (o *other) end(ctx context.Context, producer *kafkago.ProducerSession, commit bool) error {
	for {
		res, err := o.calls.EndTxn(ctx, &kafkago.EndTxnRequest{
			TransactionalID: o.name, Committed: commit,
			ProducerID: producer.ProducerID, ProducerEpoch: producer.ProducerEpoch,
		})
		if err != nil {
			return err
		}
		if res.Error == nil || !retriable(res.Error) {
			return res.Error
		}
	}
}
