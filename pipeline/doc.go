// Package pipeline is the flow: records in, one commit per batch, merged profiles out.
//
// The way of one record, file by file:
//
//	watch.go      the watcher finds the partitions of the input topics and starts their readers
//	reader.go     a reader fetches its partition, decodes, and hands over chunks
//	continuity.go whether the log goes on where it was left, and what to do where it does not
//	applier.go    the applier gathers what has arrived
//	backup.go     what the applier does between two commits: freezing a backup
//	decode.go     Record -> Input: dataset, operation, typed value, time, identities, or a rejection
//	shard.go      Shard.ApplySome: a batch of inputs, up to a bound of work -> one commit
//	inputs.go     which topics are read: halted, paused, stopped (rejectshare.go), resumed, moved
//	step.go       one input -> changes of the working set (state.go)
//	graph.go      links asserted, clusters decided, identities assigned
//	settle.go     changed profiles are merged once, compared with what was last decided, enqueued
//	unions.go     union schemas of the model, and how they may change
//	render.go     merged profile -> output record
//	outgoing.go   outbox entries -> batches
//	publisher.go  frozen batches -> Sink
//	recover.go    what has landed: claim, read back (tail.go), conclude (begin.go, reissue.go)
//
// Who uses it: cmd wires a [Source], a [Sink] and a store to a [Pipeline] and runs it; tests and
// the simulation drive a [Shard] and a [Publisher] by hand, without goroutines.
//
// Guarantees:
//  1. A shard is a single-writer state machine: state, inputs and now determine the next state and
//     what is emitted. Nothing below [Pipeline.Run] reads a clock or starts a goroutine, except a
//     [Publisher] that is told to send side by side, and waits for it.
//  2. Positions, state and outbox entries of a batch are one commit. What is not committed was not
//     consumed; what is committed is published.
//  3. Every consumed record is counted as exactly one of accepted, rejected, duplicate, superseded.
//  4. A profile whose content did not change is not emitted.
//  5. A position moves by consuming, or by a step of its own that is counted, logged and audited:
//     nothing is passed over in silence.
package pipeline
