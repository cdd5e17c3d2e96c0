package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"selfsame/api"
	"selfsame/config"
	"selfsame/pipeline"
	"selfsame/profile"
)

func newPolicy() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Try merge policies"}
	c.AddCommand(newPolicyPreview())
	return c
}

// checkPreviewed checks the identity that a preview is asked for, in place of a sample.
func checkPreviewed(c *cobra.Command, identity string) error {
	if _, ok := profile.ParseIdentity(identity); !ok {
		return errIdentity()
	}
	if c.Flags().Changed("sample") {
		return fmt.Errorf("%w: want an identity or --sample, not both", errUsage)
	}
	return nil
}

// checkSample checks how many profiles a preview is to look at.
func checkSample(sample int) error {
	if sample < 1 || sample > pipeline.MaxPreviewSample {
		return fmt.Errorf("%w: --sample: want 1 to %d", errUsage, pipeline.MaxPreviewSample)
	}
	return nil
}

// explainRefused says where in its file a definition is that the daemon refuses.
func explainRefused(err error, file *config.SpecFile) error {
	var refused *api.DefinitionsError
	if errors.As(err, &refused) {
		return file.Explain(refused.Problems)
	}
	return err
}

func newPolicyPreview() *cobra.Command {
	var path, address, file string
	var q pipeline.PreviewQuery
	var asJSON bool
	c := &cobra.Command{
		Use:   "preview --policy FILE [NAMESPACE:VALUE]",
		Short: "Show what another merge policy would change, and change nothing",
		Long: `Asks a running daemon which attributes of a person, or of a sample of all, would be
others under a merge policy of a file. The file has the keys of a policy that say how to merge:
strategy, precedence, overrides, stitching.`,
		Example: "  selfsame policy preview --policy new.yaml email:ann@example.org\n" +
			"  selfsame policy preview --policy new.yaml --sample 500",
		Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				if err := checkPreviewed(c, args[0]); err != nil {
					return err
				}
				q.Identity, q.Sample = args[0], 0
			} else if err := checkSample(q.Sample); err != nil {
				return err
			}
			policy, lines, err := config.LoadMergeSpec(file)
			if err != nil {
				return err
			}
			q.Policy = policy
			client, err := apiClient(path, address)
			if err != nil {
				return err
			}
			answer, err := client.Preview(c.Context(), q)
			if err != nil {
				return explainRefused(err, lines)
			}
			if asJSON {
				return printJSON(os.Stdout, answer)
			}
			return printPreview(os.Stdout, answer)
		},
	}
	configFlag(c, &path)
	addressFlag(c, &address)
	c.Flags().StringVar(&file, "policy", "", "file with the merge policy (required)")
	c.Flags().StringVar(&q.Class, "class", "profile", "entity class")
	c.Flags().StringVar(&q.Against, "against", "",
		"merge policy to compare with (default: the class's default)")
	c.Flags().IntVar(&q.Sample, "sample", pipeline.DefaultPreviewSample, "about so many profiles "+
		fmt.Sprintf("to look at, evenly among all; at most %d", pipeline.MaxPreviewSample))
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	if err := c.MarkFlagRequired("policy"); err != nil {
		panic(err) // invariant: the flag is there
	}
	return c
}

// printPreview prints each profile that would change, a line per attribute.
func printPreview(w io.Writer, answer []byte) error {
	var p pipeline.Preview
	if err := json.Unmarshal(answer, &p); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	fmt.Fprintf(w, "%d of %d profiles would be others than under policy %s\n", len(p.Profiles),
		p.Looked, p.Against)
	if p.RootsOnly {
		fmt.Fprintln(w, "of each cluster only the profile of its root was looked at; other "+
			"identities have profiles of their own where nothing is stitched")
	}
	for i := range p.Profiles {
		if err := printDiff(w, &p.Profiles[i]); err != nil {
			return err
		}
	}
	return nil
}

func printDiff(w io.Writer, d *pipeline.ProfileDiff) error {
	what := ""
	switch {
	case d.Begins:
		what = " would begin"
	case d.Ends:
		what = " would end"
	case d.NewID != "":
		what = " would be " + d.NewID
	}
	fmt.Fprintf(w, "\nprofile %s%s\n", d.ID, what)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, was, is string) {
		fmt.Fprintf(table, "  %s\t%s\t->\t%s\n", name, cmp.Or(shorten(was), "(absent)"),
			cmp.Or(shorten(is), "(absent)"))
	}
	for _, a := range d.Attributes {
		line(a.Path, string(a.Old), string(a.New))
	}
	list := func(name string, diff *pipeline.ListDiff) {
		if diff != nil {
			line(name, strings.Join(diff.Old, " "), strings.Join(diff.New, " "))
		}
	}
	list("(datasets)", d.Datasets)
	list("(identities)", d.Identities)
	return table.Flush()
}
