package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"selfsame/internal/lifecycle"
	"selfsame/pipeline"
)

// delays are the times from when records were due to be produced to when the merged records that
// they caused were read.
type delays struct {
	rate     float64 // records per second produced
	p50, p99 time.Duration
	worst    time.Duration
	matched  int // records that caused a merged record
}

// measureDelay produces new people's records at a steady rate to a pipeline of its own.
func (s *series) measureDelay(ctx context.Context) error {
	rate := s.rate
	if speeds := s.speeds("c"); rate == 0 && len(speeds) > 0 {
		rate = median(speeds) / 2
	}
	if s.latency == 0 || rate == 0 {
		return nil
	}
	input := s.name + ".steady"
	if err := s.cluster.makeInputs(ctx, input); err != nil {
		return err
	}
	due, err := s.schedule(input, rate)
	if err != nil {
		return err
	}
	p, err := spawn(ctx, s.task("c", "steady", input).following())
	if err != nil {
		return err
	}
	if line, err := p.stdout.ReadString('\n'); err != nil || strings.TrimSpace(line) != readyLine {
		_, err := p.finish()
		return fmt.Errorf("the pipeline did not start: %w", err)
	}
	seen, err := s.produceAndRead(ctx, due)
	if err != nil {
		return err
	}
	if _, err := p.finish(); err != nil {
		return err
	}
	s.delay = summarize(seen)
	s.delay.rate = rate
	return nil
}

func (t task) following() task {
	t.Follow = true
	return t
}

// queue is what is produced to one partition, in order: the n-th record has offset n.
type queue struct {
	tp      pipeline.TopicPartition
	records []pipeline.OutRecord
	due     []time.Duration // since the start
}

// schedule makes the records and spreads them evenly.
func (s *series) schedule(input string, rate float64) (map[string]*queue, error) {
	codecs, err := codecs(s.format)
	if err != nil {
		return nil, err
	}
	people := int(rate*s.latency.Seconds()/s.events) + 1
	l := newLoad(people, s.events, codecs)
	queues := map[string]*queue{}
	for n := 0; ; n++ {
		m, ok, err := l.next()
		if err != nil || !ok {
			return queues, err
		}
		tp := pipeline.TopicPartition{Topic: input + "." + m.dataset,
			Partition: pipeline.PartitionOf(m.key, partitions)}
		q := queues[tp.String()]
		if q == nil {
			q = &queue{tp: tp}
			queues[tp.String()] = q
		}
		q.records = append(q.records, pipeline.OutRecord{Key: m.key, Value: m.value})
		q.due = append(q.due, time.Duration(float64(n)/rate*float64(time.Second)))
	}
}

// sighting is a merged record: when the record that caused it was due, and how long that took.
type sighting struct{ due, took time.Duration }

// produceAndRead produces the queues and returns what came out.
func (s *series) produceAndRead(ctx context.Context, queues map[string]*queue) ([]sighting, error) {
	var seen struct {
		sync.Mutex
		all []sighting
	}
	start := time.Now()
	reading, stop := context.WithCancel(ctx)
	defer stop()
	group := lifecycle.New(ctx, lifecycle.Options{})
	group.Go("output", func(context.Context) error {
		earliest := pipeline.Start{Kind: pipeline.StartEarliest}
		topic := s.name + ".steady.profiles"
		return s.cluster.client.Tail(reading, topic, earliest, func(r pipeline.Record) error {
			due, err := dueOf(&r, queues)
			if err != nil {
				return err
			}
			seen.Lock()
			defer seen.Unlock()
			seen.all = append(seen.all, sighting{due, time.Since(start) - due})
			return nil
		})
	})
	var producers sync.WaitGroup
	for name, q := range queues {
		producers.Add(1)
		group.Go("producer/"+name, func(ctx context.Context) error {
			defer producers.Done()
			return s.play(ctx, q, start)
		})
	}
	group.Go("producers", func(ctx context.Context) error {
		defer stop()
		producers.Wait()
		return pipeline.Sleep(ctx, settleTime)
	})
	err := group.Wait()
	return seen.all, err
}

const (
	// playInterval is how often what is due is produced.
	playInterval = 2 * time.Millisecond
	// settleTime is how long merged records are waited for after the last was produced.
	settleTime = 3 * time.Second
)

// play produces one queue at its pace.
func (s *series) play(ctx context.Context, q *queue, start time.Time) error {
	for sent := 0; sent < len(q.records); {
		n, _ := slices.BinarySearch(q.due, time.Since(start))
		if n > sent {
			times := make([]int64, n-sent)
			for i := range times {
				times[i] = start.Add(q.due[sent+i]).UnixNano()
			}
			err := s.cluster.client.Send(ctx, q.tp.Topic, q.tp.Partition, q.records[sent:n], times)
			if err != nil {
				return err
			}
			sent = n
		}
		if err := pipeline.Sleep(ctx, playInterval); err != nil {
			return err
		}
	}
	return nil
}

// dueOf finds when the record that caused r was due.
func dueOf(r *pipeline.Record, queues map[string]*queue) (time.Duration, error) {
	cause, _ := r.Header(pipeline.HeaderCause)
	name := string(cause)
	cut := strings.LastIndexByte(name, '/')
	if cut < 0 {
		return 0, fmt.Errorf("the merged record at %s names no cause", r.Pos)
	}
	offset, err := strconv.Atoi(name[cut+1:])
	q := queues[name[:cut]]
	if err != nil || q == nil || offset < 0 || offset >= len(q.due) {
		return 0, fmt.Errorf("the merged record at %s has a cause that was not produced", r.Pos)
	}
	return q.due[offset], nil
}

// summarize leaves out the first tenth, in which connections are made and everything is cold.
func summarize(seen []sighting) delays {
	var last time.Duration
	for _, one := range seen {
		last = max(last, one.due)
	}
	var took []time.Duration
	for _, one := range seen {
		if one.due >= last/10 {
			took = append(took, one.took)
		}
	}
	if len(took) == 0 {
		return delays{}
	}
	slices.Sort(took)
	return delays{matched: len(took), p50: took[len(took)/2], p99: took[len(took)*99/100],
		worst: took[len(took)-1]}
}
