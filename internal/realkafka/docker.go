package realkafka

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"

	"selfsame/internal/javaproc"
)

// docker is a broker in a container. The container's port is bound to the same port of this host,
// since the broker tells clients where to come back to.
type docker struct {
	container testcontainers.Container
	up        bool
}

func newContainer(settings map[string]string) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	if err := engine(ctx); err != nil {
		return nil, fmt.Errorf("docker %w: no engine answers", javaproc.ErrUnavailable)
	}
	ports, err := javaproc.FreePorts(1)
	if err != nil {
		return nil, err
	}
	port := ports[0]
	bound := network.MustParsePort(strconv.Itoa(port) + "/tcp")
	c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		ContainerRequest: testcontainers.ContainerRequest{
			Image:        "apache/kafka:" + Version,
			Env:          environment(port, settings),
			ExposedPorts: []string{bound.String()},
			HostConfigModifier: func(hc *container.HostConfig) {
				hc.PortBindings = network.PortMap{bound: {{
					HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: strconv.Itoa(port),
				}}}
			},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("creating the kafka container: %w", err)
	}
	return &Cluster{
		Addr: fmt.Sprintf("127.0.0.1:%d", port), node: &docker{container: c},
	}, nil
}

// engine reports whether a Docker engine answers. Looking for one can panic inside the library.
func engine(ctx context.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("looking for docker: %v", r)
		}
	}()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return err
	}
	defer provider.Close()
	return provider.Health(ctx)
}

// environment gives the settings as the image takes them: log.dirs as KAFKA_LOG_DIRS.
func environment(port int, settings map[string]string) map[string]string {
	all := singleNode()
	all["controller.quorum.voters"] = "1@localhost:9093"
	all["listeners"] = fmt.Sprintf("PLAINTEXT://:%d,CONTROLLER://:9093", port)
	all["advertised.listeners"] = fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", port)
	all["listener.security.protocol.map"] = "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
	maps.Copy(all, settings)
	env := map[string]string{}
	for name, value := range all {
		env["KAFKA_"+strings.ToUpper(strings.ReplaceAll(name, ".", "_"))] = value
	}
	return env
}

func (d *docker) start() error {
	if err := d.container.Start(context.Background()); err != nil {
		return fmt.Errorf("starting the kafka container: %w", err)
	}
	d.up = true
	return nil
}

func (d *docker) stop() error { return d.end(stopTimeout) }

// kill: an engine that may wait no time for a container to end sends it the signal that kills.
func (d *docker) kill() error { return d.end(0) }

func (d *docker) end(wait time.Duration) error {
	if !d.up {
		return nil
	}
	d.up = false
	return d.container.Stop(context.Background(), &wait)
}

// remove takes the stopped container and its data away, for where no reaper does.
func (d *docker) remove() error { return d.container.Terminate(context.Background()) }

func (d *docker) log() string {
	log, err := d.container.Logs(context.Background())
	if err != nil {
		return ""
	}
	defer log.Close()
	text, _ := io.ReadAll(log) // as much of it as there is
	return javaproc.LastLines(text)
}
