// Package store keeps the state: everything said about every identity, the clusters, the outbox and
// the input positions, in one Pebble directory. It is the only package that knows Pebble.
//
// Who uses it: the pipeline's applier is its only writer, one [Batch] per commit; the publisher
// reads the outbox and snapshots; the read API reads snapshots.
//
// Guarantees:
//  1. A [Batch] is atomic and, when committed with sync, durable: state, input positions and outbox
//     entries are in it together or not at all.
//  2. A committed pointer entry of the outbox is published with the content of that commit or of a
//     later one, never an earlier one: [Store.Take] freezes entries and takes the snapshot in one
//     step that no commit can come between.
//  3. Every row has one encoding with a version byte and one key that keeps order; a row that does
//     not decode is an error that names the key space, never a silent default.
//  4. [Store.Check] proves the invariants that tie the rows together.
//  5. One process per directory: a second [Open] fails.
//  6. A backup ([Store.Checkpoint], then [Checkpoint.Seal]) is one committed state, and is there
//     whole or not at all.
package store
