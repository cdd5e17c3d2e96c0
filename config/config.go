package config

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"selfsame/api"
	"selfsame/identity"
	"selfsame/kafka"
	"selfsame/pipeline"
	"selfsame/registry"
	"selfsame/store"
)

// Config is a configuration that has been checked.
type Config struct {
	file    file
	lines   *lines
	resolve func(path string) string
	schemas fs.FS // where schemas are read from; nil: the operating system, through resolve

	idKey    []byte
	password string
	token    string
	model    *pipeline.Model

	registryPassword string
	registryToken    string
	offline          bool  // the registry is not asked
	away             error // why the registry could not be asked
}

// Overrides replace parts of an example configuration.
type Overrides struct {
	DataDir string
	Brokers []string
	Listen  string
	IDKey   string // hexadecimal
}

// ErrNoFile says that a configuration file does not exist. Load returns it.
var ErrNoFile = errors.New("there is no configuration file")

// Load reads and checks a file. Paths in it are relative to its folder. Where datasets take their
// schemas from a registry, it asks there.
func Load(path string) (*Config, error) { return load(path, false) }

// LoadOffline is Load without asking a registry: what it would tell is not checked, and datasets
// that take their schemas from there have none. It serves to talk to a daemon or to look at its
// store, not to decode.
func LoadOffline(path string) (*Config, error) { return load(path, true) }

func load(path string, offline bool) (*Config, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %s: name one with --config, or make one with selfsame init",
			ErrNoFile, path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	dir := filepath.Dir(path)
	c := &Config{lines: &lines{name: path}, offline: offline, resolve: func(p string) string {
		if filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(dir, p)
	}}
	return c, c.read(text, Overrides{})
}

// Example reads a configuration that comes with its schemas in a file system of its own.
func Example(text []byte, schemas fs.FS, o Overrides) (*Config, error) {
	c := &Config{lines: &lines{name: "selfsame.yaml"}, schemas: schemas,
		resolve: func(p string) string { return p }}
	return c, c.read(text, o)
}

// read decodes the text strictly, fills in defaults and checks everything.
func (c *Config) read(text []byte, o Overrides) error {
	p := &problems{at: c.lines}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		p.explain(err)
		return p.err()
	}
	if len(document.Content) == 1 {
		c.lines.root = document.Content[0]
	}
	c.file = defaults()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	err := decoder.Decode(&c.file)
	if err != nil && !errors.Is(err, io.EOF) && !p.explain(err) {
		return p.err()
	}
	var more yaml.Node
	switch err := decoder.Decode(&more); {
	case err == nil:
		p.list = append(p.list, problem{line: more.Line,
			text: "a second document: the configuration is one"})
	case !errors.Is(err, io.EOF):
		p.explain(err)
	}
	checkIntegers(p, c.lines.root, reflect.TypeFor[file](), nil)
	c.override(o)
	c.check(p)
	c.model = c.build(p)
	return p.err()
}

func (c *Config) override(o Overrides) {
	if o.DataDir != "" {
		c.file.DataDir = o.DataDir
	}
	if len(o.Brokers) > 0 {
		c.file.Kafka.Brokers = o.Brokers
	}
	if o.Listen != "" {
		c.file.HTTP.Listen = o.Listen
	}
	if o.IDKey != "" {
		c.file.IDKey = Secret{literal: o.IDKey}
	}
}

