package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"time"

	"selfsame/api"
	"selfsame/config"
	"selfsame/internal/lifecycle"
	"selfsame/kafka"
	"selfsame/pipeline"
	"selfsame/registry"
	"selfsame/store"
)

// daemon is a pipeline with everything around it.
type daemon struct {
	cfg      *config.Config
	model    *pipeline.Model
	log      *slog.Logger
	client   *kafka.Client
	registry *registry.Client // nil where none is configured
	store    *store.Store
	pipeline *pipeline.Pipeline
	api      *api.Server
	rebuild  bool // an empty store is built from the input before it publishes
	apiAddr  string
}

// openDaemon checks the configuration and the topics, opens the store and binds the API. Nothing
// is
// consumed before run.
func openDaemon(ctx context.Context, cfg *config.Config, log *slog.Logger) (*daemon, error) {
	return openRebuilding(ctx, cfg, log, false)
}

// openRebuilding is openDaemon; with rebuild an empty store may meet output topics that hold
// something, and brings them up to date once it has consumed the input.
func openRebuilding(ctx context.Context, cfg *config.Config, log *slog.Logger, rebuild bool) (
	*daemon, error) {
	d := &daemon{cfg: cfg, log: log, rebuild: rebuild}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *daemon) open(ctx context.Context) error {
	var err error
	if d.model, err = d.cfg.Model(); err != nil {
		return err
	}
	if d.client, err = kafka.New(d.cfg.KafkaConfig(), d.log); err != nil {
		return err
	}
	if err := d.openRegistry(ctx); err != nil {
		return err
	}
	topics := d.cfg.OwnedTopics()
	for _, name := range d.cfg.InputTopics() {
		topics = append(topics, kafka.TopicSpec{Name: name})
	}
	if err := d.client.EnsureTopics(ctx, topics); err != nil {
		return err
	}
	if err := d.openStore(); err != nil {
		return err
	}
	hold, err := d.prepareOutput(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(d.adoptSchemas(), d.adoptRules()); err != nil {
		return err
	}
	if err := errors.Join(d.adoptPolicies(ctx), d.adoptComputed()); err != nil {
		return err
	}
	shard, err := d.openShard(ctx)
	if err != nil {
		return err
	}
	publisher := pipeline.NewPublisher(shard, d.client.Sink(), pipeline.PublisherOptions{
		TransactionalID: d.cfg.TransactionalID(), AtLeastOnce: d.cfg.AtLeastOnce(),
		HoldUntil: hold, SideBySide: true, Log: d.log, Now: time.Now, Wait: pipeline.Sleep,
	})
	d.pipeline = pipeline.NewPipeline(shard, publisher, d.client.Source(), d.log)
	d.pipeline.Options = d.cfg.PipelineOptions()
	d.pipeline.Offsets = groupOffsets{d.client, d.cfg.Group()}
	if d.registry != nil {
		d.pipeline.Registry = d.registry
	}
	return d.openAPI(shard)
}

// openRegistry settles the schemas of the output.
func (d *daemon) openRegistry(ctx context.Context) error {
	var err error
	if d.registry, err = openRegistry(d.cfg); err != nil || d.registry == nil {
		return err
	}
	o := outputSchemas{client: d.registry, register: d.cfg.RegistersSchemas(), log: d.log}
	return o.settle(ctx, d.model)
}

func (d *daemon) openStore() error {
	dir := storeDir(d.cfg)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	options := d.cfg.StoreOptions()
	options.Log = d.log
	options.Fatal = func(message string) {
		fmt.Fprintln(os.Stderr, "selfsame: the store cannot go on:", message)
		os.Exit(exitStore)
	}
	var err error
	d.store, err = store.Open(dir, options)
	if errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w: is a daemon running on %s already?", err, d.cfg.DataDir())
	}
	return err
}

// storeDir is where the store lies within the data directory.
func storeDir(cfg *config.Config) string { return filepath.Join(cfg.DataDir(), "store") }

// prepareOutput sees to what an empty store may meet. A store that is to be rebuilt publishes
// nothing before it has consumed the input as far as it reaches now.
func (d *daemon) prepareOutput(ctx context.Context) (map[pipeline.TopicPartition]int64, error) {
	if !d.rebuild {
		if d.store.Empty() {
			return nil, d.refuseForeignOutput(ctx)
		}
		return nil, nil
	}
	hold := map[pipeline.TopicPartition]int64{}
	for _, topic := range d.model.ConsumedTopics() {
		ends, err := d.client.EndOffsets(ctx, topic)
		if err != nil {
			return nil, err
		}
		maps.Copy(hold, ends)
	}
	return hold, nil
}

// refuseForeignOutput stops an empty store from writing to profile topics that hold something:
// what they hold would never be corrected.
func (d *daemon) refuseForeignOutput(ctx context.Context) error {
	for _, e := range d.model.Entities {
		for i := range e.Policies {
			topic := e.Policies[i].Topic
			held, err := d.client.Holds(ctx, topic)
			if err != nil {
				return err
			}
			if held {
				return fmt.Errorf(
					"the store in %s is empty but output topic %s is not: restore the "+
						"store; or build it anew from the input with selfsame run --rebuild, "+
						"which then brings the topic up to date; or name another topic",
					d.cfg.DataDir(),
					topic,
				)
			}
		}
	}
	return nil
}

