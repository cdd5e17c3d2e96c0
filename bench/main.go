package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

// plan is what a run of the program measures.
type plan struct {
	people     int
	events     float64 // of a person, on average
	formats    []string
	brokers    []string
	contenders string
	rounds     int
	latency    time.Duration // of producing; 0: not measured
	rate       float64       // of producing; 0: half of c's
	trouble    troubles
	prof       string
	dir        string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var p plan
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&p.people, "people", 100_000, "people in the load")
	flags.Float64Var(&p.events, "events", 3, "records of a person, on average")
	formats := flags.String("formats", "json,avro", "formats, in order")
	brokers := flags.String("brokers", "embedded,real",
		"brokers, in order: embedded, real (left out where none can run), or host:port")
	flags.StringVar(&p.contenders, "contenders", "abc", "contenders of a round, in order")
	flags.IntVar(&p.rounds, "rounds", 3, "rounds for each broker and format")
	flags.DurationVar(&p.latency, "latency", 30*time.Second, "how long to produce at a steady rate")
	flags.Float64Var(&p.rate, "rate", 0,
		"records per second to produce; 0: half of c's speed, with -trouble 1000")
	p.trouble.flags(flags)
	flags.StringVar(&p.prof, "prof", "", "directory for pprof profiles of every contender")
	flags.StringVar(&p.dir, "dir", "", "directory for state, on the disk to be measured")
	child := flags.String("contend", "", "internal: be a contender")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *child != "" {
		return contend(ctx, *child)
	}
	debug.SetGCPercent(outsideGCPercent)
	p.formats, p.brokers = strings.Split(*formats, ","), strings.Split(*brokers, ",")
	return p.run(ctx)
}

// outsideGCPercent is GOGC of the process that has the embedded broker and all that is produced in
// its memory. In life they are on other machines: collecting their gigabytes as often as is usual
// takes a processor away from the pipeline for a quarter of a second, and that is in its figures.
const outsideGCPercent = 400

// check refuses a plan that cannot be carried out, before minutes have gone into it.
func (p *plan) check() error {
	switch {
	case p.people < 1 || p.events < 1 || p.rounds < 1:
		return errors.New("people, events and rounds must be at least 1")
	case strings.Trim(p.contenders, "abc") != "":
		return fmt.Errorf("contenders %q: only a, b and c are known", p.contenders)
	}
	if err := p.trouble.check(); err != nil {
		return err
	}
	for _, format := range p.formats {
		if format != "json" && format != "avro" {
			return fmt.Errorf("format %q is not json or avro", format)
		}
	}
	return nil
}

func (p *plan) run(ctx context.Context) (err error) {
	if err := p.check(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(p.dir, "selfsame-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p.dir = dir
	printMachine(os.Stdout)
	for _, kind := range p.brokers {
		c, err := open(kind)
		if err != nil && kind == "real" && len(p.brokers) > 1 {
			fmt.Printf("\nleft out: %v\n", err)
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(p.against(ctx, c), c.close()); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) against(ctx context.Context, c *cluster) error {
	for _, format := range p.formats {
		s := &series{plan: p, cluster: c, format: format, name: "bench-" + stamp() + "." + format}
		if p.trouble.on {
			if err := s.measureTrouble(ctx); err != nil {
				return err
			}
			continue
		}
		if err := s.run(ctx); err != nil {
			return err
		}
		s.print(os.Stdout)
	}
	return nil
}

// stamp tells the topics of this run from those that an earlier one left in a broker.
func stamp() string { return time.Now().UTC().Format("20060102T150405") }

// series is all rounds against one broker in one format.
type series struct {
	*plan
	cluster *cluster
	format  string
	name    string // what all topics begin with
	filled  filled
	rounds  []map[string]figures // by contender
	delay   delays
}

func (s *series) run(ctx context.Context) error {
	input := s.name + ".in"
	if err := s.cluster.makeInputs(ctx, input); err != nil {
		return err
	}
	codecs, err := codecs(s.format)
	if err != nil {
		return err
	}
	s.filled, err = newLoad(s.people, s.events, codecs).fill(ctx, s.cluster.client, input)
	if err != nil {
		return err
	}
	for n := range s.plan.rounds {
		round := map[string]figures{}
		s.rounds = append(s.rounds, round)
		for _, contender := range strings.Split(s.contenders, "") {
			t := s.task(contender, fmt.Sprintf("%s%d", contender, n+1), input)
			if round[contender], err = s.contend(ctx, t); err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%s, %s, round %d, %s: %.0f events/s\n",
				s.cluster.name, s.format, n+1, contender, round[contender].perSecond())
		}
	}
	return s.measureDelay(ctx)
}

func (s *series) task(contender, run, input string) task {
	run = s.name + "." + run
	return task{Contender: contender, Broker: s.cluster.addr, Format: s.format, Input: input,
		Run: run, Dir: filepath.Join(s.dir, run), Prof: s.prof}
}

// contend runs a contender in a process and removes what it leaves on the disk.
func (s *series) contend(ctx context.Context, t task) (f figures, err error) {
	if err := os.MkdirAll(t.Dir, 0o700); err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(t.Dir)) }()
	p, err := spawn(ctx, t)
	if err != nil {
		return f, err
	}
	return p.finish()
}

// speeds lists the speeds of a contender, one of each round.
func (s *series) speeds(contender string) []float64 {
	return s.each(contender, func(f *figures) float64 { return f.perSecond() })
}

func (s *series) each(contender string, of func(*figures) float64) []float64 {
	var all []float64
	for _, round := range s.rounds {
		if f, ok := round[contender]; ok {
			all = append(all, of(&f))
		}
	}
	return all
}

// median of values, 0 of none. The slice is sorted.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return values[n/2]
	}
	return (values[n/2-1] + values[n/2]) / 2
}
