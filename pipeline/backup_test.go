package pipeline_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/store"
)

// TestBackupUnderLoad takes backups while records come in, restores one, and goes on: versions rise
// and the outcome is as if nothing had happened.
func TestBackupUnderLoad(t *testing.T) {
	run(t, memlog.Options{}, nil, func(l *live) {
		l.produce(0, 30)
		l.log.Append(crm0, l.records(4000)...)
		early := l.backUp("early")
		l.produce(0, 100)
		late := l.backUp("late")
		l.produce(1, 100)
		if early.Version >= late.Version || late.Version >= l.store.NextVersion() {
			l.t.Errorf("versions %d, %d, then %d", early.Version, late.Version,
				l.store.NextVersion())
		}
		l.said("a backup was made")
		held := l.count("profiles")
		l.restore("early")
		if l.shard.Stats().Figures().Positions[crm0] < 30 {
			t.Errorf("the backup is older than it was asked for")
		}
		l.begin()
		l.produce(1, 10)
		if l.store.Incarnation() != 2 || l.count("profiles") <= held {
			l.t.Errorf("incarnation %d, %d profile records after %d", l.store.Incarnation(),
				l.count("profiles"), held)
		}
		l.checkOutput()
		l.checkSameAsFresh()
	})
}

func (l *live) backUp(name string) *store.Backup {
	l.t.Helper()
	b, err := l.p.Backup(context.Background(), "backups/"+name)
	l.must(err)
	return b
}

// restore puts a backup in the place of the store, whose daemon it stops.
func (l *live) restore(name string) {
	l.t.Helper()
	l.stop()
	l.must(l.store.Close())
	_, err := store.Restore("backups/"+name, "store", "lost", store.Options{FS: l.fs})
	l.must(err)
	l.open()
}

// checkSameAsFresh compares the outcome with that of a shard that is fed the same input.
func (l *live) checkSameAsFresh() {
	l.t.Helper()
	want := newWorld(l.t, 2)
	defer want.close()
	for _, tp := range l.inputs() {
		want.log.Append(tp, l.log.Records(tp)...)
	}
	want.drain()
	compareFinal(l.t, want.final("profiles"), l.final("profiles"), "restored")
	compareFinal(l.t, want.final("assignments"), l.final("assignments"), "restored")
}

// TestBackupRefused: there is one at a time, and none from a pipeline that does not run.
func TestBackupRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		defer w.close()
		p := pipeline.NewPipeline(w.shard, w.publisher, w.log.Source(),
			slog.New(slog.DiscardHandler))
		first := make(chan error, 1)
		go func() {
			_, err := p.Backup(context.Background(), "backups/a")
			first <- err
		}()
		synctest.Wait()
		_, err := p.Backup(context.Background(), "backups/b")
		wantErr(t, "two at a time", err, pipeline.ErrBackupRunning)
		wantErr(t, "before it runs", <-first, pipeline.ErrNotApplying)
	})
	run(t, memlog.Options{}, nil, func(l *live) {
		l.backUp("a")
		_, err := l.p.Backup(context.Background(), "backups/a")
		wantErr(t, "a name that is taken", err, store.ErrBackupExists)
		l.produce(0, 1) // the pipeline goes on
		l.stop()
		_, err = l.p.Backup(context.Background(), "backups/b")
		wantErr(t, "when it has stopped", err, pipeline.ErrNotApplying)
		l.begin()
	})
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}