// check looks at everything that is not part of the model.
func (c *Config) check(p *problems) {
	f := &c.file
	c.idKey = c.readKey(p)
	c.password = c.readSecret(p, f.Kafka.SASL.Password, "kafka", "sasl", "password")
	c.token = c.readSecret(p, f.HTTP.Token, "http", "token")
	c.checkRegistry(p)
	c.checkKafka(p)
	each(p, []string{"kafka"}, c.KafkaConfig().Validate())
	each(p, []string{"http"}, c.HTTPOptions().Validate())
	each(p, []string{"store"}, c.StoreOptions().Validate())
	each(p, []string{"pipeline"}, c.PipelineOptions().Validate())
	if f.Kafka.Group == "" || f.Kafka.TransactionalID == "" {
		p.add([]string{"kafka"}, "group and transactional_id must not be empty")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, f.Log.Level) {
		p.add([]string{"log", "level"}, "%q is not debug, info, warn or error", f.Log.Level)
	}
	if f.Log.Format != "text" && f.Log.Format != "json" {
		p.add([]string{"log", "format"}, "%q is not text or json", f.Log.Format)
	}
	if f.Output.Delivery != exactlyOnce && f.Output.Delivery != atLeastOnce {
		p.add([]string{"output", "delivery"}, "%q is not %s or %s", f.Output.Delivery, exactlyOnce,
			atLeastOnce)
	}
	if f.Output.Partitions < 1 {
		p.add([]string{"output", "partitions"}, "must be at least 1")
	}
	for name, value := range map[string]int{"record_bytes": int(f.Limits.RecordBytes),
		"leaves_per_fragment": f.Limits.LeavesPerFragment,
		"array_edits":         f.Limits.ArrayEdits,
		"event_id_bytes":      int(f.Limits.EventIDBytes),
		"output_bytes":        int(f.Limits.OutputBytes)} {
		if value < 1 {
			p.add([]string{"limits", name}, "must be at least 1")
		}
	}
}

// each adds the parts of a joined error one by one.
func each(p *problems, path []string, err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			each(p, path, one)
		}
		return
	}
	p.add(path, "%v", err)
}

func (c *Config) readSecret(p *problems, s Secret, path ...string) string {
	value, err := s.read(c.resolve)
	if err != nil {
		p.add(path, "%v", err)
	}
	return value
}

func (c *Config) readKey(p *problems) []byte {
	if c.file.IDKey.IsZero() {
		p.add([]string{"id_key"}, "is missing: selfsame init makes one")
		return nil
	}
	text := c.readSecret(p, c.file.IDKey, "id_key")
	key, err := hex.DecodeString(text)
	if err == nil {
		err = identity.ValidateKey(key)
	} else {
		err = errors.New("is not hexadecimal")
	}
	if err != nil && text != "" {
		p.add([]string{"id_key"}, "%v", err)
	}
	return key
}

// Model returns what the configuration says about the meaning of records.
func (c *Config) Model() (*pipeline.Model, error) { return c.model, nil }

// KafkaConfig returns how to reach Kafka.
func (c *Config) KafkaConfig() kafka.Config {
	k, cfg := c.file.Kafka, kafka.Default()
	cfg.Brokers, cfg.ClientID, cfg.Compression = k.Brokers, k.ClientID, k.Compression
	cfg.FetchMaxBytes = int32(min(k.FetchMaxBytes, math.MaxInt32)) // more is a problem of its own
	cfg.FetchMaxWait = time.Duration(k.FetchMaxWait)
	cfg.DialTimeout = time.Duration(k.DialTimeout)
	cfg.RequestTimeout = time.Duration(k.RequestTimeout)
	cfg.TLS = kafka.TLSConfig{Enabled: k.TLS.Enabled, CAFile: c.optional(k.TLS.CAFile),
		CertFile: c.optional(k.TLS.CertFile), KeyFile: c.optional(k.TLS.KeyFile),
		ServerName: k.TLS.ServerName, InsecureSkipVerify: k.TLS.InsecureSkipVerify}
	cfg.SASL = kafka.SASLConfig{Mechanism: k.SASL.Mechanism, Username: k.SASL.Username,
		Password: c.password}
	return cfg
}

// optional resolves a path unless it is empty.
func (c *Config) optional(path string) string {
	if path == "" {
		return ""
	}
	return c.resolve(path)
}

// StoreOptions returns how to open the store.
func (c *Config) StoreOptions() store.Options {
	s := c.file.Store
	return store.Options{CacheBytes: int64(s.Cache), MemtableBytes: int64(s.Memtable),
		MaxOpenFiles: s.MaxOpenFiles}
}

