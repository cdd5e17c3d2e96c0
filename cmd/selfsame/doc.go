// Command selfsame is a real-time customer profile on Kafka: it reads records and events from
// topics, joins what belongs to one person, and writes each merged profile to a topic whenever it
// changes.
//
// One file per subcommand; daemon.go wires the parts together, and is the only place that does.
//
// Exit codes: 0 done, 1 a failure that the message explains, 2 wrong usage, 3 the state directory
// is damaged or cannot be written.
package main
