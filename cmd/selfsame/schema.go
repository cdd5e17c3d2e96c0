package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"selfsame/api"
	"selfsame/config"
	"selfsame/pipeline"
	"selfsame/schemas"
)

func newSchema() *cobra.Command {
	c := &cobra.Command{Use: "schema", Short: "Make, show and compare schemas",
		Long: `Works on the union schemas, which are composed of the schemas of a class's
datasets: shows them, and tells before a deployment whether a change of them is compatible. Makes a
dataset's schema from a sample. Nothing is connected to.`}
	c.AddCommand(newSchemaUnion(), newSchemaCheck(), newSchemaDiff(), newSchemaNew())
	return c
}

func newSchemaUnion() *cobra.Command {
	var path, class, format string
	c := &cobra.Command{
		Use:   "union",
		Short: "Print the union schema of a class",
		Long: `Prints what the datasets of a class have in common and apart: as a table, each
path with its type, the datasets that carry it, and the identities found there; or as an Avro
schema, which schema check --against compares with.

The union of the event datasets of class profile is that of class profile.events.`,
		Example: "  selfsame schema union\n" +
			"  selfsame schema union --class profile.events --format avro > events.avsc",
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			if format != "table" && format != "avro" {
				return fmt.Errorf("%w: --format: want table or avro", errUsage)
			}
			model, err := loadModel(path)
			if err != nil {
				return err
			}
			u, err := unionOf(model, class)
			if err != nil {
				return err
			}
			if format == "avro" {
				return printAvro(os.Stdout, u.Avro())
			}
			return printUnion(os.Stdout, model, u)
		},
	}
	configFlag(c, &path)
	c.Flags().StringVar(&class, "class", api.DefaultClass,
		"entity class, with .events for its event datasets")
	c.Flags().StringVar(&format, "format", "table", "table or avro")
	return c
}

func loadModel(path string) (*pipeline.Model, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	return cfg.Model()
}

// unionOf finds the union of a class.
func unionOf(model *pipeline.Model, class string) (*schemas.Union, error) {
	unions, err := model.Unions()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, u := range unions {
		if u.Class() == class {
			return u, nil
		}
		names = append(names, u.Class())
	}
	return nil, fmt.Errorf("%w: no dataset has class %q: want one of %s", errUsage, class,
		strings.Join(names, ", "))
}

// printAvro prints a schema for people; programs read it all the same.
func printAvro(w io.Writer, text []byte) error {
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, text, "", "  "); err != nil {
		return err
	}
	pretty.WriteByte('\n')
	_, err := pretty.WriteTo(w)
	return err
}

func printUnion(w io.Writer, model *pipeline.Model, u *schemas.Union) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PATH\tTYPE\tDATASETS\tIDENTITY\tNOTES")
	identities := identitiesOf(model, u)
	for _, p := range u.Places() {
		note := ""
		if p.Deprecated {
			note = "deprecated"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", p.Path, p.Type, strings.Join(p.Datasets, ", "),
			strings.Join(identities[p.Path], ", "), note)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nclass %s, fingerprint %s\n", u.Class(), u.Fingerprint())
	return err
}

// identitiesOf tells, by path of the union, the namespaces of the identities found there.
func identitiesOf(model *pipeline.Model, u *schemas.Union) map[string][]string {
	found := map[string][]string{}
	for _, ds := range model.Datasets {
		if pipeline.UnionName(ds.Entity, ds.Class) != u.Class() {
			continue
		}
		for _, f := range ds.Identities {
			path, text := ds.UnionPath(f.Path).String(), f.Namespace
			if f.Primary {
				text += " (primary of " + ds.Name + ")"
			}
			if !slices.Contains(found[path], text) {
				found[path] = append(found[path], text)
			}
		}
	}
	return found
}
