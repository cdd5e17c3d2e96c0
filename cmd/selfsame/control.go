package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"selfsame/api"
	"selfsame/config"
	"selfsame/kafka"
	"selfsame/pipeline"
)

// controlFlags are the flags that all operations share.
type controlFlags struct {
	path, address string
	record        pipeline.Control
	wait          time.Duration
	dryRun        bool
}

func newControl() *cobra.Command {
	c := &cobra.Command{
		Use:   "control",
		Short: "Ask the daemon for an operation, through the control topic",
		Long: `Each command writes one record to the control topic. The daemon applies it in
the order of the topic, once per id, and says what became of it on the audit topic. Nothing else
happens here: the daemon need not be running.`,
	}
	c.AddCommand(
		controlCommand(pipeline.ControlLink, "link ID ID", 2,
			"Say that two identities are one self, whatever records say"),
		controlCommand(pipeline.ControlForbidLink, "forbid-link ID ID", 2,
			"Say that two identities are never one self; it beats link"),
		controlCommand(pipeline.ControlUnlink, "unlink ID", 1,
			"Void everything that records have said about an identity's links up to now"),
		controlCommand(pipeline.ControlBlockValue, "block ID", 1,
			"Ignore a value as an identity from now on, and remove the links it has"),
		controlCommand(pipeline.ControlResetHub, "reset-hub ID", 1,
			"Let a hub link again; it starts with no links"),
		controlCommand(pipeline.ControlDeleteProfile, "delete-profile ID", 1,
			"Delete all data of all identities of a profile, up to now; the graph stays"),
		controlCommand(pipeline.ControlDeleteFragment, "delete-fragment ID", 1,
			"Delete what one dataset says about one identity, up to now"),
		controlCommand(pipeline.ControlDeleteEvents, "delete-events ID", 1,
			"Delete events that one dataset has of one identity, as far as they are consumed"),
		controlCommand(pipeline.ControlDeleteDataset, "delete-dataset", 0,
			"Delete everything that one dataset ever said, as far as it is consumed"),
		controlCommand(pipeline.ControlErase, "erase ID", 1,
			"Erase a person: data, identities and links, up to now, leaving hashes only"),
		controlCommand(pipeline.ControlLiftDelete, "lift-delete ID", 1,
			"Let come back what was deleted of a profile, or of an identity that was erased"),
		controlCommand(pipeline.ControlRemerge, "remerge", 0,
			"Merge all profiles anew in the background"))
	return c
}

// controlCommand is the command of one operation. An ID is NAMESPACE:VALUE.
func controlCommand(op pipeline.ControlOp, use string, identities int,
	short string) *cobra.Command {
	f := controlFlags{record: pipeline.Control{Op: op}}
	c := &cobra.Command{Use: use, Short: short, Args: exactly(identities),
		RunE: func(c *cobra.Command, args []string) error {
			f.record.Identities = args
			return sendControl(c.Context(), &f)
		}}
	if name := string(op); name != c.Name() {
		c.Aliases = []string{name} // as in the record
	}
	f.add(c)
	switch op {
	case pipeline.ControlDeleteDataset:
		c.Flags().StringVar(&f.record.Class, "class", "", "entity class (default: the dataset's)")
	case pipeline.ControlErase, pipeline.ControlLiftDelete:
		c.Flags().StringVar(&f.record.Class, "class", "",
			"entity class (default: every one that has the namespace)")
	default:
		c.Flags().StringVar(&f.record.Class, "class", api.DefaultClass, "entity class")
	}
	if pipeline.HasDryRun(op) {
		c.Flags().BoolVar(&f.dryRun, "dry-run", false,
			"ask the running daemon what it would remove, and send nothing")
	}
	switch op {
	case pipeline.ControlLink, pipeline.ControlForbidLink, pipeline.ControlBlockValue:
		c.Flags().BoolVar(&f.record.Lift, "lift", false, "take it back")
	case pipeline.ControlDeleteFragment, pipeline.ControlDeleteDataset:
		c.Flags().StringVarP(&f.record.Dataset, "dataset", "d", "", "the dataset (required)")
	case pipeline.ControlDeleteEvents:
		c.Flags().StringVarP(&f.record.Dataset, "dataset", "d", "", "the dataset (required)")
		c.Flags().StringVar(&f.record.From, "from", "",
			"first time of events to delete, RFC 3339 (default: the earliest)")
		c.Flags().StringVar(&f.record.Until, "until", "",
			"time before which events are deleted, RFC 3339 (default: no end)")
	case pipeline.ControlErase:
		c.Flags().BoolVar(&f.record.Suppress, "suppress", false, "turn away newer data too")
	case pipeline.ControlRemerge:
		c.Flags().BoolVar(&f.record.All, "all", false, "emit every profile, not only what changed")
	}
	return c
}

