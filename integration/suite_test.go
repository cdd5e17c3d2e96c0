package integration

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"

	"selfsame/broker"
	"selfsame/internal/realkafka"
)

var (
	roundsFlag = flag.Int("rounds", 0, "rounds of killing; 0: few, with SELFSAME_REQUIRE_KAFKA=1 "+
		"20 on a real Kafka")
	seedFlag = flag.Uint64("seed", 0, "seed of all random choices; 0: a new one")
)

// scenarios are what is played on every kind of broker.
var scenarios = []struct {
	name string
	play func(t *testing.T, h host)
}{
	{"example", playExample},
	{"transactions", playTransactions},
	{"outage", playOutage},
	{"kills", playKills},
	{"takeover", playTakeover},
	{"backup", playBackup},
	{"policies", playPolicies},
}

// host is where brokers come from.
type host struct {
	shared func(t *testing.T) string  // the address of one that scenarios share
	own    func(t *testing.T) cluster // one that a scenario may take down
	people int                        // of the example shop
	rounds int                        // of killing
}

// cluster is a broker that can go away and come back with its data.
type cluster struct {
	addr              string
	stop, kill, start func() error
}

func TestEmbedded(t *testing.T) {
	run(t, host{people: 60, rounds: max(*roundsFlag, len(blows)), own: embedded,
		shared: func(t *testing.T) string { return embedded(t).addr }})
}

func TestReal(t *testing.T) {
	h := host{people: 150, rounds: *roundsFlag, shared: func(t *testing.T) string {
		return realkafka.Start(t)
	}}
	h.own = func(t *testing.T) cluster {
		c := realkafka.New(t, nil)
		return cluster{addr: c.Addr, stop: c.Stop, kill: c.Kill, start: c.Start}
	}
	if h.rounds == 0 {
		h.rounds = len(blows)
	}
	if os.Getenv("SELFSAME_REQUIRE_KAFKA") == "1" {
		h.people, h.rounds = 400, max(h.rounds, 20)
	}
	realkafka.Start(t) // skips here, once for all, where there is none
	run(t, h)
}

func run(t *testing.T, h host) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) { s.play(t, h) })
	}
}

// embedded starts an embedded broker in this process. It cannot be killed alone, so to kill it is
// to stop it.
func embedded(t *testing.T) cluster {
	t.Helper()
	o := broker.Options{DataDir: t.TempDir()}
	var running *broker.Broker
	c := cluster{}
	c.start = func() (err error) {
		if running, err = broker.Start(o); err != nil {
			return err
		}
		c.addr = running.Addr()
		_, port, err := net.SplitHostPort(c.addr)
		if err == nil {
			o.Port, err = strconv.Atoi(port)
		}
		return err
	}
	c.stop = func() error {
		if running == nil {
			return errors.New("it does not run")
		}
		down := running
		running = nil
		return down.Close()
	}
	c.kill = c.stop
	must(t, c.start())
	t.Cleanup(func() {
		if running != nil {
			must(t, c.stop())
		}
	})
	return c
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if err := os.RemoveAll(programDir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
