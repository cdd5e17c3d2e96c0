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
// entry that was there when the store was opened counts as frozen. A change of a profile whose
// entry is frozen needs a new entry; otherwise the old entry covers it, as its content is read
// later.
type outbox struct {
	mu struct {
		sync.Mutex
		next   uint64             // seq of the next new entry
		taken  uint64             // entries below are frozen
		open   map[pointer]uint64 // unfrozen pointer entries
		acked  []uint64           // acknowledged, to be deleted by the next commit
		depth  int                // entries not yet acknowledged
		signal chan struct{}      // holds a token when entries wait to be taken
	}
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
	entries, err := s.readEntries(snapshot, o.mu.taken, limit)
	if err != nil {
		snapshot.Close()
		return Taken{}, fmt.Errorf("reading the outbox: %w", err)
	}
	if len(entries) == 0 {
		snapshot.Close()
		o.mu.taken = o.mu.next
		return Taken{}, nil
	}
	for i := range entries {
		if p := entries[i].pointer(); o.mu.open[p] == entries[i].Seq {
			delete(o.mu.open, p)
		}
	}
	o.mu.taken = entries[len(entries)-1].Seq + 1
	if o.mu.taken != o.mu.next {
		o.wake()
	}
	return Taken{Entries: entries, Snapshot: snapshot}, nil
}

// Waiting receives a token when there may be entries to take.
func (s *Store) Waiting() <-chan struct{} { return s.outbox.mu.signal }

// Ack says that the entries have been published. The next commit forgets them.
func (s *Store) Ack(seqs ...uint64) {
	o := &s.outbox
	o.mu.Lock()
	defer o.mu.Unlock()
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
	return nil
}

// committedLocked is called once the batch is in the store.
func (o *outbox) committedLocked() {
	o.mu.acked = o.mu.acked[:0]
	if o.mu.taken != o.mu.next {
		o.wake()
	}
}

// readEntries reads entries from seq on. It seeks to seq, past the tombstones of what was
// published.
func (s *Store) readEntries(r *Snapshot, from uint64, limit int) ([]Entry, error) {
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
		if err := s.dict.decodeEntry(iter.Value(), &entry); err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, iter.Error()
}

// openOutbox finds the ends of the outbox. All entries found count as frozen for the purpose of
// folding, and are given out again by Take.
func (s *Store) openOutbox(next uint64) error {
	o := &s.outbox
	o.mu.open = map[pointer]uint64{}
	o.mu.signal = make(chan struct{}, 1) // a token, not a queue
	o.mu.next, o.mu.taken = next, next
	iter, err := s.db.NewIter(prefixBounds([]byte{spaceOutbox}))
	if err != nil {
		return err
	}
	defer iter.Close()
	for iter.First(); iter.Valid(); iter.Next() {
		if o.mu.depth == 0 {
			o.mu.taken = binary.BigEndian.Uint64(iter.Key()[1:])
		}
		o.mu.depth++
	}
	if o.mu.depth > 0 {
		o.wake()
	}
	return iter.Error()
}
