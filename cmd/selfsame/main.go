package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the build.
var version = "dev"

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
	exitStore   = 3
	exitSchema  = 4
)

// errUsage marks errors of how the program was called.
var errUsage = errors.New("wrong usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "selfsame:", err)
	stop()
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	switch {
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errDamaged):
		return exitStore
	case errors.Is(err, errIncompatible):
		return exitSchema
	}
	return exitFailure
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "selfsame",
		Short: "Real-time customer profiles on your own Kafka",
		Long: `Selfsame reads records and events from Kafka topics, finds out which of
them are about the same person, and writes each merged profile to a topic whenever it changes.

Try it:       selfsame demo
Develop:      selfsame dev
In earnest:   selfsame init && selfsame run --config selfsame.yaml`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
	}
	root.SetVersionTemplate("selfsame {{.Version}}\n")
	root.SetFlagErrorFunc(usage)
	root.AddCommand(newInit(), newRun(), newDev(), newDemo(), newConfig(), newGet(), newProduce(),
		newTail(), newExport(), newCheck(), newBackup(), newRestore(), newControl(), newErase(),
		newDataset(), newJobs(), newSchema(), newGraph(), newExplain(), newPolicy(), newComputed(),
		newVersion())
	strict(root)
	return root
}

// configFlag adds the flag that names the configuration.
func configFlag(c *cobra.Command, path *string) {
	c.Flags().StringVarP(path, "config", "c", "selfsame.yaml", "configuration file")
}
