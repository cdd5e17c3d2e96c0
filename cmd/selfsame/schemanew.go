package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"selfsame/api"
	"selfsame/config"
	"selfsame/schemas"
	"selfsame/schemas/infer"
)

// maxSample bounds a sample, in bytes: it is held in memory.
const maxSample = 256 << 20

// schemaNew is what schema new was called with.
type schemaNew struct {
	path, output string
	dataset      config.Scaffold
	wishes       infer.Wishes
	class        string
}

func newSchemaNew() *cobra.Command {
	var f schemaNew
	c := &cobra.Command{
		Use:   "new [FILE]",
		Short: "Make the schema of a dataset from a sample",
		Long: `Reads records, one JSON object a line, from a file or standard input, guesses
their Avro schema, writes it next to the configuration, and prints the dataset's part of the
configuration with the identities, the time and the id that it found. The schema takes every record
of the sample. What is a guess says so: read it before you use it.

Namespaces are those of the configuration; where there is none yet, those that selfsame init
writes.`,
		Example: "  selfsame schema new --name customers sample.ndjson >> selfsame.yaml\n" +
			"  head -1000 clicks.ndjson | selfsame schema new --name clicks --class event",
		Args: atMost(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if f.class != "record" && f.class != "event" {
				return fmt.Errorf("%w: --class: want record or event", errUsage)
			}
			f.dataset.Event, f.wishes.Event = f.class == "event", f.class == "event"
			f.dataset.Topic = cmp.Or(f.dataset.Topic, f.dataset.Name)
			if err := f.dataset.Validate(); err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			return f.run(os.Stdout, args)
		},
	}
	configFlag(c, &f.path)
	c.Flags().StringVarP(&f.dataset.Name, "name", "n", "", "name of the dataset")
	c.Flags().StringVar(&f.class, "class", "record", "record or event")
	c.Flags().StringVar(&f.dataset.Entity, "entity", api.DefaultClass, "entity class")
	c.Flags().StringVar(&f.dataset.Topic, "topic", "", "topic (default: the name)")
	c.Flags().StringVar(&f.wishes.Primary, "primary", "",
		"PATH=NAMESPACE of the primary identity (default: a guess)")
	c.Flags().StringVar(&f.wishes.ID, "id", "", "path of the events' id (default: a guess)")
	c.Flags().StringVarP(&f.output, "output", "o", "",
		"file for the schema (default: schemas/NAME.avsc beside the configuration)")
	if err := c.MarkFlagRequired("name"); err != nil {
		panic(err) // invariant: the flag is declared above
	}
	return c
}

// loadAround reads the configuration that the dataset is to be part of. Where there is none, it is
// the one that init writes, without its dataset.
func (f *schemaNew) loadAround() (cfg *config.Config, like *schemas.Type, err error) {
	cfg, err = config.Load(f.path)
	if errors.Is(err, config.ErrNoFile) {
		cfg, err = config.StarterConfig()
		return cfg, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	like, err = cfg.UnionType(f.dataset.Entity, f.dataset.Event)
	return cfg, like, err
}

func (f *schemaNew) run(w io.Writer, args []string) error {
	cfg, like, err := f.loadAround()
	if err != nil {
		return err
	}
	if f.wishes.Namespaces = cfg.SampleNamespaces(f.dataset.Entity); f.wishes.Namespaces == nil {
		return fmt.Errorf("%w: there is no entity class %q", errUsage, f.dataset.Entity)
	}
	name, text, err := readSample(args)
	if err != nil {
		return err
	}
	draft, schema, err := f.draft(name, text, like)
	if err != nil {
		return err
	}
	if f.dataset.Plan, err = draft.Suggest(f.wishes); err != nil {
		return err
	}
	if like != nil {
		err := cfg.Fit(&f.dataset, schema)
		if errors.Is(err, config.ErrDatasetExists) {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		if err != nil {
			return err
		}
	}
	return f.write(w, draft)
}

// readSample reads a file or standard input.
func readSample(args []string) (name string, text []byte, err error) {
	in := io.Reader(os.Stdin)
	name = "standard input"
	if len(args) == 1 && args[0] != "-" {
		file, err := os.Open(args[0])
		if err != nil {
			return "", nil, err
		}
		defer file.Close()
		name, in = args[0], file
	}
	text, err = io.ReadAll(io.LimitReader(in, maxSample+1))
	if len(text) > maxSample {
		err = fmt.Errorf("%s is larger than %d MiB: take a part of it", name, maxSample>>20)
	}
	return name, text, err
}

// draft guesses the schema, and sees to it that it takes the sample.
func (f *schemaNew) draft(name string, text []byte, like *schemas.Type) (
	*infer.Draft, *schemas.Schema, error) {
	sample, err := infer.NewSample()
	if err != nil {
		return nil, nil, err
	}
	if err := eachLine(name, text, sample.Add); err != nil {
		return nil, nil, err
	}
	draft, err := sample.Guess(f.dataset.Name, like)
	if err != nil {
		return nil, nil, err
	}
	schema, err := schemas.Parse(f.dataset.Name, draft.Avro)
	if err != nil {
		return nil, nil, err
	}
	return draft, schema, eachLine(name, text, func(line []byte) error {
		_, err := schema.DecodeJSON(line, schemas.Options{
			Complete: true, IgnoreUnknown: len(draft.Left) > 0})
		return err
	})
}

// eachLine calls fn for every line that is not empty. Errors name the line.
func eachLine(name string, text []byte, fn func(line []byte) error) error {
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := fn(line); err != nil {
			return fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	return nil
}

// write writes the schema, never over a file, and prints the dataset's part of the configuration.
func (f *schemaNew) write(w io.Writer, draft *infer.Draft) error {
	dir := filepath.Dir(f.path)
	path := cmp.Or(f.output, filepath.Join(dir, "schemas", f.dataset.Name+".avsc"))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already; nothing was written", path)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(draft.Avro)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if f.dataset.Schema, err = filepath.Rel(dir, path); err != nil {
		f.dataset.Schema = path
	}
	f.dataset.Left = draft.Left
	fmt.Fprintf(os.Stderr, "wrote %s; below is what %s needs, under datasets\n", path, f.path)
	_, err = io.WriteString(w, f.dataset.Block())
	return err
}
