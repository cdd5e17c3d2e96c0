// Package sim runs the whole shard in one thread against a simulated cluster and a disk that
// crashes, and compares the outcome with an oracle. One seed drives everything.
//
//	sim.go        a run: work, faults, rest, verification
//	world.go      the models of the worlds
//	workload.go   random records about a few people
//	governed.go   and what operators ask for
//	owner.go      one process: store, shard, publisher, worked by hand
//	disk.go       its file system, which can crash within any operation
//	faults.go     what goes wrong, and when
//	oracle.go     what should come out, by full walks over all that was consumed
//	judge.go      the oracle's reading of one record
//	control.go    its reading of a control record
//	orders.go     what it makes of what operators ask for
//	lifting.go    what it makes of lifts
//	events.go     of copies and deletes of events
//	merging.go    of fragments, under several policies
//	counted.go    of events in computed attributes, and their definitions
//	aged.go       of what outlives its retention, and the second half of the counted world
//	heard.go      of what the audit topic tells after a takeover
//	verify.go     the outcome against the oracle, the raw output against its invariants
//	mutants       known bugs, to see that each is found
//
// There are three worlds. The plain one is a function of the set of records. The governed one has
// operators besides, edits of arrays, a dataset whose links are the current ones, and four
// policies. The counted one has computed attributes besides, and more time passes: while it works,
// and in the end, when windows close though nothing is said. Then all events of one dataset expire,
// there is work again, attributes are defined otherwise, taken away and brought back with crashes
// in between, deletions cut through what was folded, and all of it expires once more. Each draws
// its records in its own way, so that a seed that has found something keeps its meaning.
//
// What operators ask for can depend on when it is applied. The oracle takes the order in which an
// owner has consumed everything for a fact, and asks at each control record by a walk of its own
// who belongs to a profile. While a dataset is deleted control records that ask so wait for the job
// (owner.go), for its pace would decide; what other deletions have still to remove counts as gone;
// what is committed while a job is at work, or while publishing waits for the input, is compared at
// rest only. Retentions end while there is no other work: what a deletion takes depends on whether
// an event was folded before it. Pausing and resuming a dataset, hubs and contested identities are
// not in the worlds.
//
// What is checked after each run:
//
//  1. The last record of each key is what the oracle makes of the records consumed: profiles with
//     identities, attributes and datasets, under each policy, and assignments.
//  2. Per key, versions strictly rise in the order of the log; so no (key, version) comes twice.
//  3. Every profile record is a state that was committed under its version.
//  4. Each wrong record is one dead letter, with the right reason.
//  5. Within a partition the numbers of outbox entries rise; none comes twice.
//  6. A profile is published only where the commit of its version has changed it.
//  7. Consumed records are accounted for, and the check of the store, and of its computed
//     attributes against the events, finds nothing, after each start too.
//  8. What became of each control record is told once on the audit topic: whom it acted on, or why
//     it was refused.
//
// Some of this needs owners that follow one another in one line, or logs that keep what they have
// acknowledged; verify.go says where. A failing run prints the command that repeats it exactly.
package sim
