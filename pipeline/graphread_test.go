package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/identity"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// TestGraphAnswersHoldTogether asks about everybody after a random history: links are inside the
// cluster, each link that leaves it has a rule, and every path leads from one end to the other.
func TestGraphAnswersHoldTogether(t *testing.T) {
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			w := newWorld(t, 4)
			all := facts(rnd, 250)
			directed(rnd, all)
			w.lay(rnd, all, 4)
			w.stumble(rnd, true)
			look := pipeline.NewLookup(w.model, w.store)
			out := 0
			for _, id := range w.everyone() {
				c, err := look.Graph(asking(id, 1000))
				w.must(err)
				out += w.holdsTogether(c)
				for _, m := range c.Identities {
					w.leads(look, id.String(), m.Identity)
				}
			}
			if out < 20 {
				t.Errorf("the history is too thin: %d links left out", out)
			}
			w.totalsAreExact()
			w.close()
		})
	}
}

func asking(id profile.Identity, limit int) pipeline.GraphQuery {
	return pipeline.GraphQuery{Class: "profile", Namespace: id.Namespace, Value: id.Value,
		Limit: limit}
}

// holdsTogether checks what is said about a cluster, and counts what was left out.
func (w *world) holdsTogether(c *pipeline.GraphCluster) int {
	w.t.Helper()
	members, roots := map[string]bool{}, 0
	for _, m := range c.Identities {
		members[m.Identity] = true
		if m.Root {
			roots++
		}
	}
	if roots != 1 || c.MoreLinks+c.MoreLeftOut > 0 {
		w.t.Errorf("profile %s: %d roots, %d and %d not listed", c.Profile, roots, c.MoreLinks,
			c.MoreLeftOut)
	}
	for _, l := range c.Links {
		if !members[l.A] || !members[l.B] || len(l.Assertions) == 0 && l.Order == nil {
			w.t.Errorf("profile %s: link %+v", c.Profile, l)
		}
	}
	for _, out := range c.LeftOut {
		if members[out.Link.A] == members[out.Link.B] {
			w.t.Errorf("profile %s: left out %+v", c.Profile, out.Link)
		}
		if out.Rule == pipeline.RuleNone || out.Rule == "" {
			w.t.Errorf("profile %s: left out without a rule: %+v", c.Profile, out)
		}
	}
	return len(c.LeftOut)
}

// leads checks the path between two identities of one cluster.
func (w *world) leads(look *pipeline.Lookup, from, to string) {
	w.t.Helper()
	a, _ := profile.ParseIdentity(from)
	b, _ := profile.ParseIdentity(to)
	e, err := look.Explain(asking(a, 0), asking(b, 0))
	w.must(err)
	at := from
	for _, l := range e.Path {
		switch at {
		case l.A:
			at = l.B
		case l.B:
			at = l.A
		default:
			w.t.Fatalf("%s to %s: the path breaks off at %s: %+v", from, to, at, e.Path)
		}
	}
	if at != to || !e.Connected {
		w.t.Fatalf("%s to %s: the path ends at %s: %+v", from, to, at, e.Path)
	}
}

// totalsAreExact compares the figures with a count of all rows, before and after a restart.
func (w *world) totalsAreExact() {
	w.t.Helper()
	for _, when := range []string{"before", "after"} {
		want, err := w.store.Reader().CountGraph("profile")
		w.must(err)
		got := w.shard.Stats().Figures().Graph["profile"]
		if !got.Equal(want) || got.Links < 50 || got.Clusters() < 10 {
			w.t.Errorf("%s a restart: figures %+v, counted %+v", when, got, want)
		}
		if when == "before" {
			w.must(w.store.Close())
			w.open()
		}
	}
}

// tablet is a world where three people sign in on one device, one after the other.
func tablet(t *testing.T) (*world, *pipeline.Lookup) {
	t.Helper()
	w := newWorld(t, 1)
	tp := pipeline.TopicPartition{Topic: "web"}
	for i, login := range []string{"1", "2", "3", "1"} {
		minute := []int{10, 11, 13, 12}[i] // the last comes late
		value := fmt.Sprintf(`{"event":"e%d","crm":"%s","cookie":"tab",`+
			`"at":"2023-11-14T22:%d:00Z"}`, i, login, minute)
		w.send(tp, pipeline.Record{Value: []byte(value), Headers: []pipeline.Header{
			{Key: pipeline.HeaderDataset, Value: []byte("web")}}})
	}
	w.drain()
	return w, pipeline.NewLookup(w.model, w.store)
}

