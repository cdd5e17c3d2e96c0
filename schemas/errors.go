package schemas

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MalformedError says that a record is not JSON, or not Avro binary of its schema, at all: not a
// JSON text, truncated, trailing bytes, duplicate keys, invalid UTF-8. Both decoders return it.
type MalformedError struct {
	Offset int64 // in bytes from the start of the record
	Reason string
}

// Error implements error.
func (e *MalformedError) Error() string {
	return fmt.Sprintf("malformed at byte %d: %s", e.Offset, e.Reason)
}

// ViolationError says that a record, or a value to be encoded, does not follow its schema. It
// never holds the value, only types.
type ViolationError struct {
	Path   string // dotted, items of arrays as name[3], "" for the record itself
	Wanted string // the type that the schema asks for
	Found  string // "string", "number with fraction or exponent", "unknown field", "missing" ...
}

// Error implements error.
func (e *ViolationError) Error() string {
	path := e.Path
	if path == "" {
		path = "record"
	}
	return fmt.Sprintf("%s: wanted %s, found %s", path, e.Wanted, e.Found)
}

// SchemaError says what is wrong with the text of a schema.
type SchemaError struct {
	File   string
	Line   int    // from 1, 0 where unknown
	Path   string // dotted, items of an array as name[], values of a map as name.*
	Reason string
}

// Error implements error.
func (e *SchemaError) Error() string {
	where := e.File
	if e.Line > 0 {
		where = fmt.Sprintf("%s:%d", e.File, e.Line)
	}
	if e.Path != "" {
		where += ": " + e.Path
	}
	return where + ": " + e.Reason
}

// ConflictError says that two datasets disagree about one path of their class's union.
type ConflictError struct {
	Class    string
	Path     string // dotted, items of an array as name[], values of a map as name.*
	DatasetA string
	TypeA    string
	DatasetB string
	TypeB    string
	WhereA   string // file:line of the field's name, "" where the schema comes from no file
	WhereB   string
	Hint     string // the way out
}

// Error implements error.
func (e *ConflictError) Error() string {
	in := func(typ, dataset, where string) string {
		if where != "" {
			where = " (" + where + ")"
		}
		return typ + " in " + dataset + where
	}
	return fmt.Sprintf("composing %s: %s is %s and %s: %s", e.Class, e.Path,
		in(e.TypeA, e.DatasetA, e.WhereA), in(e.TypeB, e.DatasetB, e.WhereB), e.Hint)
}

// EvolutionError says that a new union takes away or retypes what the store was written with.
type EvolutionError struct {
	Path string
	Was  string
	Is   string // "" where the field is gone
}

// Error implements error.
func (e *EvolutionError) Error() string {
	if e.Is == "" {
		return fmt.Sprintf(`%s (%s) is gone from the union schema: keep the field, marked `+
			`"deprecated": true to hide it, or rebuild the store from the input topics`,
			e.Path, e.Was)
	}
	return fmt.Sprintf("%s was %s and is now %s: give the new type a new field name, or rebuild "+
		"the store from the input topics", e.Path, e.Was, e.Is)
}

// ResolutionError says that data in one schema can never be read as another.
type ResolutionError struct {
	Path   string // dotted, items of an array as name[], values of a map as name.*
	Reason string
}

// Error implements error.
func (e *ResolutionError) Error() string {
	path := e.Path
	if path == "" {
		path = "record"
	}
	return path + ": " + e.Reason
}

func mismatch(wanted *Type, found string) error {
	return &ViolationError{Wanted: wanted.String(), Found: found}
}

// within puts the name of a field or key before the path of a violation, on the way up.
func within(err error, name string) error {
	var violation *ViolationError
	if errors.As(err, &violation) {
		violation.Path = joinPath(pathSegment(name), violation.Path)
	}
	return err
}

// withinItem does the same for an item of an array.
func withinItem(err error, index int) error {
	var violation *ViolationError
	if errors.As(err, &violation) {
		violation.Path = joinPath(fmt.Sprintf("[%d]", index), violation.Path)
	}
	return err
}

func joinPath(above, below string) string {
	if above == "" || below == "" || below[0] == '[' {
		return above + below
	}
	return above + "." + below
}

// maxSegment bounds what one key of a record contributes to an error's path, in bytes.
const maxSegment = 64

func pathSegment(name string) string {
	rest := ""
	if len(name) > maxSegment {
		cut := maxSegment
		for !utf8.RuneStart(name[cut]) {
			cut--
		}
		name, rest = name[:cut], "..."
	}
	return strings.NewReplacer(`\`, `\\`, ".", `\.`).Replace(name) + rest
}
