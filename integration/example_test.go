package integration

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"selfsame/examples/retail"
)

// playExample: everything that the example sends is accounted for, and becomes what it is meant to
// be. A stop is clean, the group's offsets show no lag, and a restart publishes nothing.
func playExample(t *testing.T, h host) {
	s := openShop(t, h.shared(t))
	home := s.install("a")
	s.send(s.traffic(h.people)...)
	d := home.start()
	got := home.drain(d)
	s.checkCounts(got)
	out := home.outcome()
	wantSame(t, "the example", out, home.reference())
	s.checkDeadLetters(out)
	home.checkReads(d, out)
	exported := home.checkExports(d)
	d.stop()
	home.checkOfflineExport(exported)
	home.checkLag()
	home.checkStore()
	home.checkQuietRestart()
}

// checkCounts holds the status of a daemon that has consumed everything to what the messages were
// made to become. Of two copies in different partitions, which follow no order, the one that comes
// second is no duplicate where it is the one that stands.
func (s *shop) checkCounts(got status) {
	s.t.Helper()
	want, is := map[string]int64{}, map[string]int64{}
	var copies, duplicates int64
	for _, m := range s.sent {
		switch m.Expect {
		case "":
		case retail.Duplicate:
			copies++
		default:
			want[m.Expect]++
		}
	}
	for _, ds := range got.Datasets {
		duplicates += ds.Duplicate
		for reason, n := range ds.Rejected {
			is[reason] += n
		}
	}
	maps.DeleteFunc(is, func(_ string, n int64) bool { return n == 0 })
	if !maps.Equal(is, want) {
		s.t.Errorf("rejected\n got  %v\n want %v", is, want)
	}
	if duplicates > copies || duplicates < copies/2 {
		s.t.Errorf("%d duplicates of %d copies", duplicates, copies)
	}
	if n := got.consumed(); n != int64(len(s.sent)) {
		s.t.Errorf("consumed %d of %d", n, len(s.sent))
	}
}

// checkDeadLetters: there is one dead letter for each message that was made to be rejected.
func (s *shop) checkDeadLetters(o outcome) {
	s.t.Helper()
	var got, want []string
	for _, reason := range o.dead {
		got = append(got, reason)
	}
	for _, m := range s.sent {
		if m.Expect != "" && m.Expect != retail.Duplicate {
			want = append(want, m.Expect)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.t.Errorf("dead letters\n got  %v\n want %v", got, want)
	}
}

// checkReads: what `get` gives for identities is what the topic holds for their profile.
func (h *home) checkReads(d *daemon, o outcome) {
	t := h.shop.t
	t.Helper()
	some := 1 + len(o.profiles)/8
	for n, id := range slices.Sorted(maps.Keys(o.profiles)) {
		if n%some != 0 {
			continue
		}
		for namespace, values := range identitiesOf(t, o.profiles[id]) {
			text, err := command(t, "get", "--api", d.journal.api(), namespace+":"+values[0])
			must(t, err)
			var plain bytes.Buffer
			must(t, json.Compact(&plain, text))
			got := versionField.ReplaceAllString(plain.String(), "")
			if got != o.profiles[id] {
				t.Errorf("get %s:%s\n got  %s\n want %s", namespace, values[0], got, o.profiles[id])
			}
		}
	}
}

// checkLag: an ordinary look at the consumer group sees that everything was consumed.
func (h *home) checkLag() {
	t := h.shop.t
	t.Helper()
	got := groupOffsets(t, h.shop.client, h.group())
	want := endsOf(t, h.shop.client, append(h.shop.inputs(), h.control())...)
	unused := func(_ place, end int64) bool { return end == 0 } // with an offset or without
	maps.DeleteFunc(got, unused)
	maps.DeleteFunc(want, unused)
	if !maps.Equal(got, want) {
		t.Errorf("offsets of the group\n got  %v\n want %v", got, want)
	}
}

// checkStore has the program check its own store.
func (h *home) checkStore() {
	h.shop.t.Helper()
	if _, err := command(h.shop.t, "check", "--config", h.config()); err != nil {
		h.shop.t.Error(err)
	}
}

// checkIdle: a daemon with nothing to do commits nothing, however often it looks for records.
func (d *daemon) checkIdle() {
	d.t.Helper()
	before := d.metric("selfsame_commits_total")
	<-time.After(1200 * time.Millisecond) // more than two fetches that find nothing
	if after := d.metric("selfsame_commits_total"); after != before {
		d.t.Errorf("%s commits when idle, %s before", after, before)
	}
}

// metric reads one metric without labels.
func (d *daemon) metric(name string) string {
	d.t.Helper()
	body, _ := d.get("/metrics")
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	d.t.Errorf("there is no metric %s", name)
	return ""
}

// checkQuietRestart: a daemon that is started again and finds nothing new writes nothing.
func (h *home) checkQuietRestart() {
	t := h.shop.t
	t.Helper()
	before := len(readAll(t, h.shop.addr, h.outputs()...))
	d := h.start()
	s := h.drain(d)
	d.checkIdle()
	d.stop()
	if n := s.consumed(); n != 0 {
		t.Errorf("consumed %d records again", n)
	}
	for _, topic := range s.Topics {
		if topic.Emitted != 0 {
			t.Errorf("published %d records to %s", topic.Emitted, topic.Topic)
		}
	}
	if after := len(readAll(t, h.shop.addr, h.outputs()...)); after != before {
		t.Errorf("%d output records after a restart, %d before", after, before)
	}
}