// TestGraphExplains shows a device that went from person to person, an operator's words included.
func TestGraphExplains(t *testing.T) {
	w, look := tablet(t)
	defer w.close()
	tab := profile.Identity{Namespace: "cookie", Value: "tab"}
	one := profile.Identity{Namespace: "crm", Value: "1"}
	c, err := look.Graph(asking(tab, 0))
	w.must(err)
	var left []string
	for _, out := range c.LeftOut {
		left = append(left, fmt.Sprintf("%s %s: %s %v against %s %s", out.Link.A, out.Link.B,
			out.Rule, out.Conflict, out.Against.A, out.Against.B))
	}
	slices.Sort(left)
	if want := []string{
		"cookie:tab crm:1: unique crm [crm:1 crm:3] against cookie:tab crm:3",
		"cookie:tab crm:2: unique crm [crm:2 crm:3] against cookie:tab crm:3",
	}; !slices.Equal(left, want) {
		t.Errorf("left out\n%s", strings.Join(left, "\n"))
	}
	if len(c.Links) != 1 || c.Links[0].A != "cookie:tab" || c.Links[0].B != "crm:3" ||
		!reflect.DeepEqual(c.Links[0].Assertions, []pipeline.GraphAssertion{{Dataset: "web",
			First:  pipeline.GraphPlace{Time: "2023-11-14T22:13:00Z", Topic: "web", Offset: 2},
			Latest: pipeline.GraphPlace{Time: "2023-11-14T22:13:00Z", Topic: "web", Offset: 2}}}) {
		t.Errorf("links %+v", c.Links)
	}
	few, err := look.Graph(asking(tab, 1))
	w.must(err)
	if len(few.LeftOut) != 1 || few.MoreLeftOut != 1 {
		t.Errorf("with a limit: %d, %d more", len(few.LeftOut), few.MoreLeftOut)
	}
	apart, err := look.Explain(asking(tab, 0), asking(one, 0))
	w.must(err)
	if apart.Connected || len(apart.LeftOut) != 1 || apart.LeftOut[0].Link.B != "crm:1" {
		t.Errorf("explained %+v", apart)
	}
	w.operator("a", `"op":"forbid_link","identities":["crm:3","cookie:tab"]`)
	w.operator("b", `"op":"link","identities":["crm:2","crm:3"]`)
	c, err = look.Graph(asking(profile.Identity{Namespace: "crm", Value: "3"}, 0))
	w.must(err)
	if len(c.Forbidden) != 1 || c.Forbidden[0] != [2]string{"crm:3", "cookie:tab"} ||
		len(c.Links) != 1 || c.Links[0].Order == nil || c.Links[0].Order.Topic != "control" ||
		len(c.LeftOut) != 2 || c.LeftOut[0].Rule != "forbidden" {
		t.Errorf("after an operator's words %+v", c)
	}
	w.operator("c", `"op":"unlink","identities":["cookie:tab"]`)
	c, err = look.Graph(asking(tab, 0))
	w.must(err)
	if len(c.Links)+len(c.LeftOut) != 0 || len(c.Identities) != 1 {
		t.Errorf("links that are void: %+v", c)
	}
}

func (w *world) operator(id, rest string) {
	w.t.Helper()
	w.send(pipeline.TopicPartition{Topic: "control"}, pipeline.Record{
		Value: []byte(`{"id":"` + id + `",` + rest + `,"time":"2023-11-14T22:13:10Z"}`)})
	w.drain()
}

