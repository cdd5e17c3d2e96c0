package kafka

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kversion"

	"selfsame/pipeline"
)

// TestTopicIDs: from the versions on that tell them, ids come with topics and with what is fetched;
// before, all works without.
func TestTopicIDs(t *testing.T) {
	for _, c := range []struct {
		name           string
		opts           []kfake.Opt
		tells, fetches bool
	}{
		{"2.3", []kfake.Opt{kfake.MaxVersions(kversion.V2_3_0())}, false, false},
		{"2.8", []kfake.Opt{kfake.MaxVersions(kversion.V2_8_0())}, true, false},
		{"newest", nil, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := startCluster(t, c.opts...)
			makeTopic(t, cluster, "t", 3)
			client := connect(t, cluster.ListenAddrs())
			found, err := client.Source().Describe(t.Context(), "t")
			if err != nil || len(found.Partitions) != 3 || found.ID.IsZero() == c.tells {
				t.Fatalf("%+v, %v", found, err)
			}
			tp := pipeline.TopicPartition{Topic: "t", Partition: 1}
			for range 2 { // the second time it is known what the broker speaks
				got, err := client.Source().Fetch(t.Context(), tp, 0)
				if err != nil || got.Topic.IsZero() == c.fetches ||
					c.fetches && got.Topic != found.ID {
					t.Errorf("fetched from topic %x, %v", got.Topic, err)
				}
			}
		})
	}
}

// TestFetchFromAnother: a topic that was made anew does not pass for the one that was described.
func TestFetchFromAnother(t *testing.T) {
	cluster := startCluster(t)
	makeTopic(t, cluster, "t", 1)
	client := connect(t, cluster.ListenAddrs())
	tp := pipeline.TopicPartition{Topic: "t"}
	first, err := client.Source().Describe(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Source().Fetch(t.Context(), tp, 0); err != nil {
		t.Fatal(err)
	}
	if err := cluster.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	_, err = client.Source().Fetch(t.Context(), tp, 0)
	if !errors.Is(err, pipeline.ErrUnknownTopic) {
		t.Errorf("deleted: %v", err)
	}
	makeTopic(t, cluster, "t", 1)
	if got, err := client.Source().Fetch(t.Context(), tp, 0); err == nil {
		t.Errorf("fetched from topic %x as if it were %x", got.Topic, first.ID)
	}
	second, err := client.Source().Describe(t.Context(), "t")
	if err != nil || second.ID == first.ID {
		t.Fatalf("%+v, %v", second, err)
	}
	got, err := client.Source().Fetch(t.Context(), tp, 0)
	if err != nil || got.Topic != second.ID {
		t.Errorf("fetched from topic %x, %v, want %x", got.Topic, err, second.ID)
	}
}

// TestCutTags: tagged fields in a header are passed over, whatever they are, and one that is cut
// short is an error.
func TestCutTags(t *testing.T) {
	for _, c := range []struct{ in, rest []byte }{
		{[]byte{0, 'x'}, []byte("x")},
		{[]byte{2, 5, 1, 'a', 0x80, 1, 2, 'b', 'c', 'x'}, []byte("x")},
		{[]byte{0}, []byte{}},
		{nil, nil},
		{[]byte{1}, nil},
		{[]byte{1, 5, 9, 'a'}, nil},
		{[]byte{0x80}, nil},
		{bytes.Repeat([]byte{0xff}, 20), nil},
	} {
		rest, err := cutTags(c.in)
		if (err == nil) != (c.rest != nil) || !bytes.Equal(rest, c.rest) {
			t.Errorf("%x: %x, %v", c.in, rest, err)
		}
	}
}
