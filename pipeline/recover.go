package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"selfsame/store"
)

// Recovery is how a publisher comes to know what has landed, at the start and whenever it has lost
// track. The order is the point:
//
//	look     an end below what was acknowledged: the log has lost something. A claim would hide it,
//	         for its markers make the log longer
//	claim    everybody else is shut out of every output partition; nothing old lands from here on
//	ends     the end of each partition, asked for after the claim
//	scan     from the floor to that end: the greatest sequence that has landed
//	drop     entries up to it; within a partition entries land in the order of their sequences
//	go on    with what is left, from sequence 0 of the new session
//
// docs/guarantees.md tells what each failure looks like here.

// Bounds of a claim's life.
const (
	// refreshAfter is how old a claim may get. Brokers forget the epoch of a producer that has
	// been silent in a partition for a day, and an id that has not claimed for a week.
	refreshAfter = 6 * time.Hour
	// pauseBound is how long nothing may have been heard from the broker before the claim is
	// looked after first: the process may have been suspended, and overtaken.
	pauseBound = time.Hour
)

// Refresh renews a claim that has grown old, or that may have been lost in a pause. Call it between
// batches, and now and then while there are none.
func (p *Publisher) Refresh(ctx context.Context) error { return p.noted(p.refresh(ctx)) }

func (p *Publisher) refresh(ctx context.Context) error {
	now := p.o.Now()
	if p.plain || elapsed(p.claimed, now) < refreshAfter && elapsed(p.proved, now) < pauseBound {
		return nil
	}
	if err := p.claim(ctx, p.session); err != nil {
		return err
	}
	for _, tp := range p.partitions {
		if lane := p.lanes[tp]; lane.lost {
			return p.regressed(tp, lane.end, lane.floor)
		}
	}
	return nil
}

// look finds the logs that have lost what they had acknowledged, and writes them down: if this
// process ends after its claim, the next one cannot see it any more.
func (p *Publisher) look(ctx context.Context) error {
	var lost []TopicPartition
	for _, tp := range p.partitions {
		bounds, err := p.bounds(ctx, tp)
		if err != nil {
			return err
		}
		lane := p.lanes[tp]
		lane.end, lane.lost, lane.from = bounds.End, bounds.End < lane.floor, lane.floor
		if lane.waits && !lane.lost {
			if err := p.lookBelow(ctx, tp, bounds); err != nil {
				return err
			}
		}
		if lane.lost {
			lost = append(lost, tp)
		}
	}
	return p.noteLost(lost...)
}

// lookBack is how far below the floor a log is looked at for records that cannot be there.
const lookBack = 1000

// lookBelow finds a log that has lost what it had acknowledged and has grown past the floor again,
// by a batch that landed in the moment in which the process ended: an entry that waits can only
// have landed at the floor or above it.
func (p *Publisher) lookBelow(ctx context.Context, tp TopicPartition, bounds Bounds) error {
	lane := p.lanes[tp]
	from := max(bounds.Start, lane.floor-lookBack)
	return p.walk(ctx, tp, from, min(lane.floor, bounds.End), func(records []Record) error {
		for i := range records {
			r := &records[i]
			mark, ok := readMark(r)
			if ok && mark.shard == p.o.TransactionalID && mark.sequence >= lane.first &&
				r.Pos.Offset < lane.floor {
				lane.lost, lane.from = true, from
			}
		}
		return nil
	})
}

// noteLost writes down, durably, that everything in the partitions has to be published again.
func (p *Publisher) noteLost(lost ...TopicPartition) error {
	if len(lost) == 0 {
		return nil
	}
	repairs, err := p.shard.store.Reader().Repairs()
	if err != nil {
		return err
	}
	for _, tp := range lost {
		r := store.Repair{Topic: tp.Topic, Partition: tp.Partition, All: true}
		if !slices.Contains(repairs, r) {
			repairs = append(repairs, r)
		}
	}
	return p.shard.store.SetRepairs(repairs)
}

