package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Options are the choices of Start. The zero value is a broker in memory on a free port.
type Options struct {
	DataDir    string       // where everything is kept; in memory where empty
	Port       int          // on the loopback interface; a free one where 0
	Partitions int          // of topics that are created without saying how many; 1 where 0
	Log        *slog.Logger // none where nil
}

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
}

// memorySegmentBytes is how large segments of a log in memory become. Each is one slice that is
// doubled and copied when it is full, while every request waits: at the broker's own 100 MiB that
// takes a tenth of a second.
const memorySegmentBytes = "1048576"

// Start starts a broker and returns once it accepts connections.
func Start(o Options) (*Broker, error) {
	if o.Port < 0 || o.Port > 65535 || o.Partitions < 0 {
		return nil, fmt.Errorf(
			"starting the embedded broker: port %d or partitions %d is impossible",
			o.Port, o.Partitions)
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	options := []kfake.Opt{
		kfake.Ports(o.Port),
		kfake.ClusterID("selfsame-embedded"),
		kfake.DefaultNumPartitions(max(1, o.Partitions)),
		kfake.WithLogger(logger{log}),
	}
	if o.DataDir != "" {
		options = append(options, kfake.DataDir(o.DataDir))
	} else {
		options = append(options, kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes": memorySegmentBytes}))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return nil, fmt.Errorf("starting the embedded broker: %w", err)
	}
	addrs := cluster.ListenAddrs()
	if len(addrs) != 1 {
		cluster.Close()
		return nil, errors.New("starting the embedded broker: it does not listen")
	}
	log.Warn("embedded broker started: for demo, development and tests, not for production",
		"addr", addrs[0], "data_dir", o.DataDir)
	return &Broker{cluster: cluster, addr: addrs[0]}, nil
}

// Addr returns the host:port that clients connect to.
func (b *Broker) Addr() string { return b.addr }

// Compact compacts all compacted topics now, instead of in the background.
func (b *Broker) Compact() { b.cluster.Compact() }

// Close writes down what is pending and stops the broker. It can be called twice.
func (b *Broker) Close() error {
	b.cluster.Close()
	return nil
}

// logger passes on what goes wrong. What the fake calls informational is one line per request.
type logger struct{ log *slog.Logger }

// Logf implements kfake.Logger.
func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	}
	if l.log.Enabled(context.Background(), to) {
		l.log.Log(context.Background(), to, fmt.Sprintf(format, args...), "component", "broker")
	}
}
