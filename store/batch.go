package store

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"selfsame/profile"
)

// Batch collects the rows of one commit. Its methods never fail; the first error is reported by
// [Store.Commit]. A batch is used by one goroutine and committed once.
type Batch struct {
	store   *Store
	pb      *pebble.Batch
	entries []Entry
	err     error

	row encoder // of the row being written
	key []byte  // likewise
}

// keepBatchBytes is how large the memory of a commit may be to be used again by a later one.
const keepBatchBytes = 8 << 20

// NewBatch starts a commit.
func (s *Store) NewBatch() *Batch {
	pb := s.db.NewBatch(pebble.WithMaxRetainedSizeBytes(keepBatchBytes))
	return &Batch{store: s, pb: pb, row: encoder{dict: s.dict}}
}

// Bytes is the size of the rows so far.
func (b *Batch) Bytes() int { return b.pb.Len() }

// Discard drops a batch that will not be committed.
func (b *Batch) Discard() { b.pb.Close() }

// SetIdentity writes an identity's row.
func (b *Batch) SetIdentity(class string, id profile.Identity, row *Identity) {
	key, err := b.store.dict.identityKey(b.key[:0], class, id)
	set(b, key, err, row, encodeIdentity)
}

// SetLink writes a link's row under its smaller end and, for a new link, the pointer under the
// other.
func (b *Batch) SetLink(class string, a, c profile.Identity, row *Link, isNew bool) {
	if c.Compare(a) < 0 {
		a, c = c, a
	}
	key, err := b.store.dict.linkKey(b.key[:0], class, a, c)
	set(b, key, err, row, encodeLink)
	if isNew {
		key, err = b.store.dict.linkKey(b.key[:0], class, c, a)
		b.setRaw(key, []byte{rowVersion}, err)
	}
}

// SetFragment writes a fragment.
func (b *Batch) SetFragment(ref FragmentRef, f *profile.Fragment) {
	key, err := b.store.dict.fragmentKey(b.key[:0], ref)
	set(b, key, err, f, encodeFragment)
}

// SetEvent writes an event.
func (b *Batch) SetEvent(ref EventRef, row *Event) {
	key, err := b.store.dict.eventKey(b.key[:0], ref)
	set(b, key, err, row, encodeEvent)
}

// DeleteEvent removes an event.
func (b *Batch) DeleteEvent(ref EventRef) {
	key, err := b.store.dict.eventKey(b.key[:0], ref)
	b.delete(key, err)
}

// SetEventID writes where the event of an id is.
func (b *Batch) SetEventID(dataset, id string, row *EventID) {
	key, err := b.store.dict.eventIDKey(b.key[:0], dataset, id)
	set(b, key, err, row, encodeEventID)
}

// SetCluster writes a cluster.
func (b *Batch) SetCluster(class string, id profile.ID, row *Cluster) {
	key, err := b.store.dict.clusterKey(b.key[:0], class, id)
	set(b, key, err, row, encodeCluster)
}

// DeleteCluster removes a cluster that has no members any more.
func (b *Batch) DeleteCluster(class string, id profile.ID) {
	key, err := b.store.dict.clusterKey(b.key[:0], class, id)
	b.delete(key, err)
}

// SetProfile writes what was decided about a merged profile.
func (b *Batch) SetProfile(ref ProfileRef, row *Profile) {
	key, err := b.store.dict.profileKey(b.key[:0], ref)
	set(b, key, err, row, encodeProfile)
}

// DeleteProfile removes the row of a dead profile whose end has been published.
func (b *Batch) DeleteProfile(ref ProfileRef) {
	key, err := b.store.dict.profileKey(b.key[:0], ref)
	b.delete(key, err)
}

// SetPosition writes how far an input partition has been consumed.
func (b *Batch) SetPosition(topic string, partition int32, row *Position) {
	key, err := b.store.dict.positionKey(b.key[:0], topic, partition)
	set(b, key, err, row, encodePosition)
}

// SetInput writes whether an input topic is read.
func (b *Batch) SetInput(topic string, row *Input) {
	key, err := b.store.dict.inputKey(b.key[:0], topic)
	set(b, key, err, row, encodeInput)
}

// Enqueue adds entries to the outbox. Their Seq is assigned by Commit, until which they must stay
// as they are.
func (b *Batch) Enqueue(entries ...Entry) {
	if b.entries == nil {
		b.entries = entries
		return
	}
	b.entries = append(slices.Clip(b.entries), entries...)
}

func set[T any](b *Batch, key []byte, keyErr error, row *T, encode func(*encoder, *T)) {
	b.key = key
	if keyErr != nil {
		b.fail(keyErr)
		return
	}
	b.row.start()
	encode(&b.row, row)
	value, err := b.row.done()
	b.setRaw(key, value, err)
}

func (b *Batch) setRaw(key, value []byte, err error) {
	if err == nil {
		err = b.pb.Set(key, value, nil)
	}
	b.fail(err)
}

func (b *Batch) delete(key []byte, err error) {
	if err == nil {
		err = b.pb.Delete(key, nil)
	}
	b.fail(err)
}

func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}
