package realkafka

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed pom.xml
var pom []byte

// jvm is a broker as a child process.
type jvm struct {
	classpath string
	dir       string // of its data, its settings and its log
	keep      bool   // the directory belongs to someone else

	running  *exec.Cmd // the guard, nil while the broker is down
	lifeline io.Closer
	pid      int // of the broker itself
}

const stopTimeout = 30 * time.Second

func newJVM(dir string, settings map[string]string) (*Cluster, error) {
	for _, tool := range []string{"sh", "java", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("java %w: %s is not installed", errUnavailable, tool)
		}
	}
	if err := checkJava(); err != nil {
		return nil, err
	}
	libs, err := resolve()
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	j := &jvm{classpath: filepath.Join(libs, "*"), dir: dir, keep: dir != ""}
	if dir == "" {
		if j.dir, err = os.MkdirTemp("", "selfsame-kafka-"); err != nil {
			return nil, err
		}
	}
	if err := j.configure(ports[0], ports[1], settings); err != nil {
		return nil, err
	}
	return &Cluster{Addr: fmt.Sprintf("127.0.0.1:%d", ports[0]), node: j}, nil
}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

func checkJava() error {
	out, err := exec.Command("java", "-version").CombinedOutput()
	m := javaVersion.FindSubmatch(out)
	if err != nil || m == nil {
		return fmt.Errorf("java %w: it does not tell its version", errUnavailable)
	}
	if major, _ := strconv.Atoi(string(m[1])); major < 17 {
		return fmt.Errorf("java %w: it is %d, 17 is needed", errUnavailable, major)
	}
	return nil
}

// resolve returns the directory with the broker's jars, which Maven fills the first time.
func resolve() (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	libs := filepath.Join(cache, "kafka-"+Version)
	if _, err := os.Stat(libs); err == nil {
		return libs, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(cache, "resolving-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := runMaven(work); err != nil {
		return "", err
	}
	// Another process can have been faster: its directory is as good.
	if err := os.Rename(filepath.Join(work, "libs"), libs); err != nil {
		if _, statErr := os.Stat(libs); statErr != nil {
			return "", err
		}
	}
	return libs, nil
}

func cacheDir() (string, error) {
	if dir := os.Getenv("SELFSAME_CACHE"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "selfsame"), err
}

func runMaven(work string) error {
	file := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", file,
		"dependency:copy-dependencies", "-DincludeScope=runtime",
		"-DoutputDirectory="+filepath.Join(work, "libs")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("java %w: maven cannot fetch kafka: %w\n%s", errUnavailable, err, out)
	}
	return nil
}

func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// singleNode are the settings without which one node cannot serve groups and transactions.
func singleNode() map[string]string {
	return map[string]string{
		"node.id":                                  "1",
		"process.roles":                            "broker,controller",
		"controller.listener.names":                "CONTROLLER",
		"auto.create.topics.enable":                "false",
		"num.partitions":                           "1",
		"default.replication.factor":               "1",
		"offsets.topic.replication.factor":         "1",
		"offsets.topic.num.partitions":             "1",
		"transaction.state.log.replication.factor": "1",
		"transaction.state.log.min.isr":            "1",
		"transaction.state.log.num.partitions":     "1",
		// A broker that was killed is let in again when its session has ended.
		"broker.session.timeout.ms":        "2000",
		"broker.heartbeat.interval.ms":     "500",
		"group.initial.rebalance.delay.ms": "0",
		"log.cleaner.backoff.ms":           "200",
	}
}

func (j *jvm) configure(port, controllerPort int, settings map[string]string) error {
	all := singleNode()
	all["controller.quorum.voters"] = fmt.Sprintf("1@127.0.0.1:%d", controllerPort)
	all["listeners"] = fmt.Sprintf("PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d",
		port, controllerPort)
	all["advertised.listeners"] = fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", port)
	all["log.dirs"] = filepath.Join(j.dir, "data")
	maps.Copy(all, settings)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s=%s\n", name, all[name])
	}
	if err := os.WriteFile(j.properties(), []byte(text.String()), 0o644); err != nil {
		return err
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id) // never fails
	id[0] = 'S'          // or the id could look like an option
	format := append(j.java("kafka.tools.StorageTool"), "format",
		"-t", base64.RawURLEncoding.EncodeToString(id), "-c", j.properties())
	if out, err := exec.Command(format[0], format[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("formatting the storage of kafka: %w\n%s", err, out)
	}
	return nil
}

func (j *jvm) properties() string { return filepath.Join(j.dir, "server.properties") }
func (j *jvm) logFile() string    { return filepath.Join(j.dir, "server.log") }

func (j *jvm) java(class string) []string {
	return []string{"java", "-Xms128m", "-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.apache.logging.log4j.level=WARN", "-cp", j.classpath, class}
}

// guard runs the broker and tells its process id. When its input ends, by stop or because this
// process is no more, it ends the broker, and with it the directory unless $3 keeps it.
const guard = `
dir=$1; log=$2; keep=$3; shift 3
"$@" >>"$log" 2>&1 & pid=$!
echo $pid
cat >/dev/null
kill $pid 2>/dev/null
wait $pid
[ "$keep" = true ] || rm -rf "$dir"
`

func (j *jvm) start() error {
	if j.running != nil {
		return errors.New("starting kafka: it runs already")
	}
	args := append([]string{"-c", guard, "guard", j.dir, j.logFile(), strconv.FormatBool(j.keep)},
		append(j.java("kafka.Kafka"), j.properties())...)
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
		return fmt.Errorf("starting kafka: %w", err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		j.pid, err = strconv.Atoi(strings.TrimSpace(line))
	}
	if err != nil {
		return fmt.Errorf("starting kafka: %w", errors.Join(err, stdin.Close(), cmd.Wait()))
	}
	j.running, j.lifeline = cmd, stdin
	return nil
}

func (j *jvm) stop() error {
	if j.running == nil {
		return nil
	}
	last := time.AfterFunc(stopTimeout, func() { _ = j.signalKill() })
	defer last.Stop()
	cmd := j.running
	j.running = nil
	if err := j.lifeline.Close(); err != nil {
		return err
	}
	return cmd.Wait()
}

func (j *jvm) kill() error {
	if j.running == nil {
		return nil
	}
	return errors.Join(j.signalKill(), j.stop())
}

// remove has nothing to do: the guard does it.
func (j *jvm) remove() error { return nil }

func (j *jvm) signalKill() error {
	process, err := os.FindProcess(j.pid)
	if err != nil {
		return err
	}
	return process.Kill()
}

func (j *jvm) log() string {
	log, err := os.ReadFile(j.logFile())
	if err != nil {
		return ""
	}
	return lastLines(log)
}

// lastLines is the end of a log, as much as goes into a message.
func lastLines(log []byte) string {
	lines := bytes.Split(bytes.TrimSpace(log), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}
