package main

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"selfsame/broker"
	"selfsame/config"
	"selfsame/internal/realkafka"
	"selfsame/kafka"
	"selfsame/schemas"
)

//go:embed selfsame.yaml
var configText string

//go:embed schemas/*.avsc
var schemaFiles embed.FS

// idKey is as good as any: nobody's profile is at stake.
const idKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

// partitions of each input topic; the outputs have as many (selfsame.yaml).
const partitions = 4

// inputDatasets are the ends of the names of the input topics. What is in the last of them is
// deleted while others work, and without trouble there is nothing in it.
var inputDatasets = []string{"customers", "events", "legacy"}

// control is the end of the name of the control topic, as if it were a dataset.
const control = "control"

// partitionsOf returns how many partitions the topic of a dataset has.
func partitionsOf(dataset string) int32 {
	if dataset == control {
		return 1
	}
	return partitions
}

// configure returns the configuration of one run.
func configure(t task) (*config.Config, error) {
	text := strings.NewReplacer("$FORMAT", t.Format, "$RUN", t.Run, "$INPUT", t.Input).
		Replace(configText)
	return config.Example([]byte(text), schemaFiles, config.Overrides{
		DataDir: t.Dir, Brokers: []string{t.Broker}, IDKey: idKey,
	})
}

// codecs returns what encodes the load: nothing for JSON.
func codecs(format string) (map[string]*schemas.Schema, error) {
	if format == "json" {
		return nil, nil
	}
	cfg, err := configure(task{Format: format, Run: "bench", Input: "bench", Dir: os.TempDir(),
		Broker: "127.0.0.1:9092"})
	if err != nil {
		return nil, err
	}
	model, err := cfg.Model()
	if err != nil {
		return nil, err
	}
	all := map[string]*schemas.Schema{}
	for _, ds := range model.Datasets {
		all[ds.Name] = ds.Schema
	}
	return all, nil
}

// cluster is a broker to measure against.
type cluster struct {
	name   string
	addr   string
	client *kafka.Client
	stop   func() error
}

// open starts the kind of broker that is asked for: "embedded", "real", or one that runs at
// host:port.
func open(kind string) (*cluster, error) {
	c := &cluster{name: kind, addr: kind, stop: func() error { return nil }}
	switch kind {
	case "embedded":
		b, err := broker.Start(broker.Options{})
		if err != nil {
			return nil, err
		}
		c.addr, c.stop = b.Addr(), b.Close
	case "real":
		node, err := realkafka.Run(nil)
		if err != nil {
			return nil, fmt.Errorf("starting a real Kafka: %w", err)
		}
		c.name, c.addr, c.stop = "Apache Kafka "+realkafka.Version, node.Addr, node.Stop
	}
	cfg := kafka.Default()
	cfg.Brokers = []string{c.addr}
	var err error
	c.client, err = kafka.New(cfg, slog.New(slog.DiscardHandler))
	return c, err
}

func (c *cluster) close() error {
	c.client.Close()
	return c.stop()
}

// makeInputs makes the input topics that begin with a name.
func (c *cluster) makeInputs(ctx context.Context, input string) error {
	var specs []kafka.TopicSpec
	for _, dataset := range append(slices.Clone(inputDatasets), control) {
		specs = append(specs, kafka.TopicSpec{Name: input + "." + dataset, Owned: true,
			Partitions: partitionsOf(dataset), ReplicationFactor: 1})
	}
	return c.client.EnsureTopics(ctx, specs)
}
