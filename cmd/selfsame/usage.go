package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// strict makes everything that cobra complains about one of usage, and has every group of commands
// ask for one of its commands, where cobra would print help and call that a success.
func strict(root *cobra.Command) {
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		return usage(c, c.ValidateRequiredFlags())
	}
	root.SuggestionsMinimumDistance = 2
	root.Args, root.RunE = cobra.ArbitraryArgs, func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		return noCommand(c, args)
	}
	for _, c := range root.Commands() {
		if c.HasSubCommands() && !c.Runnable() {
			c.Args, c.RunE, c.SuggestionsMinimumDistance = cobra.ArbitraryArgs, noCommand, 2
		}
	}
}

// noCommand says that a group has been called without one of its commands.
func noCommand(c *cobra.Command, args []string) error {
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	slices.Sort(names)
	if len(args) == 0 {
		return usage(c, fmt.Errorf("a command is missing: want one of %s",
			strings.Join(names, ", ")))
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return usage(c, fmt.Errorf("unknown command %q; did you mean %s?", args[0],
			strings.Join(near, " or ")))
	}
	return usage(c, fmt.Errorf("unknown command %q: want one of %s", args[0],
		strings.Join(names, ", ")))
}

// usage makes an error one of usage, and says where help is; nil stays nil.
func usage(c *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w (see %s --help)", errUsage, err, c.CommandPath())
}

// exactly makes cobra's complaint about the number of arguments one of usage.
func exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		return usage(c, cobra.ExactArgs(n)(c, args))
	}
}

// between is exactly, for arguments of which some may be left out.
func between(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		return usage(c, cobra.RangeArgs(least, most)(c, args))
	}
}

// atMost is exactly, for arguments that may be left out.
func atMost(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		return usage(c, cobra.MaximumNArgs(n)(c, args))
	}
}
