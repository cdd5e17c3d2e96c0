package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"selfsame/api"
	"selfsame/pipeline"
	"selfsame/profile"
)

// errIdentity says how an identity is named.
func errIdentity() error {
	return fmt.Errorf("%w: want NAMESPACE:VALUE, such as email:ann@example.org", errUsage)
}

func newExplain() *cobra.Command {
	var path, address string
	var q api.ProvenanceQuery
	var asJSON bool
	c := &cobra.Command{
		Use:   "explain NAMESPACE:VALUE [PATH]",
		Short: "Tell why the attributes of a profile are what they are",
		Long: `Asks a running daemon for everything that was said of the attributes of a merged
profile: what stands, what does not, why, and which record said it. PATH is an attribute, or an
object: then all below it.`,
		Example: "  selfsame explain email:ann@example.org\n" +
			"  selfsame explain customer:4711 address.city --policy marketing",
		Args: between(1, 2),
		RunE: func(c *cobra.Command, args []string) error {
			var ok bool
			if q.Identity, ok = profile.ParseIdentity(args[0]); !ok {
				return errIdentity()
			}
			if len(args) == 2 {
				q.Path = args[1]
			}
			client, err := apiClient(path, address)
			if err != nil {
				return err
			}
			answer, err := client.Provenance(c.Context(), q)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(os.Stdout, answer)
			}
			return printExplanation(os.Stdout, answer)
		},
	}
	configFlag(c, &path)
	addressFlag(c, &address)
	c.Flags().StringVar(&q.Class, "class", "profile", "entity class")
	c.Flags().StringVar(&q.Policy, "policy", "", "merge policy (default: the class's default)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// printExplanation prints a line per statement; those that do not stand are set in.
func printExplanation(w io.Writer, answer []byte) error {
	var x pipeline.Explanation
	if err := json.Unmarshal(answer, &x); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	fmt.Fprintf(w, "profile %s under policy %s\n\n", x.ID, x.Policy)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ATTRIBUTE\tSTATEMENT\tREASON\tDATASET\tIDENTITY\tTIME\tRECORD")
	for _, a := range x.Attributes {
		for _, s := range a.Statements {
			name := a.Path
			if !s.Stands {
				name = "  not"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s:%s\t%s\t%s/%d/%d\n", name, said(&s), s.Reason,
				s.Dataset, s.Identity.Namespace, s.Identity.Value, s.Time, s.Topic, s.Partition,
				s.Offset)
		}
	}
	return table.Flush()
}

// said shows a statement in a table, cut off where it is long.
func said(s *pipeline.Statement) string {
	if s.Unset != "" {
		return "(unset " + s.Unset + ")"
	}
	return shorten(string(s.Value))
}

// shorten cuts off a value that is too long for a table.
func shorten(text string) string {
	const most = 48
	if letters := []rune(text); len(letters) > most {
		return string(letters[:most-3]) + "..."
	}
	return text
}
