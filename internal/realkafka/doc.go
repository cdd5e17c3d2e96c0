// Package realkafka gives tests a real Apache Kafka. Only tests, and the little command beneath,
// use it.
//
// Where the broker comes from, the first that is there:
//
//  1. SELFSAME_KAFKA=host:port: a broker that runs already. Tests use topics of their own names
//     in it.
//  2. Java 17 and Maven: the broker is fetched from Maven Central once, into SELFSAME_CACHE or the
//     user's cache directory, and runs as a child process on free ports of the loopback interface.
//  3. A Docker engine: the image apache/kafka. What a process leaves there when it is killed, and
//     the broker that Start gives, the reaper of testcontainers takes away; with
//     TESTCONTAINERS_RYUK_DISABLED=true nobody does.
//
// Where there is none, and with go test -short, the test is skipped with the reason; with
// SELFSAME_REQUIRE_KAFKA=1 it fails.
//
// # Guarantees
//
//  1. Start gives all tests of a process the same broker, New one of its own that can be stopped,
//     killed and started again with its data.
//  2. A broker dies with the process that started it, however that ends, and leaves no files
//     behind but the cache.
//  3. A broker answers requests when Start, New or Cluster.Start returns.
package realkafka
