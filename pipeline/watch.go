package pipeline

import (
	"context"
	"fmt"
)

// describe asks what there is of a topic, and remembers its id for its readers.
func (p *Pipeline) describe(ctx context.Context, topic string) (Topic, error) {
	found, err := p.Source.Describe(ctx, topic)
	if err != nil {
		return Topic{}, fmt.Errorf("describing input topic %s: %w", topic, err)
	}
	p.topics.Set(topic, found.ID)
	return found, nil
}

// watcher looks at the input topics now and then, and has every partition read that it finds.
type watcher struct {
	p     *Pipeline
	start func(tp TopicPartition, first int64) // starts the reader of a partition
	read  map[TopicPartition]bool              // partitions with a reader
	begun map[string]bool                      // topics of which a partition has a reader
}

// run looks until ctx ends. The pipeline is ready once it has found every topic.
func (w *watcher) run(ctx context.Context) error {
	pause := minFetchPause
	for ctx.Err() == nil {
		wait := w.p.Options.MetadataInterval
		if w.survey(ctx) {
			pause = minFetchPause
			w.p.ready.Do(func() { close(w.p.readyC) })
		} else {
			wait = min(pause, wait)
			pause = min(2*pause, maxFetchPause)
		}
		_ = Sleep(ctx, wait) // the loop asks ctx
	}
	return nil
}

// survey looks at every topic. It reports whether all of them are there.
func (w *watcher) survey(ctx context.Context) bool {
	all := true
	for _, topic := range w.p.Shard.model.ConsumedTopics() {
		err := w.look(ctx, topic)
		switch {
		case err == nil:
			w.p.held.end("topic " + topic)
		case ctx.Err() != nil:
			return false
		default:
			w.p.held.begin("topic "+topic, topic, err)
			all = false
		}
	}
	return all
}

// look describes one topic and starts the readers of partitions that have none. Their first
// positions are resolved together and committed at once, so that a restart does not resolve them
// anew, to another record.
func (w *watcher) look(ctx context.Context, topic string) error {
	found, err := w.p.describe(ctx, topic)
	if err != nil {
		return err
	}
	fresh, begin := []TopicPartition{}, Chunk{TP: TopicPartition{Topic: topic}, Kind: ChunkBegin,
		Topic: found.ID}
	first := map[TopicPartition]int64{}
	start := w.startOf(topic)
	for _, n := range found.Partitions {
		tp := TopicPartition{topic, n}
		if w.read[tp] {
			continue
		}
		fresh = append(fresh, tp)
		if _, stored := w.p.Shard.board.position(tp); stored {
			continue
		}
		if first[tp], err = w.p.Source.Offset(ctx, tp, start); err != nil {
			return err
		}
		begin.Begin = append(begin.Begin, Beginning{Partition: n, Next: first[tp]})
	}
	if len(begin.Begin) > 0 && !w.p.hand(ctx, begin) {
		return ctx.Err()
	}
	for _, tp := range fresh {
		w.read[tp], w.begun[topic] = true, true
		w.start(tp, first[tp])
	}
	return nil
}

// startOf is where partitions without a position begin: where the datasets say; or, when the topic
// has been read before and they were added to it, with their first record.
func (w *watcher) startOf(topic string) Start {
	if w.begun[topic] || w.p.Shard.board.begun(topic) {
		return Start{Kind: StartEarliest}
	}
	return w.p.Shard.model.start(topic)
}
