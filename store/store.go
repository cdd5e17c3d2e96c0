package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// FormatVersion is the version of the on-disk format that this program reads and writes.
const FormatVersion = 5

// Version layout: a version is incarnation << commitBits | commit, and below 2^53 so that JSON
// readers with doubles keep it exact.
const (
	commitBits     = 40
	maxIncarnation = 1<<13 - 1
)

// ErrLocked says that another process has the directory open.
var ErrLocked = errors.New("another process has the store open")

// Store is an open state directory.
type Store struct {
	db     *pebble.DB
	cache  *pebble.Cache
	dict   *dictionary
	outbox outbox
	empty  bool // no commit had been made when the store was opened

	options Options
	dir     string
	writing sync.RWMutex // held for reading by all writes, so that Checkpoint can keep them out

	mu struct {
		sync.Mutex
		incarnation uint64
		commit      uint64 // number of the last commit
	}
}

// Open opens the store in dir, which is made when it does not exist. ErrLocked when it is in use;
// an error that names both versions when another format wrote it.
func Open(dir string, o Options) (*Store, error) { return open(dir, o, false) }

// OpenReadOnly opens a store that exists, for looking only: nothing in dir changes. ErrLocked when
// it is in use.
func OpenReadOnly(dir string, o Options) (*Store, error) { return open(dir, o, true) }

func open(dir string, o Options, readOnly bool) (*Store, error) {
	o = o.WithDefaults()
	cache := pebble.NewCache(o.CacheBytes)
	options := o.pebbleOptions(cache)
	options.ReadOnly = readOnly
	db, err := pebble.Open(dir, options)
	if err != nil {
		cache.Unref()
		return nil, fmt.Errorf("opening the store in %s: %w", dir, explainOpen(err))
	}
	s := &Store{db: db, cache: cache, dict: newDictionary(), options: o, dir: dir}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store in %s: %w", dir, err), s.Close())
	}
	return s, nil
}

// Close releases the directory. Snapshots must have been closed before.
func (s *Store) Close() error {
	err := s.db.Close()
	s.cache.Unref()
	return err
}

// Empty reports whether no commit had been made when the store was opened.
func (s *Store) Empty() bool { return s.empty }

// Reader reads the latest committed state, row by row.
func (s *Store) Reader() *Reader { return &Reader{src: s.db, dict: s.dict} }

// Snapshot is a Reader of one committed state. Close it.
type Snapshot struct {
	Reader
	snap *pebble.Snapshot
}

// Snapshot returns the latest committed state, which later commits do not change.
func (s *Store) Snapshot() *Snapshot {
	snap := s.db.NewSnapshot()
	return &Snapshot{Reader: Reader{src: snap, dict: s.dict}, snap: snap}
}

// Close releases the snapshot.
func (s *Snapshot) Close() error { return s.snap.Close() }

// NextVersion is the version that the next commit gives to what it changes.
func (s *Store) NextVersion() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.incarnation<<commitBits | (s.mu.commit + 1)
}

// Incarnation is the life that the store is in: it rises whenever the store turns out to be older
// than what was published from it.
func (s *Store) Incarnation() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mu.incarnation
}

// NextSequence is the number that the next entry of the outbox gets.
func (s *Store) NextSequence() uint64 {
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	return s.outbox.mu.next
}

// Advance begins another life: the next commit writes down, and the next versions carry, an
// incarnation above those known, and entries are numbered from sequence on at the least. It fails
// once versions would leave the range that is exact in doubles.
func (s *Store) Advance(above, sequence uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	incarnation := max(s.mu.incarnation, above) + 1
	if incarnation > maxIncarnation {
		return fmt.Errorf("beginning incarnation %d: there are no more than %d", incarnation,
			maxIncarnation)
	}
	s.mu.incarnation = incarnation
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	s.outbox.mu.next = max(s.outbox.mu.next, sequence)
	return nil
}

