package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"selfsame/api"
	"selfsame/config"
	"selfsame/identity"
	"selfsame/pipeline"
	"selfsame/profile"
)

func newGraphSimulate() *cobra.Command {
	f := &graphFlags{}
	c := &cobra.Command{
		Use:   "simulate [FILE]",
		Short: "Show what the namespaces of a configuration would do to the graph, or to a file",
		Long: `Without a file: asks a running daemon what would become of its clusters under the
namespaces and max_identities of this configuration, before they are put in force: how many would
split or merge, and the largest of them. The daemon decides all its clusters anew, in a snapshot,
and changes nothing.

With a file, or "-" for standard input: shows the clusters that its events make under the
namespaces. Each line is an event: the identities that were seen together, as NAMESPACE:VALUE,
separated by blanks. The time of an event is the number of its line, or what a word such as @17
says. Empty lines, and lines that begin with #, say nothing. No daemon is asked.`,
		Example: "  selfsame graph simulate --config new.yaml\n" +
			"  selfsame graph simulate events.txt\n" +
			"  echo 'crm:1 cookie:a' | selfsame graph simulate - -o json",
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if len(args) == 0 {
				return simulateLive(c.Context(), f)
			}
			return simulate(f, args[0])
		},
	}
	f.addDaemon(c)
	return c
}

// simulateLive asks a daemon what the rules of the configuration would change.
func simulateLive(ctx context.Context, f *graphFlags) error {
	if f.form == formDOT {
		return fmt.Errorf("%w: --output dot is for a file of events", errUsage)
	}
	entity, err := f.entity()
	if err != nil {
		return err
	}
	client, err := apiClient(f.path, f.address)
	if err != nil {
		return err
	}
	answer, err := client.Simulate(ctx, api.Simulation{Class: entity.Name,
		Rules: pipeline.RulesTextOf(entity.Rules)})
	return printGraph(f.form, answer, err, graphPrinter[pipeline.RulesEffect]{text: effectText})
}

// entity is the entity class asked for, as the configuration has it.
func (f *graphFlags) entity() (*pipeline.Entity, error) {
	cfg, err := config.LoadOffline(f.path)
	if err != nil {
		return nil, err
	}
	model, err := cfg.Model()
	if err != nil {
		return nil, err
	}
	entity := model.Entity(f.query.Class)
	if entity == nil {
		return nil, fmt.Errorf("%w: %s has no entity class %q", errUsage, f.path, f.query.Class)
	}
	return entity, nil
}

