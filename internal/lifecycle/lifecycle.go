package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"
)

// DefaultDeadline is how long a shutdown may take where the options name no other limit.
const DefaultDeadline = 30 * time.Second

// ErrDeadline is returned by [Group.Wait] when tasks are still running at the deadline. The process
// has to exit with a failure, without touching what those tasks may still be using.
var ErrDeadline = errors.New("shutdown deadline passed")

// errHardStop is the cause of the hard context's end.
var errHardStop = errors.New("hard stop: most of the shutdown deadline has passed")

// Options are the settings of a group. The zero value is usable.
type Options struct {
	Deadline time.Duration // for a shutdown, from its first sign to the last return
	Dump     io.Writer     // where stacks go at the deadline; standard error by default
}

// Group is a set of named goroutines that end together. Its methods are safe for concurrent use.
type Group struct {
	deadline time.Duration
	dump     io.Writer

	hard     context.Context
	cutOff   context.CancelCauseFunc // ends hard
	soft     context.Context         // a child of hard
	askToEnd context.CancelCauseFunc // ends soft
	unhook   func() bool             // forgets the parent

	running sync.WaitGroup
	mu      struct {
		sync.Mutex
		names map[string]int // tasks that have not returned
		errs  []error        // in the order of failure
	}
}

// New makes a group. The end of parent is a request to stop, as [Group.Stop] is; its values reach
// the tasks.
func New(parent context.Context, options Options) *Group {
	g := &Group{
		deadline: cmp.Or(options.Deadline, DefaultDeadline),
		dump:     options.Dump,
	}
	if g.dump == nil {
		g.dump = os.Stderr
	}
	g.hard, g.cutOff = context.WithCancelCause(context.WithoutCancel(parent))
	g.soft, g.askToEnd = context.WithCancelCause(g.hard)
	g.unhook = context.AfterFunc(parent, func() { g.askToEnd(context.Cause(parent)) })
	g.mu.names = make(map[string]int)
	return g
}

// Go starts a task, given the soft context. It may be called until Wait returns, by a task too, but
// not by others after all tasks have returned.
func (g *Group) Go(name string, task func(ctx context.Context) error) {
	g.enter(name)
	g.running.Go(func() {
		pprof.Do(g.soft, pprof.Labels("task", name), func(ctx context.Context) {
			g.leave(name, task(ctx))
		})
	})
}

// Hard returns the context for work that a task has to finish after it has been asked to stop.
func (g *Group) Hard() context.Context { return g.hard }

// Stop asks all tasks to end and returns at once.
func (g *Group) Stop() { g.askToEnd(context.Canceled) }

// Wait blocks until all tasks have returned or the shutdown deadline has passed. It is called once.
// The deadline's clock starts when Wait sees the soft context end.
func (g *Group) Wait() error {
	defer g.unhook()
	ended := make(chan struct{})
	go func() {
		g.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-g.soft.Done():
		if !g.drain(ended) {
			return g.abandon()
		}
	}
	g.cutOff(context.Canceled)
	return g.failures()
}

// drain waits for the tasks after they have been asked to end. It reports whether they did.
func (g *Group) drain(ended <-chan struct{}) bool {
	soft := g.deadline * 3 / 4
	if waitFor(ended, soft) {
		return true
	}
	g.cutOff(errHardStop)
	return waitFor(ended, g.deadline-soft)
}

func waitFor(ended <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
		return false
	}
}

// abandon gives up on what is still running.
func (g *Group) abandon() error {
	late := fmt.Errorf("%w after %s, still running: %s",
		ErrDeadline, g.deadline, strings.Join(g.names(), ", "))
	if err := pprof.Lookup("goroutine").WriteTo(g.dump, 1); err != nil {
		late = errors.Join(late, fmt.Errorf("dumping goroutines: %w", err))
	}
	return errors.Join(g.failures(), late)
}

func (g *Group) enter(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.names[name]++
}

func (g *Group) leave(name string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.names[name]--
	if g.mu.names[name] == 0 {
		delete(g.mu.names, name)
	}
	if err == nil || g.obeyed(err) {
		return
	}
	err = fmt.Errorf("%s: %w", name, err)
	g.mu.errs = append(g.mu.errs, err)
	g.askToEnd(err)
}

// obeyed reports whether err only says that the task ended because it had been asked to.
func (g *Group) obeyed(err error) bool {
	if g.soft.Err() == nil || g.hard.Err() != nil {
		return false
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(g.soft))
}

func (g *Group) names() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.mu.names))
}

func (g *Group) failures() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.mu.errs...)
}
