package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"selfsame/store"
)

// Open claims the output topics and makes the outbox agree with them. It comes before anything is
// applied or published, since it can change the state: where the topics turn out to hold what the
// store does not know, a new life of the store begins; where they have lost something, it is
// published again.
func (p *Publisher) Open(ctx context.Context) error {
	if err := p.checkPeace(); err != nil {
		return err
	}
	output, err := p.checkOutput(ctx)
	if err != nil {
		return err
	}
	if err := p.loadFloors(); err != nil {
		return err
	}
	if err := p.noted(p.claim(ctx, NoSession())); err != nil {
		return err
	}
	tails, err := p.scanAll(ctx)
	if err != nil {
		return err
	}
	if err := p.reconcile(ctx, output, tails); err != nil {
		return err
	}
	for _, lane := range p.lanes {
		lane.waits = false // from here on, what landed shows where
	}
	if err := p.repair(ctx); err != nil {
		return err
	}
	p.incarnation = p.shard.store.Incarnation()
	barrier, err := p.shard.store.Reader().Barrier()
	if err != nil || barrier == nil {
		return err
	}
	p.barrier = *barrier
	p.shard.repeats.Store(true)
	p.o.Log.Warn("publishing waits until the input has been consumed as far as it was",
		"input_partitions", len(p.barrier))
	return p.recall(ctx)
}

