package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"selfsame/internal/lifecycle"
	"selfsame/pipeline"
	"selfsame/schemas"
)

// troubles say how large the troubles of a run are.
type troubles struct {
	on       bool
	cookies  int           // of one person, in the storm
	visitors int           // of one kiosk
	pairs    int           // of people at the cap of identities, who are joined
	events   int           // that each of them has
	deleted  int           // people of whom a deleted dataset tells
	rate     float64       // records of trouble per second; pairs are joined over mergeTime
	quiet    time.Duration // before each trouble
}

// flags adds what can be said on the command line.
func (o *troubles) flags(flags *flag.FlagSet) {
	flags.BoolVar(&o.on, "trouble", false,
		"instead of all else measure how long records take while other people are in trouble")
	flags.IntVar(&o.cookies, "cookies", 50_000, "trouble: cookies of one person")
	flags.IntVar(&o.visitors, "visitors", 100_000, "trouble: people who use one kiosk")
	flags.IntVar(&o.pairs, "pairs", 20, "trouble: pairs of people who are joined")
	flags.IntVar(&o.events, "pair-events", 10_000, "trouble: events of each of them")
	flags.IntVar(&o.deleted, "deleted", 50_000,
		"trouble: people of whom a dataset tells that is deleted")
	flags.Float64Var(&o.rate, "trouble-rate", 1000, "trouble: records of it per second")
	flags.DurationVar(&o.quiet, "quiet", 10*time.Second, "trouble: how long quiet phases are")
}

func (o *troubles) check() error {
	if o.on && (o.cookies < 1 || o.visitors < 1 || o.pairs < 1 || o.events < identitiesMax ||
		o.deleted < 1 || o.rate <= 0 || o.quiet < time.Second) {
		return fmt.Errorf("troubles need a cookie, a visitor, a pair, %d events, a deleted "+
			"person, a rate and a second of quiet at least", identitiesMax)
	}
	return nil
}

const (
	// steadyRate is how many records of people who have nothing to do with the trouble come per
	// second, where the flag does not say.
	steadyRate = 1000
	// warmUp is how long they come before the first phase.
	warmUp = 5 * time.Second
	// mergeTime is how long it takes to join all pairs.
	mergeTime = 10 * time.Second
	// deleteTime is how long records come while the dataset is deleted.
	deleteTime = 20 * time.Second
)

// phase is a part of the run.
type phase struct {
	name       string
	begin, end time.Duration // since the start
	records    int           // besides the steady ones
	length     time.Duration // 0: as long as the records take at the rate of trouble
	// make makes the n-th of them, at a time; nil: they are ordinary, of people of their own.
	make func(n int, at time.Time) message
}

// rate is how many records come per second besides the steady ones.
func (p *phase) rate() float64 { return float64(p.records) / (p.end - p.begin).Seconds() }

// turmoil is a run of the pipeline in which some people get into trouble while the records of
// others come at a steady rate. All of them go to the same topics, to the partitions that their
// keys choose: in life trouble has no topic of its own, and who shares a partition with it waits
// behind it.
type turmoil struct {
	*series
	codecs map[string]*schemas.Schema
	input  string
	phases []phase
	sent   int64 // records in all, with those that prepared the pairs
	seen   []sighting
	got    figures
}

// measureTrouble runs it and prints the outcome. What was dropped without a word is an error.
func (s *series) measureTrouble(ctx context.Context) error {
	codecs, err := codecs(s.format)
	if err != nil {
		return err
	}
	if s.rate == 0 {
		s.rate = steadyRate
	}
	t := &turmoil{series: s, codecs: codecs, input: s.name + ".troubled", phases: s.trouble.plan()}
	if err := t.run(ctx); err != nil {
		return err
	}
	t.print(os.Stdout)
	return t.verify()
}

// plan lays out the phases.
func (o *troubles) plan() []phase {
	var phases []phase
	at := warmUp
	add := func(p phase, length time.Duration) {
		p.begin, p.end = at, at+length
		at = p.end
		phases = append(phases, p)
	}
	for _, p := range []phase{
		{name: "more of the same", records: o.cookies},
		{name: "storm", records: o.cookies, make: storm},
		{name: "kiosk", records: o.visitors, make: kiosk},
		{name: "merge", records: o.pairs, make: joinPair, length: mergeTime},
		{name: "delete", records: 1, make: deleteLegacy, length: deleteTime},
	} {
		add(phase{name: quiet}, o.quiet)
		add(p, cmp.Or(p.length, every(p.records, o.rate)))
	}
	add(phase{name: quiet}, o.quiet)
	return phases
}

// quiet is a phase in which nothing but the steady records come.
const quiet = "quiet"

