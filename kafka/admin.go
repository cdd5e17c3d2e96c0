package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"selfsame/pipeline"
)

// TopicSpec is what a topic has to be like.
type TopicSpec struct {
	Name              string
	Partitions        int32 // 0: the broker's default, and any number is right
	ReplicationFactor int16 // -1 or 0: the broker's default
	Configs           map[string]string
	Owned             bool // ours to create where it is missing
}

// The settings that an existing topic is checked for, where the spec names them. Others only count
// when the topic is created.
const (
	cleanupPolicy   = "cleanup.policy"
	maxMessageBytes = "max.message.bytes"
)

// EnsureTopics creates the owned topics that are missing, unless one of others is missing, and
// checks those that exist. The error lists everything that is not as it should be, with the command
// that mends it.
func (c *Client) EnsureTopics(ctx context.Context, specs []TopicSpec) error {
	var errs []error
	var existing, missing []TopicSpec
	for _, spec := range specs {
		ok, err := c.topicExists(ctx, spec)
		switch {
		case err != nil:
			return err
		case ok:
			existing = append(existing, spec)
		case spec.Owned:
			missing = append(missing, spec)
		default:
			errs = append(errs, c.missingTopic(spec))
		}
	}
	var raced []TopicSpec
	if len(errs) == 0 {
		var err error
		raced, err = c.createTopics(ctx, missing)
		errs = append(errs, err)
	}
	for _, spec := range append(existing, raced...) {
		errs = append(errs, c.checkTopic(ctx, spec))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, spec := range missing {
		if err := c.awaitLeaders(ctx, spec.Name); err != nil {
			return err
		}
	}
	return nil
}

// Looking for a new topic.
const (
	leaderWait = 20 * time.Millisecond // between two looks for it or for its leaders
	topicWait  = time.Second           // for one that another has just created
)

// topicExists reports whether the topic is there. One of others is looked for a while before it is
// said to be missing: a broker learns of a topic a moment after it was created.
func (c *Client) topicExists(ctx context.Context, spec TopicSpec) (bool, error) {
	waiting, cancel := context.WithTimeout(ctx, topicWait)
	defer cancel()
	for {
		ok, err := c.TopicExists(ctx, spec.Name)
		if ok || err != nil || spec.Owned || pause(waiting, leaderWait) != nil {
			return ok, err
		}
	}
}

// awaitLeaders waits until all partitions of a topic that was just created can be used. The cluster
// tells of a topic a moment before its leaders have taken their places.
func (c *Client) awaitLeaders(ctx context.Context, topic string) error {
	ctx, cancel := c.limit(ctx, 0)
	defer cancel()
	for {
		_, err := c.EndOffsets(ctx, topic)
		if err == nil {
			return nil
		}
		if ctxErr := pause(ctx, leaderWait); ctxErr != nil {
			return fmt.Errorf("waiting for the leaders of topic %s: %w, last %w",
				topic, ctxErr, err)
		}
	}
}

func (c *Client) missingTopic(spec TopicSpec) error {
	return fmt.Errorf("topic %s does not exist. Create it:\n"+
		"  kafka-topics.sh --bootstrap-server %s --create --topic %s",
		spec.Name, c.address(), spec.Name)
}

// TopicExists reports whether the cluster has the topic.
func (c *Client) TopicExists(ctx context.Context, topic string) (bool, error) {
	_, err := c.Source().Describe(ctx, topic)
	if errors.Is(err, pipeline.ErrUnknownTopic) {
		return false, nil
	}
	return err == nil, err
}

// createTopics returns the topics that another has created in the meantime, to be checked.
func (c *Client) createTopics(ctx context.Context, specs []TopicSpec) ([]TopicSpec, error) {
	if len(specs) == 0 {
		return nil, nil
	}
	ctx, cancel := c.limit(ctx, 0)
	defer cancel()
	req := &kafkago.CreateTopicsRequest{}
	for _, spec := range specs {
		req.Topics = append(req.Topics, topicConfig(spec))
	}
	res, err := c.calls.CreateTopics(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("creating topics: %w", err)
	}
	var raced []TopicSpec
	var errs []error
	for _, spec := range specs {
		err := res.Errors[spec.Name]
		if errors.Is(err, kafkago.TopicAlreadyExists) {
			raced = append(raced, spec)
		} else if err != nil {
			errs = append(errs, fmt.Errorf("creating topic %s: %w", spec.Name, err))
		} else {
			c.log.Info("topic created", "topic", spec.Name, "partitions", spec.Partitions)
		}
	}
	return raced, errors.Join(errs...)
}

func topicConfig(spec TopicSpec) kafkago.TopicConfig {
	config := kafkago.TopicConfig{
		Topic:             spec.Name,
		NumPartitions:     cmp.Or(int(spec.Partitions), -1),
		ReplicationFactor: cmp.Or(int(spec.ReplicationFactor), -1),
	}
	for _, name := range sortedKeys(spec.Configs) {
		config.ConfigEntries = append(config.ConfigEntries, kafkago.ConfigEntry{
			ConfigName: name, ConfigValue: spec.Configs[name],
		})
	}
	return config
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (c *Client) checkTopic(ctx context.Context, spec TopicSpec) error {
	partitions, err := c.Sink().Partitions(ctx, spec.Name)
	if err != nil {
		return err
	}
	errs := []error{c.checkPartitions(spec, partitions)}
	if spec.Configs[cleanupPolicy] == "" && spec.Configs[maxMessageBytes] == "" {
		return errors.Join(errs...)
	}
	found, err := c.topicConfigs(ctx, spec.Name, cleanupPolicy, maxMessageBytes)
	if err != nil {
		return fmt.Errorf("reading the settings of topic %s: %w", spec.Name, err)
	}
	for _, name := range []string{cleanupPolicy, maxMessageBytes} {
		if want := spec.Configs[name]; want != "" && !settingServes(name, found[name], want) {
			errs = append(errs, c.wrongSetting(spec.Name, name, found[name], want))
		}
	}
	return errors.Join(errs...)
}

func (c *Client) checkPartitions(spec TopicSpec, found int32) error {
	switch {
	case spec.Partitions == 0 || spec.Partitions == found:
		return nil
	case found > spec.Partitions:
		return fmt.Errorf("topic %s: partitions is %d, wanted %d. Kafka cannot take "+
			"partitions away: set the configured number to %d, or write to another topic",
			spec.Name, found, spec.Partitions, found)
	}
	return fmt.Errorf("topic %s: partitions is %d, wanted %d. Where the topic is empty, add them "+
		"(keys would change partition in one that is not):\n"+
		"  kafka-topics.sh --bootstrap-server %s --alter --topic %s --partitions %d",
		spec.Name, found, spec.Partitions, c.address(), spec.Name, spec.Partitions)
}

func (c *Client) wrongSetting(topic, name, found, want string) error {
	relation := "wanted"
	if name == maxMessageBytes {
		relation = "wanted at least"
	}
	value := want
	if strings.Contains(want, ",") {
		value = "[" + want + "]"
	}
	return fmt.Errorf("topic %s: %s is %s, %s %s. Mend it:\n"+
		"  kafka-configs.sh --bootstrap-server %s --alter --entity-type topics "+
		"--entity-name %s --add-config '%s=%s'",
		topic, name, found, relation, want, c.address(), topic, name, value)
}

func settingServes(name, found, want string) bool {
	if name == maxMessageBytes {
		f, err1 := strconv.ParseInt(found, 10, 64)
		w, err2 := strconv.ParseInt(want, 10, 64)
		return err1 == nil && err2 == nil && f >= w
	}
	return slices.Equal(listOf(found), listOf(want))
}

func listOf(s string) []string {
	items := strings.Split(strings.ReplaceAll(s, " ", ""), ",")
	slices.Sort(items)
	return items
}

func (c *Client) topicConfigs(ctx context.Context, topic string, names ...string) (
	map[string]string, error) {
	ctx, cancel := c.limit(ctx, 0)
	defer cancel()
	res, err := c.calls.DescribeConfigs(ctx, &kafkago.DescribeConfigsRequest{
		Resources: []kafkago.DescribeConfigRequestResource{{
			ResourceType: kafkago.ResourceTypeTopic,
			ResourceName: topic,
			ConfigNames:  names,
		}},
	})
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	found := map[string]string{}
	for _, resource := range res.Resources {
		if resource.Error != nil {
			return nil, resource.Error
		}
		for _, entry := range resource.ConfigEntries {
			found[entry.ConfigName] = entry.ConfigValue
		}
	}
	return found, nil
}
