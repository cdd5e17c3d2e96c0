package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"selfsame/broker"
	"selfsame/config"
	"selfsame/examples/retail"
	"selfsame/kafka"
	"selfsame/pipeline"
)

// embedded is the example configuration on an embedded broker, its input topics made.
type embedded struct {
	broker *broker.Broker
	cfg    *config.Config
	client *kafka.Client
}

// embeddedOptions say where the broker keeps its data and listens.
type embeddedOptions struct {
	dir       string // of broker and store
	kafkaPort int    // 0: a free one
	listen    string // of the API
	brokerDir string // "": the broker keeps nothing
}

func startEmbedded(ctx context.Context, o embeddedOptions, log *slog.Logger) (*embedded, error) {
	b, err := broker.Start(broker.Options{DataDir: o.brokerDir, Port: o.kafkaPort, Log: log})
	if err != nil {
		return nil, err
	}
	e := &embedded{broker: b}
	if err := e.prepare(ctx, o, log); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *embedded) prepare(ctx context.Context, o embeddedOptions, log *slog.Logger) error {
	key, err := devKey(o.dir)
	if err != nil {
		return err
	}
	cfg, err := config.Example(retail.Config(), retail.Schemas(), config.Overrides{
		DataDir: o.dir, Brokers: []string{e.broker.Addr()}, Listen: o.listen, IDKey: key,
	})
	if err != nil {
		return fmt.Errorf("reading the example configuration: %w", err)
	}
	e.cfg = cfg
	if e.client, err = kafka.New(cfg.KafkaConfig(), log); err != nil {
		return err
	}
	var inputs []kafka.TopicSpec
	for _, topic := range cfg.InputTopics() {
		inputs = append(inputs, kafka.TopicSpec{
			Name: topic, Partitions: 4, ReplicationFactor: 1, Owned: true})
	}
	return e.client.EnsureTopics(ctx, inputs)
}

// send produces a message of the example's traffic.
func (e *embedded) send(ctx context.Context, messages []retail.Message) error {
	byTopic := map[string][]pipeline.OutRecord{}
	times := map[string][]int64{}
	for _, m := range messages {
		record := pipeline.OutRecord{Key: m.Key, Value: m.Value}
		for _, h := range m.Headers {
			record.Headers = append(record.Headers, pipeline.Header{Key: h.Key, Value: h.Value})
		}
		byTopic[m.Topic] = append(byTopic[m.Topic], record)
		times[m.Topic] = append(times[m.Topic], m.Time)
	}
	for _, topic := range e.cfg.InputTopics() {
		if len(byTopic[topic]) == 0 {
			continue
		}
		if err := e.client.Send(ctx, topic, -1, byTopic[topic], times[topic]); err != nil {
			return err
		}
	}
	return nil
}

func (e *embedded) close() {
	if e.client != nil {
		e.client.Close()
	}
	e.broker.Close()
}

// caughtUp reports whether everything in the input topics is committed and published.
func (d *daemon) caughtUp(ctx context.Context) (bool, error) {
	positions := d.pipeline.Shard.Stats().Figures().Positions
	for _, topic := range d.model.ConsumedTopics() {
		ends, err := d.client.EndOffsets(ctx, topic)
		if err != nil {
			return false, err
		}
		for tp, end := range ends {
			if positions[tp] < end {
				return false, nil
			}
		}
	}
	return d.store.OutboxDepth() == 0, nil
}

// awaitCaughtUp waits until everything in the input topics is committed and published.
func (d *daemon) awaitCaughtUp(ctx context.Context) error {
	for {
		done, err := d.caughtUp(ctx)
		if done || err != nil {
			return err
		}
		if err := pipeline.Sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}
