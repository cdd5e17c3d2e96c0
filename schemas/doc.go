// Package schemas is the only code that speaks Avro: it reads schemas, decodes records (plain JSON
// and bare Avro binary, also when written in another schema) into [profile.Value]s while validating
// them, encodes values back to Avro, reads and writes container files, and composes the schemas of
// a class's datasets into one union schema.
//
// Who calls it: config parses schemas and composes unions at start-up, pipeline decodes every
// record, the output and the command line's producer encode. It is pure: no clock, no goroutine, no
// I/O.
//
//	schema text --Parse--> Schema --DecodeJSON, DecodeAvro--> profile.Value
//	schema text --ParseWriter--> WriterSchema --NewResolution--> Resolution --Decode--> Value
//	Schemas of a class's datasets --Compose--> Union --Avro--> schema text --ParseUnion--> Union
//
// What changed between two schemas or unions is a list of [Change]s; [CheckEvolution] and the words
// for compatibility come of it. Package schemas/infer guesses schemas from samples.
//
// How Avro appears as values:
//
//	record, map                 object; a field or key that is not given has no entry
//	array                       array, null items kept where the items are nullable
//	enum, string, uuid          string (uuid lower-cased)
//	bytes, fixed, duration      bytes; in JSON base64 text (RFC 4648, padded)
//	decimal                     exact decimal text with scale digits after the point
//	int, long                   integer; in JSON without fraction or exponent
//	float, double               number; of a float the nearest single-precision one
//	date, time, timestamp       the temporal kinds; in JSON RFC 3339 text or an integer
//
// Guarantees:
//  1. A [Schema] and a [Union] never change and may be used by many goroutines at once.
//  2. Decoding never fills in defaults: what a record does not carry is not in its value. An Avro
//     null is not given; a JSON null outside arrays stays as a null for the caller to interpret,
//     inside arrays the null field of a record is dropped.
//  3. Nothing is lost in silence: a number that does not fit, a timestamp finer than its unit or a
//     decimal with too many digits is refused, never rounded. The exceptions are float and double,
//     which are approximate by nature.
//  4. A record that is not JSON or Avro at all gives a [MalformedError], one that does not follow
//     its schema a [ViolationError]; of several faults the first in the record is reported. Neither
//     holds a value; paths hold names of fields and keys, shortened.
//  5. Work and memory are bounded by the size of the record: lengths and counts are believed only
//     as far as there are bytes left, schemas do not recurse, depth and breadth have limits.
//  6. [Compose] does not depend on the order of its members: the same schemas give the same text
//     and the same fingerprint.
package schemas
