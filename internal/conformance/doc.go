// Package conformance is one suite of tests for everything that claims to be a pipeline.Source and
// a pipeline.Sink: the log in memory, the Kafka edge against the embedded broker, and the Kafka
// edge against Apache Kafka.
//
// Run takes an Env, which says how to make topics and what else the log under test can be made to
// do. What an Env leaves nil is skipped.
package conformance
