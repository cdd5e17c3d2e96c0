// Package realregistry gives tests a real schema registry: Apicurio Registry, through its API that
// is compatible with Confluent's. Only tests use it.
//
// Where the registry comes from, the first that is there:
//
//  1. SELFSAME_REGISTRY=URL: a registry that runs already. Tests use subjects of their own names.
//  2. Java 17 and Maven: it is fetched from Maven Central once, into SELFSAME_CACHE or the user's
//     cache directory, and runs as a child process on a free port of the loopback interface.
//
// Where there is none, and with go test -short, the test is skipped with the reason; with
// SELFSAME_REQUIRE_REGISTRY=1 it fails.
package realregistry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"selfsame/internal/javaproc"
)

// Version is the release of Apicurio Registry that runs, unless SELFSAME_REGISTRY names another
// registry.
const Version = "2.6.13.Final"

const (
	startTimeout = 2 * time.Minute
	pollInterval = 200 * time.Millisecond
)

// Start returns the address of a registry that the tests of this process share.
func Start(t testing.TB) string {
	t.Helper()
	if url := os.Getenv("SELFSAME_REGISTRY"); url != "" {
		return url
	}
	needed(t)
	server, err := shared()
	if err != nil {
		unavailable(t, err)
	}
	return server.URL
}

// shared starts the registry that lives as long as the process.
var shared = sync.OnceValues(func() (*Server, error) { return open("") })

// Server is a registry that a test has for itself.
type Server struct {
	URL     string // of the API, the same after a restart
	process javaproc.Process
}

// New starts a registry for one test, which ends with it.
func New(t testing.TB) *Server {
	t.Helper()
	needed(t)
	s, err := open(t.TempDir())
	if err != nil {
		unavailable(t, err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stopping the registry: %v", err)
		}
	})
	return s
}

// Stop ends the registry as an operator would. It does nothing to one that is not running.
func (s *Server) Stop() error { return s.process.Stop() }

// Start starts the registry again, with its data, and waits until it answers.
func (s *Server) Start() error {
	if err := s.process.Start(); err != nil {
		return err
	}
	if err := s.await(); err != nil {
		return fmt.Errorf("%w\n%s", err, s.process.Log())
	}
	return nil
}

// open starts a registry with its data in dir, or in a directory of its own where dir is empty.
func open(dir string) (*Server, error) {
	if err := javaproc.Check(); err != nil {
		return nil, err
	}
	app, err := javaproc.Resolve("apicurio-"+Version, fetch)
	if err != nil {
		return nil, err
	}
	ports, err := javaproc.FreePorts(1)
	if err != nil {
		return nil, err
	}
	s := &Server{URL: fmt.Sprintf("http://127.0.0.1:%d/apis/ccompat/v7", ports[0]),
		process: javaproc.Process{Name: "the registry", Dir: dir, Keep: dir != ""}}
	if dir == "" {
		if s.process.Dir, err = os.MkdirTemp("", "selfsame-registry-"); err != nil {
			return nil, err
		}
	}
	s.process.Args = []string{
		"-Dquarkus.http.host=127.0.0.1", fmt.Sprintf("-Dquarkus.http.port=%d", ports[0]),
		"-Dquarkus.datasource.jdbc.url=jdbc:h2:file:" + filepath.Join(s.process.Dir, "schemas"),
		"-jar", filepath.Join(app, "apicurio-registry-app-"+Version+"-runner.jar"),
	}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// fetch has Maven fetch the registry, and unpacks it.
func fetch(work string) error {
	err := javaproc.Maven("dependency:copy", "-DoutputDirectory="+work,
		"-Dartifact=io.apicurio:apicurio-registry-app:"+Version+":tar.gz:all")
	if err != nil {
		return err
	}
	out := filepath.Join(work, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		return err
	}
	archive := filepath.Join(work, "apicurio-registry-app-"+Version+"-all.tar.gz")
	if text, err := exec.Command("tar", "-xzf", archive, "-C", out).CombinedOutput(); err != nil {
		return fmt.Errorf("unpacking the registry: %w\n%s", err, text)
	}
	return nil
}

// await polls until the registry answers a request.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ping(ctx, s.URL)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the registry: %w", err)
		}
	}
}

func ping(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/subjects", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}

func required() bool { return os.Getenv("SELFSAME_REQUIRE_REGISTRY") == "1" }

func needed(t testing.TB) {
	t.Helper()
	if testing.Short() && !required() {
		t.Skip("the real schema registry is left out by -short")
	}
}

func unavailable(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, javaproc.ErrUnavailable) && !required() {
		t.Skipf("no real schema registry: %v; SELFSAME_REGISTRY is not set", err)
	}
	t.Fatal(err)
}
