// Package registry is the client of a schema registry that speaks the Confluent-compatible HTTP
// API: Confluent Schema Registry, Apicurio (its ccompat API), Karapace, Redpanda.
//
// Who uses it: the pipeline's readers ask for the schemas that records were written in, through
// pipeline.SchemaRegistry; config asks for the schemas of datasets; the daemon registers the
// schemas of what it writes.
//
// Guarantees:
//  1. A schema id that is said to be unknown is one that the registry itself says it does not have.
//     Everything else that can go wrong, a wrong address included, is told apart from it: nobody
//     rejects data because the registry is away.
//  2. What a call returns is self-contained: the references of a schema are written into its text.
//  3. A request takes a bounded time and a bounded number of attempts; an answer, a chain of
//     references and the cache have limits.
//  4. User names, passwords and tokens are in no error and no log.
package registry
