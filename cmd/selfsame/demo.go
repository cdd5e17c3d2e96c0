package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"selfsame/examples/retail"
	"selfsame/internal/lifecycle"
	"selfsame/pipeline"
	"selfsame/profile"
)

// demoSeed makes every demo the same.
const demoSeed = 20261101

func newDemo() *cobra.Command {
	var people int
	c := &cobra.Command{
		Use:   "demo",
		Short: "Play the example shop through an embedded broker and show the outcome",
		Long: `Starts an embedded broker and a daemon in a temporary directory, feeds
them a month of the example shop, waits until every record is accounted for, and shows what
became of the records and three merged profiles with the origin of every attribute. One more page
view shows how a computed attribute rises, and falls five seconds later by itself. Leaves
nothing behind.`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error { return demo(c.Context(), people) },
	}
	c.Flags().IntVar(&people, "people", 400, "people in the shop")
	return c
}

func demo(ctx context.Context, people int) (err error) {
	dir, err := os.MkdirTemp("", "selfsame-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	e, err := startEmbedded(ctx, embeddedOptions{dir: dir, listen: "127.0.0.1:0"}, log)
	if err != nil {
		return err
	}
	defer e.close()
	d, err := openDaemon(ctx, e.cfg, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	messages := retail.Generate(demoSeed, people, time.Now().Add(-retail.Span))
	took, err := d.play(ctx, e, messages)
	if err != nil {
		return err
	}
	return d.report(os.Stdout, messages, took)
}

// play runs the daemon over the messages until all of them are accounted for.
func (d *daemon) play(ctx context.Context, e *embedded, messages []retail.Message) (
	time.Duration, error) {
	start, took := time.Now(), time.Duration(0)
	group := lifecycle.New(ctx, lifecycle.Options{})
	group.Go("daemon", d.run)
	group.Go("feeder", func(ctx context.Context) error {
		defer group.Stop()
		fmt.Printf("sending %d records of the example shop ...\n", len(messages))
		if err := e.send(ctx, messages); err != nil {
			return err
		}
		if err := d.awaitCaughtUp(ctx); err != nil {
			return err
		}
		took = time.Since(start)
		return d.watchFall(ctx, e)
	})
	err := group.Wait()
	return took, err
}

// watchedCookie belongs to nobody in the shop.
const watchedCookie = "demo-visitor"

// watchFall sends one page view, and shows a computed attribute that rises with it and falls when
// the view has left its window, without another record.
func (d *daemon) watchFall(ctx context.Context, e *embedded) error {
	const attribute = "views_just_now"
	fmt.Printf("\none more page view, and the attribute %s, which counts those of the last 5 s:\n",
		attribute)
	topic := d.model.Entities[0].DefaultPolicy().Topic
	out := func() uint64 { return d.pipeline.Shard.Stats().Figures().Emitted[topic] }
	start := time.Now()
	view := retail.View(watchedCookie, "demo-"+start.Format("150405.000"), start)
	if err := e.send(ctx, []retail.Message{view}); err != nil {
		return err
	}
	for _, want := range []string{"1", "0"} {
		before := out()
		if err := d.awaitComputed(ctx, attribute, want); err != nil {
			return fmt.Errorf("waiting for %s to be %s: %w", attribute, want, err)
		}
		fmt.Printf("  after %.1f s  %s: %s\n", time.Since(start).Seconds(), attribute, want)
		for out() == before {
			if err := pipeline.Sleep(ctx, 10*time.Millisecond); err != nil {
				return fmt.Errorf("waiting for the profile to be put out: %w", err)
			}
		}
	}
	return nil
}

// awaitComputed waits until an attribute of the watched visitor has a value; it gives up when a
// window of 5 s must have ended.
func (d *daemon) awaitComputed(ctx context.Context, name, want string) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for {
		got, err := d.computedOf("cookie", watchedCookie, name)
		if got == want || err != nil {
			return err
		}
		if err := pipeline.Sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// computedOf reads a computed attribute of a profile.
func (d *daemon) computedOf(namespace, value, name string) (string, error) {
	a, err := pipeline.NewLookup(d.model, d.store).Find(pipeline.Query{
		Class: d.model.Entities[0].Name, Namespace: namespace, Value: value})
	if err != nil || a == nil || a.Data.Computed == nil {
		return "absent", err
	}
	for _, v := range a.Data.Computed.Values {
		if v.Name == name {
			return brief(v.Value), nil
		}
	}
	return "absent", nil
}

// report prints the table and three profiles, and fails where a record is not accounted for.
func (d *daemon) report(w io.Writer, messages []retail.Message, took time.Duration) error {
	f := d.pipeline.Shard.Stats().Figures()
	var total pipeline.DatasetStats
	reasons := map[string]uint64{}
	for _, ds := range f.Datasets {
		total.Consumed += ds.Consumed
		total.Accepted += ds.Accepted
		total.Duplicate += ds.Duplicate
		total.Superseded += ds.Superseded
		for reason, n := range ds.Rejected {
			reasons[string(reason)] += n
		}
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(what string, n any) { fmt.Fprintf(table, "%s\t%v\t\n", what, n) }
	fmt.Fprintf(w, "\nall records accounted for, in %v\n\n", took.Round(time.Millisecond))
	row("records in", total.Consumed)
	row("accepted", total.Accepted)
	row("duplicate", total.Duplicate)
	row("superseded", total.Superseded)
	var rejected uint64
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		if reasons[reason] > 0 {
			row("rejected: "+reason, reasons[reason])
			rejected += reasons[reason]
		}
	}
	clusters, shown, err := d.survey()
	if err != nil {
		return err
	}
	entity := d.model.Entities[0]
	row("clusters with data", clusters)
	row("profile records out", f.Emitted[entity.DefaultPolicy().Topic])
	if err := table.Flush(); err != nil {
		return err
	}
	for _, a := range shown {
		printAnswer(w, a)
	}
	sum := total.Accepted + total.Duplicate + total.Superseded + rejected
	sent := len(messages) + 1 // and the view of watchFall
	if total.Consumed != uint64(sent) || sum != total.Consumed {
		return fmt.Errorf("sent %d records, consumed %d, of which %d are accounted for",
			sent, total.Consumed, sum)
	}
	return nil
}

// survey counts the clusters and picks the three profiles that most datasets and identities make
// up.
func (d *daemon) survey() (clusters int, shown []*pipeline.Answer, err error) {
	entity := d.model.Entities[0]
	var all []*pipeline.Answer
	lookup := pipeline.NewLookup(d.model, d.store)
	err = lookup.Each(entity.Name, func(a *pipeline.Answer) error {
		all = append(all, a)
		return nil
	})
	slices.SortStableFunc(all, func(a, b *pipeline.Answer) int {
		return cmp.Or(
			cmp.Compare(len(b.Data.Datasets), len(a.Data.Datasets)),
			cmp.Compare(len(b.Data.Members), len(a.Data.Members)),
			cmp.Compare(a.Ref.ID.String(), b.Ref.ID.String()))
	})
	return len(all), all[:min(3, len(all))], err
}

// printAnswer shows a merged profile: identities, then each attribute with its origin.
func printAnswer(w io.Writer, a *pipeline.Answer) {
	fmt.Fprintf(w, "\nprofile %s, from %s\n", a.Ref.ID, strings.Join(a.Data.Datasets, ", "))
	var ids []string
	for _, id := range a.Data.Members {
		ids = append(ids, id.String())
	}
	fmt.Fprintf(w, "  identities: %s\n", strings.Join(ids, "  "))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if a.Data.Computed != nil {
		for _, v := range a.Data.Computed.Values {
			if !v.Value.IsNull() {
				fmt.Fprintf(table, "  %s\t%s\tcomputed\t\n", v.Name, brief(v.Value))
			}
		}
	}
	for _, leaf := range a.Merged.Leaves {
		source := a.Merged.Sources[leaf.Source]
		fmt.Fprintf(
			table,
			"  %s\t%s\t%s via %s\t%s\n",
			leaf.Path,
			brief(leaf.Value),
			source.Dataset,
			source.Identity.Namespace,
			leaf.Stamp.Pos,
		)
	}
	table.Flush()
}

// brief renders a value in at most 40 characters.
func brief(v profile.Value) string {
	text := []rune(string(profile.AppendJSON(nil, v)))
	if len(text) > 40 {
		return string(text[:39]) + "…"
	}
	return string(text)
}
