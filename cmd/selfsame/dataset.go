package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"selfsame/pipeline"
)

func newDataset() *cobra.Command {
	c := &cobra.Command{Use: "dataset", Short: "List, pause and resume datasets"}
	var path, address string
	var asJSON bool
	ls := &cobra.Command{
		Use:   "ls",
		Short: "List the datasets of a running daemon, and whether they are read",
		Args:  exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := apiClient(path, address)
			if err != nil {
				return err
			}
			answer, err := client.Status(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(os.Stdout, answer)
			}
			return printDatasets(os.Stdout, answer)
		},
	}
	configFlag(ls, &path)
	addressFlag(ls, &address)
	ls.Flags().BoolVar(&asJSON, "json", false, "print the whole status as JSON")
	c.AddCommand(ls, newPause(), newResume())
	return c
}

// findDataset returns the dataset that the user named; path is where the model is from.
func findDataset(model *pipeline.Model, path, name string) (*pipeline.Dataset, error) {
	if ds := model.Dataset(name); ds != nil {
		return ds, nil
	}
	var names []string
	for _, ds := range model.Datasets {
		names = append(names, ds.Name)
	}
	return nil, fmt.Errorf("%w: %s has no dataset %q: want one of %s", errUsage, path, name,
		strings.Join(names, ", "))
}

func newPause() *cobra.Command {
	f := controlFlags{record: pipeline.Control{Op: pipeline.ControlPauseDataset}}
	c := &cobra.Command{
		Use:   "pause NAME",
		Short: "Stop reading a dataset's topic, until it is resumed",
		Long: `Asks for it through the control topic. Datasets that share a topic are paused
together. What was read before is finished; positions stay where they are.`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			f.record.Dataset = args[0]
			return sendControl(c.Context(), &f)
		},
	}
	f.add(c)
	return c
}

func newResume() *cobra.Command {
	f := controlFlags{record: pipeline.Control{Op: pipeline.ControlResumeDataset}}
	var rewind, skip bool
	c := &cobra.Command{
		Use:   "resume NAME",
		Short: "Read a dataset's topic again that was paused, halted or stopped",
		Long: `Asks for it through the control topic. Without a flag reading goes on where it
stopped. A topic that was halted, because its log does not continue what was consumed, needs to
be told where to go on, unless it has been restored: --rewind at the start of its log, --skip
past what is missing. --rewind of any other topic reads all of it again.`,
		Args: exactly(1),
		RunE: func(c *cobra.Command, args []string) error {
			if rewind && skip {
				return fmt.Errorf("%w: --rewind or --skip, not both", errUsage)
			}
			f.record.Dataset = args[0]
			if rewind {
				f.record.From = "rewind"
			}
			if skip {
				f.record.From = "skip"
			}
			return sendControl(c.Context(), &f)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&rewind, "rewind", false, "go on at the start of the log")
	c.Flags().BoolVar(&skip, "skip", false, "go on past what is missing")
	return c
}

// datasetLines is what dataset ls reads of the status.
type datasetLines struct {
	Datasets []struct {
		Name, Topic, Class                        string
		Consumed, Accepted, Duplicate, Superseded uint64
		Rejected                                  map[string]uint64
		Retired                                   bool
	}
	Inputs []struct {
		Topic, State, Reason string
		Remedy               string `json:"to_go_on"`
	}
	Partitions []struct {
		Topic string
		Lag   *int64
	}
}

func printDatasets(w io.Writer, status []byte) error {
	var s datasetLines
	if err := json.Unmarshal(status, &s); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	states, lags := map[string]string{}, map[string]string{}
	for _, in := range s.Inputs {
		states[in.Topic], lags[in.Topic] = in.State, s.lag(in.Topic)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "DATASET\tTOPIC\tCLASS\tSTATE\tLAG\tCONSUMED\tACCEPTED\tDUPLICATE\t"+
		"SUPERSEDED\tREJECTED")
	for _, d := range s.Datasets {
		var rejected uint64
		for _, n := range d.Rejected {
			rejected += n
		}
		state := states[d.Topic]
		if d.Retired {
			state = "retired"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\n", d.Name, d.Topic, d.Class,
			state, lags[d.Topic], d.Consumed, d.Accepted, d.Duplicate, d.Superseded,
			rejected)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, in := range s.Inputs {
		if in.Reason != "" {
			fmt.Fprintf(w, "\n%s is %s: %s\n  to go on: %s\n", in.Topic, in.State, in.Reason,
				in.Remedy)
		}
	}
	return nil
}

// lag sums the lag of a topic's partitions, "?" while one is not known.
func (s *datasetLines) lag(topic string) string {
	var sum int64
	for _, p := range s.Partitions {
		switch {
		case p.Topic != topic:
		case p.Lag == nil:
			return "?"
		default:
			sum += *p.Lag
		}
	}
	return strconv.FormatInt(sum, 10)
}

// jobLines is what jobs ls reads.
type jobLines struct {
	Jobs []struct {
		ID, Kind, State string
		Done, Total     uint64
		Created         string
	}
}

func newJobs() *cobra.Command {
	c := &cobra.Command{Use: "jobs", Short: "Look at background work"}
	var path, address string
	var asJSON bool
	ls := &cobra.Command{
		Use:   "ls",
		Short: "List the jobs of a running daemon, and how far they are",
		Long: `Lists the jobs that run, and those that ended within a week. The total is an
estimate while a job runs.`,
		Args: exactly(0),
		RunE: func(c *cobra.Command, _ []string) error {
			return listJobs(c.Context(), path, address, asJSON)
		},
	}
	configFlag(ls, &path)
	addressFlag(ls, &address)
	ls.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.AddCommand(ls)
	return c
}

func listJobs(ctx context.Context, path, address string, asJSON bool) error {
	client, err := apiClient(path, address)
	if err != nil {
		return err
	}
	answer, err := client.Jobs(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(os.Stdout, answer)
	}
	var s jobLines
	if err := json.Unmarshal(answer, &s); err != nil {
		return fmt.Errorf("reading the daemon's answer: %w", err)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "JOB\tKIND\tSTATE\tDONE\tTOTAL\tPROGRESS\tCREATED")
	for _, j := range s.Jobs {
		progress := "?"
		if j.Total > 0 {
			progress = fmt.Sprintf("%d%%", 100*j.Done/j.Total)
		}
		if j.State == "done" {
			progress = "100%"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\t%s\n", j.ID, j.Kind, j.State, j.Done, j.Total,
			progress, cmp.Or(j.Created, "-"))
	}
	return table.Flush()
}
