package registry

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Errors of a client, to be told apart with errors.Is.
var (
	// ErrNotFound: the registry says that it has no such schema, subject or version.
	ErrNotFound = errors.New("the registry does not have it")
	// ErrUnauthorized: the credentials are refused, or do not allow it.
	ErrUnauthorized = errors.New("the registry refuses the credentials")
	// ErrUnreachable: no answer, or none that a registry gives; it may pass.
	ErrUnreachable = errors.New("the registry is not reachable")
	// ErrIncompatible: the subject's compatibility mode forbids the schema.
	ErrIncompatible = errors.New("the schema is not compatible")
	// ErrRefused: the registry refuses the request for another reason; it will again.
	ErrRefused = errors.New("the registry refuses the request")
	// ErrNotAvro: the registry has it, but it is a schema of another language.
	ErrNotAvro = errors.New("the schema is not Avro")
)

// Error is an answer of the registry that is not a success.
type Error struct {
	Status  int    // of HTTP
	Code    int    // the registry's own, 0 where it gave none
	Message string // the registry's, shortened
	kind    error
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s (status %d", e.kind, e.Status)
	if e.Code != 0 {
		text += fmt.Sprintf(", code %d", e.Code)
	}
	text += ")"
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// Unwrap gives one of the errors above.
func (e *Error) Unwrap() error { return e.kind }

// maxMessage bounds what an error repeats of the registry's message, in bytes.
const maxMessage = 800

// answerError makes the error of an answer. Only the registry's own codes say that something is
// not there: a wrong path, or a proxy that does not know the registry, also answers 404.
func answerError(status int, answer failure) *Error {
	e := &Error{Status: status, Code: answer.Code, Message: shorten(answer.Message)}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		e.kind = ErrUnauthorized
	case status == http.StatusNotFound && answer.Code >= 40401 && answer.Code <= 40499:
		e.kind = ErrNotFound
	case status == http.StatusConflict:
		e.kind = ErrIncompatible
	case status == http.StatusUnprocessableEntity || status == http.StatusBadRequest:
		e.kind = ErrRefused
	default:
		e.kind = ErrUnreachable
	}
	return e
}

func shorten(message string) string {
	if len(message) <= maxMessage {
		return strings.ToValidUTF8(message, "")
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + " ..."
}
