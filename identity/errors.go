package identity

import (
	"errors"
	"fmt"
)

// ErrMissing says that a record has no primary identity left: reason code missing_identity.
// [Rules.ResolveRecord] and [Rules.ResolveEvent] return it.
var ErrMissing = errors.New("no primary identity")

// InvalidError says that a record carries what can be no identity: reason code invalid_identity.
// It never holds a value.
type InvalidError struct {
	Namespace string // empty where the whole record is meant, or its name looks like data
	Reason    string
}

// Error implements error.
func (e *InvalidError) Error() string {
	if e.Namespace == "" {
		return "invalid identity: " + e.Reason
	}
	return fmt.Sprintf("invalid identity in namespace %s: %s", e.Namespace, e.Reason)
}

// undeclared repeats the name of the namespace only if it could be one: maps of identities come
// from outside, and what stands in the place of a namespace may be a value.
func undeclared(namespace string) *InvalidError {
	if !namespaceName.MatchString(namespace) {
		namespace = ""
	}
	return &InvalidError{namespace, "undeclared namespace"}
}

// ConflictError says that one record carries two values of a unique namespace: reason code
// identity_conflict.
type ConflictError struct {
	Namespace string
}

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("two values of unique namespace %s in one record", e.Namespace)
}
