package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"selfsame/config"
	"selfsame/pipeline"
)

func newComputed() *cobra.Command {
	c := &cobra.Command{Use: "computed", Short: "Look at computed attributes and try new ones"}
	c.AddCommand(newComputedList(), newComputedShow(), newComputedPreview())
	return c
}

func newComputedList() *cobra.Command {
	return computedCommand(&cobra.Command{
		Use:   "ls",
		Short: "List the computed attributes of a class, and how far a backfill is",
		Args:  exactly(0),
	}, func(w io.Writer, status *pipeline.ComputedStatus, _ []string) error {
		return printComputed(w, status)
	})
}

func newComputedShow() *cobra.Command {
	return computedCommand(&cobra.Command{
		Use:   "show NAME",
		Short: "Show one computed attribute",
		Args:  exactly(1),
	}, func(w io.Writer, status *pipeline.ComputedStatus, args []string) error {
		for i := range status.Attributes {
			if a := &status.Attributes[i]; a.Name == args[0] {
				return printComputedInfo(w, a, status.Job)
			}
		}
		return fmt.Errorf("class %s has no computed attribute %q", status.Class, args[0])
	})
}

// computedCommand completes a command that tells of the computed attributes of a class.
func computedCommand(c *cobra.Command, print func(io.Writer, *pipeline.ComputedStatus,
	[]string) error) *cobra.Command {
	var path, address, class string
	var asJSON bool
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := apiClient(path, address)
		if err != nil {
			return err
		}
		status, err := client.Computed(c.Context(), class)
		if err != nil {
			return err
		}
		if len(args) == 1 {
			status.Attributes = slices.DeleteFunc(status.Attributes,
				func(a pipeline.ComputedInfo) bool { return a.Name != args[0] })
		}
		if !asJSON {
			return print(os.Stdout, status, args)
		}
		raw, err := json.Marshal(status)
		if err != nil {
			return err
		}
		return printJSON(os.Stdout, raw)
	}
	configFlag(c, &path)
	addressFlag(c, &address)
	c.Flags().StringVar(&class, "class", "profile", "entity class")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func printComputed(w io.Writer, status *pipeline.ComputedStatus) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSTATE\tTYPE\tFUNCTION\tVALUE\tWINDOW\tDATASETS")
	for i := range status.Attributes {
		a := &status.Attributes[i]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.Name, a.State, a.Type,
			a.Spec.Function, pipeline.Said(a.Spec.Value), a.Spec.Window, datasetsOf(&a.Spec))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	printBackfill(w, status.Job)
	return nil
}

func datasetsOf(s *pipeline.ComputedSpec) string {
	if s.Dataset != "" {
		return s.Dataset
	}
	return strings.Join(s.Datasets, ", ")
}

func printBackfill(w io.Writer, job *pipeline.ComputedProgress) {
	if job == nil {
		return
	}
	of := "?"
	if job.Total > 0 {
		of = fmt.Sprint(max(job.Done, job.Total))
	}
	fmt.Fprintf(w, "\n%s, %s: %d of about %s identities and profiles\n", job.ID,
		phaseText(job.Phase), job.Done, of)
}

// phaseText says what a backfill is at.
func phaseText(phase string) string {
	switch phase {
	case pipeline.ComputedPhaseBuild:
		return "building states"
	case pipeline.ComputedPhaseShow:
		return "showing them in profiles"
	case pipeline.ComputedPhaseClear:
		return "clearing what earlier definitions kept"
	}
	return phase
}

func printComputedInfo(w io.Writer, a *pipeline.ComputedInfo,
	job *pipeline.ComputedProgress) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(what, text string) {
		if text != "" {
			fmt.Fprintf(table, "%s\t%s\n", what, text)
		}
	}
	line("name", a.Name)
	line("state", a.State)
	line("type", a.Type)
	line("datasets", datasetsOf(&a.Spec))
	line("function", a.Spec.Function)
	line("value", pipeline.Said(a.Spec.Value))
	line("filter", pipeline.Said(a.Spec.Filter))
	line("window", a.Spec.Window)
	line("zone", pipeline.Said(a.Spec.Zone))
	line("week_start", pipeline.Said(a.Spec.WeekStart))
	if a.Spec.N != nil {
		line("n", fmt.Sprint(*a.Spec.N))
	}
	if a.Spec.MaxDistinct != nil {
		line("max_distinct", fmt.Sprint(*a.Spec.MaxDistinct))
	}
	line("defined", a.Defined)
	line("ready", a.Ready)
	line("counts since", a.Since)
	if err := table.Flush(); err != nil {
		return err
	}
	if a.State != pipeline.ComputedReady {
		printBackfill(w, job)
	}
	return nil
}

func newComputedPreview() *cobra.Command {
	var path, address string
	var q pipeline.ComputedQuery
	var asJSON bool
	c := &cobra.Command{
		Use:   "preview FILE [NAMESPACE:VALUE]",
		Short: "Evaluate new computed attributes on stored events, and change nothing",
		Long: `Asks a running daemon what the computed attributes of a file come to for a person, or
for a sample of all. The file maps names to definitions, as entities.*.computed of the
configuration does.`,
		Example: "  selfsame computed preview new.yaml email:ann@example.org\n" +
			"  selfsame computed preview new.yaml --sample 500",
		Args: between(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 2 {
				if err := checkPreviewed(c, args[1]); err != nil {
					return err
				}
				q.Identity, q.Sample = args[1], 0
			} else if err := checkSample(q.Sample); err != nil {
				return err
			}
			specs, lines, err := config.LoadComputedSpecs(args[0])
			if err != nil {
				return err
			}
			q.Attributes = specs
			client, err := apiClient(path, address)
			if err != nil {
				return err
			}
			answer, err := client.PreviewComputed(c.Context(), q)
			if err != nil {
				return explainRefused(err, lines)
			}
			if asJSON {
				return printJSON(os.Stdout, answer)
			}
			return printComputedPreview(os.Stdout, answer)
		},
	}
	configFlag(c, &path)
	addressFlag(c, &address)
	c.Flags().StringVar(&q.Class, "class", "profile", "entity class")
	c.Flags().IntVar(&q.Sample, "sample", pipeline.DefaultPreviewSample, "profiles to look at, "+
		fmt.Sprintf("evenly among all; 1 to %d", pipeline.MaxPreviewSample))
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// printComputedPreview prints how many profiles have a value, and the values.
func printComputedPreview(w io.Writer, answer []byte) error {
	var p pipeline.ComputedPreview
	if err := json.Unmarshal(answer, &p); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	for i := range p.Profiles {
		d := &p.Profiles[i]
		fmt.Fprintf(w, "profile %s\n", d.ID)
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, name := range sortedKeys(d.Computed) {
			fmt.Fprintf(table, "  %s\t%s\t%s\n", name, shorten(string(d.Computed[name])),
				strings.Join(d.Flags[name], ", "))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%d profiles looked at\n", p.Looked)
	for _, name := range sortedKeys(p.Present) {
		fmt.Fprintf(w, "  %s: %d have a value other than 0\n", name, p.Present[name])
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
