package kafka

import (
	"testing"

	kafkago "github.com/segmentio/kafka-go"

	"selfsame/pipeline"
)

func TestPartitionAgreesWithKafkaGo(t *testing.T) {
	other := kafkago.Murmur2Balancer{Consistent: true}
	for n := int32(1); n < 20; n++ {
		var all []int
		for p := range int(n) {
			all = append(all, p)
		}
		key := []byte{}
		for i := range 60 {
			got := pipeline.PartitionOf(key, n)
			want := other.Balance(kafkago.Message{Key: key}, all...)
			if int(got) != want {
				t.Errorf("PartitionOf(%q, %d) = %d, want %d", key, n, got, want)
			}
			key = append(key, byte(7*i))
		}
	}
}
