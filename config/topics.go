package config

import (
	"strconv"

	"selfsame/kafka"
)

// OwnedTopics lists the topics that the daemon writes, with the settings they need.
func (c *Config) OwnedTopics() []kafka.TopicSpec {
	var specs []kafka.TopicSpec
	add := func(name, cleanup string, maxBytes int) {
		specs = append(specs, c.ownedTopic(name, cleanup, maxBytes))
	}
	add(c.model.DeadLetterTopic, "delete", c.model.Limits.RecordBytes+messageRoom)
	for _, e := range c.model.Entities {
		add(e.IdentityTopic, "delete", 1<<20)
		add(e.AssignmentTopic, "compact", 1<<20)
		for i := range e.Policies {
			specs = append(specs, c.ProfileTopic(e.Policies[i].Topic))
			if changes := e.Policies[i].Changes; changes != "" {
				specs = append(specs, c.RecordTopic(changes))
			}
		}
	}
	log := func(name string, partitions int32) {
		specs = append(specs, kafka.TopicSpec{Name: name, Owned: true, Partitions: partitions,
			ReplicationFactor: c.file.Output.Replication,
			Configs:           map[string]string{"cleanup.policy": "delete", "retention.ms": "-1"}})
	}
	log(c.model.ControlTopic, 1) // what is asked for has one order
	log(c.model.AuditTopic, c.file.Output.Partitions)
	return specs
}

// ProfileTopic is a topic of merged profiles, with the settings it needs.
func (c *Config) ProfileTopic(name string) kafka.TopicSpec {
	return c.ownedTopic(name, "compact", max(1<<20, c.model.Limits.OutputBytes+messageRoom))
}

// RecordTopic is a topic of records that are kept as they are, with the settings it needs.
func (c *Config) RecordTopic(name string) kafka.TopicSpec {
	return c.ownedTopic(name, "delete", max(1<<20, c.model.Limits.OutputBytes+messageRoom))
}

func (c *Config) ownedTopic(name, cleanup string, maxBytes int) kafka.TopicSpec {
	return kafka.TopicSpec{Name: name, Owned: true,
		Partitions: c.file.Output.Partitions, ReplicationFactor: c.file.Output.Replication,
		Configs: map[string]string{"cleanup.policy": cleanup,
			"max.message.bytes": strconv.Itoa(maxBytes)}}
}
