package integration

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"selfsame/examples/retail"
	"selfsame/store"
)

// blows are the ways in which a daemon meets its end. Each round takes the next.
var blows = []struct {
	name   string
	strike func(k *killing, d *daemon)
}{
	{"under load", (*killing).underLoad},
	{"at the start", (*killing).atTheStart},
	{"while stopping", (*killing).whileStopping},
	{"without a broker", (*killing).withoutBroker},
}

// killing is a run of rounds.
type killing struct {
	t       *testing.T
	shop    *shop
	home    *home
	cluster cluster
	slice   int // messages of a round
}

// playKills kills a daemon again and again while records come in, by kill -9 and with its broker
// killed in between. In the end everything is as for a daemon that nobody disturbed.
func playKills(t *testing.T, h host) {
	c := h.own(t)
	k := &killing{t: t, shop: openShop(t, c.addr), cluster: c}
	k.home = k.shop.install("killed")
	messages := k.shop.traffic(h.people)
	k.slice = len(messages) / h.rounds
	for round := range h.rounds {
		blow := blows[round%len(blows)]
		t.Logf("round %d: %s", round, blow.name)
		k.round(blow.strike, messages[round*k.slice:(round+1)*k.slice])
	}
	k.shop.send(messages[h.rounds*k.slice:]...)
	before := k.durable()
	d := k.home.start()
	got := k.home.drain(d)
	d.stop()
	if n, want := got.consumed(), distance(before, k.durable()); n != want {
		t.Errorf("the last run counts %d records consumed, its positions went on by %d", n, want)
	}
	k.home.checkLag()
	k.home.checkQuietRestart()
	out := k.home.outcome()
	wantSame(t, "killed, against the reference", out, k.home.reference())
	wantSame(t, "killed, against undisturbed", out, k.undisturbed())
}

// round runs a daemon and kills it while the messages of the round come in, and then looks at what
// it leaves.
func (k *killing) round(strike func(*killing, *daemon), messages []retail.Message) {
	before := k.durable()
	fed := make(chan error, 1)
	go func() { fed <- k.feed(messages) }()
	d := launch(k.t, k.home.config())
	strike(k, d)
	d.kill()
	must(k.t, <-fed)
	after := k.durable()
	if said, is := d.claimed, distance(before, after); said > is {
		k.t.Errorf("the daemon counted %d records consumed, %d are durable", said, is)
	}
	if len(after) > 0 {
		k.home.checkStore()
	}
}

// feed sends messages by and by.
func (k *killing) feed(messages []retail.Message) error {
	for part := range slices.Chunk(messages, 50) {
		if err := k.shop.produce(part...); err != nil {
			return err
		}
	}
	return nil
}

// underLoad strikes once some records of this run are consumed.
func (k *killing) underLoad(d *daemon) { k.afterSome(d) }

// atTheStart strikes before or after the daemon has come up, as it happens.
func (k *killing) atTheStart(d *daemon) {
	select {
	case <-d.journal.started:
	case <-time.After(k.moment(300)):
	}
	<-time.After(k.moment(30))
}

// whileStopping strikes while the daemon drains.
func (k *killing) whileStopping(d *daemon) {
	k.afterSome(d)
	must(k.t, d.cmd.Process.Signal(syscall.SIGTERM))
	<-time.After(k.moment(20))
}

// withoutBroker kills the broker first, and starts it again when the daemon is dead.
func (k *killing) withoutBroker(d *daemon) {
	k.afterSome(d)
	must(k.t, k.cluster.kill())
	<-time.After(k.moment(200))
	d.kill()
	must(k.t, k.cluster.start())
}

// afterSome returns when the daemon has consumed a random part of a round's messages.
func (k *killing) afterSome(d *daemon) {
	select {
	case <-d.journal.started:
	case <-d.ended:
		k.t.Fatalf("the daemon ended: %v", d.exit)
	}
	last := awaitConsumed(k.t, d, 1+k.shop.rng.Int64N(int64(k.slice)*2/3))
	d.claimed = last.consumed()
}

// moment is a random time below some milliseconds.
func (k *killing) moment(below int64) time.Duration {
	return time.Duration(k.shop.rng.Int64N(below * int64(time.Millisecond)))
}

// durable reads the positions out of the store of a daemon that does not run.
func (k *killing) durable() map[place]int64 {
	k.t.Helper()
	if _, err := os.Stat(k.home.store()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s, err := store.OpenReadOnly(k.home.store(), store.Options{CacheBytes: 8 << 20})
	must(k.t, err)
	defer func() { must(k.t, s.Close()) }()
	all := map[place]int64{}
	must(k.t, s.Reader().Positions(func(topic string, partition int32, p *store.Position) error {
		all[place{topic, partition}] = p.Next
		return nil
	}))
	return all
}

// distance is by how much positions have gone on, from 0 where there was none.
func distance(before, after map[place]int64) (n int64) {
	for at, next := range after {
		n += next - before[at]
	}
	return n
}

// undisturbed is the outcome of another daemon over the same input.
func (k *killing) undisturbed() outcome {
	k.t.Helper()
	home := k.shop.install("undisturbed")
	d := home.start()
	got := home.drain(d)
	k.shop.checkCounts(got)
	d.stop()
	return home.outcome()
}
