package memlog

import (
	"context"
	"fmt"
	"math"

	"selfsame/pipeline"
)

// claim is what the coordinator knows of a transactional id.
type claim struct {
	session pipeline.Session
	pending []pipeline.TopicPartition // an aborted transaction whose markers are not written yet
	marker  int16                     // their epoch
}

// lastEpoch is the greatest epoch a producer id is given; the next claim gets another id.
const lastEpoch = math.MaxInt16 - 1

// Open implements pipeline.Sink: the same producer id each time, with the next epoch. It tells no
// partition.
func (s *Sink) Open(ctx context.Context, transactionalID string) (pipeline.Session, error) {
	if err := ctx.Err(); err != nil {
		return pipeline.Session{}, err
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if err := s.l.mu.faults.open.take(); err != nil {
		return pipeline.Session{}, err
	}
	if transactionalID == "" {
		return s.l.newProducerLocked(), nil
	}
	return s.l.claimLocked(transactionalID, pipeline.NoSession())
}

// Fence implements pipeline.Sink, step by step, as the coordinator and its client do. A fault can
// end it after each step, which leaves behind what that step has done.
func (s *Sink) Fence(ctx context.Context, transactionalID string, expected pipeline.Session,
	partitions []pipeline.TopicPartition) (pipeline.Session, error) {
	if err := ctx.Err(); err != nil {
		return pipeline.Session{}, err
	}
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	faults := &s.l.mu.faults
	if err := faults.fence.take(); err != nil {
		return pipeline.Session{}, err
	}
	session, err := s.l.claimLocked(transactionalID, expected)
	if err != nil {
		return pipeline.Session{}, err
	}
	if err := faults.claimed.take(); err != nil {
		return pipeline.Session{}, err
	}
	for _, tp := range partitions {
		if s.l.findLocked(tp) == nil {
			return pipeline.Session{}, fmt.Errorf("%w: %s", pipeline.ErrUnknownTopic, tp)
		}
	}
	c := s.l.mu.claims[transactionalID]
	c.pending, c.marker = partitions, session.Epoch
	if err := faults.aborted.take(); err != nil {
		return pipeline.Session{}, err
	}
	return s.l.claimLocked(transactionalID, session)
}

// WriteMarkers writes the markers that a broken off Fence has left unwritten.
func (l *Log) WriteMarkers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.mu.claims {
		l.markLocked(c)
	}
}

// SetCluster makes the log look like one of another cluster.
func (l *Log) SetCluster(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.cluster = name
}

func (l *Log) newProducerLocked() pipeline.Session {
	session := pipeline.Session{ID: l.mu.nextID}
	l.mu.nextID++
	return session
}

// claimLocked gives the next session of an id. An aborted transaction is finished first: a claim
// waits for its markers.
func (l *Log) claimLocked(id string, expected pipeline.Session) (pipeline.Session, error) {
	c := l.mu.claims[id]
	if c == nil {
		c = &claim{session: l.newProducerLocked()}
		l.mu.claims[id] = c
		return c.session, nil
	}
	if expected != pipeline.NoSession() && expected != c.session {
		return pipeline.Session{}, fmt.Errorf("%w: session %d/%d was expected, %d/%d is the latest",
			pipeline.ErrFenced, expected.ID, expected.Epoch, c.session.ID, c.session.Epoch)
	}
	l.markLocked(c)
	if c.session.Epoch >= lastEpoch {
		c.session = l.newProducerLocked()
	} else {
		c.session.Epoch++
	}
	return c.session, nil
}

func (l *Log) markLocked(c *claim) {
	for _, tp := range c.pending {
		if p := l.findLocked(tp); p != nil {
			p.mark(pipeline.Session{ID: c.session.ID, Epoch: c.marker})
		}
	}
	c.pending = nil
}
