package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"selfsame/pipeline"
)

// codeError is a response's error code as an error, nil for 0.
func codeError(code int16) error {
	if code == 0 {
		return nil
	}
	return kafkago.Error(code)
}

// named puts the pipeline's sentinel before a Kafka error that has one.
func named(err error) error {
	if sentinel := sentinelOf(err); sentinel != nil {
		return fmt.Errorf("%w: %w", sentinel, err)
	}
	return err
}

func sentinelOf(err error) error {
	var code kafkago.Error
	if !errors.As(err, &code) {
		return nil
	}
	switch code {
	case kafkago.UnknownTopicOrPartition, kafkago.InvalidTopic:
		return pipeline.ErrUnknownTopic
	case kafkago.InvalidProducerEpoch, kafkago.ProducerFenced, kafkago.InvalidProducerIDMapping:
		return pipeline.ErrFenced
	case kafkago.TransactionalIDAuthorizationFailed, kafkago.TopicAuthorizationFailed,
		kafkago.ClusterAuthorizationFailed:
		return pipeline.ErrNotAuthorized
	case kafkago.OutOfOrderSequenceNumber, kafkago.UnknownProducerId:
		return pipeline.ErrSequence
	case kafkago.MessageSizeTooLarge, kafkago.RecordListTooLarge:
		return pipeline.ErrTooLarge
	}
	return nil
}

// failed passes err on, after refreshing the metadata where the error says that the cluster is not
// as the Transport believes. A refresh that fails changes nothing about err.
func (c *Client) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ended := endOf(ctx); ended != nil {
		if errors.Is(err, ended) {
			return err
		}
		return fmt.Errorf("%w: %w", ended, err)
	}
	if isStale(err) {
		ctx, cancel := c.limit(ctx, 0)
		defer cancel()
		if refreshErr := c.refresh(ctx); refreshErr != nil {
			c.log.Debug("kafka metadata not refreshed", "err", refreshErr)
		}
	}
	return err
}

// endOf returns the context's error, also in the moment between its deadline and its timer: the
// connection has the same deadline, and can be the first to say so.
func endOf(ctx context.Context) error {
	if at, ok := ctx.Deadline(); ok && !time.Now().Before(at) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func isStale(err error) bool {
	if isUnrouted(err) {
		return true
	}
	var netErr net.Error
	if errors.As(err, &netErr) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	var code kafkago.Error
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case kafkago.NotLeaderForPartition, kafkago.LeaderNotAvailable, kafkago.ReplicaNotAvailable,
		kafkago.FencedLeaderEpoch, kafkago.UnknownLeaderEpoch, kafkago.KafkaStorageError,
		kafkago.UnknownTopicOrPartition, kafkago.UnknownTopicID, kafkago.InconsistentTopicID:
		return true
	}
	return false
}

// isCoordinatorBusy reports errors of a transaction or group coordinator that pass by themselves.
func isCoordinatorBusy(err error) bool {
	var code kafkago.Error
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case kafkago.GroupLoadInProgress, kafkago.GroupCoordinatorNotAvailable,
		kafkago.NotCoordinatorForGroup, kafkago.ConcurrentTransactions:
		return true
	}
	return false
}
