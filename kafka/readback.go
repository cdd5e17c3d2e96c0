package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"selfsame/pipeline"
)

// Cluster implements pipeline.Sink.
func (s *Sink) Cluster(ctx context.Context) (string, error) {
	ctx, cancel := s.c.limit(ctx, 0)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Version = metadataVersion
	req.Topics = []kmsg.MetadataRequestTopic{}
	answer, err := s.c.callAny(ctx, req)
	if err != nil {
		return "", fmt.Errorf("asking for the cluster's id: %w", s.c.failed(ctx, err))
	}
	id := answer.(*kmsg.MetadataResponse).ClusterID
	if id == nil || *id == "" {
		return "", errors.New("asking for the cluster's id: it has none")
	}
	return *id, nil
}

// Bounds implements pipeline.Sink.
func (s *Sink) Bounds(ctx context.Context, tp pipeline.TopicPartition) (pipeline.Bounds, error) {
	ctx, cancel := s.c.limit(ctx, 0)
	defer cancel()
	var b pipeline.Bounds
	var err error
	if b.Start, err = s.c.listOffset(ctx, tp, askEarliest, readUncommitted); err == nil {
		b.End, err = s.c.listOffset(ctx, tp, askLatest, readUncommitted)
	}
	if err != nil {
		return b, fmt.Errorf("asking for the ends of %s: %w", tp, named(s.c.failed(ctx, err)))
	}
	return b, nil
}

// Read implements pipeline.Sink.
func (s *Sink) Read(ctx context.Context, tp pipeline.TopicPartition, offset int64) (
	pipeline.Fetched, error) {
	got, err := s.c.fetch(ctx, tp, offset, readUncommitted)
	if err != nil {
		return pipeline.Fetched{}, fmt.Errorf("reading back %s from offset %d: %w", tp, offset, err)
	}
	return got, nil
}