func (f *controlFlags) add(c *cobra.Command) {
	configFlag(c, &f.path)
	addressFlag(c, &f.address)
	flags := c.Flags()
	flags.StringVar(&f.record.ID, "id", "", "id of the operation; sent again it counts once "+
		"(default: a random one)")
	flags.StringVar(&f.record.Note, "note", "", "words for the audit topic")
	flags.StringVar(&f.record.Time, "time", "", "time of the operation, RFC 3339 (default: now)")
	flags.DurationVar(&f.wait, "wait", 0, "wait so long for a running daemon to apply it")
}

// sendControl writes a control record, and waits where that is asked for.
func sendControl(ctx context.Context, f *controlFlags) error {
	cfg, err := config.LoadOffline(f.path)
	if err != nil {
		return err
	}
	model, err := cfg.Model()
	if err != nil {
		return err
	}
	if f.record.Dataset != "" {
		if _, err := findDataset(model, f.path, f.record.Dataset); err != nil {
			return err
		}
	}
	if f.record.ID == "" {
		f.record.ID = api.NewControlID()
	}
	record, err := json.Marshal(f.record)
	if err != nil {
		return err
	}
	if rejection := model.CheckControl(record); rejection != nil {
		return fmt.Errorf("%w: %w", errUsage, rejection)
	}
	if f.dryRun {
		return dryRun(ctx, f, record)
	}
	daemon, earlier, err := f.beforeWait(ctx)
	if err != nil {
		return err
	}
	client, err := kafka.New(cfg.KafkaConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := writeControl(ctx, client, model.ControlTopic, f.record.ID, record); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "sent %s to topic %s\n", f.record.ID, model.ControlTopic)
	if f.wait == 0 {
		return nil
	}
	return awaitControl(ctx, daemon, f, earlier)
}

// beforeWait returns the daemon to wait for, nil where none is, and where the record lies that it
// has refused under the same id before.
func (f *controlFlags) beforeWait(ctx context.Context) (daemon *api.Client, earlier string,
	err error) {
	if f.wait == 0 {
		return nil, "", nil
	}
	if daemon, err = apiClient(f.path, f.address); err != nil {
		return nil, "", err
	}
	outcome, err := daemon.Control(ctx, f.record.ID)
	if errors.Is(err, api.ErrNotFound) || outcome.Refused == nil {
		return daemon, "", nil // a daemon that does not answer yet may do so later
	}
	return daemon, outcome.Cause, nil
}

// dryRun prints what a control record would remove.
func dryRun(ctx context.Context, f *controlFlags, record []byte) error {
	daemon, err := apiClient(f.path, f.address)
	if err != nil {
		return err
	}
	answer, err := daemon.DryRun(ctx, record)
	if err != nil {
		return err
	}
	return printJSON(os.Stdout, answer)
}

// writeControl appends a control record. Sent twice, the id makes it count once.
func writeControl(ctx context.Context, client *kafka.Client, topic, id string,
	record []byte) error {
	err := client.Send(ctx, topic, kafka.ByKey,
		[]pipeline.OutRecord{{Key: []byte(id), Value: record}}, []int64{time.Now().UnixNano()})
	if errors.Is(err, pipeline.ErrUnknownTopic) {
		return fmt.Errorf("%w: the daemon makes topic %s when it first starts", err, topic)
	}
	return err
}

// controlPoll is how often a command asks whether its operation is applied.
const controlPoll = 100 * time.Millisecond

// awaitControl waits until the daemon has applied or refused the record. A refusal of a record that
// lies at earlier is old.
func awaitControl(ctx context.Context, daemon *api.Client, f *controlFlags, earlier string) error {
	ctx, cancel := context.WithTimeout(ctx, f.wait)
	defer cancel()
	for {
		outcome, err := daemon.Control(ctx, f.record.ID)
		switch {
		case err != nil && !errors.Is(err, api.ErrNotFound):
			return err
		case err == nil && outcome.Refused == nil:
			return printJSON(os.Stdout, outcome.Answer)
		case err == nil && outcome.Cause != earlier:
			return fmt.Errorf("%s was refused: %w", f.record.ID, outcome.Refused)
		}
		if pipeline.Sleep(ctx, controlPoll) != nil {
			return fmt.Errorf("%s was not applied within %s: it waits; the audit topic will "+
				"say what becomes of it", f.record.ID, f.wait)
		}
	}
}
