package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"selfsame/pipeline"
	"selfsame/profile"
)

// Paths of the graph.
const (
	graphPath   = "/v1/graph"
	explainPath = "/v1/graph/explain"
	topPath     = "/v1/graph/top"

	simulatePath = "/v1/graph/simulate"
)

// graphQuery is what a request about the graph asks for.
type graphQuery struct {
	class    string
	limit    int
	identity map[string]profile.Identity // by parameter
}

// graphByQuery answers GET /v1/graph?identity=NAMESPACE:VALUE.
func (h *handler) graphByQuery(w http.ResponseWriter, r *http.Request) {
	q, err := readGraphQuery(r, "identity")
	h.answerGraph(w, q, err)
}

// graphByPath answers GET /v1/graph/NAMESPACE:VALUE. Slashes in the value may be escaped.
func (h *handler) graphByPath(w http.ResponseWriter, r *http.Request) {
	q, err := readGraphQuery(r)
	if err == nil {
		text := strings.TrimPrefix(r.URL.EscapedPath(), graphPath+"/")
		text, err = url.PathUnescape(text)
		id, ok := profile.ParseIdentity(text)
		if err != nil || !ok {
			err = errGraphPath
		}
		q.identity["identity"] = id
	}
	h.answerGraph(w, q, err)
}

func (h *handler) answerGraph(w http.ResponseWriter, q graphQuery, err error) {
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	cluster, err := h.backend.Lookup.Graph(q.of("identity"))
	if err == nil && cluster == nil {
		writeError(w, http.StatusNotFound, "this identity is not known")
		return
	}
	h.answerFound(w, cluster, err)
}

// explain answers GET /v1/graph/explain?from=NAMESPACE:VALUE&to=NAMESPACE:VALUE.
func (h *handler) explain(w http.ResponseWriter, r *http.Request) {
	q, err := readGraphQuery(r, "from", "to")
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	explanation, err := h.backend.Lookup.Explain(q.of("from"), q.of("to"))
	h.answerFound(w, explanation, err)
}

// top answers GET /v1/graph/top. It takes a slot of those for exports: it reads for as long as one
// that is small.
func (h *handler) top(w http.ResponseWriter, r *http.Request) {
	q, err := readGraphQuery(r)
	switch {
	case err == nil && q.limit > pipeline.LimitGraphTop:
		err = fmt.Errorf("parameter limit: want 1 to %d", pipeline.LimitGraphTop)
	case q.limit == 0:
		q.limit = pipeline.DefaultGraphTop
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	if !h.exports.begin() {
		h.refuseBusy(w)
		return
	}
	defer h.exports.end()
	top, err := h.backend.Lookup.Top(r.Context(), h.backend.Stats, q.class, q.limit)
	h.answerFound(w, top, err)
}

// Simulation asks what other rules would do to the graph of a class.
type Simulation struct {
	Class string             `json:"class"` // "": DefaultClass
	Rules pipeline.RulesText `json:"rules"`
}

// maxSimulation bounds the bytes of a Simulation: rules can list many blocked values.
const maxSimulation = 4 << 20

// simulate answers POST /v1/graph/simulate. It changes nothing; it is no GET since rules are long.
// Like top it takes a slot of those for exports.
func (h *handler) simulate(w http.ResponseWriter, r *http.Request) {
	body, ok := readJSON(w, r, maxSimulation)
	if !ok {
		return
	}
	var s Simulation
	if !decodeStrictly(w, body, &s) {
		return
	}
	rules, err := s.Rules.Rules()
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	if !h.exports.begin() {
		h.refuseBusy(w)
		return
	}
	defer h.exports.end()
	if s.Class == "" {
		s.Class = DefaultClass
	}
	effect, err := h.backend.Lookup.SimulateRules(r.Context(), s.Class, rules)
	h.answerFound(w, effect, err)
}

func (h *handler) refuseBusy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "10")
	writeError(w, http.StatusServiceUnavailable,
		"too much is being read at once: try again later")
}

// answerFound answers with what was found, or why it was not.
func (h *handler) answerFound(w http.ResponseWriter, found any, err error) {
	var wrong *pipeline.QueryError
	var unknown *pipeline.UnknownError
	switch {
	case errors.As(err, &wrong):
		writeError(w, http.StatusBadRequest, wrong.Problem)
	case errors.As(err, &unknown):
		writeError(w, http.StatusNotFound, unknown.Error())
	case err != nil:
		h.log.Error("reading the graph", "error", err)
		writeError(w, http.StatusInternalServerError, "reading failed; the daemon's log says why")
	default:
		writeJSON(w, http.StatusOK, found)
	}
}

// of names the identity that a parameter gives.
func (q *graphQuery) of(parameter string) pipeline.GraphQuery {
	id := q.identity[parameter]
	return pipeline.GraphQuery{Class: q.class, Namespace: id.Namespace, Value: id.Value,
		Limit: q.limit}
}

// readGraphQuery reads the parameters of a request, among them identities, which must all be there.
func readGraphQuery(r *http.Request, identities ...string) (q graphQuery, err error) {
	q.class, q.identity = DefaultClass, map[string]profile.Identity{}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return q, fmt.Errorf("reading the query: %w", err)
	}
	for _, name := range identities {
		id, ok := profile.ParseIdentity(values.Get(name))
		if !ok {
			return q, fmt.Errorf(
				"parameter %s: want NAMESPACE:VALUE, such as email:ann@example.org", name)
		}
		q.identity[name] = id
	}
	return q, readParameters(values, q.set)
}

func (q *graphQuery) set(name, value string) error {
	_, isIdentity := q.identity[name]
	switch {
	case isIdentity:
	case name == "class":
		q.class = value
	case name == "limit":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > pipeline.LimitGraphLimit {
			return fmt.Errorf("parameter limit: want 1 to %d", pipeline.LimitGraphLimit)
		}
		q.limit = n
	default:
		return fmt.Errorf("there is no parameter %q", name)
	}
	return nil
}

var errGraphPath = errors.New(
	"path: want /v1/graph/NAMESPACE:VALUE, such as /v1/graph/email:ann@example.org")
