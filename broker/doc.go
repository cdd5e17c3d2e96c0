// Package broker is a Kafka broker inside this process, for the demo, for development and for
// tests.
//
// It is a thin wrapper over kfake of franz-go, which imitates a Kafka cluster well enough for
// clients in any language: topics and their configuration, produce with idempotence and
// transactions, fetch with both isolation levels, consumer groups, compaction, retention and record
// deletion.
//
// It is not for production, and says so in its log when it starts:
//
//  1. There is one node. Nothing is replicated, and what it answers is not synced to disk: a
//     kill of the process loses nothing that the operating system was given, a loss of power can.
//  2. It fences an old producer as soon as a newer one has opened its session, where a real
//     partition leader does so only after the newer one has written. It proves nothing about
//     exactly-once output; real Kafka does.
//  3. It listens on the loopback interface, without encryption or authentication.
//
// With Options.DataDir topics, records, producers and group offsets outlive a restart. One process
// may use a directory at a time. Topics are not created by being written to.
package broker
