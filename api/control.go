package api

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// controlPath is where control records are sent to; what became of one lies under it.
const controlPath = "/v1/control"

// controlAnswer is the body of POST /v1/control.
type controlAnswer struct {
	ID string `json:"id"`
}

// The outcomes of a control record, as GET /v1/control/ID tells them.
const (
	controlApplied  = "applied"
	controlRejected = "rejected"
)

// controlStatus is the body of GET /v1/control/ID for a record that was applied.
type controlStatus struct {
	ID      string         `json:"id"`
	Outcome string         `json:"outcome"` // applied
	Op      string         `json:"op"`
	Class   string         `json:"class,omitempty"`
	Time    time.Time      `json:"time"`
	Removed controlRemoved `json:"removed"`
	Classes []controlClass `json:"classes,omitempty"` // of one that acted in several
	Job     string         `json:"job,omitempty"`     // that goes on with it
	Cause   controlCause   `json:"cause"`
}

// controlRefusal is the body of GET /v1/control/ID for a record that was refused.
type controlRefusal struct {
	ID      string       `json:"id"`
	Outcome string       `json:"outcome"` // rejected
	Op      string       `json:"op,omitempty"`
	Reason  string       `json:"reason"`
	Path    string       `json:"path,omitempty"`
	Wanted  string       `json:"wanted,omitempty"`
	Found   string       `json:"found,omitempty"`
	Cause   controlCause `json:"cause"`
}

type controlRemoved struct {
	Fragments uint64 `json:"fragments"`
	Events    uint64 `json:"events"`
	Links     uint64 `json:"links"`
	Days      uint64 `json:"folded_days,omitempty"` // of expired events, in lifetime attributes
}

// controlClass is what a control record does in one of several classes.
type controlClass struct {
	Class      string         `json:"class"`
	Identities []string       `json:"identities,omitempty"` // of a dry run
	Removed    controlRemoved `json:"removed"`
}

type controlCause struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// postControl checks a control record and writes it to the control topic, where the pipeline finds
// it as it finds those of others.
func (h *handler) postControl(w http.ResponseWriter, r *http.Request) {
	dry, err := dryRunAsked(r)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	body, ok := readJSON(w, r, h.backend.Model.Limits.RecordBytes)
	if !ok {
		return
	}
	id, record, err := withID(body)
	if err == nil {
		if rejection := h.backend.Model.CheckControl(record); rejection != nil {
			err = rejection
		}
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	if dry {
		h.reading(func(w http.ResponseWriter, r *http.Request) { h.dryRun(w, r, record) })(w, r)
		return
	}
	if err := h.backend.Control(r.Context(), id, record); err != nil {
		h.log.Error("writing to the control topic", "error", err)
		writeError(w, http.StatusServiceUnavailable,
			"the record may not have reached Kafka; sending it again with the same id is safe")
		return
	}
	writeJSON(w, http.StatusAccepted, controlAnswer{ID: id})
}

// dryRunAsked reads the one parameter that the path takes.
func dryRunAsked(r *http.Request) (bool, error) {
	if r.URL.RawQuery == "" {
		return false, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(values) != 1 || len(values["dry_run"]) != 1 ||
		values.Get("dry_run") != "true" && values.Get("dry_run") != "false" {
		return false, errors.New("the only parameter is dry_run=true")
	}
	return values.Get("dry_run") == "true", nil
}

// dryRunAnswer is the body of POST /v1/control?dry_run=true.
type dryRunAnswer struct {
	Op         pipeline.ControlOp `json:"op"`
	Class      string             `json:"class,omitempty"`
	Identities []string           `json:"identities"` // that it would act on
	Removed    controlRemoved     `json:"removed"`
	Classes    []controlClass     `json:"classes,omitempty"` // of one that would act in several
}

// dryRun tells what a control record would remove. Nothing is written.
func (h *handler) dryRun(w http.ResponseWriter, r *http.Request, record []byte) {
	h.takeTime(w)
	found, err := h.backend.Lookup.DryRun(r.Context(), record, time.Now())
	var query *pipeline.QueryError
	var rejection *pipeline.Rejection
	switch {
	case errors.As(err, &query), errors.As(err, &rejection):
		writeError(w, http.StatusBadRequest, err.Error())
	case err != nil:
		h.log.Error("trying a control record", "error", err)
		writeError(w, http.StatusInternalServerError, "reading failed; the daemon's log says why")
	default:
		whole := dryRunOf(found)
		answer := dryRunAnswer{Op: found.Op, Class: found.Class, Identities: whole.Identities,
			Removed: whole.Removed}
		for i := range found.Classes {
			answer.Classes = append(answer.Classes, dryRunOf(&found.Classes[i]))
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

func dryRunOf(d *pipeline.DryRun) controlClass {
	c := controlClass{Class: d.Class, Identities: []string{},
		Removed: controlRemoved(d.Removed)}
	for _, id := range d.Identities {
		c.Identities = append(c.Identities, id.String())
	}
	return c
}

// takeTime lets an answer take longer than others may.
func (h *handler) takeTime(w http.ResponseWriter) {
	control := http.NewResponseController(w)
	err := errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{}))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		h.log.Warn("an answer may take longer than it has", "error", err)
	}
}

// readJSON reads the body of a request that changes something, or refuses it. Only JSON by name is
// taken: a web page cannot send that across sites without asking first, and the API does not answer
// such a question.
func readJSON(w http.ResponseWriter, r *http.Request, limit int) (body []byte, ok bool) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		writeError(w, http.StatusUnsupportedMediaType,
			"send JSON, with the header Content-Type: application/json")
		return nil, false
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	if err != nil {
		writeError(w, http.StatusRequestEntityTooLarge, "the body is too large, or was cut short")
		return nil, false
	}
	return body, true
}

// withID gives a record that has no id a random one, and leaves the rest of its text as it is, for
// the check of the record to judge.
func withID(body []byte) (id string, record []byte, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return "", nil, errors.New("the body is not one JSON object")
	}
	if raw, ok := fields["id"]; ok {
		_ = json.Unmarshal(raw, &id) // what is no text is told by the check of the record
		return id, body, nil
	}
	id = NewControlID()
	_, rest, _ := bytes.Cut(body, []byte("{"))
	record = append(record, `{"id":"`+id+`"`...)
	if len(fields) > 0 {
		record = append(record, ',')
	}
	return id, append(record, rest...), nil
}

