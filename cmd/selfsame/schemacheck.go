package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"selfsame/config"
	"selfsame/pipeline"
	"selfsame/schemas"
)

// errIncompatible says that schemas have changed in a way that was not to happen.
var errIncompatible = errors.New("the change is not compatible")

// requirements are the words of --require. additive is what the daemon accepts.
var requirements = []string{"additive", "backward", "forward", "full"}

// comparison is what two versions of a schema differ in.
type comparison struct {
	title    string
	changes  []schemas.Change
	accepts  func(*schemas.Change) bool // whether the daemon does
	emptied  []string                   // datasets that are gone, with all that they said
	additive error                      // why it is not; nil where it is
}

// schemaCheck is what schema check was called with.
type schemaCheck struct {
	path, against, class, require string
	store                         bool
}

func newSchemaCheck() *cobra.Command {
	var f schemaCheck
	c := &cobra.Command{
		Use:   "check",
		Short: "Check union schemas, alone or against those of a file or the store",
		Long: `Composes the union schemas of a configuration, which fails where datasets contradict
each other, and tells what has changed in them since a file was written with schema union --format
avro, or since the store was last used. Exit code 4 when that is not compatible.

What --require asks for: additive, as the daemon does, that nothing is taken away or retyped;
backward, that who has the new schema reads what was written with the old one; forward, the other
way round; full, both.`,
		Example: "  selfsame schema check --against deployed.avsc\n" +
			"  selfsame schema check --against-store --config /etc/selfsame/selfsame.yaml",
		Args: exactly(0),
		RunE: func(*cobra.Command, []string) error {
			if f.against != "" && f.store {
				return fmt.Errorf("%w: --against or --against-store, not both", errUsage)
			}
			if err := checkRequirement(f.require); err != nil {
				return err
			}
			return f.run(os.Stdout)
		},
	}
	configFlag(c, &f.path)
	c.Flags().StringVar(&f.against, "against", "",
		"file with the union schema to compare with")
	c.Flags().StringVar(&f.class, "class", "",
		"class whose union the file holds (default: what its name says)")
	c.Flags().BoolVar(&f.store, "against-store", false,
		"compare with what the store of a daemon that is stopped was used with")
	requireFlag(c, &f.require)
	return c
}

func requireFlag(c *cobra.Command, require *string) {
	c.Flags().StringVar(require, "require", requirements[0],
		"what a change must be: "+strings.Join(requirements, ", "))
}

func checkRequirement(word string) error {
	if slices.Contains(requirements, word) {
		return nil
	}
	return fmt.Errorf("%w: --require: want one of %s", errUsage, strings.Join(requirements, ", "))
}

func (f *schemaCheck) run(w io.Writer) error {
	cfg, err := config.Load(f.path)
	if err != nil {
		return err
	}
	model, err := cfg.Model()
	if err != nil {
		return err
	}
	unions, err := model.Unions()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CLASS\tDATASETS\tFIELDS\tFINGERPRINT")
	for _, u := range unions {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", u.Class(), strings.Join(u.Lineage(""), ", "),
			len(u.Paths()), u.Fingerprint())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	var changes []pipeline.UnionChange
	switch {
	case f.store:
		changes, err = storedChanges(cfg, model)
	case f.against != "":
		changes, err = f.fileChanges(unions)
	default:
		return nil
	}
	if err != nil {
		return err
	}
	return judge(w, comparisonsOf(changes), f.require)
}

