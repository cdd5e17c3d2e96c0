package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"selfsame/config"
	"selfsame/internal/lifecycle"
	"selfsame/kafka"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// whole is contender c: the pipeline, wired as the daemon wires it.
type whole struct {
	cfg      *config.Config
	model    *pipeline.Model
	client   *kafka.Client
	store    *store.Store
	pipeline *pipeline.Pipeline
	ends     map[pipeline.TopicPartition]int64
	events   int64
}

// runPipeline is contender c.
func runPipeline(ctx context.Context, t task) (f figures, err error) {
	w, err := openWhole(ctx, t)
	if err != nil {
		return f, err
	}
	defer w.client.Close()
	err = w.run(ctx, func(ctx context.Context) error {
		if t.Follow {
			f.Marks, err = w.follow(ctx, t)
			return err
		}
		f, err = measure(t, func() (int64, error) { return w.events, w.awaitCaughtUp(ctx) })
		return err
	})
	if err = errors.Join(err, w.store.Close()); err != nil {
		return f, err
	}
	return f, w.survey(t, &f)
}

func openWhole(ctx context.Context, t task) (*whole, error) {
	w := &whole{}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	if w.cfg, err = configure(t); err != nil {
		return nil, err
	}
	if w.model, err = w.cfg.Model(); err != nil {
		return nil, err
	}
	if w.client, err = kafka.New(w.cfg.KafkaConfig(), log); err != nil {
		return nil, err
	}
	if err := w.client.EnsureTopics(ctx, w.cfg.OwnedTopics()); err != nil {
		return nil, err
	}
	if w.ends, w.events, err = inputEnds(ctx, w.client, w.model.InputTopics()); err != nil {
		return nil, err
	}
	if err := w.openStore(t.Dir); err != nil {
		return nil, err
	}
	outputs := map[string]int32{}
	for _, topic := range w.model.OutputTopics() {
		outputs[topic] = partitions
	}
	shard, err := pipeline.NewShard(w.model, w.store, pipeline.ShardOptions{Partitions: outputs})
	if err != nil {
		return nil, err
	}
	publisher := pipeline.NewPublisher(shard, w.client.Sink(), pipeline.PublisherOptions{
		TransactionalID: w.cfg.TransactionalID(), SideBySide: true, Log: log,
		Now: time.Now, Wait: pipeline.Sleep,
	})
	w.pipeline = pipeline.NewPipeline(shard, publisher, w.client.Source(), log)
	w.pipeline.Options = w.cfg.PipelineOptions()
	return w, nil
}

func (w *whole) openStore(dir string) (err error) {
	w.store, err = store.Open(filepath.Join(dir, "store"), w.cfg.StoreOptions())
	return err
}

// run runs the pipeline until work has returned.
func (w *whole) run(ctx context.Context, work func(context.Context) error) error {
	group := lifecycle.New(ctx, lifecycle.Options{})
	group.Go("pipeline", w.pipeline.Run)
	group.Go("work", func(ctx context.Context) error {
		defer group.Stop()
		return work(ctx)
	})
	return group.Wait()
}

// pollInterval is how often the end is looked for: it blurs the time of a drain by that much.
const pollInterval = 5 * time.Millisecond

// awaitCaughtUp waits until all input is committed and all output acknowledged.
func (w *whole) awaitCaughtUp(ctx context.Context) error {
	for !w.caughtUp() {
		if err := pipeline.Sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
	return nil
}

func (w *whole) caughtUp() bool {
	figures := w.pipeline.Shard.Stats().Figures()
	for tp, end := range w.ends {
		if figures.Positions[tp] < end {
			return false
		}
	}
	return w.store.OutboxDepth() == 0 && len(figures.Jobs) == 0
}

// follow says when the pipeline reads and has caught up, and goes on until standard input ends and
// all of the input is consumed. It takes marks, and one profile from each to the next.
func (w *whole) follow(ctx context.Context, t task) (marks []mark, err error) {
	select {
	case <-w.pipeline.Ready():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := w.awaitCaughtUp(ctx); err != nil {
		return nil, err
	}
	fmt.Println(readyLine)
	stop := func() error { return nil }
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		marks = append(marks, w.mark(lines.Text()))
		if err := stop(); err != nil {
			return nil, err
		}
		if stop, err = startProfile(t, "."+lines.Text()); err != nil {
			return nil, err
		}
	}
	if err := stop(); err != nil {
		return nil, err
	}
	if w.ends, _, err = inputEnds(ctx, w.client, w.model.ConsumedTopics()); err != nil {
		return nil, err
	}
	err = w.awaitCaughtUp(ctx)
	return append(marks, w.mark("end")), err
}

// mark sums up what the pipeline has counted.
func (w *whole) mark(name string) mark {
	f := w.pipeline.Shard.Stats().Figures()
	m := mark{Name: name, CPU: processorTime().Seconds(), Commits: f.Commits,
		CommitSeconds: f.CommitSeconds, LinksDecided: f.LinksDecided,
		BeyondHubs:  f.BeyondHubs,
		JobsDone:    f.JobsDone,
		DeadLetters: f.Emitted[w.model.DeadLetterTopic]}
	for _, ds := range f.Datasets {
		m.Consumed += ds.Consumed
		m.Accepted += ds.Accepted
		m.Duplicate += ds.Duplicate
		m.Superseded += ds.Superseded
		m.Rejected += ds.RejectedTotal()
	}
	for _, n := range f.LinksLeftOut {
		m.LinksLeftOut += n
	}
	for count, n := range f.GraphChanges {
		if count.Name == "hub" {
			m.HubsFound += n
		}
	}
	for _, next := range f.Positions {
		m.Positions += next
	}
	return m
}

// readyLine tells the parent that a following pipeline reads.
const readyLine = "ready"

// survey counts what the store holds. It opens it once more, which turns the log into tables, so
// that each row is counted where it will stay; and it makes sure that no record was turned away.
func (w *whole) survey(t task, f *figures) error {
	for name, ds := range w.pipeline.Shard.Stats().Figures().Datasets {
		if n := ds.RejectedTotal(); n > 0 {
			return fmt.Errorf("the pipeline rejected %d records of dataset %s", n, name)
		}
	}
	if err := w.openStore(t.Dir); err != nil {
		return err
	}
	if t.Follow {
		_, err := pipeline.Check(context.Background(), w.model, w.store, func(p store.Problem) {
			fmt.Fprintln(os.Stderr, p)
			f.Problems++
		})
		if err != nil {
			return err
		}
	}
	entity := w.model.Entities[0]
	err := w.store.Reader().Profiles(entity.Name, entity.DefaultPolicy().Name,
		func(profile.ID, *store.Profile) error { f.Profiles++; return nil })
	if err = errors.Join(err, w.store.Close()); err != nil {
		return err
	}
	f.Disk, err = tableBytes(filepath.Join(t.Dir, "store"))
	return err
}

// tableBytes sums the engine's tables. Logs are left out: what they held is in tables now.
func tableBytes(dir string) (sum uint64, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		if filepath.Ext(file.Name()) != ".sst" {
			continue
		}
		info, err := file.Info()
		if err != nil {
			return 0, err
		}
		sum += uint64(info.Size())
	}
	return sum, nil
}