// adoptSchemas refuses union schemas that what the store holds cannot live under.
func (d *daemon) adoptSchemas() error {
	changes, err := pipeline.AdoptUnions(d.model, d.store)
	if err != nil {
		return fmt.Errorf("%w\n(see selfsame schema check --against-store)", err)
	}
	for _, c := range changes {
		d.log.Info("the store keeps a new union schema", "class", c.Class,
			"fingerprint", c.New.Fingerprint(), "changes", len(c.Changes))
	}
	return nil
}

// adoptRules refuses rules of the graph that what the store holds cannot live under.
func (d *daemon) adoptRules() error {
	if err := pipeline.CheckKey(d.model, d.store); err != nil {
		return err
	}
	changes, err := pipeline.AdoptRules(d.model, d.store, time.Now().UnixNano())
	if err != nil {
		return err
	}
	for _, c := range changes {
		d.log.Info("the rules of the graph have changed: the clusters are decided again in the "+
			"background", "class", c.Class, "job", c.Job)
	}
	return nil
}

// adoptPolicies starts the jobs of merge policies that have changed since the last start. The topic
// of one that is gone is written to until its profiles have ended.
func (d *daemon) adoptPolicies(ctx context.Context) error {
	changes, err := pipeline.AdoptPolicies(d.model, d.store, time.Now().UnixNano())
	if err != nil {
		return err
	}
	for _, c := range changes {
		d.log.Info("a merge policy is "+c.Kind+": its topic is brought up to date by a job",
			"class", c.Class, "policy", c.Policy, "job", c.Job)
	}
	var topics []kafka.TopicSpec
	for _, e := range d.model.Entities {
		for i := range e.Leaving {
			topics = append(topics, d.cfg.ProfileTopic(e.Leaving[i].Topic))
		}
	}
	for _, topic := range d.model.Draining {
		d.log.Info("what waits for a topic that is gone from the configuration is still published",
			"topic", topic)
		topics = append(topics, d.cfg.RecordTopic(topic))
	}
	return d.client.EnsureTopics(ctx, topics)
}

// adoptComputed starts the jobs of computed attributes that have changed since the last start.
func (d *daemon) adoptComputed() error {
	changes, err := pipeline.AdoptComputed(d.model, d.store, time.Now().UnixNano())
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.Job != "" {
			d.log.Info("a computed attribute is "+c.Kind+": profiles are brought up to date by a "+
				"job", "class", c.Class, "attribute", c.Name, "job", c.Job)
		}
	}
	return nil
}

func (d *daemon) openShard(ctx context.Context) (*pipeline.Shard, error) {
	partitions := map[string]int32{}
	for _, topic := range d.model.OutputTopics() {
		n, err := d.client.Sink().Partitions(ctx, topic)
		if err != nil {
			return nil, fmt.Errorf("reading the partitions of %s: %w", topic, err)
		}
		partitions[topic] = n
	}
	return pipeline.NewShard(d.model, d.store, pipeline.ShardOptions{Partitions: partitions})
}

func (d *daemon) openAPI(shard *pipeline.Shard) error {
	backend := api.Backend{
		Lookup: pipeline.NewLookup(d.model, d.store), Stats: shard.Stats(), Store: d.store,
		Ready: d.ready, Readable: d.readable, Version: version, Model: d.model, Control: d.control,
		Backup: d.backUp, BackupPath: d.backupPath,
	}
	d.api = api.New(d.cfg.HTTPOptions(), backend, d.log)
	var err error
	d.apiAddr, err = d.api.Listen()
	return err
}

// control writes a control record that came over HTTP to the control topic.
func (d *daemon) control(ctx context.Context, id string, record []byte) error {
	return writeControl(ctx, d.client, d.model.ControlTopic, id, record)
}

// backUp makes a backup that was asked for over HTTP.
func (d *daemon) backUp(ctx context.Context, name string) (*store.Backup, error) {
	return d.pipeline.Backup(ctx, d.backupPath(name))
}

func (d *daemon) backupPath(name string) string { return filepath.Join(backupsDir(d.cfg), name) }

// ready tells why the daemon is not ready, nil when it is.
func (d *daemon) ready() error {
	select {
	case <-d.pipeline.Ready():
		return nil
	default:
		return errors.New("the pipeline has not found and begun to read every input topic yet")
	}
}

// readable tells why what the store holds is not shown yet, nil when it is: a store that was
// restored can hold people who have been erased since.
func (d *daemon) readable() error {
	select {
	case <-d.pipeline.Opened():
		return nil
	default:
		return errors.New("the daemon is starting, and does not know yet whether its store holds " +
			"somebody who has been erased since it was copied: try again")
	}
}

// run works until ctx ends. The API answers until the pipeline has stopped.
func (d *daemon) run(ctx context.Context) error {
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopServing()
	group := lifecycle.New(serving, lifecycle.Options{})
	group.Go("http", d.api.Serve)
	group.Go("pipeline", func(context.Context) error {
		defer stopServing()
		return d.pipeline.Run(ctx)
	})
	return group.Wait()
}

// close releases everything that was opened.
func (d *daemon) close() error {
	var err error
	if d.store != nil {
		err = d.store.Close()
	}
	if d.client != nil {
		d.client.Close()
	}
	if d.registry != nil {
		d.registry.Close()
	}
	return err
}

// groupOffsets reports positions under the configured consumer group.
type groupOffsets struct {
	client *kafka.Client
	group  string
}

// CommitOffsets implements pipeline.Offsets.
func (g groupOffsets) CommitOffsets(ctx context.Context,
	next map[pipeline.TopicPartition]int64) error {
	return g.client.CommitOffsets(ctx, g.group, next)
}
