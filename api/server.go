package api

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"selfsame/pipeline"
	"selfsame/store"
)

// DefaultListen is the address that the API listens on unless another is configured.
const DefaultListen = "127.0.0.1:8080"

// Options say where and for whom the API is.
type Options struct {
	Listen string // host:port; port 0 is a free one
	Token  string // that callers must bear; none where empty
	Pprof  bool   // serve /debug/pprof
}

// Validate reports what is wrong with the options.
func (o Options) Validate() error {
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("listen: %q is not host:port", o.Listen)
	}
	ip := net.ParseIP(host)
	local := host == "localhost" || (ip != nil && ip.IsLoopback())
	if !local && o.Token == "" {
		return fmt.Errorf("listen: %s can be reached from other hosts: configure http.token, or "+
			"listen on 127.0.0.1", o.Listen)
	}
	return nil
}

// Backend is what the API reads.
type Backend struct {
	Lookup  *pipeline.Lookup
	Stats   *pipeline.Stats
	Store   *store.Store
	Model   *pipeline.Model
	Version string
	Ready   func() error // nil when ready, else why not
}

// Server serves the API.
type Server struct {
	o        Options
	backend  Backend
	log      *slog.Logger
	listener net.Listener
	http     *http.Server
}

// New returns a server that does not listen yet.
func New(o Options, b Backend, log *slog.Logger) *Server {
	s := &Server{o: o, backend: b, log: log}
	s.http = &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return s
}

// Handler returns the routes, with authentication.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /v1/profiles", s.profile)
	mux.HandleFunc("GET /v1/status", s.status)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry(), promhttp.HandlerOpts{}))
	if s.o.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return s.authenticated(mux)
}

func (s *Server) registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(newCollector(s.backend), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// authenticated asks for the token everywhere but on the health pages.
func (s *Server) authenticated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		health := r.URL.Path == "/healthz" || r.URL.Path == "/readyz"
		if s.o.Token == "" || health {
			next.ServeHTTP(w, r)
			return
		}
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if subtle.ConstantTimeCompare([]byte(token), []byte(s.o.Token)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			fail(w, http.StatusUnauthorized, "a bearer token is needed")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Listen binds the address and returns it.
func (s *Server) Listen() (addr string, err error) {
	if s.listener, err = net.Listen("tcp", s.o.Listen); err != nil {
		return "", fmt.Errorf("listening for the API (http.listen): %w", err)
	}
	return s.listener.Addr().String(), nil
}

// closeTimeout is how long requests under way may take once the server is to end.
const closeTimeout = 5 * time.Second

// Serve answers until ctx ends, then lets requests under way finish.
func (s *Server) Serve(ctx context.Context) error {
	done := make(chan error, 1) // the result of the shutdown
	stop := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		done <- s.http.Shutdown(ending)
	})
	err := s.http.Serve(s.listener)
	if stop() {
		return fmt.Errorf("serving the API: %w", err)
	}
	if err := <-done; err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("ending the API: %w", err)
	}
	return nil
}