// TestGraphTop counts who moved and who was refused, and by which dataset.
func TestGraphTop(t *testing.T) {
	w, look := tablet(t)
	defer w.close()
	w.send(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{Value: []byte(
		`{"event":"late","crm":"4","cookie":"tab","at":"2023-11-14T22:12:30Z"}`),
		Headers: []pipeline.Header{{Key: pipeline.HeaderDataset, Value: []byte("web")}}})
	w.drain()
	top, err := look.Top(context.Background(), w.shard.Stats(), "profile", 2)
	w.must(err)
	if len(top.Moved) != 1 || top.Moved[0].Identity != "cookie:tab" || top.Moved[0].Count != 2 ||
		top.Moved[0].Neighbours != 4 || top.Moved[0].Dataset != "web" {
		t.Errorf("moved %+v", top.Moved)
	}
	if len(top.Largest) != 2 || top.Largest[0].Size != 2 ||
		top.Largest[0].Namespaces["crm"] != 1 || top.Clusters != 4 || top.Links != 4 {
		t.Errorf("%+v", top)
	}
	if len(top.Refused) != 2 || top.Refused[0].Dataset != "web" || top.Refused[0].Count != 2 ||
		top.Refused[0].Identity != "cookie:tab" {
		t.Errorf("refused %+v", top.Refused)
	}
	f := w.shard.Stats().Figures()
	if f.LinksLeftOut[pipeline.GraphCount{Class: "profile", Name: "unique crm"}] != 1 ||
		f.GraphChanges[pipeline.GraphCount{Class: "profile", Name: "moved"}] != 2 {
		t.Errorf("counted %v and %v", f.LinksLeftOut, f.GraphChanges)
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if _, err := look.Top(stopped, w.shard.Stats(), "profile", 2); !errors.Is(err,
		context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}

// TestGraphQueries asks for what is not there.
func TestGraphQueries(t *testing.T) {
	w, look := tablet(t)
	defer w.close()
	tab := profile.Identity{Namespace: "cookie", Value: "tab"}
	nobody := profile.Identity{Namespace: "crm", Value: "nobody"}
	if c, err := look.Graph(asking(nobody, 0)); c != nil || err != nil {
		t.Errorf("an identity that is not known: %v, %v", c, err)
	}
	var unknown *pipeline.UnknownError
	if _, err := look.Explain(asking(tab, 0), asking(nobody, 0)); !errors.As(err, &unknown) ||
		unknown.Which != "to" {
		t.Errorf("an end that is not known: %v", err)
	}
	for _, q := range []pipeline.GraphQuery{
		{Class: "nope", Namespace: "crm", Value: "1"},
		{Class: "profile", Namespace: "nope", Value: "1"},
		{Class: "profile", Namespace: "crm", Value: "null"},
		{Class: "profile", Namespace: "crm", Value: "1", Limit: pipeline.LimitGraphLimit + 1},
	} {
		var wrong *pipeline.QueryError
		if _, err := look.Graph(q); !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// TestTotalsOfOldStore opens a store that was written before totals were kept.
func TestTotalsOfOldStore(t *testing.T) {
	fs := vfs.NewMem()
	s, err := store.Open("store", store.Options{FS: fs, CacheBytes: 8 << 20,
		MemtableBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	model := testModel(t)
	if err := s.Intern("profile", "crm", "cookie"); err != nil {
		t.Fatal(err)
	}
	b := s.NewBatch()
	members := []profile.Identity{{Namespace: "cookie", Value: "a"},
		{Namespace: "cookie", Value: "b"}, {Namespace: "crm", Value: "1"}}
	b.SetCluster("profile", profile.ID{1}, &store.Cluster{Members: members})
	if err := s.Commit(b, true); err != nil {
		t.Fatal(err)
	}
	partitions := map[string]int32{}
	for _, topic := range model.OutputTopics() {
		partitions[topic] = 1
	}
	shard, err := pipeline.NewShard(model, s, pipeline.ShardOptions{Partitions: partitions})
	if err != nil {
		t.Fatal(err)
	}
	if err := shard.Flush(); err != nil {
		t.Fatal(err)
	}
	row, err := s.Reader().GraphTotals("profile")
	want := store.GraphTotals{Sizes: [7]int64{0, 0, 1},
		Several: []store.NamespaceCount{{Namespace: "cookie", Clusters: 1}}}
	if err != nil || row == nil || !row.Equal(&want) {
		t.Errorf("%+v, %v", row, err)
	}
}

// TestGraphShowsHubs asks about a device that too many people have signed in on.
func TestGraphShowsHubs(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		rules, err := identity.NewRules([]identity.Namespace{
			{Name: "crm", Type: identity.CrossDevice, Unique: true},
			{Name: "email", Type: identity.Email},
			{Name: "cookie", Type: identity.Cookie, HubDegree: 3},
		}, 6)
		if err != nil {
			t.Fatal(err)
		}
		m.Entity("profile").Rules = rules
	})
	defer w.close()
	for i := range 4 {
		w.send(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{Value: fmt.Appendf(nil,
			`{"event":"h%d","crm":"%d","cookie":"tab","at":"2023-11-14T22:1%d:00Z"}`, i, i+1, i),
			Headers: []pipeline.Header{{Key: pipeline.HeaderDataset, Value: []byte("web")}}})
	}
	w.drain()
	c, err := pipeline.NewLookup(w.model, w.store).Graph(asking(
		profile.Identity{Namespace: "cookie", Value: "tab"}, 0))
	w.must(err)
	if len(c.Identities) != 1 || c.Identities[0].Silent != "hub" || len(c.LeftOut) < 3 {
		t.Fatalf("a hub: %+v", c)
	}
	for _, out := range c.LeftOut {
		if out.Rule != "hub" || !slices.Equal(out.Conflict, []string{"cookie:tab"}) {
			t.Errorf("left out %+v", out)
		}
	}
	kinds := w.shard.Stats().Figures().GraphChanges
	if kinds[pipeline.GraphCount{Class: "profile", Name: "hub"}] != 1 {
		t.Errorf("counted %v", kinds)
	}
	w.send(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{
		Value:   []byte(`{"event":"late","crm":"9","cookie":"tab"}`),
		Headers: []pipeline.Header{{Key: pipeline.HeaderDataset, Value: []byte("web")}}})
	w.drain()
	tab := pipeline.GraphHub{Identity: "cookie:tab", Neighbours: 4, TurnedAway: 1,
		Profile: c.Profile}
	w.wantHubs(tab)
	e, err := pipeline.NewLookup(w.model, w.store).Explain(
		asking(profile.Identity{Namespace: "crm", Value: "9"}, 0),
		asking(profile.Identity{Namespace: "cookie", Value: "tab"}, 0))
	w.must(err)
	if e.From.Silent != "" || e.To.Silent != "hub" || e.Connected || len(e.LeftOut) > 0 {
		t.Errorf("turned away: %+v", e)
	}
	w.control(`{"id":"reset","op":"reset_hub","identities":["cookie:tab"]}`)
	w.drain()
	w.wantHubs()
}

// TestGraphShowsBlocked asks about a value that an operator has blocked, after its links are gone.
func TestGraphShowsBlocked(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{
		Value: []byte(`{"id":"1","email":"info@x.org","name":"n"}`)})
	w.drain()
	look := pipeline.NewLookup(w.model, w.store)
	info := profile.Identity{Namespace: "email", Value: "info@x.org"}
	for _, lifted := range []bool{false, true} {
		w.control(`{"id":"b%v","op":"block_value","identities":["%s"],"lift":%v}`, lifted, info,
			lifted)
		w.drain()
		w.finishJobs()
		c, err := look.Graph(asking(info, 0))
		w.must(err)
		want := map[bool]string{false: "blocked"}[lifted]
		if len(c.Links) > 0 || c.Identities[0].Silent != want {
			t.Errorf("lifted %v: %+v", lifted, c)
		}
	}
}

// wantHubs compares the hubs at the top of the graph, and their number, also after a restart.
func (w *world) wantHubs(want ...pipeline.GraphHub) {
	w.t.Helper()
	w.must(w.store.Close())
	w.open()
	top, err := pipeline.NewLookup(w.model, w.store).Top(context.Background(), w.shard.Stats(),
		"profile", 10)
	w.must(err)
	if !slices.Equal(top.Hubs, want) || top.HubsAll != int64(len(want)) {
		w.t.Errorf("%d hubs, %+v; want %+v", top.HubsAll, top.Hubs, want)
	}
	w.check()
}
