package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"selfsame/config"
	"selfsame/pipeline"
	"selfsame/store"
)

func newCheck() *cobra.Command {
	var path, backup string
	c := &cobra.Command{
		Use:   "check",
		Short: "Check every row of a store",
		Long: `Reads the whole store of a daemon that is not running, or a backup, and reports
every row that cannot be read or contradicts another. What computed attributes keep is held to the
events that are stored. It changes nothing. Exit code 3 when
something was found.`,
		Example: "  selfsame check --config selfsame.yaml\n" +
			"  selfsame check --backup before-upgrade",
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.LoadOffline(path)
			if err != nil {
				return err
			}
			s, err := openChecked(cfg, backup)
			if err != nil {
				return err
			}
			model, err := cfg.Model()
			if err != nil {
				return errors.Join(err, s.Close())
			}
			return checkStore(c, model, s)
		},
	}
	configFlag(c, &path)
	c.Flags().StringVar(&backup, "backup", "", "a backup's name or directory, instead of the store")
	return c
}

// errDamaged says that the check found something.
var errDamaged = errors.New("the store is damaged")

// openChecked opens the store, or that in a backup.
func openChecked(cfg *config.Config, backup string) (*store.Store, error) {
	if backup == "" {
		return openStopped(cfg)
	}
	dir, err := backupPlace(cfg, backup)
	if err != nil {
		return nil, err
	}
	return store.OpenBackup(dir, cfg.StoreOptions())
}

func checkStore(c *cobra.Command, m *pipeline.Model, s *store.Store) (err error) {
	defer func() { err = errors.Join(err, s.Close()) }()
	problems := 0
	summary, err := pipeline.Check(c.Context(), m, s, func(p store.Problem) {
		problems++
		fmt.Println(p)
	})
	if err != nil {
		return err
	}
	fmt.Println(summary)
	if problems > 0 {
		return fmt.Errorf("%w: %d problems", errDamaged, problems)
	}
	fmt.Println("no problem found")
	return nil
}
