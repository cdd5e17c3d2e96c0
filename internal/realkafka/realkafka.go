package realkafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"selfsame/internal/javaproc"
	"selfsame/kafka"
)

// Version is the release of Apache Kafka that runs, unless SELFSAME_KAFKA names another broker.
const Version = "4.4.0"

const (
	startTimeout   = 2 * time.Minute
	resolveTimeout = 10 * time.Minute
	stopTimeout    = 30 * time.Second
	pollInterval   = 200 * time.Millisecond
)

// Start returns the address of a broker that the tests of this process share.
func Start(t testing.TB) string {
	t.Helper()
	if addr := os.Getenv("SELFSAME_KAFKA"); addr != "" {
		return addr
	}
	needed(t)
	cluster, err := shared()
	if err != nil {
		unavailable(t, err)
	}
	return cluster.Addr
}

// shared starts the broker that lives as long as the process. It keeps the Cluster, not its address
// only: the broker ends when the pipe to it is collected.
var shared = sync.OnceValues(func() (*Cluster, error) { return open("", nil) })

// Cluster is a broker that a test has for itself.
type Cluster struct {
	Addr string // host:port, the same after a restart
	node node
}

// node is a broker however it is run. Its data outlives stop and kill.
type node interface {
	start() error
	stop() error
	kill() error
	remove() error // what is left of it once it is stopped
	log() string   // the last lines of it
}

// New starts a broker for one test, which ends with it. settings go over the server's own, as in
// server.properties.
func New(t testing.TB, settings map[string]string) *Cluster {
	t.Helper()
	needed(t)
	cluster, err := open(t.TempDir(), settings)
	if err != nil {
		unavailable(t, err)
	}
	t.Cleanup(func() {
		if err := cluster.Close(); err != nil {
			t.Errorf("stopping kafka: %v", err)
		}
	})
	return cluster
}

// Run starts a broker outside of tests. Its data goes with it.
func Run(settings map[string]string) (*Cluster, error) { return open("", settings) }

// Stop ends the broker as an operator would. It does nothing to one that is not running.
func (c *Cluster) Stop() error { return c.node.stop() }

// Close ends the broker for good.
func (c *Cluster) Close() error { return errors.Join(c.node.stop(), c.node.remove()) }

// Kill ends the broker as kill -9 does.
func (c *Cluster) Kill() error { return c.node.kill() }

// Start starts the broker again and waits until it answers.
func (c *Cluster) Start() error {
	if err := c.node.start(); err != nil {
		return err
	}
	if err := c.await(); err != nil {
		return fmt.Errorf("%w\n%s", err, c.node.log())
	}
	return nil
}

// open starts a broker with its data in dir, or in a directory of its own where dir is empty.
func open(dir string, settings map[string]string) (*Cluster, error) {
	cluster, err := choose(dir, settings)
	if err != nil {
		return nil, err
	}
	if err := cluster.Start(); err != nil {
		return nil, errors.Join(err, cluster.Close())
	}
	return cluster, nil
}

func choose(dir string, settings map[string]string) (*Cluster, error) {
	cluster, javaErr := newJVM(dir, settings)
	if !errors.Is(javaErr, javaproc.ErrUnavailable) {
		return cluster, javaErr
	}
	cluster, dockerErr := newContainer(settings)
	if !errors.Is(dockerErr, javaproc.ErrUnavailable) {
		return cluster, dockerErr
	}
	given := "SELFSAME_KAFKA is not set"
	if os.Getenv("SELFSAME_KAFKA") != "" {
		given = "the one of SELFSAME_KAFKA is not this test's to stop"
	}
	return nil, fmt.Errorf("no real Kafka: %w; %w; %s", javaErr, dockerErr, given)
}

// await polls until the broker answers a request.
func (c *Cluster) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	cfg := kafka.Default()
	cfg.Brokers = []string{c.Addr}
	cfg.RequestTimeout = 2 * time.Second
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ping(ctx, cfg)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for kafka: %w", err)
		}
	}
}

// ping takes a new client each time: an old one would remember that it could not connect.
func ping(ctx context.Context, cfg kafka.Config) error {
	client, err := kafka.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Ping(ctx)
}

func required() bool { return os.Getenv("SELFSAME_REQUIRE_KAFKA") == "1" }

func needed(t testing.TB) {
	t.Helper()
	if testing.Short() && !required() {
		t.Skip("real Kafka is left out by -short")
	}
}

func unavailable(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, javaproc.ErrUnavailable) && !required() {
		t.Skip(err)
	}
	t.Fatal(err)
}
