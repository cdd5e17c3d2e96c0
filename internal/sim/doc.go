// Package sim runs the whole shard in one thread against a simulated cluster and a disk that
// crashes, and compares the outcome with an oracle. One seed drives everything.
//
//	sim.go        a run: work, faults, rest, verification
//	world.go      the model: two datasets of records, two of events
//	workload.go   random records about a few people
//	owner.go      one process: store, shard, publisher, worked by hand
//	disk.go       its file system, which can crash within any operation
//	faults.go     what goes wrong, and when
//	oracle.go     what should come out, by full walks over all that was consumed
//	judge.go      the oracle's reading of one record
//	verify.go     the outcome against the oracle, the raw output against its invariants
//	mutants       known bugs, to see that each is found
//
// What is checked after each run:
//
//  1. The last record of each key is what the oracle makes of the records consumed: profiles with
//     identities, attributes and datasets, and assignments.
//  2. Per key, versions strictly rise in the order of the log; so no (key, version) comes twice.
//  3. Every profile record is a state that was committed under its version.
//  4. Each wrong record is one dead letter, with the right reason.
//  5. Within a partition the numbers of outbox entries rise; none comes twice.
//  6. A profile is published only where the commit of its version has changed it.
//  7. Consumed records are accounted for, and the store's own check finds nothing.
//
// Some of this needs owners that follow one another in one line, or logs that keep what they have
// acknowledged; verify.go says where. A failing run prints the command that repeats it exactly.
package sim
