package integration

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"selfsame/examples/retail"
)

// playTakeover suspends a daemon under load, starts a second one on a copy of its directory, and
// lets the first go on once the second is at work: the first is shut out and ends, and the output
// is as if there had been one daemon all along. The second is then suspended in its turn.
func playTakeover(t *testing.T, h host) {
	c := h.own(t)
	k := &killing{t: t, shop: openShop(t, c.addr), cluster: c}
	k.home = k.shop.install("overtaken")
	messages := k.shop.traffic(h.people)
	rounds := 2 + h.rounds/10
	k.slice = len(messages) / (rounds + 1)
	first := k.home.start()
	for round := range rounds {
		first = k.overtake(first, messages[round*k.slice:(round+1)*k.slice])
	}
	k.shop.send(messages[rounds*k.slice:]...)
	got := k.home.drain(first)
	first.stop()
	if got.consumed() == 0 {
		t.Error("the last daemon has consumed nothing")
	}
	k.home.checkStore()
	out := k.home.outcome()
	wantSame(t, "overtaken, against the reference", out, k.home.reference())
	wantSame(t, "overtaken, against undisturbed", out, k.undisturbed())
}

// overtake sends messages, suspends the daemon in between, and returns the one that takes its
// place.
func (k *killing) overtake(first *daemon, messages []retail.Message) *daemon {
	k.t.Helper()
	third := len(messages) / 3
	fed := make(chan error, 1)
	go func() { fed <- k.feed(messages[:third]) }()
	k.afterSomeMore(first, int64(third)/3)
	must(k.t, first.cmd.Process.Signal(syscall.SIGSTOP))
	must(k.t, <-fed)
	twin := &home{shop: k.shop, name: k.home.name, dir: k.t.TempDir()}
	must(k.t, os.CopyFS(twin.dir, os.DirFS(k.home.dir)))
	k.home = twin
	second := twin.start()
	must(k.t, k.feed(messages[third:2*third]))
	k.afterSomeMore(second, 1)
	must(k.t, first.cmd.Process.Signal(syscall.SIGCONT))
	must(k.t, k.feed(messages[2*third:]))
	k.awaitFenced(first)
	return second
}

// afterSomeMore returns when the daemon has consumed more than before by some records.
func (k *killing) afterSomeMore(d *daemon, some int64) {
	k.t.Helper()
	awaitConsumed(k.t, d, d.claimed+some)
	if s, ok := d.status(); ok {
		d.claimed = s.consumed()
	}
}

// awaitFenced holds a daemon that was overtaken to its end, and to saying why.
func (k *killing) awaitFenced(d *daemon) {
	k.t.Helper()
	await(k.t, "the overtaken daemon to end", func() bool {
		select {
		case <-d.ended:
			return true
		default:
			return false
		}
	})
	if d.exit == nil || !strings.Contains(d.journal.tail(), "fenced by a newer writer") {
		k.t.Errorf("the overtaken daemon ended with %v and said\n%s", d.exit, d.journal.tail())
	}
}
