package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"selfsame/api"
	"selfsame/config"
	"selfsame/pipeline"
	"selfsame/store"
)

// exportFlags are the flags of export.
type exportFlags struct {
	path, address string
	output        string
	offline       bool
	query         api.ExportQuery
}

func newExport() *cobra.Command {
	var f exportFlags
	c := &cobra.Command{
		Use:   "export",
		Short: "Write all current profiles to a file",
		Long: `Writes all current merged profiles of one committed state, in order of id:
as NDJSON, one object a line, the same as on the output topic; or as an Avro object container
file, the attributes in the union schema.

It asks a running daemon, which goes on working meanwhile. With --offline it reads the store of a
daemon that is stopped. A file is there when it is complete, and not before.`,
		Example: "  selfsame export --output profiles.ndjson\n" +
			"  selfsame export --format avro --codec deflate --output profiles.avro\n" +
			"  selfsame export | jq -r .identities.email[0]",
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			if f.offline && f.address != "" {
				return fmt.Errorf("%w: --offline reads the store, --api asks a daemon", errUsage)
			}
			return export(c.Context(), &f)
		},
	}
	configFlag(c, &f.path)
	addressFlag(c, &f.address)
	c.Flags().StringVar(&f.query.Class, "class", api.DefaultClass, "entity class")
	c.Flags().StringVar(&f.query.Policy, "policy", "",
		"merge policy (default: the class's default)")
	c.Flags().StringVar(&f.query.Format, "format", pipeline.ExportNDJSON, "ndjson or avro")
	c.Flags().StringVar(&f.query.Codec, "codec", "", "of avro: null or deflate (default null)")
	c.Flags().StringVarP(&f.output, "output", "o", "",
		"file to write to (default: standard output)")
	c.Flags().BoolVar(&f.query.Incomplete, "incomplete", false,
		"also where a job is still bringing profiles of single identities up to date")
	c.Flags().BoolVar(&f.offline, "offline", false, "read the store of a daemon that is stopped")
	return c
}

// export writes the profiles and says how many they were.
func export(ctx context.Context, f *exportFlags) (err error) {
	profiles := 0
	write := func(w io.Writer) error {
		if f.offline {
			profiles, err = exportStore(ctx, f, w)
		} else {
			profiles, err = exportDaemon(ctx, f, w)
		}
		return err
	}
	if f.output == "" {
		err = write(os.Stdout)
	} else {
		err = writeOutput(f.output, write)
	}
	if err == nil {
		fmt.Fprintf(os.Stderr, "exported %d profiles\n", profiles)
	}
	return err
}

func exportDaemon(ctx context.Context, f *exportFlags, w io.Writer) (int, error) {
	client, err := apiClient(f.path, f.address)
	if err != nil {
		return 0, err
	}
	return client.Export(ctx, f.query, w)
}

func exportStore(ctx context.Context, f *exportFlags, w io.Writer) (profiles int, err error) {
	cfg, err := config.Load(f.path)
	if err != nil {
		return 0, err
	}
	model, err := cfg.Model()
	if err != nil {
		return 0, err
	}
	s, err := openStopped(cfg)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	x, err := pipeline.NewLookup(model, s).Export(pipeline.ExportQuery(f.query))
	var wrong *pipeline.QueryError
	if errors.As(err, &wrong) {
		return 0, fmt.Errorf("%w: %w", errUsage, err)
	}
	var undecided *pipeline.UndecidedError
	if errors.As(err, &undecided) {
		return 0, fmt.Errorf("%w; run the daemon, or say --incomplete for those that are", err)
	}
	if err != nil {
		return 0, err
	}
	return x.Stream(ctx, w)
}

// openStopped opens the store of a daemon that does not run, for looking only.
func openStopped(cfg *config.Config) (*store.Store, error) {
	s, err := store.OpenReadOnly(storeDir(cfg), cfg.StoreOptions())
	if errors.Is(err, store.ErrLocked) {
		return nil, fmt.Errorf("%w: stop the daemon first", err)
	}
	return s, err
}
