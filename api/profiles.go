package api

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"selfsame/pipeline"
	"selfsame/profile"
)

// DefaultClass is the entity class that is meant where a request names none: people.
const DefaultClass = "profile"

// profileByQuery answers GET /v1/profiles?identity=NAMESPACE:VALUE.
func (h *handler) profileByQuery(w http.ResponseWriter, r *http.Request) {
	asked, err := readQuery(r.URL.RawQuery, "identity")
	if err == nil && asked.Namespace == "" {
		err = errIdentity
	}
	h.answerProfile(w, asked, err)
}

// profileByPath answers GET /v1/profiles/NAMESPACE/VALUE. Slashes in the value may be escaped.
func (h *handler) profileByPath(w http.ResponseWriter, r *http.Request) {
	asked, err := readQuery(r.URL.RawQuery, "")
	if err == nil {
		var ok bool
		asked.Namespace, asked.Value, ok = cutIdentity(r.URL.EscapedPath(), profilesPath)
		if !ok {
			err = errPath
		}
	}
	h.answerProfile(w, asked, err)
}

// profileQuery is what a request asks for.
type profileQuery struct {
	pipeline.Query
	provenance bool
}

// answerProfile answers for what was asked; err is what was wrong in asking.
func (h *handler) answerProfile(w http.ResponseWriter, asked profileQuery, err error) {
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	answer, err := h.backend.Lookup.Find(asked.Query)
	if h.failed(w, err) {
		return
	}
	if answer == nil {
		writeError(w, http.StatusNotFound, "no profile has this identity")
		return
	}
	writeBody(w, http.StatusOK, answer.JSON(asked.provenance))
}

// readQuery reads the parameters of a profile request, among them the one that names the identity,
// if any. What it does not know is an error, so that a misspelt policy does not silently give
// another one's profile.
func readQuery(raw, identity string) (q profileQuery, err error) {
	q.Class = DefaultClass
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, fmt.Errorf("reading the query: %w", err)
	}
	return q, readParameters(values, func(name, value string) error {
		return q.set(name, value, identity)
	})
}

// readParameters calls set for each parameter, until it fails. None may be given twice.
func readParameters(values url.Values, set func(name, value string) error) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if len(values[name]) > 1 {
			return fmt.Errorf("parameter %q is given twice", name)
		}
		if err := set(name, values[name][0]); err != nil {
			return err
		}
	}
	return nil
}

func (q *profileQuery) set(name, value, identity string) error {
	switch name {
	case "class":
		q.Class = value
		return nil
	case "policy":
		q.Policy = value
		return nil
	case "provenance":
		var err error
		if q.provenance, err = strconv.ParseBool(value); err != nil {
			return errors.New("parameter provenance: want true or false")
		}
		return nil
	}
	if identity == "" || name != identity {
		return fmt.Errorf("there is no parameter %q", name)
	}
	id, ok := profile.ParseIdentity(value)
	if !ok {
		return errIdentity
	}
	q.Namespace, q.Value = id.Namespace, id.Value
	return nil
}

// cutIdentity reads the identity that the escaped path names after a prefix.
func cutIdentity(escaped, prefix string) (namespace, value string, ok bool) {
	namespace, value, _ = strings.Cut(strings.TrimPrefix(escaped, prefix), "/")
	namespace, err := url.PathUnescape(namespace)
	if err != nil {
		return "", "", false
	}
	value, err = url.PathUnescape(value)
	return namespace, value, err == nil && namespace != "" && value != ""
}

// What is wrong with the naming of an identity.
var (
	errIdentity = errors.New(
		"parameter identity: want NAMESPACE:VALUE, such as email:ann@example.org")
	errPath = errors.New(
		"path: want /v1/profiles/NAMESPACE/VALUE, such as /v1/profiles/email/ann@example.org")
)
