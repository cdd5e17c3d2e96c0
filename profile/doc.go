// Package profile is the vocabulary of the system and its merge algebra: values, paths, stamps,
// fragments, and the merging of fragments into one profile.
//
// It is the bottom layer: it imports the standard library only, knows no clock, no goroutine and no
// I/O, and every function is deterministic. Who uses it: schemas decodes records into [Value]s,
// identity links [Identity]s, store persists [Fragment]s, pipeline joins and merges them.
//
// The way of the data:
//
//	record --schemas--> Value --Flatten--> Fragment --Join--> Fragment (stored) --Shown--> leaves
//	stored fragments of a cluster --Policy.Merge--> Merged --AppendAttributes--> JSON
//
// Guarantees:
//  1. [Fragment.Join] is commutative, associative and idempotent, so a stored fragment is a function
//     of the set of records joined into it and of nothing else.
//  2. Every leaf carries the [Stamp] of the record that wrote it. Stamps of different records are
//     never equal, because a position (topic, partition, offset) belongs to one record.
//  3. [Policy.Merge] does not depend on the order of its sources.
package profile
