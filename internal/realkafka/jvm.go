package realkafka

import (
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"selfsame/internal/javaproc"
)

//go:embed pom.xml
var pom []byte

// jvm is a broker as a child process.
type jvm struct {
	javaproc.Process
	classpath string
}

func newJVM(dir string, settings map[string]string) (*Cluster, error) {
	if err := javaproc.Check(); err != nil {
		return nil, err
	}
	libs, err := javaproc.Resolve("kafka-"+Version, fetch)
	if err != nil {
		return nil, err
	}
	ports, err := javaproc.FreePorts(2)
	if err != nil {
		return nil, err
	}
	j := &jvm{classpath: filepath.Join(libs, "*"),
		Process: javaproc.Process{Name: "kafka", Dir: dir, Keep: dir != ""}}
	if dir == "" {
		if j.Dir, err = os.MkdirTemp("", "selfsame-kafka-"); err != nil {
			return nil, err
		}
	}
	j.Args = append(j.class("kafka.Kafka"), j.properties())
	if err := j.configure(ports[0], ports[1], settings); err != nil {
		return nil, err
	}
	return &Cluster{Addr: fmt.Sprintf("127.0.0.1:%d", ports[0]), node: j}, nil
}

// fetch has Maven fetch the broker's jars.
func fetch(work string) error {
	file := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return err
	}
	return javaproc.Maven("-f", file, "dependency:copy-dependencies", "-DincludeScope=runtime",
		"-DoutputDirectory="+filepath.Join(work, "out"))
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
	all["log.dirs"] = filepath.Join(j.Dir, "data")
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
	format := javaproc.Java(append(j.class("kafka.tools.StorageTool"), "format",
		"-t", base64.RawURLEncoding.EncodeToString(id), "-c", j.properties())...)
	if out, err := exec.Command(format[0], format[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("formatting the storage of kafka: %w\n%s", err, out)
	}
	return nil
}

func (j *jvm) properties() string { return filepath.Join(j.Dir, "server.properties") }

func (j *jvm) class(name string) []string {
	return []string{"-Dorg.apache.logging.log4j.level=WARN", "-cp", j.classpath, name}
}

func (j *jvm) start() error { return j.Start() }
func (j *jvm) stop() error  { return j.Stop() }
func (j *jvm) kill() error  { return j.Kill() }
func (j *jvm) log() string  { return j.Log() }

// remove has nothing to do: the guard does it.
func (j *jvm) remove() error { return nil }
