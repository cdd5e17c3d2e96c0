package lifecycle

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errBroken = errors.New("broken")

// untilAsked is the best behaved task there is.
func untilAsked(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func newGroup(t *testing.T, deadline time.Duration, dump io.Writer) *Group {
	return New(t.Context(), Options{Deadline: deadline, Dump: dump})
}

func TestWaitReturnsWhenAllTasksReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, time.Minute, io.Discard)
		var ended atomic.Int32
		g.Go("short", func(context.Context) error { ended.Add(1); return nil })
		g.Go("long", func(ctx context.Context) error {
			<-time.After(time.Hour)
			ended.Add(1)
			return ctx.Err() // a task that returned nil has not ended the others
		})
		if err := g.Wait(); err != nil {
			t.Fatalf("Wait: %v", err)
		}
		if n := ended.Load(); n != 2 {
			t.Errorf("%d of 2 tasks had ended when Wait returned", n)
		}
	})
}

func TestFirstErrorEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, time.Minute, io.Discard)
		var cause error
		g.Go("patient", func(ctx context.Context) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			return cause // not one more failure
		})
		g.Go("applier", func(context.Context) error { return errBroken })
		err := g.Wait()
		if !errors.Is(err, errBroken) || err.Error() != "applier: broken" {
			t.Errorf("Wait: %v, want applier: broken", err)
		}
		if !errors.Is(cause, errBroken) {
			t.Errorf("the cause the others saw: %v", cause)
		}
	})
}

func TestErrorsAreJoinedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, time.Minute, io.Discard)
		g.Go("second", func(ctx context.Context) error {
			<-ctx.Done()
			<-time.After(time.Second)
			return errors.New("closing file")
		})
		g.Go("first", func(context.Context) error { return errBroken })
		if err := g.Wait(); err == nil || err.Error() != "first: broken\nsecond: closing file" {
			t.Errorf("Wait: %v", err)
		}
	})
}

func TestStopAndParentAreOrderly(t *testing.T) {
	for name, stop := range map[string]func(g *Group, parent context.CancelFunc){
		"stop":   func(g *Group, _ context.CancelFunc) { g.Stop() },
		"parent": func(_ *Group, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				parent, cancel := context.WithCancel(t.Context())
				defer cancel()
				g := New(parent, Options{})
				var hardDuringDrain error
				g.Go("reader", untilAsked)
				g.Go("publisher", func(ctx context.Context) error {
					<-ctx.Done()
					hardDuringDrain = g.Hard().Err()
					return nil
				})
				stop(g, cancel)
				if err := g.Wait(); err != nil {
					t.Errorf("Wait: %v", err)
				}
				if hardDuringDrain != nil {
					t.Errorf("the hard context ended with the soft one: %v", hardDuringDrain)
				}
				if g.Hard().Err() == nil {
					t.Error("the hard context outlives the group")
				}
			})
		})
	}
}

func TestHardStopAtThreeQuarters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, 40*time.Second, io.Discard)
		g.Go("publisher", func(ctx context.Context) error {
			<-ctx.Done()
			return untilAsked(g.Hard())
		})
		start := time.Now()
		g.Stop()
		err := g.Wait()
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("the hard stop came after %s, want 30s", took)
		}
		if err == nil || err.Error() != "publisher: context canceled" {
			t.Errorf("Wait: %v: what a hard stop cut off has to be reported", err)
		}
		if cause := context.Cause(g.Hard()); !errors.Is(cause, errHardStop) {
			t.Errorf("cause of the hard context: %v", cause)
		}
	})
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dump strings.Builder
		g := newGroup(t, 40*time.Second, &dump)
		release := make(chan struct{})
		g.Go("deaf", func(context.Context) error { <-release; return nil })
		g.Go("reader", untilAsked)
		g.Go("applier", func(context.Context) error { return errBroken })
		start := time.Now()
		err := g.Wait()
		if took := time.Since(start); took != 40*time.Second {
			t.Errorf("gave up after %s, want 40s", took)
		}
		if !errors.Is(err, ErrDeadline) || !errors.Is(err, errBroken) {
			t.Errorf("Wait: %v, want ErrDeadline and the first error", err)
		}
		if text := err.Error(); !strings.HasSuffix(text, "still running: deaf") {
			t.Errorf("Wait does not name who is left: %v", text)
		}
		if !strings.Contains(dump.String(), `"task":"deaf"`) {
			t.Errorf("the dump does not name the task:\n%s", dump.String())
		}
		close(release)
	})
}

func TestTasksMayStartTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(t, time.Minute, io.Discard)
		g.Go("listener", func(context.Context) error {
			g.Go("connection", untilAsked)
			g.Go("connection", untilAsked)
			return nil
		})
		synctest.Wait()
		if names := g.names(); !slices.Equal(names, []string{"connection"}) {
			t.Errorf("running: %q", names)
		}
		g.Stop()
		if err := g.Wait(); err != nil {
			t.Errorf("Wait: %v", err)
		}
	})
}

func TestFailingDumpIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, writer := io.Pipe()
		reader.CloseWithError(errBroken)
		g := newGroup(t, time.Second, writer)
		release := make(chan struct{})
		g.Go("deaf", func(context.Context) error { <-release; return nil })
		g.Stop()
		if err := g.Wait(); !errors.Is(err, ErrDeadline) || !errors.Is(err, errBroken) {
			t.Errorf("Wait: %v", err)
		}
		close(release)
	})
}
