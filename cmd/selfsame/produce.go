package main

import (
	"bufio"
	"context"
	"errors"
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
	"selfsame/profile"
	"selfsame/schemas"
)

// produceFlags are the flags of produce.
type produceFlags struct {
	path, dataset, key string
	operation, at      string
}

func newProduce() *cobra.Command {
	var f produceFlags
	c := &cobra.Command{
		Use:   "produce --dataset NAME [FILE]",
		Short: "Send records to a dataset's topic",
		Long: `Sends one record per line of a file (or of standard input) to the topic of
a dataset. Each line is a JSON object in the dataset's schema; for an Avro dataset it is
encoded.

JSON is sent as it is: a line that does not fit the schema ends as a dead letter, as it would
from any producer. The key is the value of the primary identity, so that the records of one
identity stay in order; --key names another field.`,
		Example: "  selfsame produce --dataset crm customers.ndjson\n" +
			"  echo '{\"customer_id\":\"1\",\"email\":\"ann@example.org\"}' | " +
			"selfsame produce --dataset crm",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name, in := "standard input", io.Reader(os.Stdin)
			if len(args) == 1 && args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer file.Close()
				name, in = args[0], file
			}
			return produce(c.Context(), f, name, in)
		},
	}
	configFlag(c, &f.path)
	c.Flags().StringVarP(&f.dataset, "dataset", "d", "", "dataset to send to (required)")
	c.Flags().StringVar(&f.key, "key", "", "field whose value is the record's key")
	c.Flags().StringVar(&f.operation, "op", "", "operation: upsert, replace, delete or insert")
	c.Flags().StringVar(&f.at, "time", "", "time of the records, RFC 3339 (default: theirs)")
	if err := c.MarkFlagRequired("dataset"); err != nil {
		panic(err) // invariant: the flag is declared two lines above
	}
	return c
}

// producer turns lines into records of one dataset and sends them in batches.
type producer struct {
	client  *kafka.Client
	dataset *pipeline.Dataset
	headers []pipeline.Header
	key     profile.Path
	pending []pipeline.OutRecord
	sent    int
}

// sendBatch is how many records are sent at a time.
const sendBatch = 500

func produce(ctx context.Context, f produceFlags, name string, in io.Reader) (err error) {
	cfg, err := config.Load(f.path)
	if err != nil {
		return err
	}
	model, err := cfg.Model()
	if err != nil {
		return err
	}
	p := &producer{dataset: model.Dataset(f.dataset)}
	if p.dataset == nil {
		return fmt.Errorf("%w: %s has no dataset %q", errUsage, f.path, f.dataset)
	}
	if p.dataset.Retired {
		return fmt.Errorf("%w: dataset %s is retired: nothing reads its topic", errUsage, f.dataset)
	}
	p.key = keyPath(p.dataset, f.key)
	p.headers = headersOf(model, p.dataset, f)
	if p.client, err = kafka.New(cfg.KafkaConfig(), slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	defer p.client.Close()
	err = p.lines(ctx, name, in)
	fmt.Printf("sent %d records to topic %s\n", p.sent, p.dataset.Topic)
	return err
}

// keyPath is the field that keys the records: the one named, else the first primary identity, else
// the first identity.
func keyPath(ds *pipeline.Dataset, named string) profile.Path {
	if named != "" {
		return profile.ParsePath(named)
	}
	var path profile.Path
	for i, field := range ds.Identities {
		if i == 0 || field.Primary {
			path = field.Path
		}
	}
	return path
}

// headersOf are the headers that every record gets.
func headersOf(m *pipeline.Model, ds *pipeline.Dataset, f produceFlags) []pipeline.Header {
	var headers []pipeline.Header
	add := func(key, value string) {
		if value != "" {
			headers = append(headers, pipeline.Header{Key: key, Value: []byte(value)})
		}
	}
	for _, other := range m.Datasets {
		if other != ds && other.Topic == ds.Topic && !other.Retired {
			add(pipeline.HeaderDataset, ds.Name)
			break
		}
	}
	add(pipeline.HeaderOperation, f.operation)
	add(pipeline.HeaderTime, f.at)
	return headers
}

func (p *producer) lines(ctx context.Context, name string, in io.Reader) error {
	reader := bufio.NewReaderSize(in, 1<<16)
	for number := 1; ; number++ {
		line, err := reader.ReadString('\n')
		if text := strings.TrimSpace(line); text != "" {
			if err := p.add(ctx, []byte(text)); err != nil {
				return fmt.Errorf("%s:%d: %w", name, number, err)
			}
		}
		if errors.Is(err, io.EOF) {
			return p.flush(ctx)
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
	}
}

func (p *producer) add(ctx context.Context, line []byte) error {
	record := pipeline.OutRecord{Value: line, Headers: p.headers}
	value, err := p.dataset.Schema.DecodeJSON(line, schemas.Options{IgnoreUnknown: true})
	if err == nil {
		record.Key = pipeline.IdentityText(value.At(p.key))
	}
	if p.dataset.Format == pipeline.FormatAvro {
		if err != nil {
			return err
		}
		if record.Value, err = p.dataset.Schema.EncodeAvro(value); err != nil {
			return err
		}
	}
	p.pending = append(p.pending, record)
	if len(p.pending) < sendBatch {
		return nil
	}
	return p.flush(ctx)
}

func (p *producer) flush(ctx context.Context) error {
	if len(p.pending) == 0 {
		return nil
	}
	times := make([]int64, len(p.pending))
	now := time.Now().UnixNano()
	for i := range times {
		times[i] = now
	}
	if err := p.client.Send(ctx, p.dataset.Topic, -1, p.pending, times); err != nil {
		return err
	}
	p.sent += len(p.pending)
	p.pending = p.pending[:0]
	return nil
}
