package store

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"selfsame/profile"
)

// EntryKind says what an outbox entry is about.
type EntryKind uint8

// The kinds of entry. Their numbers are part of the on-disk format.
const (
	EntryProfile    EntryKind = 1 // a merged profile: a pointer
	EntryAssignment EntryKind = 2 // an identity's assignment to a profile: a pointer
	EntryRecord     EntryKind = 3 // a record stored in full: dead letters, graph events, audit
)

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// OutRecord is one record to be published. A nil Value is a tombstone.
type OutRecord struct {
	Key     []byte
	Value   []byte
	Headers []Header
}

// Entry is something to be published. A pointer names what changed; its content is read from a
// snapshot when it is published, so that repeated changes of one profile fold into one record and
// every record is a committed state.
type Entry struct {
	Seq       uint64 // assigned by Commit
	Kind      EntryKind
	Topic     string
	Partition int32

	Class    string           // EntryProfile, EntryAssignment
	Policy   string           // EntryProfile
	ID       profile.ID       // EntryProfile
	Identity profile.Identity // EntryAssignment
	Record   *OutRecord       // EntryRecord
}

// pointer identifies what a pointer entry is about. Comparable.
type pointer struct {
	class, policy string
	id            profile.ID
	identity      profile.Identity
}

func (e *Entry) pointer() pointer {
	return pointer{class: e.Class, policy: e.Policy, id: e.ID, identity: e.Identity}
}

// outbox is the in-memory side of the outbox. The rows are the truth; this holds where they begin
// and end and which pointers can still absorb a further change.
//
// An entry is frozen from the moment it is taken for publishing until it is acknowledged, and every
// entry that was there when the store was opened counts as frozen: it may have been published. A
// change of a profile whose entry is frozen needs a new entry; otherwise the old entry covers it,
// as its content is read later.
//
// So of the entries left over from an earlier run several can point to the same profile, and would
// all read what is newest now. Only the last of them is given out.
type outbox struct {
	mu struct {
		sync.Mutex
		next   uint64             // seq of the next new entry
		taken  uint64             // entries below are frozen
		open   map[pointer]uint64 // unfrozen pointer entries
		acked  []uint64           // acknowledged, to be deleted by the next commit
		floors map[landing]int64  // of output partitions, to be written by the next commit
		depth  int                // entries not yet acknowledged
		signal chan struct{}      // holds a token when entries wait to be taken

		// last holds, for each pointer left over, its last entry; leftOver is where those end. nil
		// once all have been taken.
		last     map[pointer]uint64
		leftOver uint64
	}
}

// landing names an output partition.
type landing struct {
	topic     string
	partition int32
}

// Taken is a run of frozen entries and the snapshot they are to be read from.
type Taken struct {
	Entries  []Entry
	Snapshot *Snapshot // the caller closes it
}

// Take freezes up to limit waiting entries and returns them in order with a snapshot that holds
// everything they point to. No entries: nothing waits; the snapshot is nil then.
func (s *Store) Take(limit int) (Taken, error) {
	o := &s.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.taken == o.mu.next {
		return Taken{}, nil
	}
	snapshot := s.Snapshot()
	limit = int(min(uint64(limit), o.mu.next-o.mu.taken))
	for {
		entries, err := readEntries(&snapshot.Reader, o.mu.taken, limit)
		if err == nil && len(entries) > 0 {
			if entries = o.freezeLocked(entries); len(entries) == 0 {
				continue
			}
			return Taken{Entries: entries, Snapshot: snapshot}, nil
		}
		snapshot.Close()
		if err != nil {
			return Taken{}, fmt.Errorf("reading the outbox: %w", err)
		}
		o.mu.taken = o.mu.next
		return Taken{}, nil
	}
}

// freezeLocked marks entries as taken and returns those that no later entry covers.
func (o *outbox) freezeLocked(entries []Entry) []Entry {
	o.mu.taken = entries[len(entries)-1].Seq + 1
	kept := entries[:0]
	for i := range entries {
		e := &entries[i]
		p := e.pointer()
		if o.mu.open[p] == e.Seq {
			delete(o.mu.open, p)
		}
		if last, ok := o.mu.last[p]; ok && e.Kind != EntryRecord && last != e.Seq {
			o.ackLocked(e.Seq)
			continue
		}
		kept = append(kept, *e)
	}
	if o.mu.taken >= o.mu.leftOver {
		o.mu.last = nil
	}
	if o.mu.taken != o.mu.next {
		o.wake()
	}
	return kept
}

// Waiting receives a token when there may be entries to take.
func (s *Store) Waiting() <-chan struct{} { return s.outbox.mu.signal }

// Wake has Waiting receive a token where entries wait to be taken.
func (s *Store) Wake() {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	if s.outbox.mu.taken != s.outbox.mu.next {
		s.outbox.wake()
	}
}

// Ack says that the entries have been published, or need not be. The next commit forgets them.
func (s *Store) Ack(seqs ...uint64) {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	s.outbox.ackLocked(seqs...)
}

