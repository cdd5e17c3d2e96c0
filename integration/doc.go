// Package integration works the program from outside: it builds selfsame, runs it as a process on a
// configuration written for the occasion, speaks to it over Kafka and HTTP and by its commands, and
// kills it. There is nothing here but tests.
//
// One table of scenarios (suite_test.go) runs on the embedded broker and on a real Kafka, which
// package realkafka provides. The client at both ends is franz-go's, which the program does not use
// for this, so that two readings of Kafka's protocol meet.
//
// What is to come out is not written down but worked out: the reference (reference_test.go) feeds
// the same records to a shard in this process, partition after partition, without goroutines, and
// publishes into memory. Final profiles, assignments and dead letters of every scenario equal its
// own.
//
// Every random choice is from a seed that is printed. Names of topics, groups and transactional ids
// are used once, so that a broker that runs already may be used.
package integration
