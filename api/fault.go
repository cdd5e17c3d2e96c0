package api

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
)

// answer is a response that knows whether it has begun.
type answer struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(code int) {
	a.begun = true
	a.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// catch logs a fault of ours and answers with 500: whoever asked knows then that the daemon is
// there, and who runs it finds the place. It is deferred. The log is not told the path, which can
// hold an identity, nor the text of a panic that is not the runtime's.
func (h *handler) catch(a *answer) {
	what := recover()
	switch what {
	case nil:
		return
	case http.ErrAbortHandler:
		panic(what) // invariant: meant so, an answer under way is cut off
	}
	text := fmt.Sprintf("a panic with a %T", what)
	if err, ok := what.(runtime.Error); ok {
		text = err.Error()
	}
	h.log.Error("a request met a fault in selfsame; please report it", "error", text, "stack",
		string(debug.Stack()))
	if a.begun {
		// invariant: this is how net/http wants to be told to cut the connection
		panic(http.ErrAbortHandler)
	}
	writeError(a, http.StatusInternalServerError,
		"the daemon has met a fault of its own; its log says where")
}
