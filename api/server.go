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

// Backend is what a server answers from. Every field is required.
type Backend struct {
	Lookup *pipeline.Lookup
	Stats  *pipeline.Stats
	Store  *store.Store
	Ready  func() error // why the daemon is not ready; nil when it is
	// Readable tells why what is known of people cannot be read yet; nil when it can.
	Readable func() error
	Version  string
	Model    *pipeline.Model
	// Control writes a control record to the control topic, acknowledged by Kafka.
	Control func(ctx context.Context, id string, record []byte) error
	// Backup makes a backup of a name. The errors are those of [pipeline.Pipeline.Backup].
	Backup func(ctx context.Context, name string) (*store.Backup, error)
	// BackupPath is where the backup of a name lies.
	BackupPath func(name string) string
}

// Limits of a connection. Answers are small; the longest is a CPU profile, of 30 seconds unless
// asked otherwise. An export takes as long as it takes, but each of its writes has writeTimeout.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	writeTimeout  = time.Minute
	idleTimeout   = 2 * time.Minute
	headerBytes   = 32 << 10
	bodyBytes     = 4 << 10 // nothing reads a body; one this small does not cost the connection
)

// Server is the HTTP server of a daemon: New, Listen, Serve, each once.
type Server struct {
	options  Options
	log      *slog.Logger
	http     *http.Server
	exports  exports
	listener net.Listener
}

// New returns a server that does not listen yet.
func New(o Options, b Backend, log *slog.Logger) *Server {
	h := newHandler(o, b, log)
	return &Server{options: o, log: log, exports: h.exports, http: &http.Server{
		Handler:           http.MaxBytesHandler(h, bodyBytes),
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
// [Options.ShutdownTimeout]. It returns when the address is free again. The store must stay open
// until then.
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
	err := s.shutdown(context.WithoutCancel(ctx))
	<-served
	s.exports.close() // those that were cut off read the store until they notice
	return err
}

func (s *Server) shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.shutdownTimeout())
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("cutting off API requests that took too long")
		err = s.http.Close()
	}
	if err != nil {
		return fmt.Errorf("ending the API: %w", err)
	}
	return nil
}
