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
	if err := p.awaitReady(); err != nil {
		return err
	}
	seen, err := s.produceAndRead(ctx, "steady", due)
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

// queue is what is produced to one partition, in order: the n-th record has offset base+n. It has
// no pointer of its own for each record: to follow millions of them while records are produced
// would keep the collector busy, at the expense of what is measured.
type queue struct {
	tp      pipeline.TopicPartition
	base    int64
	text    []byte          // keys and values, one after the other
	ends    []int           // in text: of each record, the end of its key and of its value
	due     []time.Duration // since the start
	trouble []bool          // whose merged records are not measured; nil: all are
}

// put adds a record that is due later than those before it.
func (q *queue) put(m message, due time.Duration) {
	q.text = append(q.text, m.key...)
	q.ends = append(q.ends, len(q.text))
	q.text = append(q.text, m.value...)
	q.ends = append(q.ends, len(q.text))
	q.due = append(q.due, due)
}

// between returns the records from one to before another.
func (q *queue) between(from, to int) []pipeline.OutRecord {
	records := make([]pipeline.OutRecord, to-from)
	for i := range records {
		n, begin := 2*(from+i), 0
		if n > 0 {
			begin = q.ends[n-1]
		}
		records[i] = pipeline.OutRecord{Key: q.text[begin:q.ends[n]],
			Value: q.text[q.ends[n]:q.ends[n+1]]}
	}
	return records
}

// queues are what is produced, by partition.
type queues map[string]*queue

// of returns the queue that the key of m chooses.
func (qs queues) of(input string, m message) *queue {
	tp := pipeline.TopicPartition{Topic: input + "." + m.dataset,
		Partition: pipeline.PartitionOf(m.key, partitionsOf(m.dataset))}
	q := qs[tp.String()]
	if q == nil {
		q = &queue{tp: tp}
		qs[tp.String()] = q
	}
	return q
}

// schedule makes the records and spreads them evenly.
func (s *series) schedule(input string, rate float64) (queues, error) {
	codecs, err := codecs(s.format)
	if err != nil {
		return nil, err
	}
	people := int(rate*s.latency.Seconds()/s.events) + 1
	l := newLoad(people, s.events, codecs)
	all := queues{}
	for n := 0; ; n++ {
		m, ok, err := l.next()
		if err != nil || !ok {
			return all, err
		}
		all.of(input, m).put(m, every(n, rate))
	}
}

// every is when the n-th of things that happen at a steady rate is due.
func every(n int, rate float64) time.Duration {
	return time.Duration(float64(n) / rate * float64(time.Second))
}

// sighting is a merged record: when the record that caused it was due, and how long that took.
type sighting struct{ due, took time.Duration }

// produceAndRead produces the queues and returns what came out of a run.
func (s *series) produceAndRead(ctx context.Context, run string, all queues) ([]sighting, error) {
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
		topic := s.name + "." + run + ".profiles"
		return s.cluster.client.Tail(reading, topic, earliest, func(r pipeline.Record) error {
			due, measured, err := all.dueOf(&r)
			if err != nil || !measured {
				return err
			}
			seen.Lock()
			defer seen.Unlock()
			seen.all = append(seen.all, sighting{due, time.Since(start) - due})
			return nil
		})
	})
	var producers sync.WaitGroup
	for name, q := range all {
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
	for sent := 0; sent < len(q.due); {
		n, _ := slices.BinarySearch(q.due, time.Since(start))
		if n > sent {
			times := make([]int64, n-sent)
			for i := range times {
				times[i] = start.Add(q.due[sent+i]).UnixNano()
			}
			err := s.cluster.client.Send(ctx, q.tp.Topic, q.tp.Partition, q.between(sent, n), times)
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

// dueOf finds when the record that caused r was due, and whether it is one to be measured.
func (qs queues) dueOf(r *pipeline.Record) (due time.Duration, measured bool, err error) {
	cause, _ := r.Header(pipeline.HeaderCause)
	name := string(cause)
	cut := strings.LastIndexByte(name, '/')
	if cut < 0 {
		return 0, false, fmt.Errorf("the merged record at %s names no cause", r.Pos)
	}
	offset, err := strconv.ParseInt(name[cut+1:], 10, 64)
	q := qs[name[:cut]]
	if err != nil || q == nil || offset < 0 || offset-q.base >= int64(len(q.due)) {
		return 0, false, fmt.Errorf("the merged record at %s has a cause that was not produced",
			r.Pos)
	}
	n := offset - q.base
	if n < 0 || q.trouble != nil && q.trouble[n] {
		return 0, false, nil
	}
	return q.due[n], true, nil
}

// summarize leaves out the first tenth, in which connections are made and everything is cold.
func summarize(seen []sighting) delays {
	var last time.Duration
	for _, one := range seen {
		last = max(last, one.due)
	}
	return delaysBetween(seen, last/10, last+1)
}

// delaysBetween sums up what was due from one time to before another.
func delaysBetween(seen []sighting, from, to time.Duration) delays {
	var took []time.Duration
	for _, one := range seen {
		if one.due >= from && one.due < to {
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