// AckLanded says that the entries have landed in an output partition, and that everything which
// has not been acknowledged lands there at floor or later. The next commit forgets the entries and
// writes the floor.
func (s *Store) AckLanded(topic string, partition int32, floor int64, seqs ...uint64) {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	s.outbox.ackLocked(seqs...)
	s.outbox.mu.floors[landing{topic, partition}] = floor
}

func (o *outbox) ackLocked(seqs ...uint64) {
	o.mu.acked = append(o.mu.acked, seqs...)
	o.mu.depth -= len(seqs)
}

// OutboxDepth returns how many entries have not been acknowledged.
func (s *Store) OutboxDepth() int {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	return s.outbox.mu.depth
}

// Acked returns how many acknowledged entries wait to be forgotten by a commit.
func (s *Store) Acked() int {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	return len(s.outbox.mu.acked)
}

// wake leaves a token without waiting. The caller holds mu.
func (o *outbox) wake() {
	select {
	case o.mu.signal <- struct{}{}:
	default:
	}
}

// enqueueLocked writes the batch's entries and forgets the acknowledged ones. A pointer that an
// unfrozen entry already covers needs no entry of its own.
func (o *outbox) enqueueLocked(b *Batch) error {
	for i := range b.entries {
		e := &b.entries[i]
		if e.Kind != EntryRecord {
			if _, covered := o.mu.open[e.pointer()]; covered {
				continue
			}
			o.mu.open[e.pointer()] = o.mu.next
			if _, left := o.mu.last[e.pointer()]; left {
				o.mu.last[e.pointer()] = o.mu.next
			}
		}
		set(b, outboxKey(b.key[:0], o.mu.next), nil, e, encodeEntry)
		if b.err != nil {
			return b.err
		}
		o.mu.next++
		o.mu.depth++
	}
	for _, seq := range o.mu.acked {
		b.key = outboxKey(b.key[:0], seq)
		if err := b.pb.SingleDelete(b.key, nil); err != nil {
			return err
		}
	}
	for at, floor := range o.mu.floors {
		key, err := b.store.dict.floorKey(at.topic, at.partition)
		if err != nil {
			return err
		}
		row, err := b.store.dict.encodeFloor(floor)
		if err != nil {
			return err
		}
		if err := b.pb.Set(key, row, nil); err != nil {
			return err
		}
	}
	return nil
}

// committedLocked is called once the batch is in the store.
func (o *outbox) committedLocked() {
	o.mu.acked = o.mu.acked[:0]
	clear(o.mu.floors)
	if o.mu.taken != o.mu.next {
		o.wake()
	}
}

// readEntries reads entries from seq on. It seeks to seq, past the tombstones of what was
// published.
func readEntries(r *Reader, from uint64, limit int) ([]Entry, error) {
	iter, err := r.src.NewIter(&pebble.IterOptions{
		LowerBound: outboxKey(nil, from), UpperBound: []byte{spaceOutbox + 1},
	})
	if err != nil {
		return nil, err
	}
	defer iter.Close()
	entries := make([]Entry, 0, limit)
	for iter.First(); iter.Valid() && len(entries) < limit; iter.Next() {
		entry := Entry{Seq: binary.BigEndian.Uint64(iter.Key()[1:])}
		if err := r.dict.decodeEntry(iter.Value(), &entry); err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, iter.Error()
}

// LeftOver calls fn for each entry of the outbox, in order, until fn fails. last: no later entry
// points to the same. It is meant for the time between Open and the first Take.
func (s *Store) LeftOver(fn func(e *Entry, last bool) error) error {
	const page = 1000
	for from := uint64(0); ; {
		entries, err := readEntries(s.Reader(), from, page)
		if err != nil {
			return fmt.Errorf("reading the outbox: %w", err)
		}
		for i := range entries {
			e := &entries[i]
			s.outbox.mu.Lock()
			seq, found := s.outbox.mu.last[e.pointer()]
			s.outbox.mu.Unlock()
			if err := fn(e, !found || seq == e.Seq); err != nil {
				return err
			}
		}
		if len(entries) < page {
			return nil
		}
		from = entries[len(entries)-1].Seq + 1
	}
}

// openOutbox finds the ends of the outbox. All entries found count as frozen for the purpose of
// folding, and are given out again by Take.
func (s *Store) openOutbox(next uint64) error {
	o := &s.outbox
	o.mu.open = map[pointer]uint64{}
	o.mu.last = map[pointer]uint64{}
	o.mu.floors = map[landing]int64{}
	o.mu.signal = make(chan struct{}, 1) // a token, not a queue
	o.mu.next, o.mu.taken, o.mu.leftOver = next, next, next
	err := s.LeftOver(func(e *Entry, _ bool) error {
		if o.mu.depth == 0 {
			o.mu.taken = e.Seq
		}
		if e.Kind != EntryRecord {
			o.mu.last[e.pointer()] = e.Seq
		}
		o.mu.depth++
		return nil
	})
	if o.mu.depth > 0 {
		o.wake()
	}
	return err
}
