package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"selfsame/store"
)

// Errors of Backup: nothing was done.
var (
	ErrBackupRunning = errors.New("another backup is running")
	ErrNotApplying   = errors.New("the pipeline is not at work: it is starting or stopping")
)

// errandWait is how long the applier is given to come to an errand. A commit takes a fraction of a
// second; it takes longer where the disk is slow, or where the pipeline has not begun.
const errandWait = 30 * time.Second

// Backup makes a backup of the latest committed state in dir, which must not exist. Commits wait
// only while the state is frozen; proving and finishing the backup is done by the caller's
// goroutine. ErrBackupRunning where one is being made, ErrNotApplying where none can be,
// store.ErrBackupExists and store.ErrBackupName where dir is not right.
func (p *Pipeline) Backup(ctx context.Context, dir string) (*store.Backup, error) {
	if !p.backingUp.TryLock() {
		return nil, ErrBackupRunning
	}
	defer p.backingUp.Unlock()
	start := time.Now()
	if err := p.writeTables(ctx); err != nil {
		return nil, err
	}
	var checkpoint *store.Checkpoint
	var stopped time.Duration // of commits
	err := p.betweenCommits(ctx, func() (err error) {
		from := time.Now()
		checkpoint, err = p.Shard.store.Checkpoint(dir, from)
		stopped = time.Since(from)
		return err
	})
	if err != nil {
		return nil, err
	}
	backup, err := checkpoint.Seal()
	if err != nil {
		return nil, err
	}
	p.Log.Info("a backup was made", "directory", dir, "version", backup.Version,
		"bytes", backup.Bytes(), "commits_stopped", stopped, "took", time.Since(start))
	return backup, nil
}

// writeTables makes the log short while commits go on, so that the freeze that follows takes less
// time. Nothing depends on it: after a while it is no longer waited for.
func (p *Pipeline) writeTables(ctx context.Context) error {
	var written <-chan struct{}
	err := p.betweenCommits(ctx, func() (err error) {
		written, err = p.Shard.store.WriteTables()
		return err
	})
	if err != nil {
		return err
	}
	limit := time.NewTimer(errandWait)
	defer limit.Stop()
	select {
	case <-written:
	case <-limit.C:
	case <-ctx.Done():
		return fmt.Errorf("waiting for tables to be written: %w", ctx.Err())
	}
	return nil
}

// betweenCommits has the applier do an errand. Once it has begun it is waited for.
func (p *Pipeline) betweenCommits(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, errandWait)
	defer cancel()
	done := make(chan error, 1)
	select {
	case p.errands <- func() { done <- do() }:
		return <-done
	case <-p.applied:
		return ErrNotApplying
	case <-ctx.Done():
		return fmt.Errorf("%w (%w)", ErrNotApplying, ctx.Err())
	}
}