// checkOutput compares where the outbox goes with where it went before.
func (p *Publisher) checkOutput(ctx context.Context) (*store.Output, error) {
	now := &store.Output{Writer: p.o.TransactionalID, Partitions: p.shard.partitions}
	err := p.retry(ctx, "asking for the cluster's id", func() error {
		var err error
		now.Cluster, err = p.sink.Cluster(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	last, err := p.shard.store.Reader().Output()
	p.fresh = last == nil
	if err != nil || last == nil {
		return now, err
	}
	if last.Cluster != now.Cluster {
		return nil, fmt.Errorf("the store belongs to Kafka cluster %s, this is %s: its positions "+
			"mean nothing here; go back, or rebuild from the input", last.Cluster, now.Cluster)
	}
	if last.Writer != now.Writer {
		return nil, fmt.Errorf("the store has published as transactional id %s, the configuration "+
			"says %s: what the former has under way could not be shut out; set it back",
			last.Writer, now.Writer)
	}
	for _, topic := range slices.Sorted(maps.Keys(now.Partitions)) {
		if n, ok := last.Partitions[topic]; ok && n != now.Partitions[topic] {
			return nil, fmt.Errorf("output topic %s has %d partitions, it had %d: keys would "+
				"change partition and their old records stay for ever; write to a new topic",
				topic, now.Partitions[topic], n)
		}
	}
	for topic, n := range last.Partitions { // of topics that are not written any more
		if _, ok := now.Partitions[topic]; !ok {
			now.Partitions = maps.Clone(now.Partitions)
			now.Partitions[topic] = n
		}
	}
	return now, nil
}

func (p *Publisher) loadFloors() error {
	for _, tp := range p.partitions {
		p.lanes[tp] = &lane{}
	}
	err := p.shard.store.Reader().Floors(func(topic string, partition int32, floor int64) error {
		if lane := p.lanes[TopicPartition{topic, partition}]; lane != nil {
			lane.floor = floor
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.shard.store.LeftOver(func(e *store.Entry, _ bool) error {
		lane := p.lanes[TopicPartition{e.Topic, e.Partition}]
		if lane == nil {
			return fmt.Errorf("the outbox holds what is still to be published to topic %s, which "+
				"is not among the output topics any more: set it back until that is published",
				e.Topic)
		}
		if !lane.waits {
			lane.waits, lane.first = true, e.Seq
		}
		return nil
	})
}

// reconcile draws the conclusions from the tails, in one commit at the most.
func (p *Publisher) reconcile(ctx context.Context, output *store.Output,
	tails map[TopicPartition]*tail) error {
	for _, tp := range p.partitions {
		t := tails[tp]
		if !t.lost {
			continue
		}
		p.o.Log.Error("an output partition has lost what it had acknowledged; everything in it is "+
			"published again", "partition", tp.String(), "end", p.lanes[tp].end,
			"expected", t.floor)
		if err := p.noteLost(tp); err != nil {
			return err
		}
		p.lanes[tp].floor = t.bounds.End
	}
	repairs, err := p.shard.store.Reader().Repairs()
	if err != nil {
		return err
	}
	more, barrier, err := p.overtake(ctx, tails)
	if err != nil {
		return err
	}
	repairs = append(repairs, more...)
	overtaken := barrier != nil
	if p.rebuilds() {
		barrier = p.barrierOf(p.o.HoldUntil)
		p.o.Log.Info("rebuilding: publishing waits until the input is consumed as far as it "+
			"reaches now", "input_partitions", len(barrier))
	}
	landed, unsure, err := p.dropLeftOver(tails, overtaken)
	if err != nil {
		return err
	}
	for _, tp := range p.partitions {
		p.shard.store.AckLanded(tp.Topic, tp.Partition, p.lanes[tp].floor)
	}
	if landed > 0 || len(repairs) > 0 || barrier != nil {
		err = p.shard.amend(func(b *store.Batch) error {
			b.SetRepairs(repairs)
			if barrier != nil {
				b.SetBarrier(barrier)
			}
			for _, key := range unsure {
				if err := p.shard.reissueOne(b, key); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	// Last: a store without it is one that has never published, and may be held back.
	return p.shard.store.SetOutput(output)
}

// overtake begins a new life where the topics are ahead of the store, which was restored from a
// copy: versions start above all that were published, numbers of entries too, everything that the
// lost life has published since is published again, and nothing is published before the input has
// been consumed as far as the lost life had consumed it.
func (p *Publisher) overtake(ctx context.Context, tails map[TopicPartition]*tail) (
	[]store.Repair, store.Barrier, error) {
	s := p.shard.store
	sequence, incarnation, ahead := s.NextSequence(), s.Incarnation(), false
	positions := map[TopicPartition]int64{}
	var repairs []store.Repair
	for _, tp := range p.partitions {
		t := tails[tp]
		if !t.found {
			continue
		}
		// An old entry is rendered as its object is when it is sent: where the lost life has taken
		// in more, its version tells and its sequence does not.
		if t.sequence >= s.NextSequence() || t.incarnation > s.Incarnation() ||
			t.version >= s.NextVersion() {
			ahead = true
		}
		sequence, incarnation = max(sequence, t.sequence+1), max(incarnation, t.incarnation)
		for in, next := range t.positions {
			positions[in] = max(positions[in], next)
			// It may have passed over entries for later ones, and published no later one yet.
			further, err := p.readFurther(in, next)
			if err != nil {
				return nil, nil, err
			}
			ahead = ahead || further
		}
		repairs = append(repairs, store.Repair{Topic: tp.Topic, Partition: tp.Partition,
			From: t.floor})
	}
	if !ahead {
		return nil, nil, nil
	}
	if err := s.Advance(incarnation, sequence); err != nil {
		return nil, nil, err
	}
	held, err := s.Reader().Barrier()
	if err != nil {
		return nil, nil, err
	}
	if held != nil { // of a life before the lost one
		for _, at := range *held {
			tp := TopicPartition{at.Topic, at.Partition}
			positions[tp] = max(positions[tp], at.Next)
		}
	}
	if err := p.clip(ctx, positions); err != nil {
		return nil, nil, err
	}
	barrier := p.barrierOf(positions)
	if !p.rebuilds() {
		p.o.Log.Warn("the store is older than what was published from it, as a restored copy is: "+
			"publishing waits until the input is consumed as far as it was",
			"incarnation", s.Incarnation(), "input_partitions", len(barrier))
	}
	return repairs, barrier, nil
}

// readFurther reports whether next is more of an input partition than the store has ever consumed.
func (p *Publisher) readFurther(in TopicPartition, next int64) (bool, error) {
	at, err := p.shard.store.Reader().Position(in.Topic, in.Partition)
	if err != nil || at == nil {
		return err == nil && next > 0, err
	}
	return next > max(at.Consumed(), at.Former), nil
}

// rebuilds reports whether the store is being rebuilt: it was asked for, and the store has not
// published before, in this run or an earlier one.
func (p *Publisher) rebuilds() bool { return p.o.HoldUntil != nil && p.fresh }

// clip takes positions back that lie beyond what the input holds now, or could never be reached.
func (p *Publisher) clip(ctx context.Context, positions map[TopicPartition]int64) error {
	for _, tp := range slices.SortedFunc(maps.Keys(positions), TopicPartition.compare) {
		next := positions[tp]
		bounds, err := p.bounds(ctx, tp)
		if errors.Is(err, ErrUnknownTopic) {
			delete(positions, tp)
			continue
		}
		if err != nil {
			return err
		}
		positions[tp] = min(next, bounds.End)
	}
	return nil
}

// barrierOf lists the positions that have not been reached.
func (p *Publisher) barrierOf(positions map[TopicPartition]int64) store.Barrier {
	topics := p.shard.model.ConsumedTopics()
	barrier := store.Barrier{}
	for _, tp := range slices.SortedFunc(maps.Keys(positions), TopicPartition.compare) {
		next := positions[tp]
		at, _ := p.shard.board.position(tp)
		if slices.Contains(topics, tp.Topic) && at.Next < next {
			barrier = append(barrier, store.Reached{Topic: tp.Topic, Partition: tp.Partition,
				Next: next})
		}
	}
	return barrier
}

// held reports whether publishing has to wait for the input.
func (p *Publisher) held() (bool, error) {
	if p.barrier == nil {
		return false, nil
	}
	topics := p.shard.model.ConsumedTopics()
	for _, at := range p.barrier {
		if !slices.Contains(topics, at.Topic) {
			continue // retired since: it will not be consumed any further
		}
		now, _ := p.shard.board.position(TopicPartition{at.Topic, at.Partition})
		if now.Next < at.Next {
			return true, nil
		}
	}
	p.barrier = nil
	p.shard.repeats.Store(false)
	p.o.Log.Info("the input is consumed as far as it was; publishing goes on")
	return false, p.shard.store.LiftBarrier()
}

// dropLeftOver acknowledges the entries of an earlier run that have landed, and tells how many that
// are. They are to be forgotten by a commit before anything is taken. A lost life that has gone on
// from here may have passed over an entry for a later one of its own, which no store holds now:
// overtaken, the landing of what came after proves nothing about the objects of unsure.
func (p *Publisher) dropLeftOver(tails map[TopicPartition]*tail, overtaken bool) (
	count int, unsure []outputKey, err error) {
	var landed []uint64
	err = p.shard.store.LeftOver(func(e *store.Entry, last bool) error {
		t := tails[TopicPartition{e.Topic, e.Partition}]
		if t == nil || !t.landed(e.Seq) {
			return nil
		}
		landed = append(landed, e.Seq)
		if !last || e.Kind == store.EntryRecord {
			return nil
		}
		if overtaken {
			unsure = append(unsure, outputKey{refOf(e), e.Identity})
			return nil
		}
		if e.Kind != store.EntryProfile {
			return nil
		}
		row, err := p.shard.store.Reader().Profile(refOf(e))
		if err == nil && row != nil && row.Dead {
			p.shard.retire(refOf(e), row.Version)
		}
		return err
	})
	p.shard.store.Ack(landed...)
	return len(landed), unsure, err
}
