package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"selfsame/api"
	"selfsame/pipeline"
	"selfsame/profile"
)

// Forms of what the graph commands print.
const (
	formText = "text"
	formJSON = "json"
	formDOT  = "dot"
)

// graphFlags are the flags that the graph commands share.
type graphFlags struct {
	path, address string
	form          string
	query         api.GraphQuery
}

func newGraph() *cobra.Command {
	c := &cobra.Command{
		Use:   "graph",
		Short: "Look into the identity graph: who is linked with whom, and why",
		Long: `Shows what the identity graph is made of. The answers hold personal data. As
Graphviz DOT they can be drawn: selfsame graph show ID -o dot | dot -Tsvg > graph.svg`,
	}
	c.AddCommand(newGraphShow(), newGraphExplain(), newGraphTop(), newGraphSimulate())
	return c
}

func newGraphShow() *cobra.Command {
	f := &graphFlags{}
	c := &cobra.Command{
		Use:   "show NAMESPACE:VALUE",
		Short: "Show the cluster of an identity, its links, and what was left out and why",
		Long: `Asks a running daemon for the identities that are one self with the given one, the
links that make them so, each with the records that assert it, and the links that were left out: by
which rule, and against which accepted link. A left-out link counts again when what is in its way
goes away.`,
		Example: "  selfsame graph show email:ann@example.org\n" +
			"  selfsame graph show cookie:4711 -o dot | dot -Tsvg > graph.svg",
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := f.client(args)
			if err != nil {
				return err
			}
			answer, err := client.Graph(c.Context(), f.query, args[0])
			return printGraph(f.form, answer, err, graphPrinter[pipeline.GraphCluster]{
				clusterText, clusterDOT})
		},
	}
	f.addDaemon(c)
	c.Flags().IntVar(&f.query.Limit, "limit", pipeline.DefaultGraphLimit,
		"links, and links left out, to list")
	return c
}

func newGraphExplain() *cobra.Command {
	f := &graphFlags{}
	c := &cobra.Command{
		Use:   "explain NAMESPACE:VALUE NAMESPACE:VALUE",
		Short: "Say why two identities are one self, or are not",
		Long: `Asks a running daemon for the links that lead from one identity to the other, each
with dataset, time and place of the records that assert it. Where the two are not one self, it lists
the links between their clusters that were left out, and why.`,
		Example: "  selfsame graph explain email:ann@example.org cookie:4711",
		Args:    exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := f.client(args)
			if err != nil {
				return err
			}
			answer, err := client.Explain(c.Context(), f.query, args[0], args[1])
			return printGraph(f.form, answer, err, graphPrinter[pipeline.GraphExplanation]{
				explanationText, explanationDOT})
		},
	}
	f.addDaemon(c)
	c.Flags().IntVar(&f.query.Limit, "limit", pipeline.DefaultGraphLimit,
		"links left out to list")
	return c
}

func newGraphTop() *cobra.Command {
	f := &graphFlags{}
	c := &cobra.Command{
		Use:   "top",
		Short: "Show the largest clusters, and the identities whose links are refused most",
		Long: `Asks a running daemon what is large in the graph, and what is pulling it together
now: the identities whose links were left out most often since it started, and the dataset that
asserts them. These are shared devices, default addresses and faulty sources. The daemon reads all
clusters for it, which takes a while in a large store.`,
		Example: "  selfsame graph top\n  selfsame graph top -n 5 -o json | jq .refused",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := f.client(nil)
			if err != nil {
				return err
			}
			answer, err := client.Top(c.Context(), f.query)
			return printGraph(f.form, answer, err, graphPrinter[pipeline.GraphTop]{topText,
				topDOT})
		},
	}
	f.addDaemon(c)
	c.Flags().IntVarP(&f.query.Limit, "limit", "n", pipeline.DefaultGraphTop,
		"clusters and identities to list")
	return c
}

// add adds the flags of all graph commands.
func (f *graphFlags) add(c *cobra.Command) {
	configFlag(c, &f.path)
	c.Flags().StringVarP(&f.form, "output", "o", formText, "text, json or dot (Graphviz)")
	c.Flags().StringVar(&f.query.Class, "class", api.DefaultClass, "entity class")
}

// addDaemon adds those of commands that ask a daemon.
func (f *graphFlags) addDaemon(c *cobra.Command) {
	f.add(c)
	addressFlag(c, &f.address)
}

// check refuses a form that there is not.
func (f *graphFlags) check() error {
	switch f.form {
	case formText, formJSON, formDOT:
		return nil
	}
	return fmt.Errorf("%w: --output wants text, json or dot, got %q", errUsage, f.form)
}

// client checks how the command was called, and reaches the daemon.
func (f *graphFlags) client(identities []string) (*api.Client, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if f.query.Limit < 1 {
		return nil, fmt.Errorf("%w: --limit wants at least 1", errUsage)
	}
	for _, text := range identities {
		if _, ok := profile.ParseIdentity(text); !ok {
			return nil, fmt.Errorf("%w: want NAMESPACE:VALUE, such as email:ann@example.org",
				errUsage)
		}
	}
	return apiClient(f.path, f.address)
}

// graphPrinter writes an answer for people, or for Graphviz.
type graphPrinter[T any] struct {
	text func(io.Writer, *T) error
	dot  func(*dotWriter, *T)
}

// printGraph prints a daemon's answer in the form asked for; err is why there is none.
func printGraph[T any](form string, answer []byte, err error, p graphPrinter[T]) error {
	if err != nil {
		return err
	}
	if form == formJSON {
		return printJSON(os.Stdout, answer)
	}
	var a T
	if err := json.Unmarshal(answer, &a); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	return p.print(os.Stdout, form, &a)
}

// print writes a as text or DOT.
func (p graphPrinter[T]) print(w io.Writer, form string, a *T) error {
	if form == formDOT {
		return writeDOT(w, func(d *dotWriter) { p.dot(d, a) })
	}
	return p.text(w, a)
}
