package pipeline

import (
	"errors"
	"strconv"

	"selfsame/identity"
	"selfsame/schemas"
)

// Reason is the stable code of a rejection.
type Reason string

// The reason codes. They are part of the interface: dead letters carry them, metrics count them.
const (
	ReasonMalformed        Reason = "malformed"         // the bytes are not in the dataset's format
	ReasonUnknownSchema    Reason = "unknown_schema"    // its schema cannot be found
	ReasonSchemaViolation  Reason = "schema_violation"  // the value does not fit the schema
	ReasonMissingIdentity  Reason = "missing_identity"  // no usable primary identity
	ReasonInvalidIdentity  Reason = "invalid_identity"  // too long, not UTF-8, or too many
	ReasonIdentityConflict Reason = "identity_conflict" // two values of a unique namespace
	ReasonBadTimestamp     Reason = "bad_timestamp"     // the record's time cannot be read
	ReasonFutureTimestamp  Reason = "future_timestamp"  // too far ahead of its append time
	ReasonTooOld           Reason = "too_old"           // older than the dataset's retention
	ReasonTooLarge         Reason = "too_large"         // over a limit of size
	ReasonUnknownDataset   Reason = "unknown_dataset"   // no dataset, or none of that name here
	ReasonBadOperation     Reason = "bad_operation"     // unknown, or not possible here
	ReasonErased           Reason = "erased"            // it is of somebody who was erased since
)

// Reasons lists all reason codes.
func Reasons() []Reason {
	return []Reason{
		ReasonMalformed, ReasonUnknownSchema, ReasonSchemaViolation, ReasonMissingIdentity,
		ReasonInvalidIdentity, ReasonIdentityConflict, ReasonBadTimestamp, ReasonFutureTimestamp,
		ReasonTooOld, ReasonTooLarge, ReasonUnknownDataset, ReasonBadOperation,
		ReasonErased,
	}
}

// Rejection says why a record was not accepted. It names types and limits, never a value.
type Rejection struct {
	Reason Reason
	Path   string // place in the record, "" where it is not about one
	Wanted string
	Found  string
}

// Error implements error.
func (r *Rejection) Error() string {
	text := string(r.Reason)
	if r.Path != "" {
		text += " at " + r.Path
	}
	if r.Wanted != "" {
		text += ": wanted " + r.Wanted
	}
	if r.Found != "" {
		text += ", found " + r.Found
	}
	return text
}

// rejectDecode turns an error of a decoder into a rejection.
func rejectDecode(err error) *Rejection {
	var violation *schemas.ViolationError
	if errors.As(err, &violation) {
		return &Rejection{Reason: ReasonSchemaViolation, Path: violation.Path,
			Wanted: violation.Wanted, Found: violation.Found}
	}
	var malformed *schemas.MalformedError
	if errors.As(err, &malformed) {
		return &Rejection{Reason: ReasonMalformed,
			Path: "byte " + strconv.FormatInt(malformed.Offset, 10), Found: malformed.Reason}
	}
	var never *schemas.ResolutionError
	if errors.As(err, &never) {
		return &Rejection{Reason: ReasonSchemaViolation, Path: never.Path, Found: never.Reason,
			Wanted: "a schema that can be read as the dataset's"}
	}
	return &Rejection{Reason: ReasonMalformed, Found: err.Error()}
}

// rejectIdentity turns an error of resolving identities into a rejection.
func rejectIdentity(err error) *Rejection {
	var conflict *identity.ConflictError
	if errors.As(err, &conflict) {
		return &Rejection{Reason: ReasonIdentityConflict, Path: conflict.Namespace,
			Wanted: "one value of a unique namespace", Found: "several"}
	}
	var invalid *identity.InvalidError
	if errors.As(err, &invalid) {
		return &Rejection{Reason: ReasonInvalidIdentity, Path: invalid.Namespace,
			Found: invalid.Reason}
	}
	return &Rejection{Reason: ReasonMissingIdentity, Wanted: "a primary identity",
		Found: "none, or only blocked values"}
}
