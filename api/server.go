package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"selfsame/pipeline"
	"selfsame/store"
)

// Backend is what a server answers from.
type Backend struct {
	Lookup  *pipeline.Lookup
	Stats   *pipeline.Stats
	Store   *store.Store
	Ready   func() error // why the daemon is not ready; nil when it is
	Version string
	Model   *pipeline.Model
}

// Limits of a connection. Answers are small; the longest is a CPU profile, of 30 seconds unless
// asked otherwise.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = time.Minute
	idleTimeout   = 2 * time.Minute
	shutdownLimit = 5 * time.Second
	headerBytes   = 32 << 10
)

// Server is the HTTP server of a daemon: New, Listen, Serve, each once.
type Server struct {
	options  Options
	log      *slog.Logger
	http     *http.Server
	listener net.Listener
}

// New returns a server that does not listen yet.
func New(o Options, b Backend, log *slog.Logger) *Server {
	return &Server{options: o, log: log, http: &http.Server{
		Handler:           newHandler(o, b, log),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}
}

// Listen binds the address and returns it, with the port that was chosen where it asked for any.
func (s *Server) Listen() (addr string, err error) {
	if err := s.options.Validate(); err != nil {
		return "", err
	}
	s.listener, err = net.Listen("tcp", s.options.address())
	if err != nil {
		return "", fmt.Errorf("listening for the API: %w", err)
	}
	return s.listener.Addr().String(), nil
}

// Serve answers until ctx ends, and then for as long as requests under way take, at most
// five seconds.
func (s *Server) Serve(ctx context.Context) error {
	if s.listener == nil {
		return errors.New("serving the API: it does not listen")
	}
	s.log.Info("the API listens", "address", s.listener.Addr().String())
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving the API: %w", err)
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	if err := s.http.Shutdown(stopping); err != nil {
		s.log.Warn("cutting off API requests that took too long")
		return s.http.Close()
	}
	return nil
}
