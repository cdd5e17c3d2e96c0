// Package kafka is the Kafka edge: it turns a cluster into the pipeline's Source and Sink, and does
// the little administration the daemon and its command line need.
//
// The client is kafka-go: its Transport owns connections, TLS, SASL and cluster metadata, and its
// Client the group and transaction requests. Its Reader and Writer are not used, since they lose
// what the pipeline depends on. A fetch goes through the Transport by its raw exchange and is
// decoded here, a produce is encoded here and goes through its raw produce call.
//
// # Guarantees
//
//  1. Fetch gives exactly the committed data records from the offset asked for, ascending. Control
//     records and records of aborted transactions are left out, by this package and not by trust in
//     the broker: a broker names the aborted transactions and sends their records all the same.
//  2. Fetched.Next always advances past what was read, also where compaction has emptied a batch or
//     the tail of one. A batch larger than FetchMaxBytes is fetched all the same.
//  3. Bytes whose checksum is wrong, compressed data larger than DecompressedMaxBytes and message
//     formats older than version 2 are errors that name topic, partition and offset. Nothing is
//     skipped in silence.
//  4. An offset outside the log is *pipeline.OutOfRangeError, never a jump to another offset.
//  5. The same pipeline.Batch encodes to the same bytes, with producer id, epoch and sequence, so a
//     batch that was sent twice is in the log once.
//  6. Every call ends soon after its context does. The request may still reach the broker: the
//     outcome of a produce that was cut short is unknown until the same batch has been sent again.
//  7. When the cluster has changed (leader moved, topic new), the Transport's cached metadata is
//     refreshed before the error is returned, so that the next attempt sees the cluster as it is.
//
// # Limits
//
// Kafka 2.3 or newer. Topics that Kafka marks internal cannot be read. A session from Open fences
// an older one on a partition only after the newer one has written there.
package kafka
