package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"selfsame/store"
)

// Publisher moves entries from the outbox to the sink. One per shard; one goroutine at a time.
//
// Per output partition one batch is in flight, frozen until it is resolved: a batch whose fate is
// unknown is sent again exactly as it was, and the broker recognises it by producer id, epoch and
// sequence.
type Publisher struct {
	shard *Shard
	sink  Sink
	o     PublisherOptions

	session   Session
	sequences map[TopicPartition]int32
}

// PublisherOptions are what a publisher can be told.
type PublisherOptions struct {
	TransactionalID string // of the shard
	BatchRecords    int    // records in a batch at the most. Default 1000
	BatchBytes      int    // bytes of keys, values and headers in a batch. Default 900 KiB
	TakeEntries     int    // entries frozen at a time. Default 4000
	Log             *slog.Logger
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
	return &Publisher{shard: shard, sink: sink, o: o, sequences: map[TopicPartition]int32{}}
}

// Open claims the session under which everything is published.
func (p *Publisher) Open(ctx context.Context) error {
	session, err := p.sink.Open(ctx, p.o.TransactionalID)
	if err != nil {
		return fmt.Errorf("claiming transactional id %s: %w", p.o.TransactionalID, err)
	}
	p.session = session
	clear(p.sequences)
	return nil
}

// Publish publishes what waits in the outbox, up to TakeEntries, and returns how many entries that
// were. An error means that the publisher cannot go on, or that ctx has ended; what was taken and
// not acknowledged is published after the next start.
func (p *Publisher) Publish(ctx context.Context) (int, error) {
	taken, err := p.shard.store.Take(p.o.TakeEntries)
	if err != nil || taken.Snapshot == nil {
		return 0, err
	}
	defer taken.Snapshot.Close()
	batches, err := p.assemble(&taken)
	if err != nil {
		return 0, err
	}
	for _, b := range batches {
		if err := p.send(ctx, b); err != nil {
			return 0, err
		}
	}
	return len(taken.Entries), nil
}

// outgoing is a batch and the entries that it carries.
type outgoing struct {
	Batch
	bytes      int
	seqs       []uint64
	tombstones int
	ended      []retiredProfile
}

// assemble renders the entries and groups them by partition, in order.
func (p *Publisher) assemble(taken *store.Taken) ([]*outgoing, error) {
	open := map[TopicPartition]*outgoing{}
	var batches []*outgoing
	for i := range taken.Entries {
		entry := &taken.Entries[i]
		record, row, err := p.render(taken.Snapshot, entry)
		if err != nil {
			return nil, fmt.Errorf("rendering outbox entry %d: %w", entry.Seq, err)
		}
		if entry.Kind == store.EntryProfile && row == nil {
			p.shard.store.Ack(entry.Seq) // its end has been published by a later entry
			continue
		}
		tp := TopicPartition{entry.Topic, entry.Partition}
		size := outSize(&record)
		b := open[tp]
		if b == nil || len(b.Records) == p.o.BatchRecords || b.bytes+size > p.o.BatchBytes {
			b = &outgoing{Batch: Batch{TP: tp}}
			open[tp] = b
			batches = append(batches, b)
		}
		b.Records = append(b.Records, record)
		b.bytes += size
		b.seqs = append(b.seqs, entry.Seq)
		if row != nil && row.Dead {
			b.tombstones++
			ref := store.ProfileRef{Class: entry.Class, Policy: entry.Policy, ID: entry.ID}
			b.ended = append(b.ended, retiredProfile{ref, row.Version})
		}
	}
	return batches, nil
}

// send publishes one batch and acknowledges its entries.
func (p *Publisher) send(ctx context.Context, b *outgoing) error {
	b.Session = p.session
	b.Sequence = p.sequences[b.TP]
	b.Time = p.o.Now().UnixNano()
	if err := p.produce(ctx, &b.Batch); err != nil {
		return fmt.Errorf("publishing to %s: %w", b.TP, err)
	}
	p.sequences[b.TP] = int32((int64(b.Sequence) + int64(len(b.Records))) & 0x7fffffff)
	p.shard.store.Ack(b.seqs...)
	for _, r := range b.ended {
		p.shard.retire(r.ref, r.version)
	}
	p.shard.stats.emitted(b.TP.Topic, len(b.Records), b.tombstones)
	return nil
}

