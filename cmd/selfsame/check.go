package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"selfsame/config"
	"selfsame/store"
)

func newCheck() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "check",
		Short: "Check every row of a store",
		Long: `Reads the whole store of a daemon that is not running, and reports every
row that cannot be read or contradicts another. It changes nothing. Exit code 3 when something
was found.`,
		Example: "  selfsame check --config selfsame.yaml",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.LoadOffline(path)
			if err != nil {
				return err
			}
			return checkStore(c, cfg)
		},
	}
	configFlag(c, &path)
	return c
}

// errDamaged says that the check found something.
var errDamaged = errors.New("the store is damaged")

func checkStore(c *cobra.Command, cfg *config.Config) (err error) {
	s, err := openStopped(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	problems := 0
	summary, err := s.Check(c.Context(), func(p store.Problem) {
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
