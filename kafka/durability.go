package kafka

import (
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Settings without which a broker can lose what it has acknowledged.
const (
	minInsync       = "min.insync.replicas"
	uncleanElection = "unclean.leader.election.enable"

	wantReplicas  = 3
	wantMinInsync = 2
)

// Weaknesses lists what can make a topic lose records that were acknowledged, none where nothing is
// known of.
func (c *Client) Weaknesses(ctx context.Context, topic string) ([]string, error) {
	replicas, err := c.replicas(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("reading the replicas of topic %s: %w", topic, err)
	}
	found, err := c.topicConfigs(ctx, topic, minInsync, uncleanElection)
	if err != nil {
		return nil, fmt.Errorf("reading the settings of topic %s: %w", topic, err)
	}
	var weak []string
	if replicas < wantReplicas {
		weak = append(weak, fmt.Sprintf("replication factor %d, wanted %d", replicas, wantReplicas))
	}
	if n, err := strconv.Atoi(found[minInsync]); err == nil && n < wantMinInsync {
		weak = append(weak, fmt.Sprintf("%s %d, wanted %d", minInsync, n, wantMinInsync))
	}
	if found[uncleanElection] == "true" {
		weak = append(weak, uncleanElection+" true, wanted false")
	}
	return weak, nil
}

// replicas returns the least number of replicas of a partition of topic.
func (c *Client) replicas(ctx context.Context, topic string) (int, error) {
	ctx, cancel := c.limit(ctx, 0)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Version = metadataVersion
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, rt)
	answer, err := c.callAny(ctx, req)
	if err != nil {
		return 0, c.failed(ctx, err)
	}
	least := 0
	for _, t := range answer.(*kmsg.MetadataResponse).Topics {
		if err := codeError(t.ErrorCode); err != nil {
			return 0, named(err)
		}
		for _, p := range t.Partitions {
			if n := len(p.Replicas); least == 0 || n < least {
				least = n
			}
		}
	}
	return least, nil
}
