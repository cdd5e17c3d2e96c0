// Command bench measures how fast the pipeline is, against the least that any pipeline has to do.
//
// Three contenders drain the same topics, filled before the clock starts, one after the other:
//
//	a  passthrough  consume, produce the same bytes
//	b  floor        consume, read-modify-write one key per record in the storage engine, commit
//	                with sync, produce the same bytes: what any stateful pipeline has to do
//	c  pipeline     the real one, as the daemon wires it
//
// All have the same fetches, partitions, sizes of batch, idempotent produce requests, and, b and c,
// the same engine options and synced commits. Each runs in a process of its own, apart from the
// broker, so that its memory is its own. They take turns, and only ratios within one turn are
// compared, because machines are noisy. At last records are produced at half the speed of c, and
// the time from each to the merged record that it caused is taken.
//
// With -trouble it measures something else: how long the records of some people take while others
// are in trouble, that is in a storm of cookies, at a kiosk, or merged.
//
//	main.go       flags, and the order in which everything happens
//	load.go       the events: people who are customers, browse and sign in
//	world.go      a broker, topics, configuration
//	child.go      one contender in its process: what it is told, what it reports
//	edge.go       what contenders a and b share: readers, batches, producing
//	floor.go      b's state
//	pipeline.go   c
//	latency.go    the produce-to-merged time
//	trouble.go    the same in quiet and in trouble
//	people.go     who gets into trouble, and how
//	report.go     medians, ratios, the table
//
// docs/benchmarks.md has figures and says how to read them.
package main
