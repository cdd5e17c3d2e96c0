package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/identity"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// silentRules are rules under which identities fall silent for every reason.
func silentRules(t testing.TB, hub int, contested bool) *identity.Rules {
	t.Helper()
	rules, err := identity.NewRules([]identity.Namespace{
		{Name: "crm", Type: identity.CrossDevice, Unique: true, HubDegree: identity.HubsOff},
		{Name: "email", Type: identity.Email, DropContested: contested, HubDegree: hub},
		{Name: "cookie", Type: identity.Cookie, DropContested: contested, HubDegree: hub},
	}, 6)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// TestSilence lets hubs, contested and blocked identities, unlinks and current links meet by
// chance. Which links count depends on the order of arrival then; the clusters are still what they
// make.
func TestSilence(t *testing.T) {
	for range seeds(12) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			w := newWorldOn(t, memlog.Options{}, 2, func(m *pipeline.Model) {
				currentLinks(t)(m)
				m.Entities[0].Rules = silentRules(t, 6, true)
			})
			defer func() { w.close() }()
			w.now = time.Unix(1_700_000_000, 0).UTC()
			reasons := store.Silence(0)
			for round := range 40 {
				w.lay(rnd, corrections(rnd, 1+rnd.IntN(10)), 2)
				w.lay(rnd, visits(rnd, rnd.IntN(8)), 2)
				w.lay(rnd, silencing(rnd, round), 2)
				w.inPieces(rnd)
				reasons |= w.compareClusters()
			}
			if want := store.SilentHub | store.SilentContested; reasons&want != want {
				t.Errorf("identities were silent for %b only", reasons)
			}
		})
	}
}

// silencing are up to two words of operators.
func silencing(rnd *rand.Rand, round int) []fact {
	var all []fact
	for i := range rnd.IntN(3) {
		id := []string{fmt.Sprintf("crm:%d", 1+rnd.IntN(12)),
			fmt.Sprintf("email:p%d@x.org", 1+rnd.IntN(14)),
			fmt.Sprintf("cookie:k%d", 1+rnd.IntN(20))}[rnd.IntN(3)]
		op := []string{`"unlink"`, `"reset_hub"`, `"reset_hub"`, `"block_value"`,
			`"block_value","lift":true`, `"block_value","lift":true`}[rnd.IntN(6)]
		at := time.Unix(1_699_900_000+int64(rnd.IntN(200)), 0).UTC().Format(time.RFC3339)
		all = append(all, fact{dataset: "control", value: fmt.Sprintf(
			`{"id":"%d-%d","time":"%s","op":%s,"identities":["%s"]}`, round, i, at, op, id)})
	}
	return all
}

// compareClusters compares the clusters of the store with what those of its links make that count,
// and what an identity says of its links with what there is. It returns all reasons for silence.
func (w *world) compareClusters() store.Silence {
	w.t.Helper()
	rules := w.model.Entities[0].Rules
	got := w.storedGraph()
	memory := identity.NewGraph(silentRules(w.t, identity.HubsOff, false))
	rows := map[profile.Identity]*store.Identity{}
	var reasons store.Silence
	for _, cluster := range got.clusters {
		for _, id := range cluster {
			row, err := w.store.Reader().Identity("profile", id)
			w.must(err)
			rows[id] = row
			reasons |= row.Silence
			_, _, err = memory.Assert([]profile.Identity{id}, 0)
			w.must(err)
		}
	}
	crowds, lively := map[profile.Identity]uint64{}, map[profile.Identity]int{}
	neighbours := map[profile.Identity][]profile.Identity{}
	for _, pair := range sortedPairs(got.links) {
		link := store.Link{Assertions: got.links[pair]}
		a, b, latest := rows[pair[0]], rows[pair[1]], link.Latest()
		live := !latest.Before(a.Unlinked) && !latest.Before(b.Unlinked)
		for i, id := range pair {
			other := pair[1-i]
			if rules.Crowds(id, other) {
				crowds[id]++
			}
			if live {
				neighbours[id] = append(neighbours[id], other)
			}
			if live && rules.Crowds(id, other) {
				lively[id]++
			}
		}
		if live && a.Silence|b.Silence == 0 {
			_, _, err := memory.Assert(pair[:], latest.Time)
			w.must(err)
		}
	}
	for id, row := range rows {
		if row.Crowd != crowds[id] {
			w.t.Fatalf("%s says that %d links crowd it, there are %d", id, row.Crowd, crowds[id])
		}
		limit := rules.HubDegree(id)
		if limit > 0 && lively[id] > limit && row.Silence&store.SilentHub == 0 {
			w.t.Fatalf("%s is crowded by %d and no hub", id, lively[id])
		}
		contested := rules.Contested(id, slices.Values(neighbours[id]))
		if contested != (row.Silence&store.SilentContested != 0) {
			w.t.Fatalf("%s is contested: %v; it says %b", id, contested, row.Silence)
		}
	}
	if g, x := fmt.Sprint(got.clusters), fmt.Sprint(memory.Clusters()); g != x {
		w.t.Fatalf("clusters\ngot  %s\nwant %s", g, x)
	}
	return reasons
}

// crowd has n customers name one e-mail address.
func (w *world) crowd(from, n int) {
	w.t.Helper()
	for i := range n {
		w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{Value: fmt.Appendf(nil,
			`{"id":"c%d","email":"desk@x.org","at":%d}`, from+i, w.now.UnixMilli())})
	}
	w.drain()
}

func (w *world) desk() *store.Identity {
	w.t.Helper()
	row, err := w.store.Reader().Identity("profile",
		profile.Identity{Namespace: "email", Value: "desk@x.org"})
	w.must(err)
	return row
}

