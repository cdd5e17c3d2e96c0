package integration

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"selfsame/examples/retail"
)

// ghost is in everything that is written and taken back.
const ghost = "ghost"

// playTransactions: what a transaction wrote and took back leaves no trace in any output, and is
// not counted. What one committed is consumed, and not before that.
func playTransactions(t *testing.T, h host) {
	s := openShop(t, h.shared(t))
	home := s.install("a")
	producer := connect(t, s.addr, kgo.TransactionalID(s.prefix+"producer"))
	d := home.start()
	s.send(s.traffic(h.people / 3)...)
	aborted := s.haunted(20)
	s.transact(producer, kgo.TryAbort, aborted...)
	committed := s.traffic(h.people / 6)
	s.transact(producer, kgo.TryCommit, committed...)
	s.sent = append(s.sent, committed...)
	got := home.drain(d)
	if n := got.consumed(); n != int64(len(s.sent)) {
		t.Errorf("consumed %d records, %d were committed", n, len(s.sent))
	}
	home.checkOpenTransaction(d, producer, got)
	out := home.outcome()
	wantSame(t, "with transactions", out, home.reference())
	home.checkNoGhost()
	d.stop()
	home.checkLag()
	home.checkStore()
	home.checkQuietRestart()
}

// haunted is messages of every dataset and fate, all with the ghost in them.
func (s *shop) haunted(n int) []retail.Message {
	var all []retail.Message
	now := time.Now().UnixMilli()
	for i := range n {
		name := fmt.Sprintf("%s%d", ghost, i)
		all = append(all,
			retail.Message{Topic: "shop.crm", Key: []byte(name), Time: now * 1e6,
				Value: fmt.Appendf(nil, `{"customer_id":%q,"email_addr":"%s@example.org",`+
					`"updated_at":"2026-01-31T09:00:00Z"}`, name, name)},
			retail.Message{Topic: "shop.loyalty", Key: []byte(name), Time: now * 1e6,
				Value: fmt.Appendf(nil, `{"loyalty_number":%q,"changed_at":%d}`, name, now)},
			retail.Message{Topic: "shop.events", Key: []byte(name), Time: now * 1e6,
				Value: fmt.Appendf(nil, `no JSON of %s`, name), Headers: []retail.Header{
					{Key: "selfsame-dataset", Value: []byte("web")}}})
	}
	return all
}

// transact writes messages in one transaction and ends it.
func (s *shop) transact(producer *kgo.Client, how kgo.TransactionEndTry, all ...retail.Message) {
	s.t.Helper()
	must(s.t, producer.BeginTransaction())
	s.write(producer, all...)
	must(s.t, producer.EndTransaction(soon(s.t), how))
}

// write produces messages within a transaction.
func (s *shop) write(producer *kgo.Client, all ...retail.Message) {
	s.t.Helper()
	var records []*kgo.Record
	for _, m := range all {
		records = append(records, s.record(m))
	}
	must(s.t, producer.ProduceSync(soon(s.t), records...).FirstErr())
}

// checkOpenTransaction: records that follow an open transaction in its partitions wait for its end.
func (h *home) checkOpenTransaction(d *daemon, producer *kgo.Client, before status) {
	s, t := h.shop, h.shop.t
	t.Helper()
	held := endsOf(t, s.client, s.inputs()...)
	must(t, producer.BeginTransaction())
	s.write(producer, s.haunted(5)...)
	s.send(s.traffic(2)...)
	now, ok := d.status()
	if !ok {
		t.Fatal("the daemon does not answer")
	}
	for at, position := range now.positions() {
		if end, blocked := held[at]; blocked && position > end && s.wrote(at, 5) {
			t.Errorf("%v: at %d, beyond the open transaction at %d", at, position, end)
		}
	}
	must(t, producer.EndTransaction(soon(t), kgo.TryAbort))
	if after := h.drain(d); after.consumed() != int64(len(s.sent)) {
		t.Errorf("consumed %d records, after %d and %d in all that were committed",
			after.consumed(), before.consumed(), len(s.sent))
	}
}

// wrote reports whether one of n haunted messages goes to a partition.
func (s *shop) wrote(at place, n int) bool {
	for _, m := range s.haunted(n) {
		if r := s.record(m); r.Topic == at.topic && r.Partition == at.partition {
			return true
		}
	}
	return false
}

// checkNoGhost looks for the ghost in every byte of the output.
func (h *home) checkNoGhost() {
	t := h.shop.t
	t.Helper()
	records := readAll(t, h.shop.addr, h.outputs()...)
	if len(records) == 0 {
		t.Error("there is no output")
	}
	for _, r := range records {
		text := append(append([]byte{}, r.Key...), r.Value...)
		for _, one := range r.Headers {
			text = append(text, one.Value...)
		}
		if bytes.Contains(text, []byte(ghost)) {
			t.Errorf("%s holds what was taken back: %s", at(r), text)
		}
	}
}
