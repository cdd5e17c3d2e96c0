package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"selfsame/config"
	"selfsame/kafka"
	"selfsame/pipeline"
)

func newTail() *cobra.Command {
	var path, from string
	var headers bool
	c := &cobra.Command{
		Use:   "tail [TOPIC]",
		Short: "Follow an output topic, readable",
		Long: `Prints the records of a topic as they come, one line each: time, place,
key and value; profiles in Avro are shown as JSON. The topic is that of the default merge
policy unless one is named.`,
		Example: "  selfsame tail\n  selfsame tail retail.dead-letters --from earliest --headers",
		Args:    atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config.Load(path)
			if err != nil {
				return err
			}
			start, err := parseStart(from)
			if err != nil {
				return err
			}
			topic, err := tailTopic(cfg, args)
			if err != nil {
				return err
			}
			return tail(c.Context(), cfg, topic, start, headers)
		},
	}
	configFlag(c, &path)
	c.Flags().StringVar(&from, "from", "latest", "earliest, latest, or a time in RFC 3339")
	c.Flags().BoolVar(&headers, "headers", false, "show the headers too")
	return c
}

func parseStart(from string) (pipeline.Start, error) {
	switch from {
	case "earliest":
		return pipeline.Start{Kind: pipeline.StartEarliest}, nil
	case "latest":
		return pipeline.Start{Kind: pipeline.StartLatest}, nil
	}
	at, err := time.Parse(time.RFC3339, from)
	if err != nil {
		return pipeline.Start{}, fmt.Errorf(
			"%w: --from wants earliest, latest, or a time such as %s",
			errUsage,
			"2026-01-31T09:00:00Z",
		)
	}
	return pipeline.Start{Kind: pipeline.StartTime, At: at}, nil
}

func tailTopic(cfg *config.Config, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	model, err := cfg.Model()
	if err != nil {
		return "", err
	}
	return model.Entities[0].DefaultPolicy().Topic, nil
}

func tail(ctx context.Context, cfg *config.Config, topic string, start pipeline.Start,
	headers bool) error {
	client, err := kafka.New(cfg.KafkaConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer client.Close()
	values, err := openValues(cfg, topic)
	if err != nil {
		return err
	}
	err = client.Tail(ctx, topic, start, func(r pipeline.Record) error {
		return printRecord(os.Stdout, &r, values.text(ctx, r.Value), headers)
	})
	if ctx.Err() != nil {
		return nil // stopped by the user
	}
	return err
}

// printRecord writes one line for people; value is the record's, readable.
func printRecord(w io.Writer, r *pipeline.Record, value string, headers bool) error {
	if r.Value == nil {
		value = "(deleted)"
		if into, ok := r.Header(pipeline.HeaderMergedInto); ok {
			value = "(merged into " + string(into) + ")"
		}
	}
	var more strings.Builder
	for _, h := range r.Headers {
		if headers {
			fmt.Fprintf(&more, "\n    %s: %s", h.Key, h.Value)
		}
	}
	at := time.Unix(0, r.Time).Format("15:04:05.000")
	_, err := fmt.Fprintf(w, "%s %s %s %s%s\n", at, r.Pos, r.Key, value, more.String())
	return err
}
