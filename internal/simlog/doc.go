// Package simlog is a model of a Kafka cluster for simulations: deterministic, without a goroutine,
// with time and faults in the hands of who drives it.
//
// Package memlog is enough for tests of behaviour. This one exists for what memlog smooths over:
// the network and the brokers' upkeep, as far as exactly-once output and correct input depend on
// them.
//
//	broker.go       topics, the clock, requests that are still under way
//	partition.go    one log: batches, leader epochs, what a producer may append
//	producer.go     what a partition leader knows of a producer
//	coordinator.go  transactional ids: epochs, transactions, markers that are written later
//	fetch.go        what a reader of committed data gets
//	upkeep.go       compaction, retention, unclean elections, recreated topics
//	client.go       a connection, whose requests meet a fate
//	ports.go        the connection as pipeline.Source and pipeline.Sink
//
// What it takes from the brokers, with the place in Apache Kafka's source:
//
//  1. A leader judges a batch by its own entry of the producer and by nothing else
//     (ProducerAppendInfo.checkProducerEpoch): a claim made at the coordinator fences no partition.
//  2. An entry remembers the last five batches (ProducerStateEntry). One of them again, exactly, is
//     answered with its offset; anything else has to follow the last one. A producer that a leader
//     does not know may begin with any sequence, and entries expire (producer.id.expiration.ms).
//  3. EndTxn is answered before the markers are written. Until they all are, InitProducerID is
//     refused with CONCURRENT_TRANSACTIONS (TransactionCoordinator). A marker raises the epoch of
//     the producer's entry, in partitions without its data too.
//  4. InitProducerID with an expected producer id and epoch is a compare-and-set that forgives the
//     repetition of the last success.
//  5. A request can be lost, its reply can be lost, it can arrive twice, or late: after its sender
//     has given up on it, or died, or been replaced.
//  6. Compaction keeps an emptied batch where it is the last of a producer, and leaves gaps
//     elsewhere; tombstones go in the end; an unclean election loses the end of a log and what its
//     leader knew from it.
//  7. Readers of committed data see neither control batches nor aborted records, and nothing beyond
//     the first open transaction.
package simlog
