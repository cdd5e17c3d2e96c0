package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
)

// A session is a producer id and an epoch that the transaction coordinator gives out. Partition
// leaders hear nothing of that: a leader refuses an epoch only after a newer one has been appended
// to its log. So a fence is an empty transaction over all partitions, aborted: its marker is such
// an append, invisible to consumers. The coordinator answers the abort before the markers are
// written, and refuses the next session until they are; with that session the fence is up.
//
//	claim     InitProducerID(id, expected)   session e1; requests of older ones may still be delayed
//	enlist    AddPartitionsToTxn(e1, all)
//	abort     EndTxn(e1, abort)              markers of e1 go out to all partitions
//	claim     InitProducerID(id, e1)         session e2, once every marker is written and replicated
//
// docs/guarantees.md has the argument and what real brokers were seen to do.
type fence struct {
	c          *Client
	id         string
	partitions []pipeline.TopicPartition
	patient    bool // also with a broker that does not answer
}

// Waits between attempts at a coordinator that is busy or away.
const (
	firstWait = 20 * time.Millisecond
	maxWait   = time.Second
)

// unknownAttempts is how often a topic may be unknown: a broker learns of a new one a moment after
// it was made.
const unknownAttempts = 10

// Epochs of a producer id. At the last the coordinator gives out another id, and markers of that
// one do not shut out writers under the old. So the last owner of an id moves on in good time,
// while nothing of its own is under way: it claims until it has the new id.
const (
	lastEpoch   = math.MaxInt16 - 1
	rotateAbove = 30_000
)

// Open implements pipeline.Sink.
func (s *Sink) Open(ctx context.Context, transactionalID string) (pipeline.Session, error) {
	f := &fence{c: s.c, id: transactionalID}
	session, err := f.claim(ctx, pipeline.NoSession())
	if err != nil {
		return session, fmt.Errorf("opening a session for %s: %w", transactionalID, err)
	}
	return session, nil
}

// Fence implements pipeline.Sink.
func (s *Sink) Fence(ctx context.Context, transactionalID string, expected pipeline.Session,
	partitions []pipeline.TopicPartition) (pipeline.Session, error) {
	f := &fence{c: s.c, id: transactionalID, partitions: partitions, patient: true}
	session, err := f.raise(ctx, expected)
	if err != nil {
		return session, fmt.Errorf("fencing %d partitions for %s: %w",
			len(partitions), transactionalID, err)
	}
	return session, nil
}

func (f *fence) raise(ctx context.Context, expected pipeline.Session) (pipeline.Session, error) {
	session, err := f.claim(ctx, expected)
	if err != nil {
		return session, err
	}
	if expected != pipeline.NoSession() && session.ID != expected.ID &&
		expected.Epoch < lastEpoch {
		return session, fmt.Errorf("%w: the claim had expired", pipeline.ErrFenced)
	}
	if err := f.persist(ctx, "enlist", f.enlist(session)); err != nil {
		return session, err
	}
	if err := f.persist(ctx, "abort", f.abort(session)); err != nil {
		return session, err
	}
	if session, err = f.claim(ctx, session); err != nil {
		return session, err
	}
	return f.rotate(ctx, session)
}

// rotate gives up a producer id whose epochs run out. Nothing has been written in session yet.
func (f *fence) rotate(ctx context.Context, session pipeline.Session) (pipeline.Session, error) {
	if session.Epoch <= rotateAbove {
		return session, nil
	}
	f.c.log.Info("moving to a new producer id", "transactional_id", f.id, "epoch", session.Epoch)
	for old := session.ID; session.ID == old; {
		var err error
		if session, err = f.claim(ctx, session); err != nil {
			return session, err
		}
	}
	return session, nil
}

// claim gets a session, waiting for the transaction of an earlier one to be finished.
func (f *fence) claim(ctx context.Context, expected pipeline.Session) (pipeline.Session, error) {
	var session pipeline.Session
	err := f.persist(ctx, "claim", func(ctx context.Context) error {
		var err error
		if f.id == "" {
			session, err = f.c.initPlain(ctx)
			return err
		}
		res, err := f.c.calls.InitProducerID(ctx, &kafkago.InitProducerIDRequest{
			TransactionalID:      f.id,
			TransactionTimeoutMs: int(f.c.cfg.TransactionTimeout.Milliseconds()),
			// Never zeroes for a fresh claim: they would mean that we are epoch 0 of
			// producer 0, and are refused, or worse, granted.
			ProducerID:    int(expected.ID),
			ProducerEpoch: int(expected.Epoch),
		})
		if err == nil {
			err = res.Error
		}
		if err == nil {
			session = pipeline.Session{ID: int64(res.Producer.ProducerID),
				Epoch: int16(res.Producer.ProducerEpoch)}
		}
		f.trace("InitProducerID", expected, err, "got_id", session.ID, "got_epoch", session.Epoch)
		return err
	})
	return session, err
}

