package pipeline_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/identity"
	"selfsame/pipeline"
	"selfsame/store"
)

// otherRules draws rules for the namespaces of the test model.
func otherRules(t *testing.T, rnd *rand.Rand) *identity.Rules {
	t.Helper()
	namespaces := []identity.Namespace{
		{Name: "crm", Type: identity.CrossDevice, Unique: rnd.IntN(4) > 0},
		{Name: "email", Type: identity.Email, Limit: rnd.IntN(3)},
		{Name: "cookie", Type: identity.Cookie, Limit: rnd.IntN(3) * 2,
			DropContested: rnd.IntN(3) == 0},
	}
	for i := range namespaces {
		namespaces[i].HubDegree = identity.HubsOff
	}
	if rnd.IntN(2) == 0 {
		rnd.Shuffle(len(namespaces), func(i, j int) {
			namespaces[i], namespaces[j] = namespaces[j], namespaces[i]
		})
	}
	rules, err := identity.NewRules(namespaces, 2+rnd.IntN(20))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// under gives the model of the world the rules.
func under(rules *identity.Rules) func(*pipeline.Model) {
	return func(m *pipeline.Model) { m.Entities[0].Rules = rules }
}

// TestChangeOfRules changes the rules while records arrive, and crashes and changes them again on
// the way: in the end every identity has the profile that it has where the last rules held from the
// beginning.
func TestChangeOfRules(t *testing.T) {
	for range seeds(12) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			all := facts(rnd, 250)
			w := newWorld(t, 4)
			w.lay(rnd, all, 4)
			for range 1 + rnd.IntN(3) {
				w.some(rnd, 60)
				under(otherRules(t, rnd))(w.model)
				w.reopen(rnd)
			}
			w.stumble(rnd, true)
			w.finishJobs()
			got := w.final("assignments")
			last := w.model.Entities[0].Rules
			w.close()

			fresh := newWorld(t, 4)
			under(last)(fresh.model)
			fresh.reopen(rnd)
			fresh.lay(rnd, all, 4)
			fresh.drain()
			compareFinal(t, fresh.final("assignments"), got, "after the change")
			fresh.close()
		})
	}
}

// some consumes some records and now and then publishes.
func (w *world) some(rnd *rand.Rand, chunks int) {
	inputs := w.inputs()
	for range chunks {
		w.consume(inputs[rnd.IntN(len(inputs))], 1+rnd.IntN(4))
		if rnd.IntN(5) == 0 {
			w.publish()
		}
	}
}

// reopen starts the program again, after a stop or a crash.
func (w *world) reopen(rnd *rand.Rand) {
	if rnd.IntN(2) == 0 {
		w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rnd})
	} else {
		w.must(w.store.Close())
		w.open()
	}
	w.decoder = pipeline.NewDecoder(w.model)
}

func (w *world) finishJobs() {
	w.t.Helper()
	for range 10_000 {
		if !w.shard.Busy(w.now.UnixNano()) {
			w.publish()
			return
		}
		w.must(w.shard.Apply(nil, w.now.UnixNano()))
	}
	w.t.Fatal("the jobs do not end")
}

// TestSimulateRules tells what the change then does, and touches nothing.
func TestSimulateRules(t *testing.T) {
	moved, split, merged := 0, 0, 0
	for range seeds(12) {
		seed := rand.Uint64()
		rnd := rand.New(rand.NewPCG(seed, 0))
		w := newWorld(t, 2)
		w.lay(rnd, facts(rnd, 200), 2)
		w.drain()
		before := w.final("assignments")
		rules := otherRules(t, rnd)
		effect, err := pipeline.NewLookup(w.model, w.store).SimulateRules(context.Background(),
			"profile", rules)
		w.must(err)
		if got := w.emitted("identity"); strings.Contains(got, `"cause":{"topic":""`) {
			t.Fatalf("the simulation was published: %s", got)
		}
		under(rules)(w.model)
		w.reopen(rnd)
		w.finishJobs()
		after := w.final("assignments")
		changed := 0
		for id := range after {
			if profileOf(before[id]) != profileOf(after[id]) {
				changed++
			}
		}
		if effect.Moved != changed || effect.Identities != len(after) ||
			effect.ClustersBefore != clusters(before) || effect.ClustersAfter != clusters(after) ||
			(len(effect.Examples) == 0) != (changed == 0) {
			t.Errorf("seed %d: %d moved, %d clusters, then %d; simulated %+v", seed, changed,
				clusters(before), clusters(after), effect)
		}
		moved, split, merged = moved+effect.Moved, split+effect.Split, merged+effect.Merged
		w.close()
	}
	if moved == 0 || split == 0 || merged == 0 {
		t.Errorf("%d moved, %d split, %d merged: too tame", moved, split, merged)
	}
}

