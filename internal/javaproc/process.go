package javaproc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Process is a server that can be started, ended and started again.
type Process struct {
	Name string   // for messages
	Dir  string   // of its data and its log
	Keep bool     // the directory belongs to someone else
	Args []string // of java

	running  *exec.Cmd // the guard, nil while the server is down
	lifeline io.Closer
	pid      int // of the server itself
}

const stopTimeout = 30 * time.Second

// Java is how every server is started: small and quick, since it lives for a test.
func Java(args ...string) []string {
	return append([]string{"java", "-Xms128m", "-Xmx768m", "-XX:+UseSerialGC",
		"-XX:TieredStopAtLevel=1"}, args...)
}

// guard runs the server and tells its process id. When its input ends, by Stop or because this
// process is no more, it ends the server, and with it the directory unless $3 keeps it.
const guard = `
dir=$1; log=$2; keep=$3; shift 3
"$@" >>"$log" 2>&1 & pid=$!
echo $pid
cat >/dev/null
kill $pid 2>/dev/null
wait $pid
[ "$keep" = true ] || rm -rf "$dir"
`

// Start starts the server. It does not wait until the server answers.
func (p *Process) Start() error {
	if p.running != nil {
		return fmt.Errorf("starting %s: it runs already", p.Name)
	}
	args := append([]string{"-c", guard, "guard", p.Dir, p.logFile(), strconv.FormatBool(p.Keep)},
		Java(p.Args...)...)
	cmd := exec.Command("sh", args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.Name, err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		p.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.Name,
			errors.Join(err, stdin.Close(), cmd.Wait()))
	}
	p.running, p.lifeline = cmd, stdin
	return nil
}

// Stop ends the server as an operator would. It does nothing to one that is not running.
func (p *Process) Stop() error {
	if p.running == nil {
		return nil
	}
	last := time.AfterFunc(stopTimeout, func() { _ = p.signalKill() })
	defer last.Stop()
	cmd := p.running
	p.running = nil
	if err := p.lifeline.Close(); err != nil {
		return err
	}
	return cmd.Wait()
}

// Kill ends the server as kill -9 does.
func (p *Process) Kill() error {
	if p.running == nil {
		return nil
	}
	return errors.Join(p.signalKill(), p.Stop())
}

func (p *Process) signalKill() error {
	process, err := os.FindProcess(p.pid)
	if err != nil {
		return err
	}
	return process.Kill()
}

func (p *Process) logFile() string { return filepath.Join(p.Dir, "server.log") }

// Log returns the last lines of the server's log.
func (p *Process) Log() string {
	log, err := os.ReadFile(p.logFile())
	if err != nil {
		return ""
	}
	return LastLines(log)
}

// LastLines is the end of a log, as much as goes into a message.
func LastLines(log []byte) string {
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}
