// Package api is the daemon's HTTP side: it answers for merged profiles, tells how the daemon is
// doing, exports metrics, takes control records, which it only writes to the control topic, and has
// backups made.
//
// Who uses it: the daemon runs one [Server] over a [Backend]; the command line asks through a
// [Client]. The reference of the endpoints is docs/http.md, that of the metrics docs/metrics.md.
//
// Guarantees:
//  1. An answer is one committed state, that of the moment it was asked for.
//  2. An address beyond this machine is refused without a token; see [Options.Validate].
//  3. With a token, only /healthz and /readyz answer without it. It is compared in constant time.
//  4. Without a token, a request that names a host beyond this machine is refused, so that no web
//     page can read profiles through a browser by a name that resolves to loopback.
//  5. Identities and attributes appear in answers alone: no log line, no label and no error of the
//     client holds one.
//  6. Everything but exports, /debug/pprof/ and /metrics is JSON, errors too: {"error":"..."}.
//  7. An export that ends well is complete: one that fails midway cuts the connection.
package api
