package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"selfsame/config"
)

func newConfig() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Work with configurations"}
	var path string
	check := &cobra.Command{
		Use:   "check",
		Short: "Check a configuration without starting anything",
		Long: `Reads the configuration, its schemas and secrets, and reports everything
that is wrong with them, each with file and line. Nothing is connected to
but the schema registry, where datasets take their schemas from there.`,
		Example: "  selfsame config check --config selfsame.yaml",
		Args:    exactly(0),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			model, err := cfg.Model()
			if err != nil {
				return err
			}
			fmt.Printf("%s is fine: %d datasets on %d topics, %d entity classes\n", path,
				len(model.Datasets), len(model.InputTopics()), len(model.Entities))
			return nil
		},
	}
	configFlag(check, &path)
	c.AddCommand(check)
	return c
}