func profileOf(assignment string) string {
	_, rest, _ := strings.Cut(assignment, `"profile":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

func clusters(assignments map[string]string) int {
	ids := map[string]bool{}
	for value := range maps.Values(assignments) {
		ids[profileOf(value)] = true
	}
	return len(ids)
}

// TestBlockedByRules: blocking a value in the configuration repairs what it had joined.
func TestBlockedByRules(t *testing.T) {
	w := newWorld(t, 1)
	crm := pipeline.TopicPartition{Topic: "crm"}
	const people = 30
	spaces := []identity.Namespace{
		{Name: "crm", Type: identity.CrossDevice, HubDegree: identity.HubsOff},
		{Name: "email", Type: identity.Email, HubDegree: identity.HubsOff},
		{Name: "cookie", Type: identity.Cookie},
	}
	open := func() {
		rules, err := identity.NewRules(spaces, 50)
		w.must(err)
		under(rules)(w.model)
		w.reopen(rand.New(rand.NewPCG(1, 1)))
	}
	open()
	for i := range people {
		w.send(crm, pipeline.Record{Value: fmt.Appendf(nil,
			`{"id":"%d","email":"info@x.org","name":"n"}`, i+1)})
	}
	w.drain()
	if n := clusters(w.final("assignments")); n != 1 {
		t.Fatalf("%d clusters", n)
	}
	spaces[1].Blocked = []string{"INFO@x.org"}
	open()
	w.finishJobs()
	if n := clusters(w.final("assignments")); n != people+1 {
		t.Errorf("%d clusters after the value was blocked, want %d", n, people+1)
	}
	row, err := w.store.Reader().Identity("profile",
		identityOf(t, "email:info@x.org"))
	w.must(err)
	if row.Degree != 0 || row.Silence != 0 {
		t.Errorf("the blocked value: %+v", row)
	}
	w.close()
}

// TestRulesRefused: what data cannot live under is refused with the way out, other changes are not.
func TestRulesRefused(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{
		Value: []byte(`{"id":"1","email":"a@x.org"}`)})
	w.drain()
	crm := identity.Namespace{Name: "crm", Type: identity.CrossDevice, Unique: true}
	email := identity.Namespace{Name: "email", Type: identity.Email}
	cookie := identity.Namespace{Name: "cookie", Type: identity.Cookie}
	tests := []struct {
		spaces []identity.Namespace
		want   string
	}{
		{[]identity.Namespace{crm, cookie}, `"email" of class profile: it is gone`},
		{[]identity.Namespace{{Name: "crm", Type: identity.Device}, email, cookie},
			"its type changes from cross_device to device"},
		{[]identity.Namespace{{Name: "crm", Type: identity.CrossDevice,
			Normalize: []string{"lower"}}, email, cookie}, "its normalisation changes"},
		{[]identity.Namespace{crm, email}, ""}, // no cookie was ever seen
		{[]identity.Namespace{email, crm, cookie}, ""},
	}
	for _, test := range tests {
		rules, err := identity.NewRules(test.spaces, 0)
		w.must(err)
		under(rules)(w.model)
		_, err = pipeline.AdoptRules(w.model, w.store, 0)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("refused: %v", err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) ||
			!strings.Contains(err.Error(), "rebuild")):
			t.Errorf("%v, want %s", err, test.want)
		}
	}
	w.model.Dataset("crm").CurrentLinks = true
	_, err := pipeline.AdoptRules(w.model, w.store, 0)
	if err == nil || !strings.Contains(err.Error(), "links changes from keep to current") {
		t.Errorf("other links: %v", err)
	}
	w.model.Dataset("crm").CurrentLinks = false
	w.must(pipeline.CheckKey(w.model, w.store))
	w.model.IDKey = []byte("another key of at least 16 bytes")
	if err := pipeline.CheckKey(w.model, w.store); err == nil ||
		!strings.Contains(err.Error(), "id_key") {
		t.Errorf("another key: %v", err)
	}
	w.model.IDKey = idKey
}

// TestAssignmentTopicRefused: another assignment topic is refused once anybody is known; a store
// that remembers none takes it over, and decides nothing again.
func TestAssignmentTopicRefused(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	e := w.model.Entities[0]
	adopt := func(topic string) error {
		t.Helper()
		e.AssignmentTopic = topic
		changes, err := pipeline.AdoptRules(w.model, w.store, 0)
		if len(changes) > 0 {
			t.Errorf("%s: %v", topic, changes)
		}
		return err
	}
	w.must(adopt("unused"))
	w.must(adopt("assignments"))
	w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{Value: []byte(`{"id":"1"}`)})
	w.drain()
	err := adopt("other")
	if err == nil || !strings.Contains(err.Error(), "changes from assignments to other") {
		t.Errorf("another topic: %v", err)
	}
	row, err := w.store.Reader().Rules("profile")
	w.must(err)
	row.Text = []byte(strings.Replace(string(row.Text), `,"assignment_topic":"assignments"`, "", 1))
	w.must(w.store.SetRules([]store.Rules{*row}, nil))
	w.must(adopt("assignments"))
	if adopt("other") == nil {
		t.Error("the topic was not remembered")
	}
	e.IdentityTopic = "history" // which may be another at any time
	w.must(adopt("assignments"))
}

// TestNewDatasetDecidesNothing: the rules have not changed where only a dataset has come.
func TestNewDatasetDecidesNothing(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{Value: []byte(`{"id":"1"}`)})
	w.drain()
	more := *w.model.Dataset("crm")
	more.Name, more.CurrentLinks = "crm2", true
	w.model.Datasets = append(w.model.Datasets, &more)
	for range 2 {
		changes, err := pipeline.AdoptRules(w.model, w.store, 0)
		if err != nil || len(changes) > 0 {
			t.Errorf("%v, %v", changes, err)
		}
	}
	more.CurrentLinks = false
	if _, err := pipeline.AdoptRules(w.model, w.store, 0); err == nil {
		t.Error("the new dataset was not remembered")
	}
}

// TestRulesJobIsToldAndDone: the job is there to be seen, and nothing is emitted where nothing
// changes.
func TestRulesJobIsToldAndDone(t *testing.T) {
	w := newWorld(t, 1)
	defer func() { w.close() }()
	for i := range 1500 {
		w.send(pipeline.TopicPartition{Topic: "crm"},
			pipeline.Record{Value: fmt.Appendf(nil, `{"id":"%d","name":"n"}`, i+1)})
	}
	w.drain()
	w.emitted("profiles")
	under(mustNamespaces(t, 9))(w.model)
	w.reopen(rand.New(rand.NewPCG(1, 1)))
	job := w.jobs()["(rules)profile"]
	if job.State != store.JobRunning || job.Kind != "reform" {
		t.Fatalf("job %+v", job)
	}
	w.finishJobs()
	job = w.jobs()["(rules)profile"]
	if job.State != store.JobDone || job.Done != 1500 {
		t.Errorf("job %+v", job)
	}
	rules, err := w.store.Reader().Rules("profile")
	w.must(err)
	if !rules.Complete || rules.Generation != 2 {
		t.Errorf("rules %+v", rules)
	}
	if got := w.emitted("profiles"); got != "" {
		t.Errorf("emitted %s", got)
	}
}

func mustNamespaces(t *testing.T, size int) *identity.Rules {
	t.Helper()
	rules, err := identity.NewRules([]identity.Namespace{
		{Name: "crm", Type: identity.CrossDevice, Unique: true},
		{Name: "email", Type: identity.Email},
		{Name: "cookie", Type: identity.Cookie},
	}, size)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}