// Commit applies b: rows, outbox entries, the forgetting of acknowledged entries, the commit
// number. With durable false it may be lost in a crash, together with all later commits.
func (s *Store) Commit(b *Batch, durable bool) error {
	defer b.pb.Close()
	if b.err != nil {
		return fmt.Errorf("committing: %w", b.err)
	}
	s.writing.RLock()
	defer s.writing.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	if err := s.outbox.enqueueLocked(b); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	state := encodeState(s.mu.incarnation, s.mu.commit+1, s.outbox.mu.next)
	if err := b.pb.Set(metaKey(metaState), state, nil); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	mode := pebble.NoSync
	if durable {
		mode = pebble.Sync
	}
	if err := b.pb.Commit(mode); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	s.mu.commit++
	s.outbox.committedLocked()
	return nil
}

// Names of the meta rows.
const (
	metaFormat = "format" // version of the on-disk format, 4 bytes big-endian
	metaState  = "state"  // see encodeState
)

func encodeState(incarnation, commit, nextSeq uint64) []byte {
	b := []byte{rowVersion}
	b = binary.BigEndian.AppendUint64(b, incarnation)
	b = binary.BigEndian.AppendUint64(b, commit)
	return binary.BigEndian.AppendUint64(b, nextSeq)
}

// counters are what the state row holds.
type counters struct{ incarnation, commit, nextSeq uint64 }

// version is that of the last commit.
func (c counters) version() uint64 { return c.incarnation<<commitBits | c.commit }

func decodeState(b []byte) (counters, error) {
	if len(b) != 25 || b[0] != rowVersion {
		return counters{}, fmt.Errorf("%w: meta state", errCorrupt)
	}
	be := binary.BigEndian
	return counters{be.Uint64(b[1:]), be.Uint64(b[9:]), be.Uint64(b[17:])}, nil
}

// load reads what the store keeps in memory, and starts a new store.
func (s *Store) load() error {
	if err := s.checkFormat(); err != nil {
		return err
	}
	if err := s.loadDictionary(); err != nil {
		return fmt.Errorf("reading the dictionary: %w", err)
	}
	held, err := s.stored()
	if err != nil {
		return err
	}
	s.empty = held.commit == 0
	s.mu.incarnation, s.mu.commit = held.incarnation, held.commit
	return s.openOutbox(held.nextSeq)
}

// stored reads the counters of the last commit, as they are where there was none.
func (s *Store) stored() (counters, error) {
	raw, err := get(s.db, metaKey(metaState))
	if err != nil || raw == nil {
		return counters{incarnation: 1}, err
	}
	return decodeState(raw)
}

// checkFormat marks a new store with its format and refuses one of another format.
func (s *Store) checkFormat() error {
	raw, err := get(s.db, metaKey(metaFormat))
	if err != nil {
		return err
	}
	if raw == nil {
		mark := binary.BigEndian.AppendUint32(nil, FormatVersion)
		return s.db.Set(metaKey(metaFormat), mark, pebble.Sync)
	}
	if len(raw) != 4 || binary.BigEndian.Uint32(raw) != FormatVersion {
		return fmt.Errorf("the store has format %x, this program reads format %d: "+
			"use the program that wrote it, or rebuild the store from the input topics",
			raw, FormatVersion)
	}
	return nil
}

// explainOpen turns the engine's lock error into ours.
func explainOpen(err error) error {
	if isLockError(err) {
		return fmt.Errorf("%w (%w)", ErrLocked, err)
	}
	return err
}

// get reads one row; nil where there is none. The result is the caller's.
func get(src pebble.Reader, key []byte) ([]byte, error) {
	value, closer, err := src.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := append([]byte{}, value...)
	return out, closer.Close()
}

// prefixBounds bounds an iterator to the keys that start with prefix.
func prefixBounds(prefix []byte) *pebble.IterOptions {
	return &pebble.IterOptions{LowerBound: prefix, UpperBound: prefixEnd(prefix)}
}
