package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"selfsame/pipeline"
	"selfsame/profile"
)

// profiles answers GET /v1/profiles.
func (h *handler) profiles(w http.ResponseWriter, r *http.Request) {
	q, provenance, err := h.query(r.URL.RawQuery)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	answer, err := h.backend.Lookup.Find(q)
	var wrong *pipeline.QueryError
	switch {
	case errors.As(err, &wrong):
		writeError(w, http.StatusBadRequest, wrong.Problem)
	case err != nil:
		h.log.Error("reading a profile", "error", err)
		writeError(w, http.StatusInternalServerError, "reading failed; the daemon's log says why")
	case answer == nil:
		writeError(w, http.StatusNotFound, "no profile has this identity")
	default:
		writeBody(w, http.StatusOK, answer.JSON(provenance))
	}
}

// query reads the parameters of a profile request. What it does not know is an error, so that a
// misspelt policy does not silently give another one's profile.
func (h *handler) query(raw string) (q pipeline.Query, provenance bool, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, false, fmt.Errorf("reading the query: %w", err)
	}
	for name, given := range values {
		if len(given) > 1 {
			return q, false, fmt.Errorf("parameter %s is given twice", name)
		}
		switch value := given[0]; name {
		case "identity":
			id, ok := profile.ParseIdentity(value)
			if !ok {
				return q, false, errIdentity
			}
			q.Namespace, q.Value = id.Namespace, id.Value
		case "class":
			q.Class = value
		case "policy":
			q.Policy = value
		case "provenance":
			if provenance, err = strconv.ParseBool(value); err != nil {
				return q, false, errors.New("parameter provenance: want true or false")
			}
		default:
			return q, false, fmt.Errorf("there is no parameter %q", name)
		}
	}
	if q.Namespace == "" {
		return q, false, errIdentity
	}
	if q.Class == "" {
		q.Class, err = h.onlyClass()
	}
	return q, provenance, err
}

var errIdentity = errors.New(
	"parameter identity: want NAMESPACE:VALUE, such as email:ann@example.org")

// onlyClass is the class that is meant where none is named.
func (h *handler) onlyClass() (string, error) {
	if all := h.backend.Model.Entities; len(all) == 1 {
		return all[0].Name, nil
	}
	return "", errors.New("there are several entity classes: name one with parameter class")
}