// effectText prints what rules would change for people.
func effectText(w io.Writer, e *pipeline.RulesEffect) error {
	fmt.Fprintf(w, "class       %s, %d identities\n", e.Class, e.Identities)
	fmt.Fprintf(w, "clusters    %d now, %d then\n", e.ClustersBefore, e.ClustersAfter)
	fmt.Fprintf(w, "largest     %d now, %d then\n", e.LargestBefore, e.LargestAfter)
	fmt.Fprintf(w, "would split %d, merge %d, only change their id %d\n", e.Split, e.Merged,
		e.Renamed)
	fmt.Fprintf(w, "identities  %d would change their profile\n", e.Moved)
	fmt.Fprintf(w, "silent      %d more hubs, %d contested, %d blocked; %d link again\n", e.Hubs,
		e.Contested, e.Blocked, e.Heard)
	if len(e.Examples) > 0 {
		fmt.Fprintln(w, "\nthe largest clusters that would change:")
	}
	for i := range e.Examples {
		example := &e.Examples[i]
		fmt.Fprintf(w, "  %s (%d)\n", example.ID, len(example.Before))
		for _, after := range example.After {
			fmt.Fprintf(w, "    -> %s (%d): %s\n", after.ID, len(after.Members),
				someOf(after.Members))
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

// someOf lists a few identities.
func someOf(ids []string) string {
	const few = 6
	names := make([]string, 0, few+1)
	for _, id := range ids[:min(len(ids), few)] {
		names = append(names, printable(id))
	}
	if len(ids) > few {
		names = append(names, fmt.Sprintf("and %d more", len(ids)-few))
	}
	return strings.Join(names, "  ")
}

// simulate plays a file of events through the rules of the configuration.
func simulate(f *graphFlags, path string) error {
	entity, err := f.entity()
	if err != nil {
		return err
	}
	text, err := readText(path)
	if err != nil {
		return err
	}
	events, err := identity.ParseEvents(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	outcome, err := identity.Simulate(entity.Rules, events)
	if err != nil {
		return err
	}
	s := newSimulation(entity.Rules, events, outcome)
	s.Class = f.query.Class
	if f.form == formJSON {
		answer, err := json.Marshal(s)
		if err != nil {
			return err
		}
		return printJSON(os.Stdout, answer)
	}
	return graphPrinter[simulation]{simulationText, simulationDOT}.print(os.Stdout, f.form, s)
}

// readText reads a file, or standard input where it is "-".
func readText(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(path)
}

// simulation is what a simulation prints. Times are numbers, as in the file.
type simulation struct {
	Class    string           `json:"class"`
	Clusters [][]string       `json:"clusters"` // the largest first
	Links    []simulatedLink  `json:"links"`    // inside clusters
	LeftOut  []simulatedOut   `json:"left_out"`
	Rejected []simulatedError `json:"rejected"` // events without effect
	Blocked  int              `json:"blocked"`  // values that are ignored as identities
}

type simulatedLink struct {
	A    string `json:"a"`
	B    string `json:"b"`
	Time int64  `json:"time"`
}

type simulatedOut struct {
	Link     simulatedLink  `json:"link"`
	Rule     string         `json:"rule"`
	Conflict []string       `json:"conflict,omitempty"`
	Against  *simulatedLink `json:"against,omitempty"`
}

type simulatedError struct {
	Line  int    `json:"line"`
	Error string `json:"error"`
}

func newSimulation(r *identity.Rules, events []identity.Event, o identity.Simulation) *simulation {
	s := &simulation{Clusters: [][]string{}, Links: []simulatedLink{}, LeftOut: []simulatedOut{},
		Rejected: []simulatedError{}, Blocked: o.Blocked}
	home := map[profile.Identity]int{}
	clusters := slices.Clone(o.Clusters)
	slices.SortStableFunc(clusters, func(a, b []profile.Identity) int { return len(b) - len(a) })
	for i, cluster := range clusters {
		s.Clusters = append(s.Clusters, texts(cluster))
		for _, id := range cluster {
			home[id] = i
		}
	}
	for _, link := range linksOf(r, events) {
		if home[link.A] == home[link.B] {
			s.Links = append(s.Links, simulated(link))
		}
	}
	for i := range o.LeftOut {
		reason := &o.LeftOut[i]
		out := simulatedOut{Link: simulated(reason.Link), Rule: reason.Rule.String(),
			Conflict: texts(reason.Conflict)}
		if reason.Against != nil {
			against := simulated(*reason.Against)
			out.Against = &against
		}
		s.LeftOut = append(s.LeftOut, out)
	}
	for _, rejected := range o.Rejected {
		s.Rejected = append(s.Rejected, simulatedError{rejected.Line, rejected.Err.Error()})
	}
	return s
}

// linksOf lists what the events assert, each link once with its latest time, sorted by its ends.
func linksOf(r *identity.Rules, events []identity.Event) []identity.Link {
	latest := map[[2]profile.Identity]int64{}
	for _, e := range events {
		resolved, err := r.ResolveEvent(e.Claims)
		if err != nil {
			continue // an event without effect; the simulation lists it
		}
		for _, pair := range r.Links(resolved.All) {
			if time, known := latest[pair]; !known || time < e.Time {
				latest[pair] = e.Time
			}
		}
	}
	links := make([]identity.Link, 0, len(latest))
	for pair, time := range latest {
		links = append(links, identity.Link{A: pair[0], B: pair[1], Time: time})
	}
	slices.SortFunc(links, func(x, y identity.Link) int {
		if x.A != y.A {
			return x.A.Compare(y.A)
		}
		return x.B.Compare(y.B)
	})
	return links
}

func simulated(link identity.Link) simulatedLink {
	return simulatedLink{link.A.String(), link.B.String(), link.Time}
}

func texts(ids []profile.Identity) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = id.String()
	}
	return all
}

// simulationText prints a simulation for people.
func simulationText(w io.Writer, s *simulation) error {
	fmt.Fprintf(w, "clusters  %d\n", len(s.Clusters))
	for _, cluster := range s.Clusters {
		names := make([]string, len(cluster))
		for i, id := range cluster {
			names[i] = printable(id)
		}
		fmt.Fprintf(w, "  %s\n", strings.Join(names, "  "))
	}
	fmt.Fprintf(w, "\nleft out  %d\n", len(s.LeftOut))
	for i := range s.LeftOut {
		out := &s.LeftOut[i]
		fmt.Fprintf(w, "  %s -- %s of %d\n      rule: %s\n", printable(out.Link.A),
			printable(out.Link.B), out.Link.Time, ruleText(out.Rule, out.Conflict))
		if out.Against != nil {
			fmt.Fprintf(w, "      against: %s -- %s of %d\n", printable(out.Against.A),
				printable(out.Against.B), out.Against.Time)
		}
	}
	if len(s.Rejected) > 0 {
		fmt.Fprintf(w, "\nwithout effect  %d\n", len(s.Rejected))
	}
	for _, rejected := range s.Rejected {
		fmt.Fprintf(w, "  line %d: %s\n", rejected.Line, rejected.Error)
	}
	_, err := fmt.Fprintf(w, "\nblocked values  %d\n", s.Blocked)
	return err
}

// simulationDOT draws a simulation.
func simulationDOT(d *dotWriter, s *simulation) {
	for i, cluster := range s.Clusters {
		d.cluster(fmt.Sprint(i+1), func() {
			for _, id := range cluster {
				d.node(id, "style=rounded")
			}
		})
	}
	for _, link := range s.Links {
		d.edge(link.A, link.B, "label="+dotLabel(fmt.Sprint(link.Time)))
	}
	for i := range s.LeftOut {
		out := &s.LeftOut[i]
		d.edge(out.Link.A, out.Link.B, "style=dashed, color=red, label="+
			dotLabel(fmt.Sprint(out.Link.Time), out.Rule))
	}
}
