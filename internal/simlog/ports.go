package simlog

import (
	"context"
	"errors"
	"fmt"

	"selfsame/pipeline"
)

var (
	_ pipeline.Source = (*Client)(nil)
	_ pipeline.Sink   = (*Sink)(nil)
)

// Describe implements pipeline.Source.
func (c *Client) Describe(ctx context.Context, topic string) (got pipeline.Topic, err error) {
	err = c.send(ctx, Request{API: APIMetadata, ID: topic}, func() error {
		ps := c.b.topics[topic]
		if len(ps) == 0 {
			return UnknownTopicOrPartition
		}
		got = pipeline.Topic{ID: ps[0].id}
		for i := range ps {
			got.Partitions = append(got.Partitions, int32(i))
		}
		return nil
	})
	return got, explain(err, topic)
}

// Offset implements pipeline.Source.
func (c *Client) Offset(ctx context.Context, tp pipeline.TopicPartition, start pipeline.Start) (
	offset int64, err error) {
	err = c.send(ctx, Request{API: APIListOffsets, TP: tp}, func() error {
		p := c.b.find(tp)
		if p == nil {
			return UnknownTopicOrPartition
		}
		offset = p.resolve(start)
		return nil
	})
	return offset, explain(err, tp.String())
}

// Fetch implements pipeline.Source. It does not wait at the end of a log.
func (c *Client) Fetch(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, error) {
	return c.read(ctx, tp, offset, true)
}

func (c *Client) read(ctx context.Context, tp pipeline.TopicPartition, offset int64, stable bool) (
	got pipeline.Fetched, err error) {
	err = c.send(ctx, Request{API: APIFetch, TP: tp}, func() error {
		p := c.b.find(tp)
		if p == nil {
			return UnknownTopicOrPartition
		}
		end := p.end
		if stable {
			end = p.stable()
		}
		var err error
		got, err = p.fetch(offset, end, c.b.o.FetchMaxRecords)
		return err
	})
	return got, explain(err, tp.String())
}

// Sink is a connection that writes.
type Sink struct{ c *Client }

// Sink returns the connection as a sink.
func (c *Client) Sink() *Sink { return &Sink{c} }

// Partitions implements pipeline.Sink.
func (s *Sink) Partitions(ctx context.Context, topic string) (int32, error) {
	described, err := s.c.Describe(ctx, topic)
	return int32(len(described.Partitions)), err
}

// Cluster implements pipeline.Sink.
func (s *Sink) Cluster(ctx context.Context) (string, error) {
	err := s.c.send(ctx, Request{API: APIMetadata}, func() error { return nil })
	return "simulated", err
}

// Bounds implements pipeline.Sink.
func (s *Sink) Bounds(ctx context.Context, tp pipeline.TopicPartition) (pipeline.Bounds, error) {
	var bounds pipeline.Bounds
	err := s.c.send(ctx, Request{API: APIListOffsets, TP: tp}, func() error {
		p := s.c.b.find(tp)
		if p == nil {
			return UnknownTopicOrPartition
		}
		bounds = pipeline.Bounds{Start: p.start, End: p.end}
		return nil
	})
	return bounds, explain(err, tp.String())
}

// Read implements pipeline.Sink.
func (s *Sink) Read(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, error) {
	return s.c.read(ctx, tp, offset, false)
}

// Open implements pipeline.Sink: a claim that fences nobody.
func (s *Sink) Open(ctx context.Context, id string) (session pipeline.Session, err error) {
	if id == "" {
		return pipeline.Session{ID: s.c.b.producerID()}, nil
	}
	err = s.c.retry(ctx, func() error {
		session, err = s.init(ctx, id, pipeline.NoSession())
		return err
	})
	return session, explain(err, id)
}

// Fence implements pipeline.Sink: an aborted transaction without data over all partitions, and a
// second claim that succeeds only once its markers are written.
func (s *Sink) Fence(ctx context.Context, id string, expected pipeline.Session,
	partitions []pipeline.TopicPartition) (session pipeline.Session, err error) {
	steps := []func() error{
		func() (err error) {
			session, err = s.init(ctx, id, expected)
			if err == nil && expected.ID >= 0 && session.ID != expected.ID {
				return ProducerFenced // the claim had expired
			}
			return err
		},
		func() error {
			return s.c.send(ctx, Request{API: APIAddPartitions, ID: id}, func() error {
				return s.c.b.AddPartitionsToTxn(id, session, partitions)
			})
		},
		func() error {
			return s.c.send(ctx, Request{API: APIEndTxn, ID: id}, func() error {
				return s.c.b.EndTxn(id, session, false)
			})
		},
		func() (err error) {
			last, err := s.init(ctx, id, session)
			if err == nil {
				session = last
			}
			return err
		},
	}
	for _, step := range steps {
		if err := s.c.retry(ctx, step); err != nil {
			return pipeline.Session{}, explain(err, id)
		}
	}
	return session, nil
}

// init asks once.
func (s *Sink) init(ctx context.Context, id string, expected pipeline.Session) (
	session pipeline.Session, err error) {
	err = s.c.send(ctx, Request{API: APIInitProducerID, ID: id}, func() error {
		var err error
		session, err = s.c.b.InitProducerID(id, expected)
		return err
	})
	return session, err
}

// Produce implements pipeline.Sink.
func (s *Sink) Produce(ctx context.Context, b *pipeline.Batch) (offset int64, err error) {
	sent := *b // as it is now: what arrives later is what was sent
	err = s.c.send(ctx, Request{API: APIProduce, TP: b.TP}, func() error {
		p := s.c.b.find(sent.TP)
		switch {
		case p == nil:
			return UnknownTopicOrPartition
		case size(&sent) > s.c.b.o.MaxBatchBytes:
			return MessageTooLarge
		}
		var err error
		offset, err = p.produce(&sent, s.c.b.now)
		return err
	})
	return offset, explain(err, b.TP.String())
}

func size(b *pipeline.Batch) int {
	n := 0
	for _, r := range b.Records {
		n += len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			n += len(h.Key) + len(h.Value)
		}
	}
	return n
}

// explain turns a code of the protocol into what the pipeline tells apart.
func explain(err error, about string) error {
	var code Code
	if !errors.As(err, &code) {
		return err
	}
	switch code {
	case UnknownTopicOrPartition:
		return fmt.Errorf("%w: %s: %w", pipeline.ErrUnknownTopic, about, err)
	case InvalidProducerEpoch, ProducerFenced, InvalidProducerIDMapping:
		return fmt.Errorf("%w: %s: %w", pipeline.ErrFenced, about, err)
	case OutOfOrderSequence:
		return fmt.Errorf("%w: %s: %w", pipeline.ErrSequence, about, err)
	case MessageTooLarge:
		return fmt.Errorf("%w: %s: %w", pipeline.ErrTooLarge, about, err)
	}
	return fmt.Errorf("asking about %s: %w", about, err)
}
