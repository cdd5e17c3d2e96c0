package simlog

import (
	"math"
	"slices"

	"selfsame/pipeline"
)

// txnState is the state of a transactional id at its coordinator.
type txnState uint8

const (
	empty txnState = iota
	ongoing
	prepared // to commit or abort: decided, markers are still to be written
	complete
)

// transaction is what the coordinator knows of a transactional id: TransactionMetadata.
type transaction struct {
	session    pipeline.Session
	lastEpoch  int16 // before the last successful InitProducerID, for its repetition
	state      txnState
	commit     bool // what was decided, in prepared and complete
	since      int64
	partitions []pipeline.TopicPartition
	unmarked   []pipeline.TopicPartition // markers still to be written, in prepared
}

// exhausted is the epoch at which a producer id is given up for the next one.
const exhausted = math.MaxInt16 - 1

// InitProducerID claims a transactional id. expected is [pipeline.NoSession] for a fresh claim,
// else the session that the caller believes to be the latest.
func (b *Broker) InitProducerID(id string, expected pipeline.Session) (pipeline.Session, error) {
	t := b.txns[id]
	if t == nil {
		t = &transaction{session: pipeline.Session{ID: b.producerID(), Epoch: -1}, lastEpoch: -1}
		b.txns[id] = t
		b.txnOrder = append(b.txnOrder, id)
	}
	fresh := expected.ID < 0
	if !fresh && t.session.Epoch >= 0 && expected.ID != t.session.ID {
		return pipeline.Session{}, ProducerFenced
	}
	switch t.state {
	case prepared:
		return pipeline.Session{}, ConcurrentTransactions
	case ongoing:
		b.fenceOngoing(t)
		return pipeline.Session{}, ConcurrentTransactions
	}
	return b.bump(t, expected, fresh)
}

// bump is TransactionMetadata.prepareIncrementProducerEpoch, with the rotation of an id whose
// epochs are used up.
func (b *Broker) bump(t *transaction, expected pipeline.Session, fresh bool) (
	pipeline.Session, error) {
	current := t.session.Epoch
	switch {
	case current >= exhausted && (fresh || expected.Epoch == current):
		t.session, t.lastEpoch = pipeline.Session{ID: b.producerID()}, -1
	case fresh || current < 0 || expected.Epoch == current:
		t.lastEpoch = -1
		if !fresh {
			t.lastEpoch = current
		}
		t.session.Epoch++
	case expected.Epoch == t.lastEpoch:
		return t.session, nil // the reply to the first request was lost
	default:
		return pipeline.Session{}, ProducerFenced
	}
	t.state, t.partitions = empty, nil
	return t.session, nil
}

func (b *Broker) producerID() int64 {
	b.nextID++
	return b.nextID
}

// AddPartitionsToTxn begins or widens a transaction.
func (b *Broker) AddPartitionsToTxn(
	id string, s pipeline.Session, partitions []pipeline.TopicPartition,
) error {
	t, err := b.owned(id, s)
	if err != nil {
		return err
	}
	if t.state == prepared {
		return ConcurrentTransactions
	}
	for _, tp := range partitions {
		if b.find(tp) == nil {
			return UnknownTopicOrPartition
		}
	}
	if t.state != ongoing {
		t.state, t.partitions, t.since = ongoing, nil, b.now
	}
	for _, tp := range partitions {
		if !slices.Contains(t.partitions, tp) {
			t.partitions = append(t.partitions, tp)
		}
	}
	return nil
}

// EndTxn decides a transaction. Its markers are written later: see Mark.
func (b *Broker) EndTxn(id string, s pipeline.Session, commit bool) error {
	t, err := b.owned(id, s)
	if err != nil {
		return err
	}
	switch t.state {
	case ongoing:
		b.prepare(t, commit)
		return nil
	case prepared:
		if t.commit == commit {
			return ConcurrentTransactions
		}
	case complete:
		if t.commit == commit {
			return nil
		}
	}
	return InvalidTxnState
}

// owned finds the transactional id and checks that s is its latest session.
func (b *Broker) owned(id string, s pipeline.Session) (*transaction, error) {
	t := b.txns[id]
	switch {
	case t == nil || t.session.ID != s.ID:
		return nil, InvalidProducerIDMapping
	case t.session.Epoch != s.Epoch:
		return nil, ProducerFenced
	}
	return t, nil
}

// fenceOngoing aborts a transaction in the place of its owner, under an epoch that its owner does
// not have.
func (b *Broker) fenceOngoing(t *transaction) {
	if t.session.Epoch < math.MaxInt16 {
		t.session.Epoch++
	}
	t.lastEpoch = -1
	b.prepare(t, false)
}

func (b *Broker) prepare(t *transaction, commit bool) {
	t.state, t.commit, t.unmarked = prepared, commit, slices.Clone(t.partitions)
	b.settle(t)
}

func (b *Broker) settle(t *transaction) {
	if t.state == prepared && len(t.unmarked) == 0 {
		t.state = complete
	}
}

// Marker is a marker that its coordinator has decided on and not written yet.
type Marker struct {
	ID string // transactional id
	TP pipeline.TopicPartition
}

// Markers lists the markers that are still to be written.
func (b *Broker) Markers() []Marker {
	var all []Marker
	for _, id := range b.txnOrder {
		for _, tp := range b.txns[id].unmarked {
			all = append(all, Marker{id, tp})
		}
	}
	return all
}

// Mark writes one of Markers.
func (b *Broker) Mark(m Marker) {
	t := b.txns[m.ID]
	t.unmarked = slices.DeleteFunc(t.unmarked, func(tp pipeline.TopicPartition) bool {
		return tp == m.TP
	})
	if p := b.find(m.TP); p != nil { // of a deleted topic nothing is left to mark
		_ = p.mark(t.session, t.commit, b.now) // an older marker in a log that has moved on
	}
	b.settle(t)
}

// Forget lets a transactional id expire, as one does that has been idle for a week.
func (b *Broker) Forget(id string) {
	delete(b.txns, id)
	b.txnOrder = slices.DeleteFunc(b.txnOrder, func(other string) bool { return other == id })
}
