package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"selfsame/pipeline"
	"selfsame/profile"
)

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, []byte(`{"status":"alive"}`))
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.backend.Ready(); err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	answer(w, http.StatusOK, []byte(`{"status":"ready"}`))
}

// profile answers GET /v1/profiles?identity=NAMESPACE:VALUE.
func (s *Server) profile(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	id, ok := profile.ParseIdentity(values.Get("identity"))
	if !ok {
		fail(w, http.StatusBadRequest, "the query parameter identity must be NAMESPACE:VALUE")
		return
	}
	provenance := false
	if text := values.Get("provenance"); text != "" {
		var err error
		if provenance, err = strconv.ParseBool(text); err != nil {
			fail(w, http.StatusBadRequest, "the query parameter provenance must be true or false")
			return
		}
	}
	q := pipeline.Query{Class: values.Get("class"), Namespace: id.Namespace, Value: id.Value,
		Policy: values.Get("policy")}
	if q.Class == "" {
		q.Class = "profile"
	}
	found, err := s.backend.Lookup.Find(q)
	var wrong *pipeline.QueryError
	switch {
	case errors.As(err, &wrong):
		fail(w, http.StatusBadRequest, wrong.Problem)
	case err != nil:
		s.log.Error("reading a profile failed", "error", err)
		fail(w, http.StatusInternalServerError, "reading the profile failed; the log says why")
	case found == nil:
		fail(w, http.StatusNotFound, "no profile has this identity")
	default:
		answer(w, http.StatusOK, found.JSON(provenance))
	}
}

// status is the answer of GET /v1/status.
type status struct {
	Version   string                   `json:"version"`
	Ready     bool                     `json:"ready"`
	Outbox    int                      `json:"outbox_depth"`
	Positions map[string]int64         `json:"positions"`
	Lag       map[string]int64         `json:"lag"`
	Datasets  map[string]datasetStatus `json:"datasets"`
	Emitted   map[string]uint64        `json:"emitted"`
}

type datasetStatus struct {
	Consumed   uint64                     `json:"consumed"`
	Accepted   uint64                     `json:"accepted"`
	Duplicate  uint64                     `json:"duplicate"`
	Superseded uint64                     `json:"superseded"`
	Rejected   map[pipeline.Reason]uint64 `json:"rejected"`
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	f := s.backend.Stats.Figures()
	out := status{Version: s.backend.Version, Ready: s.backend.Ready() == nil,
		Outbox: s.backend.Store.OutboxDepth(), Positions: map[string]int64{},
		Lag: map[string]int64{}, Datasets: map[string]datasetStatus{}, Emitted: f.Emitted}
	for tp, next := range f.Positions {
		out.Positions[tp.String()] = next
	}
	for tp, lag := range f.Lag {
		out.Lag[tp.String()] = lag
	}
	for name, d := range f.Datasets {
		out.Datasets[name] = datasetStatus(d)
	}
	body, err := json.Marshal(out)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, http.StatusOK, body)
}

func fail(w http.ResponseWriter, code int, problem string) {
	answer(w, code, append(profile.AppendString([]byte(`{"error":`), problem), '}'))
}

func answer(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n')) // the caller has gone away: nobody to tell
}
