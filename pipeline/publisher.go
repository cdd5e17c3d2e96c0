package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"selfsame/store"
)

// Publisher moves entries from the outbox to the sink. One per shard; one goroutine at a time.
//
// Per output partition one batch is in flight, frozen until it is resolved: a batch whose fate is
// unknown is sent again exactly as it was, and the broker recognises it by producer id, epoch and
// sequence. Where that is not enough, and at every start, there is one way on: recover.go shuts out
// everybody else, our own delayed requests included, and reads what has landed.
type Publisher struct {
	shard *Shard
	sink  Sink
	o     PublisherOptions

	name        []byte // the transactional id, as a header's value
	incarnation uint64 // of the store; it changes only in Open
	session     Session
	plain       bool // the session claims nothing: at least once
	claimed     time.Time
	proved      time.Time // when the broker last accepted the session
	partitions  []TopicPartition
	lanes       map[TopicPartition]*lane
	fresh       bool          // the store had never published before Open
	barrier     store.Barrier // input positions that publishing waits for
	recoveries  int           // since something was acknowledged last
}

// lane is what is known of one output partition.
type lane struct {
	sequence int32 // of the next record in this session
	floor    int64 // everything not acknowledged lands here or later
	end      int64 // of the log, before the last claim
	lost     bool  // the end was below the floor, or what lies below was written anew

	waits bool   // entries wait that an earlier run has left; during Open only
	first uint64 // the first of them
	from  int64  // where the scan begins: the floor, or below it where that was written anew
}

// PublisherOptions are what a publisher can be told.
type PublisherOptions struct {
	TransactionalID string // of the shard
	// HoldUntil are input positions, offsets of the next record to consume, that a store which has
	// never published waits for before it does: it is being rebuilt. Nil: it publishes at once.
	HoldUntil    map[TopicPartition]int64
	SideBySide   bool // send to several partitions at once; without it, in a fixed order
	AtLeastOnce  bool // go on without a claim where the broker refuses it
	BatchRecords int  // records in a batch at the most. Default 1000
	BatchBytes   int  // bytes of keys, values and headers in a batch. Default 900 KiB
	TakeEntries  int  // entries frozen at a time. Default 4000
	Log          *slog.Logger
	// Now is the clock; Wait waits or gives the context's error. Both are given by the shell.
	Now  func() time.Time
	Wait func(ctx context.Context, d time.Duration) error
}

// Defaults of PublisherOptions.
const (
	DefaultBatchRecords = 1000
	DefaultBatchBytes   = 900 << 10
	DefaultTakeEntries  = 4000
)

// NewPublisher returns a publisher that has not claimed its session yet.
func NewPublisher(shard *Shard, sink Sink, o PublisherOptions) *Publisher {
	if o.BatchRecords == 0 {
		o.BatchRecords = DefaultBatchRecords
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = DefaultBatchBytes
	}
	if o.TakeEntries == 0 {
		o.TakeEntries = DefaultTakeEntries
	}
	return &Publisher{shard: shard, sink: sink, o: o, name: []byte(o.TransactionalID),
		partitions: shard.outputs(), lanes: map[TopicPartition]*lane{}}
}

// Publish publishes what waits in the outbox, up to TakeEntries, and returns how many entries that
// were. An error means that the publisher cannot go on, or that ctx has ended; what was taken and
// not acknowledged is dealt with after the next start.
func (p *Publisher) Publish(ctx context.Context) (int, error) {
	if held, err := p.held(); held || err != nil {
		return 0, err
	}
	taken, err := p.shard.store.Take(p.o.TakeEntries)
	if err != nil || taken.Snapshot == nil {
		return 0, err
	}
	defer taken.Snapshot.Close()
	batches, err := p.assemble(&taken)
	if err != nil {
		return 0, err
	}
	if err := p.sendAll(ctx, batches); err != nil {
		return 0, p.noted(err)
	}
	return len(taken.Entries), nil
}

// sendAll sends batches in order within each partition, each until its fate is known.
func (p *Publisher) sendAll(ctx context.Context, batches []*outgoing) error {
	for len(batches) > 0 {
		if err := p.refresh(ctx); err != nil {
			return err
		}
		wave, rest := firstOfEach(batches)
		left, err := p.sendWave(ctx, wave)
		batches = append(left, rest...)
		if errors.Is(err, errUnresolved) {
			batches, err = p.resolve(ctx, batches, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// prepare freezes a batch for being sent.
func (p *Publisher) prepare(b *outgoing) {
	b.Session, b.Sequence, b.Time = p.session, p.lanes[b.TP].sequence, p.o.Now().UnixNano()
}

// landed acknowledges the entries of a batch that was appended at offset; -1: not known where.
func (p *Publisher) landed(b *outgoing, offset int64) error {
	lane := p.lanes[b.TP]
	if offset >= 0 && offset < lane.floor {
		return p.regressed(b.TP, offset, lane.floor)
	}
	if offset >= 0 {
		lane.floor = offset + int64(len(b.Records))
	}
	lane.sequence = int32((int64(b.Sequence) + int64(len(b.Records))) & 0x7fffffff)
	p.proved, p.recoveries = p.o.Now(), 0
	p.acknowledge(b, len(b.parts))
	p.shard.stats.emitted(b.TP.Topic, len(b.Records), b.tombstones())
	return nil
}

// acknowledge forgets the first n entries of a batch, which have landed.
func (p *Publisher) acknowledge(b *outgoing, n int) {
	var seqs []uint64
	for _, part := range b.parts[:n] {
		seqs = append(seqs, part.entry.Seq)
		if part.row != nil && part.row.Dead {
			p.shard.retire(refOf(part.entry), part.row.Version)
		}
	}
	p.shard.store.AckLanded(b.TP.Topic, b.TP.Partition, p.lanes[b.TP].floor, seqs...)
}

// Bounds of the pause between two attempts to send a batch, and how many there are before the
// publisher looks for what has landed.
const (
	minRetryPause = 50 * time.Millisecond
	maxRetryPause = 5 * time.Second
	maxAttempts   = 30 // two minutes and more
)

// errUnresolved says that sending a batch again does not tell its fate.
var errUnresolved = errors.New("the fate of a batch is unknown")

// produce sends a frozen batch until its fate is known.
func (p *Publisher) produce(ctx context.Context, b *Batch) (int64, error) {
	pause := minRetryPause
	for attempt := 1; ; attempt++ {
		offset, err := p.sink.Produce(ctx, b)
		if err == nil {
			if attempt > 1 {
				p.o.Log.Info("publishing again", "partition", b.TP.String(), "attempts", attempt)
			}
			return offset, nil
		}
		switch {
		case errors.Is(err, ErrFenced), errors.Is(err, ErrTooLarge):
			return 0, err
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case errors.Is(err, ErrSequence), attempt == maxAttempts:
			return 0, fmt.Errorf("%w: %w", errUnresolved, err)
		case attempt == 1:
			p.o.Log.Warn("publishing is held up, trying again", "partition", b.TP.String(),
				"error", err)
		}
		if err := p.o.Wait(ctx, pause); err != nil {
			return 0, err
		}
		pause = min(2*pause, maxRetryPause)
	}
}