// initPlain gets a producer id that belongs to no transactional id, which any broker gives out.
func (c *Client) initPlain(ctx context.Context) (pipeline.Session, error) {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.Version = initPlainVersion
	req.TransactionTimeoutMillis = int32(c.cfg.TransactionTimeout.Milliseconds())
	answer, err := c.callAny(ctx, req)
	if err != nil {
		return pipeline.Session{}, err
	}
	res := answer.(*kmsg.InitProducerIDResponse)
	session := pipeline.Session{ID: res.ProducerID, Epoch: res.ProducerEpoch}
	return session, codeError(res.ErrorCode)
}

// initPlainVersion is the newest without flexible fields; those name expected sessions.
const initPlainVersion = 1

// enlist adds all partitions to the session's transaction.
func (f *fence) enlist(session pipeline.Session) func(context.Context) error {
	topics := map[string][]kafkago.AddPartitionToTxn{}
	for _, tp := range f.partitions {
		p := kafkago.AddPartitionToTxn{Partition: int(tp.Partition)}
		topics[tp.Topic] = append(topics[tp.Topic], p)
	}
	return func(ctx context.Context) error {
		res, err := f.c.calls.AddPartitionsToTxn(ctx, &kafkago.AddPartitionsToTxnRequest{
			TransactionalID: f.id,
			ProducerID:      int(session.ID),
			ProducerEpoch:   int(session.Epoch),
			Topics:          topics,
		})
		if err == nil {
			err = enlistError(res, len(f.partitions))
		}
		f.trace("AddPartitionsToTxn", session, err, "partitions", len(f.partitions))
		return err
	}
}

// operationNotAttempted is the code of partitions that are only refused because of another one.
// kafka-go has another name for it.
const operationNotAttempted kafkago.Error = 55

// enlistError also wants an answer for each partition: one that was left out would have no fence.
func enlistError(res *kafkago.AddPartitionsToTxnResponse, want int) error {
	var skipped error
	for topic, partitions := range res.Topics {
		want -= len(partitions)
		for _, p := range partitions {
			switch {
			case errors.Is(p.Error, operationNotAttempted):
				skipped = p.Error
			case p.Error != nil:
				return fmt.Errorf("enlisting %s/%d: %w", topic, p.Partition, p.Error)
			}
		}
	}
	if skipped == nil && want != 0 {
		return fmt.Errorf("%d partitions are missing in the answer", want)
	}
	return skipped
}

// abort ends the session's transaction. A second time it finds it ended.
func (f *fence) abort(session pipeline.Session) func(context.Context) error {
	return func(ctx context.Context) error {
		res, err := f.c.calls.EndTxn(ctx, &kafkago.EndTxnRequest{
			TransactionalID: f.id,
			ProducerID:      int(session.ID),
			ProducerEpoch:   int(session.Epoch),
		})
		if err == nil {
			err = res.Error
		}
		f.trace("EndTxn", session, err, "committed", false)
		return err
	}
}

func (f *fence) trace(request string, s pipeline.Session, err error, more ...any) {
	args := append([]any{"request", request, "transactional_id", f.id,
		"producer_id", s.ID, "epoch", s.Epoch, "error", err}, more...)
	f.c.log.Debug("fence", args...)
}

// persist calls step until it succeeds, is refused for good, or ctx ends.
func (f *fence) persist(ctx context.Context, name string, step func(context.Context) error) error {
	wait := firstWait
	for attempt := 1; ; attempt++ {
		err := f.attempt(ctx, step)
		if err == nil || !f.passes(err, attempt) {
			return named(err)
		}
		if attempt == unknownAttempts {
			f.c.log.Warn("claiming the output topics is held up, trying again",
				"transactional_id", f.id, "step", name, "error", err)
		}
		if ctxErr := pause(ctx, wait); ctxErr != nil {
			return fmt.Errorf("%w, last %w", ctxErr, err)
		}
		wait = min(2*wait, maxWait)
	}
}

func (f *fence) attempt(ctx context.Context, step func(context.Context) error) error {
	limited, cancel := f.c.limit(ctx, 0)
	defer cancel()
	return f.c.failed(limited, step(limited))
}

// passes reports whether trying again can help.
func (f *fence) passes(err error, attempt int) bool {
	var code kafkago.Error
	switch {
	case !errors.As(err, &code):
		return f.patient // no answer
	case code == kafkago.UnknownTopicOrPartition:
		return attempt < unknownAttempts
	}
	return code.Temporary() || isCoordinatorBusy(err) || code == operationNotAttempted
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
