// Package api is the HTTP side of the daemon: merged profiles to read, health, metrics. It reads
// snapshots and figures and changes nothing. It listens on loopback unless told otherwise.
//
// Guarantees:
//  1. A read sees the latest committed state.
//  2. No personal value is logged or becomes a metric label.
//  3. Everything but health asks for the token, where one is configured.
package api