// PipelineOptions returns how to run the pipeline.
func (c *Config) PipelineOptions() pipeline.Options {
	p := c.file.Pipeline
	return pipeline.Options{BatchRecords: p.BatchRecords, BatchDelay: time.Duration(p.BatchDelay),
		ShutdownTimeout:  time.Duration(p.ShutdownTimeout),
		OffsetsInterval:  time.Duration(p.OffsetsInterval),
		MetadataInterval: time.Duration(p.MetadataInterval),

		UnknownSchemaRetry: time.Duration(c.file.Registry.UnknownRetry)}
}

// HTTPOptions returns how to serve the API.
func (c *Config) HTTPOptions() api.Options {
	return api.Options{Listen: c.file.HTTP.Listen, Token: c.token, Pprof: c.file.HTTP.Pprof}
}

// DataDir returns the directory of everything that is kept.
func (c *Config) DataDir() string { return c.resolve(c.file.DataDir) }

// Group returns the consumer group under which positions are reported.
func (c *Config) Group() string { return c.file.Kafka.Group }

// TransactionalID returns the claim on the output topics.
func (c *Config) TransactionalID() string { return c.file.Kafka.TransactionalID }

// The words of output.delivery.
const (
	exactlyOnce = "exactly_once"
	atLeastOnce = "at_least_once"
)

// AtLeastOnce reports whether the daemon may publish without a claim where the broker refuses it.
func (c *Config) AtLeastOnce() bool { return c.file.Output.Delivery == atLeastOnce }

// LogLevel returns the least level that is logged.
func (c *Config) LogLevel() slog.Level {
	return map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn,
		"error": slog.LevelError}[c.file.Log.Level]
}

// LogJSON reports whether logs are JSON.
func (c *Config) LogJSON() bool { return c.file.Log.Format == "json" }

// InputTopics lists the topics that datasets read.
func (c *Config) InputTopics() []string { return c.model.InputTopics() }

// defaults is the file before it is read.
func defaults() file {
	k, s := kafka.Default(), store.Options{}.WithDefaults()
	o, l := pipeline.Options{}.WithDefaults(), pipeline.DefaultLimits()
	return file{
		DataDir: "./data",
		Kafka: kafkaFile{Brokers: k.Brokers, ClientID: k.ClientID, Group: "selfsame",
			TransactionalID: "selfsame.0", FetchMaxBytes: Bytes(k.FetchMaxBytes),
			FetchMaxWait: Duration(k.FetchMaxWait), DialTimeout: Duration(k.DialTimeout),
			RequestTimeout: Duration(k.RequestTimeout)},
		Registry: registryFile{RequestTimeout: Duration(registry.Default().RequestTimeout),
			UnknownRetry: Duration(o.UnknownSchemaRetry), AutoRegister: true},
		HTTP: httpFile{Listen: api.DefaultListen},
		Log:  logFile{Level: "info", Format: "text"},
		Store: storeFile{Cache: Bytes(s.CacheBytes), Memtable: Bytes(s.MemtableBytes),
			MaxOpenFiles: s.MaxOpenFiles},
		Pipeline: pipelineFile{BatchRecords: o.BatchRecords, BatchDelay: Duration(o.BatchDelay),
			ShutdownTimeout:  Duration(o.ShutdownTimeout),
			OffsetsInterval:  Duration(o.OffsetsInterval),
			MetadataInterval: Duration(o.MetadataInterval)},
		Limits: limitsFile{RecordBytes: Bytes(l.RecordBytes), OutputBytes: Bytes(l.OutputBytes),
			LeavesPerFragment: l.LeavesPerFragment, EventIDBytes: Bytes(l.EventIDBytes),
			ArrayEdits: l.ArrayEdits},
		Control: controlFile{Topic: "selfsame.control", Audit: "selfsame.audit"},
		Output:  outputFile{Partitions: 4, Replication: -1, Delivery: exactlyOnce},
	}
}
