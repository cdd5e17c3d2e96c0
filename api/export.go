package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"selfsame/pipeline"
)

// ProfilesTrailer is the trailer that ends a complete export: the number of profiles in it.
const ProfilesTrailer = "Selfsame-Profiles"

// maxExports is how many exports, and readings of a whole graph, run at once. Each holds a snapshot
// of the store, which keeps space on disk from being freed.
const maxExports = 2

// exportTypes are the media types of the formats.
var exportTypes = map[string]string{
	pipeline.ExportNDJSON: "application/x-ndjson",
	pipeline.ExportAvro:   "application/avro",
}

// exports are the slots of exports that run.
type exports chan struct{}

// begin takes a slot, unless all are taken.
func (e exports) begin() bool {
	select {
	case e <- struct{}{}:
		return true
	default:
		return false
	}
}

func (e exports) end() { <-e }

// close returns when no export runs, and lets none begin any more.
func (e exports) close() {
	for range cap(e) {
		e <- struct{}{}
	}
}

// export answers GET /v1/export.
func (h *handler) export(w http.ResponseWriter, r *http.Request) {
	q, err := readExportQuery(r.URL.RawQuery)
	if err != nil {
		writeError(w, http.StatusBadRequest, err.Error())
		return
	}
	export, err := h.backend.Lookup.Export(q)
	var wrong *pipeline.QueryError
	var undecided *pipeline.UndecidedError
	switch {
	case errors.As(err, &wrong):
		writeError(w, http.StatusBadRequest, wrong.Problem)
	case errors.As(err, &undecided):
		writeError(w, http.StatusConflict, err.Error()+"; wait for that, or ask with "+
			"incomplete=true (export --incomplete) for those that are")
	case err != nil:
		h.log.Error("preparing an export", "error", err)
		writeError(w, http.StatusInternalServerError, "exporting failed; the daemon's log says why")
	case !r.ProtoAtLeast(1, 1):
		writeError(w, http.StatusHTTPVersionNotSupported,
			"HTTP/1.0 cannot tell a cut export from a complete one: use HTTP/1.1")
	case !h.exports.begin():
		w.Header().Set("Retry-After", "10")
		writeError(w, http.StatusServiceUnavailable, fmt.Sprintf(
			"%d exports or readings of a graph are running, which is the limit: try again later",
			maxExports))
	default:
		defer h.exports.end()
		w.Header().Set("Content-Type", exportTypes[q.Format])
		w.Header().Set("Trailer", ProfilesTrailer)
		if r.Method != http.MethodHead {
			stream(r.Context(), w, export, h.log)
		}
	}
}

// readExportQuery reads the parameters of an export.
func readExportQuery(raw string) (pipeline.ExportQuery, error) {
	q := pipeline.ExportQuery{Class: DefaultClass, Format: pipeline.ExportNDJSON}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, fmt.Errorf("reading the query: %w", err)
	}
	fields := map[string]*string{
		"class": &q.Class, "policy": &q.Policy, "format": &q.Format, "codec": &q.Codec,
	}
	return q, readParameters(values, func(name, value string) (err error) {
		if name == "incomplete" {
			if q.Incomplete, err = strconv.ParseBool(value); err != nil {
				return errors.New("parameter incomplete: want true or false")
			}
			return nil
		}
		field, known := fields[name]
		if !known {
			return fmt.Errorf("there is no parameter %q", name)
		}
		*field = value
		return nil
	})
}

// stream writes an export. A failure cuts the connection, so that what was written cannot pass for
// the whole.
func stream(ctx context.Context, w http.ResponseWriter, export *pipeline.Export, log *slog.Logger) {
	control := http.NewResponseController(w)
	// Else the end of the time for reading the request would end the export.
	err := control.SetReadDeadline(time.Time{})
	if err == nil || errors.Is(err, http.ErrNotSupported) {
		var profiles int
		profiles, err = export.Stream(ctx, &patientWriter{w, control})
		w.Header().Set(ProfilesTrailer, strconv.Itoa(profiles))
	}
	switch {
	case err == nil:
		return
	case ctx.Err() == nil:
		log.Error("exporting", "error", err)
	}
	// invariant: this is how net/http wants to be told to cut the connection
	panic(http.ErrAbortHandler)
}

// patientWriter allows each write the time that a whole answer has otherwise.
type patientWriter struct {
	w       io.Writer
	control *http.ResponseController
}

// Write implements io.Writer.
func (p *patientWriter) Write(b []byte) (int, error) {
	err := p.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.w.Write(b)
}
