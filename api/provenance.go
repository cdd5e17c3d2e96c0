package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"selfsame/pipeline"
	"selfsame/profile"
)

// Where attributes are explained, and where merge policies are tried.
const (
	provenancePath = "/v1/provenance"
	previewPath    = "/v1/policies/preview"
)

// provenanceByQuery answers GET /v1/provenance?identity=NAMESPACE:VALUE.
func (h *handler) provenanceByQuery(w http.ResponseWriter, r *http.Request) {
	asked, err := readProvenance(r.URL.RawQuery, "identity")
	if err == nil && asked.Namespace == "" {
		err = errIdentity
	}
	h.answerProvenance(w, asked, err)
}

// provenanceByPath answers GET /v1/provenance/NAMESPACE/VALUE.
func (h *handler) provenanceByPath(w http.ResponseWriter, r *http.Request) {
	asked, err := readProvenance(r.URL.RawQuery, "")
	if err == nil {
		var ok bool
		asked.Namespace, asked.Value, ok = cutIdentity(r.URL.EscapedPath(), provenancePath+"/")
		if !ok {
			err = errors.New("path: want /v1/provenance/NAMESPACE/VALUE, such as " +
				"/v1/provenance/email/ann@example.org")
		}
	}
	h.answerProvenance(w, asked, err)
}

// provenanceQuery is what a request asks for.
type provenanceQuery struct {
	profileQuery
	path profile.Path
}

func readProvenance(raw, identity string) (q provenanceQuery, err error) {
	q.Class = DefaultClass
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, fmt.Errorf("reading the query: %w", err)
	}
	return q, readParameters(values, func(name, value string) error {
		switch name {
		case "path":
			q.path = profile.ParsePath(value)
			return nil
		case "provenance":
			return fmt.Errorf("there is no parameter %q", name)
		}
		return q.set(name, value, identity)
	})
}

func (h *handler) answerProvenance(w http.ResponseWriter, asked provenanceQuery, err error) {
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	x, err := h.backend.Lookup.ExplainProfile(asked.Query, asked.path)
	if h.failed(w, err) {
		return
	}
	if x == nil {
		writeError(w, http.StatusNotFound, "nothing was said of this identity, or of the path")
		return
	}
	writeJSON(w, http.StatusOK, x)
}

// failed answers where reading went wrong, and reports whether it did.
func (h *handler) failed(w http.ResponseWriter, err error) bool {
	var wrong *pipeline.QueryError
	var specs *pipeline.SpecsError
	switch {
	case errors.As(err, &specs):
		writeJSON(w, http.StatusBadRequest, refusal{specs.Error(), specs.Specs})
	case errors.As(err, &wrong):
		writeError(w, http.StatusBadRequest, wrong.Problem)
	case err != nil:
		h.log.Error("reading a profile", "error", err)
		writeError(w, http.StatusInternalServerError, "reading failed; the daemon's log says why")
	}
	return err != nil
}

// maxPreview bounds the body of a request for a preview, in bytes.
const maxPreview = 1 << 20

// preview answers POST /v1/policies/preview. It changes nothing.
func (h *handler) preview(w http.ResponseWriter, r *http.Request) {
	body, ok := readJSON(w, r, maxPreview)
	if !ok {
		return
	}
	q := pipeline.PreviewQuery{Class: DefaultClass}
	if !decodeStrictly(w, body, &q) {
		return
	}
	p, err := h.backend.Lookup.Preview(q)
	if h.failed(w, err) {
		return
	}
	if p == nil {
		writeError(w, http.StatusNotFound, "no profile has this identity")
		return
	}
	writeJSON(w, http.StatusOK, p)
}

// decodeStrictly reads a body that is one JSON object without unknown keys; it answers where it is
// not, and reports whether it is.
func decodeStrictly(w http.ResponseWriter, body []byte, into any) bool {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == nil && strings.TrimSpace(string(body[decoder.InputOffset():])) != "" {
		err = errors.New("more than one JSON object")
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, "reading the body: "+err.Error())
	}
	return err == nil
}
