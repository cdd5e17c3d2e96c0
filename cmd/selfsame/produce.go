package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"selfsame/config"
	"selfsame/kafka"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/registry"
	"selfsame/schemas"
)

// produceFlags are the flags of produce.
type produceFlags struct {
	path, dataset, key string
	operation, at      string
	unset, array       string
}

func newProduce() *cobra.Command {
	var f produceFlags
	c := &cobra.Command{
		Use:   "produce --dataset NAME [FILE]",
		Short: "Send records to a dataset's topic",
		Long: `Sends one record per line of a file (or of standard input) to the topic of
a dataset. Each line is a JSON object in the dataset's schema; for an Avro dataset it is
encoded. Of a dataset with an envelope each line is the envelope.

An Avro object container file is recognised by its first bytes. Its records are read from the
schema in the file as the dataset's, by Avro's rules, and sent in the dataset's format. A file
that is broken is sent up to the fault.

JSON is sent as it is: a line that does not fit the schema ends as a dead letter, as it would
from any producer. The key is the value of the primary identity, so that the records of one
identity stay in order; --key names another field, which every record must have.`,
		Example: "  selfsame produce --dataset crm customers.ndjson\n" +
			"  selfsame produce --dataset crm customers.avro\n" +
			"  echo '{\"customer_id\":\"1\",\"email\":\"ann@example.org\"}' | " +
			"selfsame produce --dataset crm",
		Args: atMost(1),
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
	c.Flags().StringVar(&f.unset, "unset", "", "paths to take away, separated by commas")
	c.Flags().StringVar(&f.array, "array", "",
		"what to do with arrays: PATH=append, =remove or =union, separated by commas")
	if err := c.MarkFlagRequired("dataset"); err != nil {
		panic(err) // invariant: the flag is declared above
	}
	return c
}

// producer turns lines into records of one dataset and sends them in batches.
type producer struct {
	client  *kafka.Client
	dataset *pipeline.Dataset
	decoder *pipeline.Decoder
	headers []pipeline.Header
	key     profile.Path
	named   string // the field that was named as the key; "": none
	pending []pipeline.OutRecord

	schemaID uint32 // of the dataset's schema in the registry, for that format
	sent     int
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
	p := &producer{decoder: pipeline.NewDecoder(model)}
	if p.dataset, err = findDataset(model, f.path, f.dataset); err != nil {
		return err
	}
	if p.dataset.Retired {
		return fmt.Errorf("%w: dataset %s is retired: nothing reads its topic", errUsage, f.dataset)
	}
	if err := f.check(p.dataset); err != nil {
		return err
	}
	p.key, p.named = keyPath(p.dataset, f.key), f.key
	p.headers = headersOf(model, p.dataset, f)
	if err := p.register(ctx, cfg); err != nil {
		return err
	}
	if p.client, err = kafka.New(cfg.KafkaConfig(), slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	defer p.client.Close()
	err = p.load(ctx, name, in)
	fmt.Printf("sent %d records to topic %s\n", p.sent, p.dataset.Topic)
	return err
}

// check refuses flags that would only make dead letters of the records, or records without a key.
func (f *produceFlags) check(ds *pipeline.Dataset) error {
	operations := []string{"upsert", "replace", "delete"}
	if ds.Class == pipeline.ClassEvent {
		operations = []string{"insert", "delete"}
	}
	if f.operation != "" && !slices.Contains(operations, f.operation) {
		return fmt.Errorf("%w: --op: %q is none of dataset %s: want one of %s", errUsage,
			f.operation, ds.Name, strings.Join(operations, ", "))
	}
	if _, err := time.Parse(time.RFC3339, f.at); f.at != "" && err != nil {
		return fmt.Errorf("%w: --time: %q is no time in RFC 3339, such as 2026-01-31T09:00:00Z",
			errUsage, f.at)
	}
	if err := f.checkEdits(ds); err != nil || f.key == "" {
		return err
	}
	if ds.Envelope != pipeline.EnvelopeNone {
		return fmt.Errorf("%w: --key: the records of dataset %s are in an envelope", errUsage,
			ds.Name)
	}
	if _, ok := ds.Schema.Lookup(profile.ParsePath(f.key)); !ok {
		return fmt.Errorf("%w: --key: path %q is not in %s", errUsage, f.key, ds.Schema.File())
	}
	return nil
}

// checkEdits refuses what to take away or edit where the dataset has no such thing.
func (f *produceFlags) checkEdits(ds *pipeline.Dataset) error {
	if f.unset == "" && f.array == "" {
		return nil
	}
	operation := cmp.Or(f.operation, string(ds.Mode), string(pipeline.OpUpsert))
	if ds.Class == pipeline.ClassEvent || operation != string(pipeline.OpUpsert) {
		return fmt.Errorf("%w: --unset and --array go with upserts, and the records of dataset %s "+
			"would be none", errUsage, ds.Name)
	}
	if rejection := ds.CheckEdits(f.unset, f.array); rejection != nil {
		return fmt.Errorf("%w: --unset or --array: %w", errUsage, rejection)
	}
	return nil
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
	add(pipeline.HeaderUnset, f.unset)
	add(pipeline.HeaderArray, f.array)
	return headers
}

// register sees to it that the registry has the schema that records are sent in: the dataset's own,
// which is registered under its topic where it is from a file.
func (p *producer) register(ctx context.Context, cfg *config.Config) error {
	ds := p.dataset
	if ds.Format != pipeline.FormatRegistry || ds.Envelope != pipeline.EnvelopeNone {
		return nil
	}
	p.schemaID = ds.SchemaID
	if p.schemaID == 0 {
		client, err := openRegistry(cfg)
		if err != nil {
			return err
		}
		defer client.Close()
		o := outputSchemas{client: client, register: cfg.RegistersSchemas()}
		p.schemaID, err = o.id(ctx, registry.ValueSubject(ds.Topic), ds.Schema.Text())
		if err != nil {
			return err
		}
	}
	p.decoder.Learn(p.schemaID, ds.Schema.Writer())
	return nil
}

// load sends a file of either kind.
func (p *producer) load(ctx context.Context, name string, in io.Reader) error {
	reader := bufio.NewReaderSize(in, 1<<16)
	if head, _ := reader.Peek(3); schemas.IsContainer(head) { // a shorter file is none
		return p.container(ctx, name, reader)
	}
	return p.lines(ctx, name, reader)
}

func (p *producer) lines(ctx context.Context, name string, reader *bufio.Reader) error {
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
	ds := p.dataset
	if ds.Envelope != pipeline.EnvelopeNone {
		if ds.Format != pipeline.FormatJSON {
			return fmt.Errorf("dataset %s wants its envelope in Avro, which produce does not write",
				ds.Name)
		}
		return p.push(ctx, profile.Null(), line)
	}
	value, err := ds.Schema.DecodeJSON(line, schemas.Options{IgnoreUnknown: true})
	if ds.Format != pipeline.FormatJSON {
		if err != nil {
			return err
		}
		if line, err = ds.EncodeValue(value, p.schemaID); err != nil {
			return err
		}
	}
	return p.push(ctx, value, line)
}

// push adds a record to the batch. Its key is the field that was named or declared; else the
// primary identity that the pipeline will find.
func (p *producer) push(ctx context.Context, value profile.Value, data []byte) error {
	record := pipeline.OutRecord{Value: data, Headers: p.headers,
		Key: pipeline.IdentityText(value.At(p.key))}
	if record.Key == nil && p.named != "" {
		return fmt.Errorf("no text or integer at %s, which --key names", p.named)
	}
	if record.Key == nil {
		in := p.decoder.Decode(pipeline.Record{Value: data, Headers: p.headers,
			Pos: profile.Position{Topic: p.dataset.Topic}})
		if in.Reject == nil && in.IDs.Primary.Value != "" {
			record.Key = []byte(in.IDs.Primary.Value)
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