// TestClearing removes more links than fit into a commit, with a crash on the way.
func TestClearing(t *testing.T) {
	const links = 2600
	for _, op := range []string{"block_value", "reset_hub"} {
		t.Run(op, func(t *testing.T) {
			w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
				m.Entities[0].Rules = silentRules(t, links-1, true)
			})
			defer func() { w.close() }()
			w.crowd(0, links)
			if row := w.desk(); row.Degree != links || row.Silence&store.SilentHub == 0 {
				t.Fatalf("before: %+v", row)
			}
			w.control(`{"id":"go","op":"%s","identities":["email:desk@x.org"]}`, op)
			w.drain()
			if job := w.jobs()["go"]; job.State != store.JobRunning || w.desk().Degree == 0 {
				t.Fatalf("after the operation: %+v, %+v", job, w.desk())
			}
			w.crowd(links, 1) // turned away: the links are being removed
			w.crash(vfs.CrashCloneCfg{})
			for w.shard.Busy(w.now.UnixNano()) {
				w.must(w.shard.Apply(nil, w.now.UnixNano()))
			}
			w.publish()
			if row := w.desk(); row.Degree != 0 || row.Crowd != 0 || row.Silence != 0 {
				t.Errorf("after the job: %+v", row)
			}
			if job := w.jobs()["go"]; job.State != store.JobDone {
				t.Errorf("the job: %+v", job)
			}
			audit := w.emitted("audit")
			done := `"outcome":"done","class":"profile",` +
				`"removed":{"fragments":0,"events":0,"links":%d}`
			if !strings.Contains(audit, fmt.Sprintf(done, links)) {
				t.Errorf("the audit topic:\n%s", audit)
			}
			w.now = w.now.Add(time.Second)
			w.crowd(0, 1)
			want := map[string]uint64{"block_value": 0, "reset_hub": 1}[op]
			if row := w.desk(); row.Degree != want {
				t.Errorf("a new record: %+v, want %d links", row, want)
			}
			w.compareClusters()
		})
	}
}

// TestClearingTwice: of two operations that remove the links of an identity, the one that ends last
// leaves those alone that have come since the other has ended.
func TestClearingTwice(t *testing.T) {
	const links = 2600
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		m.Entities[0].Rules = silentRules(t, links-1, true)
	})
	defer func() { w.close() }()
	w.crowd(0, links)
	for i, op := range []string{`"reset_hub"`, `"block_value"`, `"block_value","lift":true`} {
		w.control(`{"id":"%d","op":%s,"identities":["email:desk@x.org"]}`, i, op)
	}
	w.drain()
	for w.desk().Degree > 0 {
		w.must(w.shard.Apply(nil, w.now.UnixNano()))
	}
	w.now = w.now.Add(time.Second)
	w.crowd(0, 1)
	for w.shard.Busy(w.now.UnixNano()) {
		w.must(w.shard.Apply(nil, w.now.UnixNano()))
	}
	if row := w.desk(); row.Degree != 1 {
		t.Errorf("in the end: %+v, want one link", row)
	}
	w.compareClusters()
}

// TestLiftedWhileClearing: what comes after a block is lifted counts, also where most of the links
// were still to be removed, and nothing of what came before.
func TestLiftedWhileClearing(t *testing.T) {
	const links = 2600
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		m.Entities[0].Rules = silentRules(t, links+1, true)
	})
	defer func() { w.close() }()
	w.crowd(0, links)
	for i, op := range []string{`"block_value"`, `"block_value","lift":true`} {
		w.control(`{"id":"%d","op":%s,"identities":["email:desk@x.org"]}`, i, op)
	}
	w.consume(pipeline.TopicPartition{Topic: "control"}, 2)
	w.now = w.now.Add(time.Second)
	w.crowd(0, 1)
	w.drain()
	if row := w.desk(); row.Degree != 1 {
		t.Errorf("in the end: %+v, want one link", row)
	}
	w.compareClusters()
}

// TestSixtyCookies: a person with many cookies is no hub, and a full cluster lets the oldest go.
func TestSixtyCookies(t *testing.T) {
	const cookies = 60
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		rules, err := identity.NewRules([]identity.Namespace{
			{Name: "crm", Type: identity.CrossDevice, Unique: true},
			{Name: "email", Type: identity.Email},
			{Name: "cookie", Type: identity.Cookie},
		}, 0)
		if err != nil {
			t.Fatal(err)
		}
		m.Entities[0].Rules = rules
	})
	defer func() { w.close() }()
	web := pipeline.TopicPartition{Topic: "web"}
	order := rand.Perm(cookies)
	for i, at := range order {
		w.send(web, pipeline.Record{
			Headers: []pipeline.Header{{Key: pipeline.HeaderDataset, Value: []byte("web")}},
			Value: fmt.Appendf(nil, `{"event":"e%d","crm":"1","cookie":"k%02d","at":"%s"}`, i, at,
				w.now.Add(time.Duration(at-cookies)*time.Minute).Format(time.RFC3339)),
		})
	}
	w.drain()
	row, err := w.store.Reader().Identity("profile", profile.Identity{Namespace: "crm", Value: "1"})
	w.must(err)
	if row.Silence != 0 || row.Degree != cookies || row.Crowd != 0 {
		t.Errorf("the person: %+v", row)
	}
	var sizes []int
	for _, cluster := range w.storedGraph().clusters {
		sizes = append(sizes, len(cluster))
		if len(cluster) == 1 && cluster[0].Value > "k10" {
			t.Errorf("order %v: %s is out, and older ones are in", order, cluster[0])
		}
	}
	if slices.Max(sizes) != identity.DefaultMaxIdentities || len(sizes) != 12 {
		t.Errorf("order %v: clusters of %v", order, sizes)
	}
}
