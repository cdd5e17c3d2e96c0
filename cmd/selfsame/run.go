package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"selfsame/config"
)

func newRun() *cobra.Command {
	var path string
	var rebuild bool
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon",
		Long: `Runs the daemon until it is told to stop (SIGINT or SIGTERM), then
finishes what it has begun: consumed records are committed and what they changed is published.

With --rebuild an empty store is built from the input topics, and nothing is published until the
input has been consumed as far as it reached at the start. Then every profile is published, and what
the output topics hold beyond that is ended. On a store that has published before, --rebuild does
nothing.

The topics that the daemon writes are made when they do not exist, and checked when they do. The
input topics must exist.`,
		Example: "  selfsame run --config /etc/selfsame/selfsame.yaml",
		Args:    exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			return runDaemon(c.Context(), cfg, rebuild)
		},
	}
	configFlag(c, &path)
	c.Flags().BoolVar(&rebuild, "rebuild", false,
		"build an empty store from the input; publish when it has caught up")
	return c
}

func runDaemon(ctx context.Context, cfg *config.Config, rebuild bool) error {
	log := newLogger(cfg)
	d, err := openRebuilding(ctx, cfg, log, rebuild)
	if err != nil {
		return err
	}
	log.Info("selfsame started", "version", version, "data_dir", cfg.DataDir(),
		"api", "http://"+d.apiAddr, "datasets", len(d.model.Datasets))
	d.warnOfWeaknesses(ctx)
	err = d.run(ctx)
	if closeErr := d.close(); err == nil {
		err = closeErr
	}
	if err == nil {
		log.Info("selfsame stopped; everything consumed is committed and published")
	}
	return err
}

// warnOfWeaknesses says which output topics can lose what they have acknowledged. It is no reason
// not to run: one broker for a trial has them all.
func (d *daemon) warnOfWeaknesses(ctx context.Context) {
	for _, topic := range d.model.OutputTopics() {
		weak, err := d.client.Weaknesses(ctx, topic)
		switch {
		case err != nil:
			d.log.Debug("settings not read", "topic", topic, "error", err)
		case len(weak) > 0:
			d.log.Warn("an output topic can lose what it has acknowledged", "topic", topic,
				"because", strings.Join(weak, "; "))
		}
	}
}

// newLogger makes the logger that the configuration asks for, on standard error.
func newLogger(cfg *config.Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel()}
	if cfg.LogJSON() {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  exactly(0),
		Run:   func(c *cobra.Command, _ []string) { fmt.Println("selfsame", version) },
	}
}