func (t *turmoil) run(ctx context.Context) error {
	if err := t.cluster.makeInputs(ctx, t.input); err != nil {
		return err
	}
	if err := t.preparePairs(ctx); err != nil {
		return err
	}
	if err := t.send(ctx, t.trouble.deleted, legacy); err != nil {
		return fmt.Errorf("preparing the dataset that is deleted: %w", err)
	}
	all, err := t.schedule(ctx)
	if err != nil {
		return err
	}
	c := t.task("c", "troubled", t.input).following()
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	p, err := spawn(ctx, c)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := p.awaitReady(); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s, %s: %d pairs of %d events each, and %d people of a dataset, are "+
		"consumed after %.0f s\n", t.cluster.name, t.format, t.trouble.pairs, 2*t.trouble.events,
		t.trouble.deleted, time.Since(began).Seconds())
	group := lifecycle.New(ctx, lifecycle.Options{})
	group.Go("records", func(ctx context.Context) (err error) {
		t.seen, err = t.produceAndRead(ctx, "troubled", all)
		return err
	})
	group.Go("phases", func(ctx context.Context) error { return t.announce(ctx, p) })
	if err := group.Wait(); err != nil {
		_, failed := p.finish()
		return errors.Join(err, failed)
	}
	t.got, err = p.finish()
	return err
}

// announce tells the pipeline when a phase begins, so that it counts each on its own.
func (t *turmoil) announce(ctx context.Context, p *process) error {
	start := time.Now()
	for i := range t.phases {
		if err := pipeline.Sleep(ctx, t.phases[i].begin-time.Since(start)); err != nil {
			return err
		}
		if err := p.tell(fmt.Sprintf("%d %s", i+1, t.phases[i].name)); err != nil {
			return fmt.Errorf("telling the pipeline of a phase: %w", err)
		}
	}
	return nil
}

// dueMessage is a record of the run.
type dueMessage struct {
	message
	due     time.Duration
	trouble bool
}

// schedule makes all records of the run, in the order in which they are due.
func (t *turmoil) schedule(ctx context.Context) (queues, error) {
	var list []dueMessage
	ordinary := func(from, to time.Duration, rate float64, first int32) error {
		people := int(rate*(to-from).Seconds()/t.series.events) + 1
		l := newLoad(people, t.series.events, t.codecs)
		l.first = first
		for n := 0; ; n++ {
			m, ok, err := l.next()
			due := from + every(n, rate)
			if err != nil || !ok || due >= to {
				return err
			}
			list = append(list, dueMessage{m, due, first != 0})
		}
	}
	last := t.phases[len(t.phases)-1].end
	if err := ordinary(0, last, t.rate, 0); err != nil {
		return nil, err
	}
	now := time.Now()
	for i := range t.phases {
		p := &t.phases[i]
		if p.records > 0 && p.make == nil {
			if err := ordinary(p.begin, p.end, p.rate(), firstOther); err != nil {
				return nil, err
			}
			continue
		}
		for n := range p.records {
			due := p.begin + every(n, p.rate())
			m := p.make(n, now.Add(due))
			if err := m.encode(t.codecs); err != nil {
				return nil, err
			}
			list = append(list, dueMessage{m, due, true})
		}
	}
	return t.queue(ctx, list)
}

// queue sorts records into partitions, behind what is there already.
func (t *turmoil) queue(ctx context.Context, list []dueMessage) (queues, error) {
	slices.SortStableFunc(list, func(a, b dueMessage) int { return int(a.due - b.due) })
	var topics []string
	for _, dataset := range append(slices.Clone(inputDatasets), control) {
		topics = append(topics, t.input+"."+dataset)
	}
	bases, prepared, err := inputEnds(ctx, t.cluster.client, topics)
	if err != nil {
		return nil, err
	}
	all := queues{}
	for tp, base := range bases { // also of those to which nothing is produced any more
		all[tp.String()] = &queue{tp: tp, base: base}
	}
	for i := range list {
		q := all.of(t.input, list[i].message)
		q.put(list[i].message, list[i].due)
		q.trouble = append(q.trouble, list[i].trouble)
	}
	t.sent = prepared + int64(len(list))
	return all, nil
}

// verify makes sure that nothing was dropped in silence: every record that was produced was
// consumed and accepted, since all are sound, and the store is whole.
func (t *turmoil) verify() error {
	last := t.got.Marks[len(t.got.Marks)-1]
	outcomes := last.Accepted + last.Duplicate + last.Superseded + last.Rejected
	switch {
	case last.Positions != t.sent || last.Consumed != uint64(t.sent) || outcomes != last.Consumed:
		return fmt.Errorf("%d records were produced, %d read, %d consumed, %d have an outcome",
			t.sent, last.Positions, last.Consumed, outcomes)
	case last.Duplicate+last.Superseded+last.Rejected+last.DeadLetters > 0:
		return fmt.Errorf("of %d records, all sound, %d were duplicates, %d superseded, "+
			"%d rejected; %d dead letters", t.sent, last.Duplicate, last.Superseded,
			last.Rejected, last.DeadLetters)
	case last.JobsDone != 1:
		return fmt.Errorf("%d jobs have ended, want the deletion of the dataset", last.JobsDone)
	case t.got.Problems > 0:
		return fmt.Errorf("the check of the store found %d problems", t.got.Problems)
	}
	return nil
}
