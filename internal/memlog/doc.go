// Package memlog is a log in memory that behaves as Kafka does where the pipeline can tell, for
// tests of the pipeline: deterministic, without a goroutine, with faults on demand.
//
// What it takes over from Kafka:
//
//  1. Offsets per partition, never given twice; a start that moves (Expire), an end that can lose
//     records (Truncate), gaps (Skip, Compact).
//  2. Idempotent produce: a batch among the last five of its producer in a partition gives its
//     offset again, any other that does not follow the last is pipeline.ErrSequence.
//  3. Fencing as a partition leader does it, and no sooner: an older epoch is refused in a
//     partition once a newer one has written there, a batch or a marker. Open alone fences nothing;
//     Fence writes markers, which can be late.
//  4. Timestamps are kept in milliseconds.
package memlog