// Bounds of the pause between two attempts to send a batch.
const (
	minRetryPause = 50 * time.Millisecond
	maxRetryPause = 5 * time.Second
)

// produce sends a frozen batch until its fate is known.
func (p *Publisher) produce(ctx context.Context, b *Batch) error {
	pause := minRetryPause
	for attempt := 1; ; attempt++ {
		_, err := p.sink.Produce(ctx, b)
		if err == nil {
			if attempt > 1 {
				p.o.Log.Info("publishing again", "partition", b.TP.String(), "attempts", attempt)
			}
			return nil
		}
		if errors.Is(err, ErrFenced) || errors.Is(err, ErrSequence) || errors.Is(err, ErrTooLarge) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if attempt == 1 {
			p.o.Log.Warn("publishing is held up, trying again", "partition", b.TP.String(),
				"error", err)
		}
		if err := p.o.Wait(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, maxRetryPause)
	}
}

// render reads what an entry points to from the snapshot. row is the profile's, where it is one.
func (p *Publisher) render(snap *store.Snapshot, e *store.Entry) (
	OutRecord, *store.Profile, error) {
	var record OutRecord
	var row *store.Profile
	var err error
	switch e.Kind {
	case store.EntryRecord:
		record = *e.Record
	case store.EntryAssignment:
		record, err = renderAssignment(snap, e)
	case store.EntryProfile:
		record, row, err = p.renderProfile(snap, e)
	}
	record.Headers = append(record.Headers,
		Header{Key: HeaderShard, Value: []byte(p.o.TransactionalID)},
		Header{Key: HeaderSequence, Value: strconv.AppendUint(nil, e.Seq, 10)})
	return record, row, err
}

func renderAssignment(snap *store.Snapshot, e *store.Entry) (OutRecord, error) {
	row, err := snap.Identity(e.Class, e.Identity)
	if err != nil {
		return OutRecord{}, err
	}
	record := OutRecord{Key: assignmentKey(e.Identity)}
	if row != nil {
		record.Value = assignmentValue(row)
	}
	return record, nil
}

func (p *Publisher) renderProfile(snap *store.Snapshot, e *store.Entry) (
	OutRecord, *store.Profile, error) {
	ref := store.ProfileRef{Class: e.Class, Policy: e.Policy, ID: e.ID}
	row, err := snap.Profile(ref)
	if err != nil || row == nil {
		return OutRecord{}, nil, err
	}
	record := OutRecord{Key: []byte(ref.ID.String()), Headers: profileHeaders(ref, row)}
	if row.Dead {
		return record, row, nil
	}
	body := p.shard.rendered.take(ref, row.Version)
	if body == nil {
		if body, err = storedContent(p.shard.model, &snap.Reader, ref); err != nil {
			return OutRecord{}, nil, err
		}
	}
	if len(body) > p.shard.model.Limits.OutputBytes {
		size := strconv.AppendInt(nil, int64(len(body)), 10)
		record.Headers = append(record.Headers, Header{Key: HeaderOversize, Value: size})
		record.Value = oversizeValue(ref, row.Version, len(body))
		return record, row, nil
	}
	record.Value = profileValue(ref, row.Version, body)
	return record, row, nil
}

// storedContent merges a profile from a committed state.
func storedContent(m *Model, r *store.Reader, ref store.ProfileRef) ([]byte, error) {
	entity := m.Entity(ref.Class)
	row, err := r.Cluster(ref.Class, ref.ID)
	if err != nil {
		return nil, err
	}
	if entity == nil || row == nil {
		return nil, fmt.Errorf("profile %s has no cluster", ref.ID)
	}
	g, err := gather(storedRows{r}, ref.Class, row.Members)
	if err != nil {
		return nil, err
	}
	for i := range entity.Policies {
		if entity.Policies[i].Name == ref.Policy {
			return content(entity, g, &entity.Policies[i]), nil
		}
	}
	return nil, fmt.Errorf("merge policy %s is not configured", ref.Policy)
}

func outSize(r *OutRecord) int {
	size := len(r.Key) + len(r.Value) + 16
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value) + 4
	}
	return size
}
