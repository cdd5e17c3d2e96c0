package pipeline_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

var firms0 = pipeline.TopicPartition{Topic: "firms"}

// twoClasses is a world of people and companies, whose namespaces have the same names, and of
// visits that are events of companies.
func twoClasses(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		addCompanies(t)(m)
		m.Datasets = append(m.Datasets, &pipeline.Dataset{Name: "visits", Topic: "visits",
			Entity: "company", Class: pipeline.ClassEvent, Schema: parse(t, webSchema),
			Timestamp: "at", EventID: "event", MaxFuture: 5 * time.Minute,
			Identities: []pipeline.IdentityField{{Path: "crm", Namespace: "crm"}}})
	})
}

// known lays a person and a company that share an identity, somebody else of each class, and n
// events of both.
func (w *world) known(n int) {
	w.t.Helper()
	w.send(crm0, pipeline.Record{Value: []byte(
		`{"id":"annsnumber","email":"ann@example.org","name":"Ann"}`)})
	w.send(crm0, pipeline.Record{Value: []byte(`{"id":"bobsnumber","name":"Bob"}`)})
	w.send(firms0, pipeline.Record{Value: []byte(
		`{"id":"firmsnumber","email":"ann@example.org","name":"Ann Ltd"}`)})
	w.send(firms0, pipeline.Record{Value: []byte(`{"id":"othernumber","name":"Other"}`)})
	for i := range n {
		w.sendWeb(fmt.Sprintf(`{"event":"e%d","crm":"annsnumber","at":"2023-11-14T20:00:00Z"}`, i))
		w.send(pipeline.TopicPartition{Topic: "visits"}, pipeline.Record{Value: fmt.Appendf(nil,
			`{"event":"v%d","crm":"firmsnumber","at":"2023-11-14T20:00:00Z"}`, i)})
	}
	w.drain()
}

// heldOfAll is what consumers hold of people and companies.
func (w *world) heldOfAll() map[string]string {
	got := w.held()
	maps.Copy(got, w.final("companies"))
	for key, value := range w.final("company-assignments") {
		got["company "+key] = value
	}
	return got
}

