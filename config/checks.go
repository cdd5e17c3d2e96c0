package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// messageRoom is what a message may be larger than the record or profile in it: keys, headers and
// the batch's own bytes.
const messageRoom = 128 << 10

// checkKafka looks at what a broker would only refuse once the daemon runs.
func (c *Config) checkKafka(p *problems) {
	f := &c.file
	for i, broker := range f.Kafka.Brokers {
		_, port, err := net.SplitHostPort(broker)
		if err != nil || port == "" {
			continue // reported with the other settings of Kafka
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > math.MaxUint16 {
			p.add([]string{"kafka", "brokers", strconv.Itoa(i)},
				"%q: the port must be 1 to %d", broker, math.MaxUint16)
		}
	}
	if f.Kafka.FetchMaxBytes > math.MaxInt32 {
		p.add([]string{"kafka", "fetch_max_bytes"}, "must be at most %d, which is Kafka's limit",
			math.MaxInt32)
	}
	message := func(value Bytes, name string) {
		if value > math.MaxInt32-messageRoom {
			p.add([]string{"limits", name}, "must be at most %d, with which a message is within "+
				"Kafka's limit", math.MaxInt32-messageRoom)
		}
	}
	message(f.Limits.RecordBytes, "record_bytes")
	message(f.Limits.OutputBytes, "output_bytes")
	if f.Output.Replication < 1 && f.Output.Replication != -1 {
		p.add([]string{"output", "replication"},
			"must be at least 1, or -1 for the broker's default")
	}
	c.checkCA(p, f.Kafka.TLS.CAFile, "kafka", "tls", "ca_file")
	c.checkCA(p, f.Registry.CAFile, "registry", "ca_file")
	c.checkTopicNames(p)
}

// checkCA sees to it that a file of certificates to trust holds one.
func (c *Config) checkCA(p *problems, file string, path ...string) {
	if file == "" {
		return
	}
	text, err := os.ReadFile(c.resolve(file))
	switch {
	case err != nil:
		p.add(path, "%v", pathError(err))
	case !x509.NewCertPool().AppendCertsFromPEM(text):
		p.add(path, "%s holds no certificate in PEM", file)
	}
}

// checkTopicNames looks at every topic that is named; missing ones are reported elsewhere.
func (c *Config) checkTopicNames(p *problems) {
	f := &c.file
	check := func(name string, path ...string) {
		if name == "" {
			return
		}
		if err := validTopic(name); err != nil {
			p.add(path, "%q is no name of a topic: %v", name, err)
		}
	}
	check(f.DeadLetters.Topic, "dead_letters", "topic")
	check(f.Control.Topic, "control", "topic")
	check(f.Control.Audit, "control", "audit")
	for name, e := range f.Entities {
		check(e.Topics.Identity, "entities", name, "topics", "identity")
		check(e.Topics.Assignment, "entities", name, "topics", "assignment")
		for policy, one := range e.Policies {
			check(one.Topic, "entities", name, "policies", policy, "topic")
			check(one.Changes, "entities", name, "policies", policy, "changes")
		}
	}
	for name, ds := range f.Datasets {
		check(ds.Topic, "datasets", name, "topic")
	}
}

// maxTopicName is Kafka's limit: a name and a partition's number make the name of a directory.
const maxTopicName = 249

// validTopic tells why Kafka would refuse a name, or why the topic is not one for users.
func validTopic(name string) error {
	foreign := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("._-", r))
	}
	switch {
	case len(name) > maxTopicName:
		return fmt.Errorf("it has more than %d characters", maxTopicName)
	case name == "." || name == "..":
		return errors.New("it is reserved")
	case strings.ContainsFunc(name, foreign):
		return errors.New("it may have letters, digits, dots, underscores and hyphens")
	case slices.Contains([]string{"__consumer_offsets", "__transaction_state"}, name):
		return errors.New("it is Kafka's own")
	}
	return nil
}
