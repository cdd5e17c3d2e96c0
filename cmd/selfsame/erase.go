package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"selfsame/api"
	"selfsame/config"
	"selfsame/kafka"
	"selfsame/pipeline"
	"selfsame/profile"
)

// errLeft says that what should have been erased is still there.
var errLeft = errors.New("something is left, see above")

func newErase() *cobra.Command {
	c := &cobra.Command{
		Use:   "erase",
		Short: "Prove that a person was erased; to erase one: control erase",
	}
	c.AddCommand(newEraseVerify())
	return c
}

func newEraseVerify() *cobra.Command {
	var path, address, class string
	c := &cobra.Command{
		Use:   "verify NAMESPACE:VALUE...",
		Short: "Look for values in the compacted store and in the topics of the daemon",
		Long: `Has the running daemon compact its store and look for the values in every key
and value of it, then reads the daemon's topics from start to end. Prints what it found, and ends
with exit code 1 where something is left in the store or is current in a compacted topic. What other
topics hold goes with their retention: see docs/deletes.md.`,
		Example: "  selfsame erase verify email:ann@example.org customer:4711",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return eraseVerify(c.Context(), &verification{path: path, address: address,
				class: class, ids: args, out: os.Stdout})
		},
	}
	configFlag(c, &path)
	addressFlag(c, &address)
	c.Flags().StringVar(&class, "class", "",
		"entity class whose normalisation counts (default: that of each that has the namespace)")
	return c
}

// verification is one run of erase verify.
type verification struct {
	path, address, class string
	ids                  []string
	out                  io.Writer
}

func eraseVerify(ctx context.Context, v *verification) error {
	cfg, err := config.LoadOffline(v.path)
	if err != nil {
		return err
	}
	model, err := cfg.Model()
	if err != nil {
		return err
	}
	ids, err := model.ParseIdentities(v.class, v.ids)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	daemon, err := apiClient(v.path, v.address)
	if err != nil {
		return err
	}
	traces, err := daemon.Verify(ctx, v.class, v.ids)
	if err != nil {
		return err
	}
	client, err := kafka.New(cfg.KafkaConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer client.Close()
	table := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "IDENTITY\tWHERE\tFOUND\tREMARK")
	left := printStoreTraces(table, traces)
	inTopics, err := searchTopics(ctx, table, client.Source(), model, ids)
	if err = errors.Join(err, table.Flush()); err != nil {
		return err
	}
	for _, id := range ids {
		if profile.Short(id.Value) {
			fmt.Fprintf(v.out, "the value of a %s is short: it was looked for as a whole text, "+
				"and may be found by chance\n", id.Namespace)
		}
	}
	if left || inTopics {
		return errLeft
	}
	fmt.Fprintln(v.out, "nothing is left in the store or current in a compacted topic")
	return nil
}

func printStoreTraces(w io.Writer, traces []api.StoreTrace) (left bool) {
	for i := range traces {
		t := &traces[i]
		for _, space := range slices.Sorted(maps.Keys(t.Rows)) {
			left = true
			fmt.Fprintf(w, "%d\tstore, %s rows\t%d\tleft\n", i+1, space, t.Rows[space])
		}
		if len(t.Rows) == 0 {
			fmt.Fprintf(w, "%d\tstore\t0\t\n", i+1)
		}
		if t.LogFiles > 0 {
			fmt.Fprintf(w, "%d\tstore, log files\t%d\toverwritten as the store goes on\n", i+1,
				t.LogFiles)
		}
	}
	return left
}

// searchTopics looks into all topics of the daemon.
func searchTopics(ctx context.Context, w io.Writer, source pipeline.Source, m *pipeline.Model,
	ids []profile.Identity) (left bool, err error) {
	needles := make([]profile.Needle, len(ids))
	for i, id := range ids {
		needles[i] = profile.NewNeedle(id.Value)
	}
	compacted := m.CompactedTopics()
	for _, topic := range append(m.OutputTopics(), m.ControlTopic) {
		if topic == "" {
			continue
		}
		isCompacted := slices.Contains(compacted, topic)
		found, err := pipeline.SearchTopic(ctx, source, topic, isCompacted, needles)
		if err != nil {
			return left, err
		}
		for i := range found {
			for _, t := range found[i] {
				left = left || isCompacted && t.Current > 0
				printTopicTrace(w, i, isCompacted, &t)
			}
		}
	}
	return left, nil
}

func printTopicTrace(w io.Writer, i int, compacted bool, t *pipeline.TopicTrace) {
	if t.Overwritten > 0 {
		fmt.Fprintf(w, "%d\ttopic %s\t%d\tgoes when Kafka compacts the topic\n", i+1, t.TP,
			t.Overwritten)
	}
	if t.Current == 0 {
		return
	}
	remark := "goes with the topic's retention"
	if compacted {
		remark = "left"
	}
	offsets := make([]string, len(t.Offsets))
	for i, offset := range t.Offsets {
		offsets[i] = fmt.Sprint(offset)
	}
	fmt.Fprintf(w, "%d\ttopic %s\t%d\t%s; offsets %s\n", i+1, t.TP, t.Current, remark,
		strings.Join(offsets, " "))
}
