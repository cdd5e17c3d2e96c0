package pipeline

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"selfsame/store"
)

// outgoing is a batch and what each of its records is about. The entries rise.
type outgoing struct {
	Batch
	bytes int
	parts []part
}

// part is where a record comes from. row is the profile's, where it is one.
type part struct {
	entry *store.Entry
	row   *store.Profile
}

func (b *outgoing) tombstones() int {
	n := 0
	for _, part := range b.parts {
		if part.row != nil && part.row.Dead {
			n++
		}
	}
	return n
}

// newOutgoing starts a batch of at most limit records. Entries are spread over partitions, so that
// a quarter is room enough for most.
func newOutgoing(tp TopicPartition, limit int) *outgoing {
	room := limit/4 + 1
	return &outgoing{Batch: Batch{TP: tp, Records: make([]OutRecord, 0, room)},
		parts: make([]part, 0, room)}
}

func refOf(e *store.Entry) store.ProfileRef {
	return store.ProfileRef{Class: e.Class, Policy: e.Policy, ID: e.ID}
}

// assemble renders the entries and groups them by partition, in order. The last record of a batch
// tells how far the input had been consumed.
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
			b = newOutgoing(tp, min(p.o.BatchRecords, len(taken.Entries)-i))
			open[tp] = b
			batches = append(batches, b)
		}
		b.Records = append(b.Records, record)
		b.parts = append(b.parts, part{entry, row})
		b.bytes += size
	}
	positions, err := committedPositions(&taken.Snapshot.Reader)
	if err != nil {
		return nil, err
	}
	for _, b := range batches {
		last := &b.Records[len(b.Records)-1]
		last.Headers = append(last.Headers, Header{Key: HeaderPositions, Value: positions})
	}
	return batches, nil
}

// committedPositions renders how far a committed state has consumed its input, as
// "topic/partition=next" in order, separated by commas.
func committedPositions(r *store.Reader) ([]byte, error) {
	var lines []string
	err := r.Positions(func(topic string, partition int32, pos *store.Position) error {
		tp := TopicPartition{topic, partition}
		lines = append(lines, tp.String()+"="+strconv.FormatInt(pos.Next, 10))
		return nil
	})
	slices.Sort(lines)
	var b []byte
	for i, line := range lines {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, line...)
	}
	return b, err
}

// render reads what an entry points to from the snapshot. The writer's own headers come last, so
// that those of a dead letter's original are never taken for them.
func (p *Publisher) render(snap *store.Snapshot, e *store.Entry) (
	OutRecord, *store.Profile, error) {
	var record OutRecord
	var row *store.Profile
	var err error
	switch e.Kind {
	case store.EntryRecord:
		record = *e.Record
		record.Headers = slices.Clip(record.Headers)
	case store.EntryAssignment:
		record, err = renderAssignment(snap, e)
	case store.EntryProfile:
		record, row, err = p.renderProfile(snap, e)
	}
	record.Headers = append(record.Headers,
		Header{Key: HeaderShard, Value: p.name},
		Header{Key: HeaderIncarnation, Value: strconv.AppendUint(nil, p.incarnation, 10)},
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
		version := strconv.AppendUint(nil, row.Version, 10)
		record.Headers = []Header{{Key: HeaderVersion, Value: version}}
	}
	return record, nil
}

func (p *Publisher) renderProfile(snap *store.Snapshot, e *store.Entry) (
	OutRecord, *store.Profile, error) {
	ref := refOf(e)
	row, err := snap.Profile(ref)
	if err != nil || row == nil {
		return OutRecord{}, nil, err
	}
	record := OutRecord{Key: []byte(ref.ID.String()), Headers: profileHeaders(ref, row)}
	if row.Dead {
		return record, row, nil
	}
	values := p.shard.values[policyOf(ref)]
	if e := p.shard.model.Entity(ref.Class); values == nil && e != nil &&
		e.leaving(ref.Policy) != nil {
		return OutRecord{}, nil, nil // its end is still to come
	}
	if values == nil {
		return OutRecord{}, nil, fmt.Errorf("merge policy %s of class %s is not configured",
			ref.Policy, ref.Class)
	}
	body := p.shard.rendered.take(ref, row.Version)
	if body == nil {
		if body, err = values.stored(&snap.Reader, ref.ID, row); err != nil || body == nil {
			return OutRecord{}, nil, err
		}
	}
	if len(body) > p.shard.model.Limits.OutputBytes {
		p.markOversize(&record, ref, row.Version, len(body))
		return record, row, nil
	}
	record.Value = values.value(ref, row.Version, body)
	return record, row, nil
}

// markOversize makes record the marker of a profile that its topic cannot hold.
func (p *Publisher) markOversize(record *OutRecord, ref store.ProfileRef, version uint64,
	size int) {
	header := Header{Key: HeaderOversize, Value: strconv.AppendInt(nil, int64(size), 10)}
	record.Headers = append([]Header{header}, record.Headers...)
	record.Value = p.shard.values[policyOf(ref)].marker(ref, version, size)
}

// lighten takes apart a batch that its topic refuses for its size: into single records, and a
// single one down to a marker. What is too large even so is left out, since nothing else could
// ever follow it.
func (p *Publisher) lighten(b *outgoing) []*outgoing {
	if len(b.Records) > 1 {
		var singles []*outgoing
		for i := range b.Records {
			single := &outgoing{Batch: Batch{TP: b.TP, Records: b.Records[i : i+1]},
				parts: b.parts[i : i+1]}
			singles = append(singles, single)
		}
		return singles
	}
	record, about := b.Records[0], b.parts[0]
	size := len(record.Value)
	lighter := OutRecord{Key: record.Key, Headers: record.Headers}
	if about.row != nil {
		p.markOversize(&lighter, refOf(about.entry), about.row.Version, size)
	} else if size > 0 {
		omitted := Header{Key: HeaderOversize, Value: strconv.AppendInt(nil, int64(size), 10)}
		lighter.Headers = append([]Header{omitted}, record.Headers...)
	}
	where := []any{"partition", b.TP.String(), "sequence", about.entry.Seq, "bytes", size}
	if size == 0 || bytes.Equal(record.Value, lighter.Value) || len(lighter.Value) > size {
		p.o.Log.Error("a record is too large for its topic even without its value; left out",
			where...)
		p.shard.store.Ack(about.entry.Seq)
		return nil
	}
	p.o.Log.Error("a record is too large for its topic; a marker takes its place", where...)
	return []*outgoing{{Batch: Batch{TP: b.TP, Records: []OutRecord{lighter}},
		parts: []part{about}}}
}

func outSize(r *OutRecord) int {
	size := len(r.Key) + len(r.Value) + 16
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value) + 4
	}
	return size
}
