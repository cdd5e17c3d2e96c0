package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"

	"selfsame/pipeline"
)

// handler routes requests by exact path, else by what the path starts with. Unlike http.ServeMux it
// redirects nothing: cleaning a path would make another identity of a value with "//" or "..".
type handler struct {
	backend Backend
	token   string
	log     *slog.Logger
	exact   map[string]http.HandlerFunc
	under   map[string]http.HandlerFunc // none is a prefix of another
	post    map[string]http.HandlerFunc // what is changed, by exact path
	exports exports
}

// Paths that others lie under.
const (
	profilesPath = "/v1/profiles/"
	pprofPath    = "/debug/pprof/"
)

func newHandler(o Options, b Backend, log *slog.Logger) *handler {
	h := &handler{backend: b, token: o.Token, log: log, exports: make(exports, maxExports)}
	h.exact = map[string]http.HandlerFunc{
		"/v1/profiles": h.reading(h.profileByQuery),
		provenancePath: h.reading(h.provenanceByQuery),
		"/v1/export":   h.reading(h.export),
		"/v1/status":   bare(h.status),
		"/v1/jobs":     bare(h.jobs),
		graphPath:      h.reading(h.graphByQuery),
		explainPath:    h.reading(h.explain),
		topPath:        h.reading(h.top),
		computedPath:   h.computed,
		"/healthz":     h.health,
		"/readyz":      h.ready,
		"/metrics":     metricsHandler(b, log).ServeHTTP,
	}
	h.under = map[string]http.HandlerFunc{profilesPath: h.reading(h.profileByPath),
		provenancePath + "/": h.reading(h.provenanceByPath),
		graphPath + "/":      h.reading(h.graphByPath),
		controlPath + "/":    bare(h.controlByID)}
	h.post = map[string]http.HandlerFunc{controlPath: h.postControl,
		verifyPath: h.reading(bare(h.postVerify)), backupPath: bare(h.postBackup),
		simulatePath:        h.reading(bare(h.simulate)),
		previewPath:         h.reading(bare(h.preview)),
		computedPreviewPath: h.reading(bare(h.previewComputed))}
	if o.Pprof {
		h.under[pprofPath] = pprof.Index
		h.exact[pprofPath+"cmdline"] = pprof.Cmdline
		h.exact[pprofPath+"profile"] = pprof.Profile
		h.exact[pprofPath+"symbol"] = pprof.Symbol
		h.exact[pprofPath+"trace"] = pprof.Trace
	}
	return h
}

// bare serves a path without parameters: one that is given was meant to do something.
func bare(route http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			writeError(w, http.StatusBadRequest, "this path takes no parameters")
			return
		}
		route(w, r)
	}
}

// reading serves a path that tells of people, once the store may be read.
func (h *handler) reading(route http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h.backend.Readable(); err != nil {
			w.Header().Set("Retry-After", "1")
			writeError(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		route(w, r)
	}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	answer := &answer{ResponseWriter: w}
	defer h.catch(answer)
	h.serve(answer, r)
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	if !h.admit(w, r) {
		return
	}
	path := r.URL.EscapedPath()
	if route, ok := h.post[path]; ok {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", "POST")
			writeError(w, http.StatusMethodNotAllowed, "use POST here")
			return
		}
		route(w, r)
		return
	}
	route := h.route(path)
	if route == nil {
		writeError(w, http.StatusNotFound, "there is nothing at this path")
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		writeError(w, http.StatusMethodNotAllowed, "this path is for reading: use GET")
		return
	}
	route(w, r)
}

// route finds what serves a path, nil where nothing does.
func (h *handler) route(path string) http.HandlerFunc {
	if route, known := h.exact[path]; known {
		return route
	}
	for prefix, route := range h.under {
		if strings.HasPrefix(path, prefix) {
			return route
		}
	}
	return nil
}

// admit answers a request that may not be served, and reports whether it may. Probes always may:
// what runs the daemon has no token.
func (h *handler) admit(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.URL.Path == "/healthz" || r.URL.Path == "/readyz":
		return true
	case h.token == "" && !loopback(hostOnly(r.Host)):
		writeError(w, http.StatusForbidden, "without a token the API answers as localhost only")
		return false
	case h.token != "" && !sameToken(r.Header.Get("Authorization"), h.token):
		w.Header().Set("WWW-Authenticate", "Bearer")
		writeError(w, http.StatusUnauthorized, "the bearer token is missing or wrong")
		return false
	}
	return true
}

// sameToken takes the same time for every token given. It compares digests, so that not even the
// length of the right one shows.
func sameToken(authorization, want string) bool {
	scheme, given, _ := strings.Cut(authorization, " ")
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}

// hostOnly takes the port off a Host header.
func hostOnly(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

func (h *handler) health(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (h *handler) ready(w http.ResponseWriter, _ *http.Request) {
	if err := h.backend.Ready(); err != nil {
		writeError(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	body := readiness{Status: "ready", Problems: troubles(h.backend.Stats.Figures())}
	if len(body.Problems) > 0 {
		body.Status = "degraded"
	}
	writeJSON(w, http.StatusOK, body)
}

// readiness is the body of GET /readyz. A daemon that does not read one of its topics is ready all
// the same: what it holds can be asked for, and its other topics go on.
type readiness struct {
	Status   string   `json:"status"`
	Problems []string `json:"problems,omitempty"`
}

// refusal is the answer to what is wrong.
type refusal struct {
	Error string `json:"error"`
	// Problems are where in the definitions that were to be tried.
	Problems []pipeline.SpecError `json:"problems,omitempty"`
}

func writeError(w http.ResponseWriter, code int, text string) {
	writeJSON(w, code, refusal{Error: text})
}

func writeJSON(w http.ResponseWriter, code int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err) // invariant: only our own types are written, and all of them marshal
	}
	writeBody(w, code, body)
}

// writeBody sends JSON. A failed write means that the caller has gone; nobody is left to tell.
func writeBody(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
}
