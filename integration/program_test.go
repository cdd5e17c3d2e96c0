package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything is waited for.
const patience = 2 * time.Minute

// programDir is where the program was built, "" as long as it was not.
var programDir string

// program builds selfsame, once for all tests of this process, and returns its path.
var program = sync.OnceValues(func() (path string, err error) {
	if programDir, err = os.MkdirTemp("", "selfsame-integration-"); err != nil {
		return "", err
	}
	path = filepath.Join(programDir, "selfsame")
	out, err := exec.Command("go", "build", "-o", path, "selfsame/cmd/selfsame").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("building selfsame: %w\n%s", err, out)
	}
	return path, err
})

// command runs the program to its end and returns what it printed on standard output.
func command(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	path, err := program()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("selfsame %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out, err
}

// daemon is the program running as a daemon.
type daemon struct {
	t       *testing.T
	cmd     *exec.Cmd
	journal *journal
	ended   chan struct{} // closed when the process has ended, with exit set
	exit    error
	claimed int64 // records that its status last said were consumed, where that was asked
}

// launch starts a daemon on a configuration and does not wait for anything.
func launch(t *testing.T, config string) *daemon {
	t.Helper()
	path, err := program()
	must(t, err)
	d := &daemon{t: t, cmd: exec.Command(path, "run", "--config", config),
		journal: &journal{started: make(chan struct{})}, ended: make(chan struct{})}
	d.cmd.Stderr = d.journal
	must(t, d.cmd.Start())
	go func() {
		d.exit = d.cmd.Wait()
		close(d.ended)
	}()
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("daemon on %s:\n%s", config, d.journal.tail())
		}
	})
	return d
}

// start launches a daemon and waits until its API is there.
func start(t *testing.T, config string) *daemon {
	t.Helper()
	d := launch(t, config)
	select {
	case <-d.journal.started:
	case <-d.ended:
		t.Fatalf("the daemon ended: %v", d.exit)
	case <-time.After(patience):
		t.Fatal("the daemon does not start")
	}
	return d
}

// kill ends the daemon as kill -9 does, unless it has ended.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill() // its only error is that the process has ended
	<-d.ended
}

// stop ends the daemon as an operator does, and holds it to a clean end.
func (d *daemon) stop() {
	d.t.Helper()
	must(d.t, d.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-d.ended:
	case <-time.After(patience):
		d.t.Fatal("the daemon does not stop")
	}
	if d.exit != nil {
		d.t.Fatalf("stopping: %v", d.exit)
	}
}

// status is what of GET /v1/status is looked at.
type status struct {
	Ready       bool
	OutboxDepth int `json:"outbox_depth"`
	Partitions  []struct {
		Topic     string
		Partition int32
		Position  *int64
	}
	Datasets []struct {
		Name                                      string
		Consumed, Accepted, Duplicate, Superseded int64
		Rejected                                  map[string]int64
	}
	Topics []struct {
		Topic   string
		Emitted int64
	}
}

// status asks for the status. ok is false where the daemon does not answer.
func (d *daemon) status() (s status, ok bool) {
	d.t.Helper()
	body, code := d.get("/v1/status")
	if code != http.StatusOK {
		return s, false
	}
	must(d.t, json.Unmarshal(body, &s))
	s.check(d.t)
	return s, true
}

// check holds the counts to their law: what was consumed has become one of four things.
func (s *status) check(t *testing.T) {
	t.Helper()
	for _, ds := range s.Datasets {
		sum := ds.Accepted + ds.Duplicate + ds.Superseded
		for _, n := range ds.Rejected {
			sum += n
		}
		if sum != ds.Consumed {
			t.Errorf("%s: consumed %d, accounted for %d", ds.Name, ds.Consumed, sum)
		}
	}
}

// consumed is the number of records consumed since the daemon started.
func (s *status) consumed() (n int64) {
	for _, ds := range s.Datasets {
		n += ds.Consumed
	}
	return n
}

// positions are the offsets to go on from.
func (s *status) positions() map[place]int64 {
	all := map[place]int64{}
	for _, p := range s.Partitions {
		if p.Position != nil {
			all[place{p.Topic, p.Partition}] = *p.Position
		}
	}
	return all
}

// get asks the API. The code is 0 where nothing answers.
func (d *daemon) get(path string) (body []byte, code int) {
	d.t.Helper()
	response, err := http.Get(d.journal.api() + path)
	if err != nil {
		return nil, 0
	}
	defer response.Body.Close()
	var buffer bytes.Buffer
	if _, err := buffer.ReadFrom(response.Body); err != nil {
		return nil, 0
	}
	return buffer.Bytes(), response.StatusCode
}

// journal is the daemon's log. It looks for the line that tells the API's address.
type journal struct {
	started chan struct{} // closed when the line has come

	mu      sync.Mutex
	text    []byte
	address string
}

var startedLine = regexp.MustCompile(`msg="selfsame started".* api=(\S+)`)

// Write implements io.Writer.
func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text = append(j.text, b...)
	if j.address != "" {
		return len(b), nil
	}
	if found := startedLine.FindSubmatch(j.text); found != nil {
		j.address = string(found[1])
		close(j.started)
	}
	return len(b), nil
}

func (j *journal) api() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.address
}

// count counts the lines that hold a text.
func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Count(j.text, []byte(text))
}

func (j *journal) tail() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return string(j.text[max(0, len(j.text)-8<<10):])
}

// await looks every few milliseconds until done, and fails the test when that takes too long.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waiting too long: %s", what)
		}
	}
}