// elapsed is the greater of what the monotonic and the wall clock say: one stands still while the
// machine sleeps, the other can be set.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// claim shuts out every other writer and begins a session. expected is the one that is renewed.
func (p *Publisher) claim(ctx context.Context, expected Session) error {
	if err := p.look(ctx); err != nil {
		return err
	}
	id := p.o.TransactionalID
	session, err := p.sink.Fence(ctx, id, expected, p.partitions)
	if errors.Is(err, ErrNotAuthorized) && p.o.AtLeastOnce {
		p.o.Log.Warn("the broker refuses the claim on the output topics: records are published "+
			"at least once, and another writer is not shut out", "error", err)
		p.plain = true
		session, err = p.sink.Open(ctx, "")
	}
	if errors.Is(err, ErrNotAuthorized) {
		return fmt.Errorf("claiming transactional id %s: %w: allow write and describe on the "+
			"transactional id, and write on the output topics, for this user, or set "+
			"output.delivery to at_least_once", id, err)
	}
	if err != nil {
		return fmt.Errorf("claiming transactional id %s: %w", id, err)
	}
	p.session = session
	p.claimed = p.o.Now()
	p.proved = p.claimed
	for _, lane := range p.lanes {
		lane.sequence = 0
	}
	return nil
}

// maxRecoveries is how often recovery is tried without anything being acknowledged in between.
const maxRecoveries = 3

// resolve finds out which of the batches under way have landed and returns the rest.
func (p *Publisher) resolve(ctx context.Context, batches []*outgoing, cause error) (
	[]*outgoing, error) {
	p.recoveries++
	if p.recoveries > maxRecoveries {
		return nil, fmt.Errorf("publishing fails after %d recoveries: %w", maxRecoveries, cause)
	}
	p.o.Log.Warn("looking for what has landed", "error", cause)
	expected := p.session
	if p.plain {
		expected = NoSession()
	}
	if err := p.claim(ctx, expected); err != nil {
		return nil, err
	}
	tails, err := p.scanAll(ctx)
	if err != nil {
		return nil, err
	}
	for _, tail := range tails {
		if tail.lost {
			return nil, p.regressed(tail.tp, p.lanes[tail.tp].end, tail.floor)
		}
	}
	var rest []*outgoing
	for _, b := range batches {
		if b = p.dropLanded(b, tails[b.TP]); len(b.Records) > 0 {
			rest = append(rest, b)
		}
	}
	return rest, nil
}

// dropLanded acknowledges the entries of a batch that have landed and returns the rest.
func (p *Publisher) dropLanded(b *outgoing, tail *tail) *outgoing {
	n := 0
	for n < len(b.parts) && tail.landed(b.parts[n].entry.Seq) {
		n++
	}
	p.acknowledge(b, n)
	return &outgoing{Batch: Batch{TP: b.TP, Records: b.Records[n:]}, parts: b.parts[n:]}
}

// ErrRegressed says that an output partition has lost records that it had acknowledged.
var ErrRegressed = errors.New("the log has lost what it had acknowledged")

// regressed writes down that tp has to be published again, which the next start does: only the
// owner of the state can.
func (p *Publisher) regressed(tp TopicPartition, found, expected int64) error {
	err := p.noteLost(tp)
	return errors.Join(err, fmt.Errorf("%w: %s is at offset %d, %d was expected; start again: "+
		"everything in the partition is published again then", ErrRegressed, tp, found, expected))
}

// noted writes down that another owner has taken over, before err ends the publisher.
func (p *Publisher) noted(err error) error {
	if !errors.Is(err, ErrFenced) {
		return err
	}
	return errors.Join(err, p.shard.store.NoteFenced(p.o.Now()))
}

// Bounds of a fight over an id.
const (
	flapCount  = 3
	flapWindow = 10 * time.Minute
)

// checkPeace refuses to take part in a fight between two owners that are both started again
// whenever they lose.
func (p *Publisher) checkPeace() error {
	times, err := p.shard.store.Reader().Fenced()
	if err != nil {
		return err
	}
	recent := 0
	for _, t := range times {
		if age := p.o.Now().Sub(t); age >= 0 && age < flapWindow {
			recent++
		}
	}
	if recent < flapCount {
		return nil
	}
	return fmt.Errorf("another daemon claims transactional id %s: this one has been overtaken "+
		"%d times within %s; stop one of them, or give each its own transactional id and topics, "+
		"then wait until %s have passed", p.o.TransactionalID, recent, flapWindow, flapWindow)
}
