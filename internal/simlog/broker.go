package simlog

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"selfsame/pipeline"
	"selfsame/store"
)

// Options are the limits of a cluster. The zero value has the defaults.
type Options struct {
	Now                int64         // the clock at the beginning, nanoseconds since the epoch
	MaxBatchBytes      int           // keys, values and headers of a batch. Default 1 MiB
	FetchMaxRecords    int           // of one fetch. Default 500
	ProducerExpiry     time.Duration // of a leader's entry. Default 24 hours
	TransactionTimeout time.Duration // after which the coordinator aborts. Default 1 minute
	// Tap sees the data records that are appended, at once and before anything happens to them.
	Tap func(tp pipeline.TopicPartition, records []pipeline.Record)
}

// Broker is the cluster. One goroutine at a time.
type Broker struct {
	o        Options
	now      int64
	topics   map[string][]*partition
	created  uint32 // topics so far, for their ids
	txns     map[string]*transaction
	txnOrder []string // of txns, so that nothing depends on the order of a map
	nextID   int64    // the next producer id
	flight   []*Request
}

// New returns an empty cluster.
func New(o Options) *Broker {
	if o.MaxBatchBytes == 0 {
		o.MaxBatchBytes = 1 << 20
	}
	if o.FetchMaxRecords == 0 {
		o.FetchMaxRecords = 500
	}
	if o.ProducerExpiry == 0 {
		o.ProducerExpiry = 24 * time.Hour
	}
	if o.TransactionTimeout == 0 {
		o.TransactionTimeout = time.Minute
	}
	return &Broker{o: o, now: o.Now, topics: map[string][]*partition{},
		txns: map[string]*transaction{}, nextID: 1000}
}

// Now is the cluster's clock.
func (b *Broker) Now() int64 { return b.now }

// Advance lets time pass: entries of producers expire, transactions time out.
func (b *Broker) Advance(d time.Duration) {
	b.now += int64(d)
	for _, ps := range b.topics {
		for _, p := range ps {
			p.expireProducers(b.now - int64(b.o.ProducerExpiry))
		}
	}
	for _, id := range b.txnOrder {
		t := b.txns[id]
		if t.state == ongoing && b.now-t.since > int64(b.o.TransactionTimeout) {
			b.fenceOngoing(t)
		}
	}
}

// CreateTopic adds a topic, or empties the one of that name as deleting and creating it does.
func (b *Broker) CreateTopic(name string, partitions int32) {
	b.created++
	var id store.TopicID
	binary.BigEndian.PutUint32(id[:], b.created)
	b.topics[name] = nil
	b.addPartitions(name, partitions, id)
}

// AddPartitions makes a topic have more partitions.
func (b *Broker) AddPartitions(name string, partitions int32) {
	b.addPartitions(name, partitions, b.topics[name][0].id)
}

func (b *Broker) addPartitions(name string, partitions int32, id store.TopicID) {
	for n := int32(len(b.topics[name])); n < partitions; n++ {
		p := newPartition(pipeline.TopicPartition{Topic: name, Partition: n}, b.o.Tap)
		p.id = id
		b.topics[name] = append(b.topics[name], p)
	}
}

// find returns nil where there is no such partition.
func (b *Broker) find(tp pipeline.TopicPartition) *partition {
	if ps := b.topics[tp.Topic]; tp.Partition >= 0 && int(tp.Partition) < len(ps) {
		return ps[tp.Partition]
	}
	return nil
}

func (b *Broker) must(tp pipeline.TopicPartition) *partition {
	p := b.find(tp)
	if p == nil {
		// invariant: simulations create the topics that they use
		panic(fmt.Sprintf("simlog: a simulation uses %s without creating it", tp))
	}
	return p
}

// Append adds records as a producer without idempotence does; the clock stamps those without a
// time. It returns the first offset.
func (b *Broker) Append(tp pipeline.TopicPartition, records ...pipeline.Record) int64 {
	p := b.must(tp)
	return p.append(batch{producer: noProducer}, b.stamped(records))
}

func (b *Broker) stamped(records []pipeline.Record) []pipeline.Record {
	out := slices.Clone(records)
	for i := range out {
		if out[i].Time == 0 {
			out[i].Time = b.now
		}
	}
	return out
}

// Records returns the data records of a log, aborted ones left out, as they lie there now.
func (b *Broker) Records(tp pipeline.TopicPartition) []pipeline.Record {
	p := b.must(tp)
	var all []pipeline.Record
	for i := range p.batches {
		if p.readable(&p.batches[i]) {
			all = append(all, p.batches[i].records...)
		}
	}
	return all
}

// Bounds returns the first offset of a log and the one after its last.
func (b *Broker) Bounds(tp pipeline.TopicPartition) (start, end int64) {
	p := b.must(tp)
	return p.start, p.end
}

// Request is something that a client has asked for, as the network sees it.
type Request struct {
	Client string
	API    API
	TP     pipeline.TopicPartition // of a produce or fetch
	ID     string                  // transactional id

	arrive func() // what it does at the broker; the reply is lost
	sent   int64
}

// String names the request.
func (r *Request) String() string {
	where := r.ID
	if r.TP.Topic != "" {
		where = r.TP.String()
	}
	return r.Client + " " + r.API.String() + " " + where
}

// InFlight lists the requests that can still arrive, oldest first.
func (b *Broker) InFlight() []*Request { return slices.Clone(b.flight) }

// Arrive lets request i of InFlight reach its broker. Nobody waits for its reply.
func (b *Broker) Arrive(i int) {
	r := b.flight[i]
	b.flight = slices.Delete(b.flight, i, i+1)
	r.arrive()
}

// Drop loses request i of InFlight for good.
func (b *Broker) Drop(i int) { b.flight = slices.Delete(b.flight, i, i+1) }

// Age is for how long request i of InFlight has been under way.
func (b *Broker) Age(i int) time.Duration { return time.Duration(b.now - b.flight[i].sent) }
