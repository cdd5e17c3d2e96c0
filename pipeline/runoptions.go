package pipeline

import (
	"errors"
	"time"
)

// Options tune a pipeline. The zero value of each field means its default.
type Options struct {
	// BatchRecords bounds the records of one commit. Default 1000. Larger batches trade latency for
	// throughput.
	BatchRecords int
	// BatchDelay is how long a commit waits for more records once it has one. Default 2 ms.
	BatchDelay time.Duration
	// ShutdownTimeout is how long a stop may take before the process gives up. Default 30 s.
	ShutdownTimeout time.Duration
	// OffsetsInterval is how often consumed positions are reported to Kafka as group offsets, for
	// dashboards only. Default 5 s.
	OffsetsInterval time.Duration
	// MetadataInterval is how often the input topics are looked at for new partitions, and for
	// having been made anew. Default 30 s.
	MetadataInterval time.Duration
	// UnknownSchemaRetry is how long a schema registry is asked again for an id that it does not
	// know, before the records are rejected. Default 10 s.
	UnknownSchemaRetry time.Duration
}

// Defaults of Options.
const (
	DefaultApplyRecords    = 1000
	DefaultBatchDelay      = 2 * time.Millisecond
	DefaultShutdownTimeout = 30 * time.Second
	DefaultOffsetsInterval = 5 * time.Second

	DefaultMetadataInterval   = 30 * time.Second
	DefaultUnknownSchemaRetry = 10 * time.Second
)

// WithDefaults fills in the defaults.
func (o Options) WithDefaults() Options {
	if o.BatchRecords == 0 {
		o.BatchRecords = DefaultApplyRecords
	}
	if o.BatchDelay == 0 {
		o.BatchDelay = DefaultBatchDelay
	}
	if o.ShutdownTimeout == 0 {
		o.ShutdownTimeout = DefaultShutdownTimeout
	}
	if o.OffsetsInterval == 0 {
		o.OffsetsInterval = DefaultOffsetsInterval
	}
	if o.MetadataInterval == 0 {
		o.MetadataInterval = DefaultMetadataInterval
	}
	if o.UnknownSchemaRetry == 0 {
		o.UnknownSchemaRetry = DefaultUnknownSchemaRetry
	}
	return o
}

// Validate reports every option that is out of bounds.
func (o Options) Validate() error {
	var errs []error
	if o.BatchRecords < 1 || o.BatchRecords > 100_000 {
		errs = append(errs, errors.New("batch_records: must be 1 to 100000"))
	}
	if o.BatchDelay < 0 || o.BatchDelay > time.Second {
		errs = append(errs, errors.New("batch_delay: must be 0 to 1s"))
	}
	if o.ShutdownTimeout < time.Second {
		errs = append(errs, errors.New("shutdown_timeout: must be at least 1s"))
	}
	if o.OffsetsInterval < 100*time.Millisecond {
		errs = append(errs, errors.New("offsets_interval: must be at least 100ms"))
	}
	if o.MetadataInterval < 100*time.Millisecond {
		errs = append(errs, errors.New("metadata_interval: must be at least 100ms"))
	}
	if o.UnknownSchemaRetry < 0 || o.UnknownSchemaRetry > 10*time.Minute {
		errs = append(errs, errors.New("unknown_retry of the registry: must be 0 to 10m"))
	}
	return errors.Join(errs...)
}