// names lists the names in what is held of people and companies.
func (w *world) names() string {
	w.t.Helper()
	var all []string
	profiles := slices.Collect(maps.Values(w.final("profiles")))
	for _, value := range slices.AppendSeq(profiles, maps.Values(w.final("companies"))) {
		var p struct{ Attributes struct{ Name string } }
		w.must(json.Unmarshal([]byte(value), &p))
		if p.Attributes.Name != "" {
			all = append(all, p.Attributes.Name)
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// audited lists the audit records of an outcome that an operation has.
func (w *world) audited(id, outcome string) (all []auditText) {
	w.t.Helper()
	for _, tp := range w.partitions([]string{w.model.AuditTopic}) {
		for _, r := range w.log.Records(tp) {
			var e auditText
			w.must(json.Unmarshal(r.Value, &e))
			if string(r.Key) == id && e.Outcome == outcome {
				all = append(all, e)
			}
		}
	}
	return all
}

type auditText struct {
	Outcome, Class, Job string
	Hashes              []string
	Identities          []map[string]string
	Removed             map[string]int
	Classes             []struct {
		Class      string
		Hashes     []string
		Identities []map[string]string
		Removed    map[string]int
	}
}

// forgotten are the identities of the person and the company that known lays.
func forgotten(t *testing.T) []profile.Identity {
	return []profile.Identity{parseIdentity(t, "crm:annsnumber"),
		parseIdentity(t, "crm:firmsnumber"), parseIdentity(t, "email:ann@example.org")}
}

// TestEraseEverywhere: an erasure that names no class acts in every class that has the namespace,
// as one operation; it tells what it did in each, and turns away what is not newer in each.
func TestEraseEverywhere(t *testing.T) {
	w := twoClasses(t)
	defer w.close()
	w.known(1100)
	const erase = `{"id":"er","op":"erase","identities":["email:Ann@example.org"]}`
	dry, err := pipeline.NewLookup(w.model, w.store).DryRun(t.Context(), []byte(erase), w.now)
	w.must(err)
	if len(dry.Classes) != 2 || dry.Class != "" || dry.Events != 2200 ||
		!slices.Equal(dry.Identities, forgotten(t)) || dry.Classes[1].Class != "company" ||
		dry.Classes[1].Events != 1100 || len(dry.Classes[1].Identities) != 2 {
		t.Errorf("dry run: %+v", dry)
	}
	w.control(erase)
	w.control(erase)
	w.drain()
	if got := w.names(); got != "Bob, Other" {
		t.Errorf("left: %s", got)
	}
	w.work(rand.New(rand.NewPCG(1, 2)), true)
	w.noTrace(forgotten(t))
	w.checkTold(w.audited("er", "applied"), w.audited("er", "done"))
	row, err := w.store.Reader().Applied("er")
	w.must(err)
	each := store.Removed{Fragments: 1, Events: 1100, Links: 1}
	if want := []store.AppliedPart{{Class: "profile", Removed: each},
		{Class: "company", Removed: each}}; !slices.Equal(row.Parts, want) ||
		row.Class != "" || row.Job != "" || row.Events != 2200 {
		t.Errorf("what became of it: %+v", row)
	}

	w.rewind()
	w.drain()
	if got := w.names(); got != "Bob, Other" {
		t.Errorf("consumed again, there are: %s", got)
	}
	w.now = w.now.Add(time.Second)
	w.send(firms0, pipeline.Record{Value: []byte(`{"id":"firmsnumber","name":"Newer"}`)})
	w.drain()
	if got := w.names(); got != "Bob, Newer, Other" {
		t.Errorf("with newer data, there are: %s", got)
	}
}

// checkTold holds what the audit topic tells of the erasure of the person and the company, who have
// 1100 events each, to what it did.
func (w *world) checkTold(applied, done []auditText) {
	w.t.Helper()
	if len(applied) != 1 || len(done) != 1 {
		w.t.Fatalf("applied: %+v, done: %+v", applied, done)
	}
	a, d := applied[0], done[0]
	if a.Class != "" || len(a.Hashes) != 0 || a.Job != "er" || len(a.Classes) != 2 ||
		a.Classes[0].Class != "profile" || a.Classes[1].Class != "company" ||
		len(a.Classes[0].Hashes) != 2 || len(a.Classes[1].Hashes) != 2 ||
		slices.Equal(a.Classes[0].Hashes, a.Classes[1].Hashes) {
		w.t.Errorf("applied: %+v", a)
	}
	want := map[string]int{"fragments": 1, "events": 1100, "links": 1}
	if len(d.Classes) != 2 || !maps.Equal(d.Classes[0].Removed, want) ||
		!maps.Equal(d.Classes[1].Removed, want) || d.Removed["events"] != 2200 {
		w.t.Errorf("done: %+v", d)
	}
}

// TestEraseInOneClass: with a class, and where only one has the namespace, an erasure acts in that
// one and tells as ever.
func TestEraseInOneClass(t *testing.T) {
	for text, want := range map[string]string{
		`"class":"profile","identities":["email:ann@example.org"]`: "Ann Ltd, Bob, Other",
		`"class":"company","identities":["email:ann@example.org"]`: "Ann, Bob, Other",
		`"identities":["cookie:k"]`:                                "Ann, Ann Ltd, Bob, Other",
	} {
		w := twoClasses(t)
		w.known(1)
		w.control(`{"id":"er","op":"erase",%s}`, text)
		w.drain()
		if got := w.names(); got != want {
			t.Errorf("%s: left %s, want %s", text, got, want)
		}
		told := w.audited("er", "applied")
		if len(told) != 1 || len(told[0].Hashes) == 0 || len(told[0].Classes) != 0 ||
			told[0].Class == "" || !strings.Contains(text+`"class":"profile"`, told[0].Class) {
			t.Errorf("%s: %+v", text, told)
		}
		w.close()
	}
	m := testModel(t)
	addCompanies(t)(m)
	for text, want := range map[string]string{
		"mail:a@x.org": "a namespace of a class", "email:null": "blocked value",
		"email": "NAMESPACE:VALUE",
	} {
		r := m.CheckControl(fmt.Appendf(nil, `{"id":"a","op":"erase","identities":[%q]}`, text))
		if r == nil || !strings.Contains(r.Error(), want) {
			t.Errorf("%s: %v, want %s", text, r, want)
		}
	}
}

// TestEraseEverywhereAgain: a rebuild and a restored store act in each class again, whichever topic
// they read first, and a restored one before it consumes anything.
func TestEraseEverywhereAgain(t *testing.T) {
	for _, lift := range []bool{false, true} {
		for _, first := range []string{"control", "firms", "crm"} {
			t.Run(fmt.Sprintf("lift=%t/%s", lift, first), func(t *testing.T) {
				testEverywhereAgain(t, lift, first)
			})
		}
	}
}

func testEverywhereAgain(t *testing.T, lift bool, first string) {
	w := twoClasses(t)
	w.known(3)
	rnd := rand.New(rand.NewPCG(1, 2))
	backup := w.copyOf(t, rnd)
	w.control(`{"id":"er","op":"erase","identities":["email:ann@example.org"]}`)
	w.drain()
	want := "Bob, Other"
	if lift {
		for i, id := range []string{"crm:annsnumber", "crm:firmsnumber", "email:ann@example.org"} {
			w.control(`{"id":"l%d","op":"lift_delete","identities":["%s"]}`, i, id)
		}
		w.drain()
		w.now = w.now.Add(time.Second)
		w.known(3)
		want = "Ann, Ann Ltd, Bob, Other"
		told := w.audited("l2", "applied")
		if len(told) != 1 || len(told[0].Classes) != 2 || len(told[0].Classes[0].Hashes) != 1 ||
			len(told[0].Classes[1].Hashes) != 1 || told[0].Classes[1].Removed != nil {
			t.Errorf("the lift tells %+v", told)
		}
	}
	if got := w.names(); got != want {
		t.Fatalf("before: %s, want %s", got, want)
	}
	held, now := w.heldOfAll(), w.now
	readAgain := func(what string) {
		t.Helper()
		for w.consume(pipeline.TopicPartition{Topic: first}, 100) > 0 {
			w.now = w.now.Add(time.Second)
		}
		w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rnd})
		w.drain()
		w.work(rnd, true)
		compareFinal(t, held, w.heldOfAll(), what)
		told := w.audited("er", "applied")
		for i, again := range told[len(told)-1].Classes {
			if !slices.Equal(again.Hashes, told[0].Classes[i].Hashes) {
				t.Errorf("%s: acted on %+v, before on %+v", what, again, told[0].Classes[i])
			}
		}
	}
	for range 2 { // what a rebuild tells is read by the next
		w.loseStore()
		readAgain("rebuilt")
	}
	w.must(w.store.Close())
	w = backup
	w.now = now
	w.open()
	w.noTrace(forgotten(t), "outbox")
	readAgain("restored")
	if len(w.audited("er", "applied")) != 4 {
		t.Errorf("applied %d times", len(w.audited("er", "applied")))
	}
	w.close()
}

// TestEraseNotInNewerClasses: a rebuild repeats what an erasure did, and acts in no class that was
// configured later.
func TestEraseNotInNewerClasses(t *testing.T) {
	w := newWorld(t, 1)
	defer func() { w.close() }()
	w.send(crm0, pipeline.Record{Value: []byte(
		`{"id":"annsnumber","email":"ann@example.org","name":"Ann"}`)})
	w.control(`{"id":"er","op":"erase","identities":["email:ann@example.org"]}`)
	w.drain()
	addCompanies(t)(w.model)
	w.log.CreateTopic("firms", 1)
	for _, topic := range []string{"companies", "company-identity", "company-assignments"} {
		w.log.CreateTopic(topic, 2)
	}
	w.decoder = pipeline.NewDecoder(w.model)
	w.send(firms0, pipeline.Record{Value: []byte(
		`{"id":"firmsnumber","email":"ann@example.org","name":"Ann Ltd"}`)})
	w.loseStore()
	w.consume(firms0, 1)
	w.drain()
	if got := w.names(); got != "Ann Ltd" {
		t.Errorf("rebuilt, there are: %s", got)
	}
	told := w.audited("er", "applied")
	if len(told) != 2 || told[1].Class != "profile" ||
		!slices.Equal(told[0].Hashes, told[1].Hashes) {
		t.Errorf("applied: %+v", told)
	}
}

// TestLiftInOneClass: with a class a lift lets come back what was erased in that one only.
func TestLiftInOneClass(t *testing.T) {
	w := twoClasses(t)
	defer w.close()
	w.known(1)
	w.control(`{"id":"er","op":"erase","identities":["email:ann@example.org"]}`)
	for i, id := range []string{"crm:firmsnumber", "email:ann@example.org"} {
		w.control(`{"id":"l%d","op":"lift_delete","class":"company","identities":["%s"]}`, i, id)
	}
	w.drain()
	w.rewind()
	w.drain()
	if got := w.names(); got != "Ann Ltd, Bob, Other" {
		t.Errorf("consumed again, there are: %s", got)
	}
}
