package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"selfsame/pipeline"
)

// tailRetryWait is how long a tail waits after an error that passes.
const tailRetryWait = 250 * time.Millisecond

// Tail calls fn for every record of topic from start on, until ctx ends (nil) or fn returns an
// error (that error). Records of one partition come in order, those of several interleave; fn is
// called by one goroutine at a time. A broker that is away is waited for.
func (c *Client) Tail(ctx context.Context, topic string, start pipeline.Start,
	fn func(pipeline.Record) error) error {
	found, err := c.Source().Describe(ctx, topic)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := &tail{c: c, start: start, fn: fn}
	var readers sync.WaitGroup
	for _, p := range found.Partitions {
		readers.Go(func() {
			if err := t.run(ctx, pipeline.TopicPartition{Topic: topic, Partition: p}); err != nil {
				cancel(err)
			}
		})
	}
	readers.Wait()
	if cause := context.Cause(ctx); cause != nil && cause != ctx.Err() {
		return cause
	}
	return nil
}

// tail is one call of Tail.
type tail struct {
	c     *Client
	start pipeline.Start

	mu sync.Mutex // held while fn runs
	fn func(pipeline.Record) error
}

// run reads one partition. It returns nil when ctx ends.
func (t *tail) run(ctx context.Context, tp pipeline.TopicPartition) error {
	next, known := int64(0), false
	for ctx.Err() == nil {
		var got pipeline.Fetched
		var err error
		if known {
			got, err = t.c.Source().Fetch(ctx, tp, next)
		} else {
			got.Next, err = t.c.Source().Offset(ctx, tp, t.start)
		}
		if err == nil {
			next, known = got.Next, true
			if err := t.deliver(ctx, got.Records); err != nil {
				return err
			}
			continue
		}
		if err := t.wait(ctx, tp, err); err != nil {
			return err
		}
	}
	return nil
}

func (t *tail) deliver(ctx context.Context, records []pipeline.Record) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range records {
		if ctx.Err() != nil {
			return nil
		}
		if err := t.fn(r); err != nil {
			return err
		}
	}
	return nil
}

// wait returns err where waiting does not help.
func (t *tail) wait(ctx context.Context, tp pipeline.TopicPartition, err error) error {
	if endOf(ctx) != nil {
		return nil
	}
	var gone *pipeline.OutOfRangeError
	if errors.Is(err, pipeline.ErrUnknownTopic) || errors.As(err, &gone) {
		return fmt.Errorf("tailing %s: %w", tp, err)
	}
	t.c.log.Warn("reading kafka failed, trying again", "partition", tp.String(), "err", err)
	_ = pause(ctx, tailRetryWait) // the loop looks at ctx itself
	return nil
}