// NewControlID makes an id for a control record: random, and never made before.
func NewControlID() string { return strings.ToLower(rand.Text()) }

// controlByID tells what became of a control record.
func (h *handler) controlByID(w http.ResponseWriter, r *http.Request) {
	id, err := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), controlPath+"/"))
	if err != nil || id == "" {
		writeError(w, http.StatusBadRequest, "want /v1/control/ID, URL-encoded")
		return
	}
	row, err := h.backend.Store.Reader().Applied(id)
	switch {
	case err != nil:
		h.log.Error("reading a control record", "error", err)
		writeError(w, http.StatusInternalServerError, "reading failed; the daemon's log says why")
	case row != nil:
		writeJSON(w, http.StatusOK, statusOf(id, row))
	default:
		h.controlNotApplied(w, id)
	}
}

// controlNotApplied tells of a record that is refused, or not known.
func (h *handler) controlNotApplied(w http.ResponseWriter, id string) {
	refused, ok := h.backend.Stats.RefusedControl(id)
	if !ok {
		writeError(w, http.StatusNotFound, "no control record of this id has been applied: it may "+
			"be on its way, or have been refused before the daemon started; then the audit topic "+
			"says why")
		return
	}
	why := &refused.Rejection
	writeJSON(w, http.StatusOK, controlRefusal{ID: id, Outcome: controlRejected,
		Op: string(refused.Op), Reason: string(why.Reason), Path: why.Path, Wanted: why.Wanted,
		Found: why.Found, Cause: causeOf(refused.Cause)})
}

func causeOf(p profile.Position) controlCause {
	return controlCause{p.Topic, p.Partition, p.Offset}
}

func statusOf(id string, row *store.Applied) controlStatus {
	s := controlStatus{ID: id, Outcome: controlApplied, Op: row.Op, Class: row.Class,
		Time:    time.Unix(0, row.Time).UTC(),
		Removed: controlRemoved(row.Removed), Job: row.Job,
		Cause: causeOf(row.Cause)}
	for _, p := range row.Parts {
		s.Classes = append(s.Classes, controlClass{Class: p.Class,
			Removed: controlRemoved(p.Removed)})
	}
	return s
}

// jobStatus is one job of GET /v1/jobs.
type jobStatus struct {
	ID       string     `json:"id"`
	Kind     string     `json:"kind"`
	State    string     `json:"state"` // running, done
	Done     uint64     `json:"done"`
	Total    uint64     `json:"total"`             // an estimate while it runs; 0: not known yet
	Created  *time.Time `json:"created,omitempty"` // none: no step of it was taken yet
	Finished *time.Time `json:"finished,omitempty"`
}

// jobs lists the jobs that run, and those that ended of late.
func (h *handler) jobs(w http.ResponseWriter, _ *http.Request) {
	all := []jobStatus{}
	err := h.backend.Store.Reader().Jobs(func(job *store.Job) error {
		s := jobStatus{ID: job.ID, Kind: job.Kind, State: "running", Done: job.Done,
			Total: job.Total}
		if job.Created != 0 {
			at := time.Unix(0, job.Created).UTC()
			s.Created = &at
		}
		if job.State == store.JobDone {
			at := time.Unix(0, job.Finished).UTC()
			s.State, s.Finished = "done", &at
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		h.log.Error("reading jobs", "error", err)
		writeError(w, http.StatusInternalServerError, "reading failed; the daemon's log says why")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"jobs": all})
}