// storedChanges compares with the store of a daemon that is stopped.
func storedChanges(cfg *config.Config, model *pipeline.Model) (
	changes []pipeline.UnionChange, err error) {
	s, err := openStopped(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return pipeline.StoredUnionChanges(model, s)
}

// fileChanges compares the union of one class with that of a file.
func (f *schemaCheck) fileChanges(unions []*schemas.Union) ([]pipeline.UnionChange, error) {
	text, err := os.ReadFile(f.against)
	if err != nil {
		return nil, err
	}
	s, err := schemas.Parse(f.against, text)
	if err != nil {
		return nil, err
	}
	for _, u := range unions {
		if u.Class() != f.class && (f.class != "" || u.Type().Name != s.Root().Name) {
			continue
		}
		old, err := schemas.ParseUnion(u.Class(), text)
		if err != nil {
			return nil, err
		}
		return pipeline.CompareUnions([]*schemas.Union{old}, []*schemas.Union{u}), nil
	}
	return nil, fmt.Errorf("%w: %s holds record %s, which is the union of no class here: "+
		"name the class with --class", errUsage, f.against, s.Root().Name)
}

func comparisonsOf(changes []pipeline.UnionChange) []comparison {
	var all []comparison
	for i := range changes {
		c := comparison{title: "class " + changes[i].Class, changes: changes[i].Changes,
			accepts: changes[i].Accepts, emptied: changes[i].Emptied, additive: changes[i].Err()}
		switch {
		case changes[i].Old == nil:
			c.title += " is new"
		case changes[i].New == nil:
			c.title += " is gone"
		}
		all = append(all, c)
	}
	return all
}

func newSchemaDiff() *cobra.Command {
	var require string
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Tell what changed between two schemas or two configurations",
		Long: `Compares two Avro schemas (.avsc), or the union schemas of two configurations
(.yaml), and tells for every path what changed and how compatible that is. Exit code 4 when it is
not as compatible as --require asks for; see schema check for the words.`,
		Example: "  selfsame schema diff old/crm.avsc schemas/crm.avsc --require full\n" +
			"  selfsame schema diff deployed/selfsame.yaml selfsame.yaml",
		Args: exactly(2),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkRequirement(require); err != nil {
				return err
			}
			all, err := compareFiles(args[0], args[1])
			if err != nil {
				return err
			}
			return judge(os.Stdout, all, require)
		},
	}
	requireFlag(c, &require)
	return c
}

func compareFiles(old, next string) ([]comparison, error) {
	if isConfig(old) != isConfig(next) {
		return nil, fmt.Errorf("%w: want two schemas (.avsc) or two configurations (.yaml)",
			errUsage)
	}
	if !isConfig(old) {
		return compareSchemas(old, next)
	}
	var unions [2][]*schemas.Union
	for i, path := range []string{old, next} {
		model, err := loadModel(path)
		if err == nil {
			unions[i], err = model.Unions()
		}
		if err != nil {
			return nil, err
		}
	}
	return comparisonsOf(pipeline.CompareUnions(unions[0], unions[1])), nil
}

func isConfig(path string) bool {
	return slices.Contains([]string{".yaml", ".yml"}, strings.ToLower(filepath.Ext(path)))
}

func compareSchemas(old, next string) ([]comparison, error) {
	var parsed [2]*schemas.Schema
	for i, path := range []string{old, next} {
		text, err := os.ReadFile(path)
		if err == nil {
			parsed[i], err = schemas.Parse(path, text)
		}
		if err != nil {
			return nil, err
		}
	}
	changes := schemas.Diff(parsed[0], parsed[1])
	if len(changes) == 0 {
		return nil, nil
	}
	accepts := func(change *schemas.Change) bool { return change.Additive }
	return []comparison{{title: next, changes: changes, accepts: accepts,
		additive: schemas.Refused(changes)}}, nil
}

// judge prints what changed and returns errIncompatible where it is not as required.
func judge(w io.Writer, all []comparison, require string) error {
	if len(all) == 0 {
		fmt.Fprintln(w, "nothing has changed")
		return nil
	}
	var faults []error
	for i := range all {
		if err := all[i].print(w); err != nil {
			return err
		}
		faults = append(faults, all[i].fault(require))
	}
	return errors.Join(faults...)
}

func (c *comparison) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s\n", c.title)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(c.changes) > 0 {
		fmt.Fprintln(table, "PATH\tCHANGE\tWAS\tIS\tCOMPATIBILITY\tDAEMON")
	}
	for _, one := range c.changes {
		daemon := "refuses"
		if c.accepts(&one) {
			daemon = "accepts"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", one.Path, one.Kind, one.Was, one.Is,
			schemas.Compatibility([]schemas.Change{one}), daemon)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(c.emptied) > 0 {
		fmt.Fprintf(w, "taken out, and delete_dataset has left nothing of it: dataset %s\n",
			strings.Join(c.emptied, ", "))
	}
	additive := "additive"
	if c.additive != nil {
		additive = "not additive"
	}
	_, err := fmt.Fprintf(w, "compatibility: %s, %s\n", schemas.Compatibility(c.changes), additive)
	return err
}

// fault says why the changes are not what is required.
func (c *comparison) fault(require string) error {
	found := schemas.Compatibility(c.changes)
	switch {
	case require == "additive" && c.additive != nil:
		return fmt.Errorf("%w: %w", errIncompatible, c.additive)
	case require == "additive" || found == require || found == "full":
		return nil
	}
	return fmt.Errorf("%w: %s: %s is required, it is %s", errIncompatible, c.title, require, found)
}
