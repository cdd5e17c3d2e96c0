package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"

	"selfsame/pipeline"
	"selfsame/store"
)

// verifyPath is where a search for what should have been erased is asked for.
const verifyPath = "/v1/verify"

// verifyOrder is the body of POST /v1/verify.
type verifyOrder struct {
	Class      string   `json:"class,omitempty"` // whose normalisation; "": that of each class
	Identities []string `json:"identities"`      // NAMESPACE:VALUE
}

// verifyAnswer is its answer.
type verifyAnswer struct {
	Store []StoreTrace `json:"store"` // of each identity, in order
}

// StoreTrace is where the value of an identity is in the compacted store.
type StoreTrace struct {
	Identity string         `json:"identity"` // normalised
	Rows     map[string]int `json:"rows"`     // how many hold it, by key space; empty: none
	LogFiles int            `json:"log_files"`
}

// postVerify compacts the store and looks for the values of identities in all of it.
func (h *handler) postVerify(w http.ResponseWriter, r *http.Request) {
	body, ok := readJSON(w, r, h.backend.Model.Limits.RecordBytes)
	if !ok {
		return
	}
	var order verifyOrder
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&order); err != nil || len(order.Identities) == 0 {
		writeError(w, http.StatusBadRequest,
			`the body is not a JSON object such as {"identities":["email:ann@example.org"]}`)
		return
	}
	h.takeTime(w)
	traces, err := h.backend.Lookup.Verify(r.Context(), order.Class, order.Identities)
	var query *pipeline.QueryError
	switch {
	case errors.As(err, &query):
		writeError(w, http.StatusBadRequest, err.Error())
	case err != nil:
		h.log.Error("looking for what was erased", "error", err)
		writeError(w, http.StatusInternalServerError,
			"the search failed; the daemon's log says why")
	default:
		writeJSON(w, http.StatusOK, verifyAnswer{Store: storeTraces(traces)})
	}
}

func storeTraces(traces []store.Trace) []StoreTrace {
	out := make([]StoreTrace, len(traces))
	for i, t := range traces {
		out[i] = StoreTrace{Identity: t.Identity.String(), Rows: t.Rows, LogFiles: t.Files}
	}
	return out
}
