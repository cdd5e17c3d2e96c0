package integration

import "testing"

// playOutage: a daemon whose broker dies or goes away under load waits, and goes on where it was
// when the broker is back. Nothing is lost, and it is the same daemon.
func playOutage(t *testing.T, h host) {
	c := h.own(t)
	s := openShop(t, c.addr)
	home := s.install("a")
	messages := s.traffic(h.people)
	third := len(messages) / 3
	d := home.start()
	for i, down := range []func() error{c.kill, c.stop} {
		s.send(messages[i*third : (i+1)*third]...)
		awaitConsumed(t, d, int64(i*third+1))
		must(t, down())
		await(t, "the daemon to see that the broker is away", func() bool {
			return d.journal.count("trying again") > i
		})
		must(t, c.start())
	}
	s.send(messages[2*third:]...)
	got := home.drain(d)
	s.checkCounts(got)
	wantSame(t, "after outages", home.outcome(), home.reference())
	d.stop()
	home.checkLag()
	home.checkStore()
}

// awaitConsumed waits until a daemon has consumed n records, or has ended.
func awaitConsumed(t *testing.T, d *daemon, n int64) (last status) {
	t.Helper()
	await(t, "records to be consumed", func() bool {
		if s, ok := d.status(); ok {
			last = s
		}
		select {
		case <-d.ended:
			t.Fatalf("the daemon ended: %v", d.exit)
		default:
		}
		return last.consumed() >= n
	})
	return last
}
