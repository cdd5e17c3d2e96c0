package pipeline_test

import (
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
	"selfsame/store"
)

const loyaltySchema = `{"type":"record","name":"loyalty","fields":[
	{"name":"email","type":"string"},
	{"name":"name","type":["null","string"],"default":null},
	{"name":"joined","type":["null","string"],"default":null},
	{"name":"tags","type":["null",{"type":"array","items":"string"}],"default":null},
	{"name":"address","type":["null",{"type":"record","name":"address","fields":[
		{"name":"city","type":["null","string"],"default":null},
		{"name":"zip","type":["null","string"],"default":null}]}],"default":null}]}`

// policySpecs are the policies of the policy stories, besides the default one.
var policySpecs = []struct {
	name string
	spec pipeline.MergeSpec
}{
	{"ranked", pipeline.MergeSpec{Precedence: []string{"crm", "loyalty"},
		Overrides: map[string]pipeline.RuleSpec{
			"address.*": {Precedence: []string{"loyalty", "crm"}},
			"tags":      {Union: true},
			"age":       {Strategy: "latest"},
		}}},
	{"first", pipeline.MergeSpec{Strategy: "earliest"}},
	{"each", pipeline.MergeSpec{Stitching: "none"}},
}

// addPolicies adds the dataset loyalty and the policies of policySpecs, each with a topic of its
// name.
func addPolicies(t *testing.T) func(*pipeline.Model) {
	return func(m *pipeline.Model) {
		m.Datasets = append(m.Datasets, &pipeline.Dataset{
			Name: "loyalty", Topic: "loyalty", Entity: "profile",
			Schema: parse(t, loyaltySchema), MaxFuture: 5 * time.Minute,
			Identities: []pipeline.IdentityField{
				{Path: "email", Namespace: "email", Primary: true},
			},
		})
		for _, p := range policySpecs {
			addPolicy(t, m, p.name, p.spec)
		}
	}
}

func addPolicy(t *testing.T, m *pipeline.Model, name string, spec pipeline.MergeSpec) {
	t.Helper()
	e := m.Entity("profile")
	policy, errs := m.CompileMerge(e, name, spec)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	topic := pipeline.PolicyTopic{Policy: policy, Topic: name}
	if name == "ranked" {
		topic.Changes = "ranked.changes"
	}
	e.Policies = append(e.Policies, topic)
}

// newAdopting is the world of several policies in which they are remembered, with the same records
// for the same seed.
func newAdopting(t *testing.T, seed uint64, change func(e *pipeline.Entity)) *world {
	t.Helper()
	w := newWorldOn(t, memlog.Options{}, 2, func(m *pipeline.Model) {
		addPolicies(t)(m)
		change(m.Entity("profile"))
	})
	w.log.CreateTopic("late", 2)
	w.must(w.store.Close())
	w.adopts = true
	w.open()
	w.lay(rand.New(rand.NewPCG(seed, 1)), policyFacts(rand.New(rand.NewPCG(seed, 0)), 300), 2)
	w.drain()
	w.tellWork()
	return w
}

// policyTopics is what consumers of all policies' topics hold, by topic and key.
func (w *world) policyTopics() map[string]string {
	held := map[string]string{}
	for _, topic := range []string{"profiles", "ranked", "first", "each", "late"} {
		for key, value := range w.final(topic) {
			held[topic+" "+key] = value
		}
	}
	return held
}

// restart closes the store and opens everything again with policies changed.
func (w *world) restart(change func(e *pipeline.Entity)) error {
	w.t.Helper()
	w.must(w.store.Close())
	change(w.model.Entity("profile"))
	return w.tryOpen()
}

// recompile changes how a policy merges.
func recompile(t *testing.T, m *pipeline.Model, name string, spec pipeline.MergeSpec) func(
	*pipeline.Entity) {
	return func(e *pipeline.Entity) {
		compiled, errs := m.CompileMerge(e, name, spec)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		for i := range e.Policies {
			if e.Policies[i].Name == name {
				e.Policies[i].Policy = compiled
			}
		}
	}
}

func without(name string) func(*pipeline.Entity) {
	return func(e *pipeline.Entity) {
		e.Policies = slices.DeleteFunc(slices.Clone(e.Policies), func(p pipeline.PolicyTopic) bool {
			return p.Name == name
		})
	}
}

// TestPolicyChanges changes, adds and removes policies under a store that holds profiles, with a
// crash on the way: in the end the topics are those of a store that had the new policies from the
// beginning, and only what changed was emitted.
func TestPolicyChanges(t *testing.T) {
	reversed := pipeline.MergeSpec{Precedence: []string{"loyalty", "crm"}}
	tags := pipeline.MergeSpec{Overrides: map[string]pipeline.RuleSpec{"tags": {Union: true}}}
	cases := []struct {
		name   string
		change func(m *pipeline.Model) func(e *pipeline.Entity)
		kinds  string // of the changes
		topics string // that something is emitted to
		again  bool   // also what did not change
	}{
		{"nothing", func(*pipeline.Model) func(*pipeline.Entity) {
			return func(*pipeline.Entity) {}
		}, "", "", false},
		{"the order of precedence", func(m *pipeline.Model) func(*pipeline.Entity) {
			return recompile(t, m, "ranked", reversed)
		}, "ranked changed", "ranked", false},
		{"a union", func(m *pipeline.Model) func(*pipeline.Entity) {
			return recompile(t, m, "default", tags)
		}, "default changed", "profiles", false},
		{"a new one", func(m *pipeline.Model) func(*pipeline.Entity) {
			return func(*pipeline.Entity) { addPolicy(t, m, "late", reversed) }
		}, "late new", "late", false},
		{"one without stitching", func(m *pipeline.Model) func(*pipeline.Entity) {
			return func(*pipeline.Entity) {
				addPolicy(t, m, "late", pipeline.MergeSpec{Stitching: "none", Strategy: "earliest"})
			}
		}, "late new", "late", false},
		{"one that goes", func(*pipeline.Model) func(*pipeline.Entity) {
			return without("first")
		}, "first gone", "first", false},
		{"another one that goes", func(*pipeline.Model) func(*pipeline.Entity) {
			return without("each")
		}, "each gone", "each", false},
		{"stitching, to none", func(m *pipeline.Model) func(*pipeline.Entity) {
			return recompile(t, m, "first", pipeline.MergeSpec{Stitching: "none"})
		}, "first changed", "first", true},
		{"stitching, to the graph", func(m *pipeline.Model) func(*pipeline.Entity) {
			return recompile(t, m, "each", pipeline.MergeSpec{})
		}, "each changed", "each", true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			fresh := newAdopting(t, seed, func(*pipeline.Entity) {})
			before := fresh.policyTopics()
			fresh.close()
			w := newAdopting(t, seed, func(*pipeline.Entity) {})
			defer func() { w.close() }()
			compareFinal(t, before, w.policyTopics(), "the same records")
			w.emittedPerTopic()
			change := c.change(w.model)
			w.must(w.restart(change))
			checkChanges(t, w.changes, c.kinds)
			if w.shard.Busy(w.now.UnixNano()) {
				w.must(w.shard.Apply(nil, w.now.UnixNano()))
				w.crash(vfs.CrashCloneCfg{})
				checkChanges(t, w.changes, "")
			}
			w.tellWork()
			emitted := w.emittedPerTopic()
			if got := strings.Join(slices.Sorted(maps.Keys(emitted)), " "); got != c.topics {
				t.Errorf("emitted to %q, want %q", got, c.topics)
			}
			for topic, keys := range emitted {
				for key, value := range keys {
					if before[topic+" "+key] == value && !c.again {
						t.Errorf("%s %s was emitted and has not changed", topic, key)
					}
				}
			}
			want := laterTopics(t, seed, c.change)
			compareFinal(t, want, w.policyTopics(), "as if it had always been so")
		})
	}
}

// laterTopics are the topics of a world that has had the change from the beginning.
func laterTopics(t *testing.T, seed uint64,
	change func(m *pipeline.Model) func(*pipeline.Entity)) map[string]string {
	t.Helper()
	w := newWorldOn(t, memlog.Options{}, 2, func(m *pipeline.Model) {
		addPolicies(t)(m)
		change(m)(m.Entity("profile"))
	})
	defer w.close()
	for _, topic := range []string{"late", "first", "each"} {
		if !slices.Contains(w.model.OutputTopics(), topic) {
			w.log.CreateTopic(topic, 2)
		}
	}
	w.lay(rand.New(rand.NewPCG(seed, 1)), policyFacts(rand.New(rand.NewPCG(seed, 0)), 300), 2)
	w.drain()
	return w.policyTopics()
}

// emittedPerTopic gives, for each policy's topic, the last value of each key that was emitted since
// it was last asked; "" for a tombstone.
func (w *world) emittedPerTopic() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, topic := range []string{"profiles", "ranked", "first", "each", "late"} {
		for _, tp := range w.partitions([]string{topic}) {
			records := w.log.Records(tp)
			for _, r := range records[w.read[tp]:] {
				if all[topic] == nil {
					all[topic] = map[string]string{}
				}
				all[topic][string(r.Key)] = versions.ReplaceAllString(string(r.Value), "")
			}
			w.read[tp] = len(records)
		}
	}
	return all
}

func checkChanges(t *testing.T, changes []pipeline.PolicyChange, want string) {
	t.Helper()
	var got []string
	for _, c := range changes {
		got = append(got, c.Policy+" "+c.Kind)
	}
	if strings.Join(got, ", ") != want {
		t.Errorf("changes %q, want %q", got, want)
	}
}

// TestPolicyComesBack removes a policy, forgets it once its profiles have ended, and takes it back;
// or takes it back before they have.
func TestPolicyComesBack(t *testing.T) {
	for _, early := range []bool{false, true} {
		t.Run(fmt.Sprint("early=", early), func(t *testing.T) {
			w := newAdopting(t, 7, func(*pipeline.Entity) {})
			defer func() { w.close() }()
			all := slices.Clone(w.model.Entity("profile").Policies)
			before := w.policyTopics()
			w.must(w.restart(without("first")))
			if !early {
				w.tellWork()
				w.publish()
				if n := len(w.final("first")); n > 0 {
					t.Errorf("%d profiles are left", n)
				}
				w.must(w.restart(func(*pipeline.Entity) {}))
				checkChanges(t, w.changes, "")
				if e := w.model.Entity("profile"); len(e.Leaving) > 0 || len(w.remembered()) != 3 {
					t.Errorf("leaving %v, remembered %v", e.Leaving, w.remembered())
				}
			}
			back := func(e *pipeline.Entity) { e.Policies = all }
			w.must(w.restart(back))
			checkChanges(t, w.changes, map[bool]string{true: "first changed",
				false: "first new"}[early])
			w.tellWork()
			compareFinal(t, before, w.policyTopics(), "taken back")
		})
	}
}

func (w *world) remembered() (names []string) {
	w.must(w.store.Reader().Policies(func(p *store.Policy) error {
		names = append(names, p.Name)
		return nil
	}))
	return names
}

// TestPolicyTopicsAreNotPassedOn refuses changes after which a topic would hold what nobody ends.
func TestPolicyTopicsAreNotPassedOn(t *testing.T) {
	w := newAdopting(t, 8, func(*pipeline.Entity) {})
	all := slices.Clone(w.model.Entity("profile").Policies)
	err := w.restart(func(e *pipeline.Entity) {
		e.Policies = slices.Clone(all)
		e.Policies[2].Topic = "late"
	})
	if err == nil || !strings.Contains(err.Error(), "policy first of class profile writes to "+
		"topic first, the configuration says late") {
		t.Errorf("another topic: %v", err)
	}
	w.model.Entity("profile").Policies = slices.Clone(all)
	w.model.Entity("profile").Policies[2].Name = "renamed"
	if err := w.tryOpen(); err == nil || !strings.Contains(err.Error(), "policy first of class "+
		"profile is gone, and its profiles are to be ended in topic first") {
		t.Errorf("another name: %v", err)
	}
	w.model.Entity("profile").Policies = all
	w.open()
	checkChanges(t, w.changes, "")
	w.close()
}

// TestPolicyChangesInARow changes how a policy stitches, and before anything was committed how it
// merges: what the first change asks for is not lost.
func TestPolicyChangesInARow(t *testing.T) {
	w := newAdopting(t, 11, func(*pipeline.Entity) {})
	defer func() { w.close() }()
	w.must(w.restart(recompile(t, w.model, "each", pipeline.MergeSpec{})))
	earliest := pipeline.MergeSpec{Strategy: "earliest"}
	w.must(w.restart(recompile(t, w.model, "each", earliest)))
	checkChanges(t, w.changes, "each changed")
	if n := len(w.jobs()); n != 2 {
		t.Errorf("%d jobs", n)
	}
	w.tellWork()
	want := map[string]string{}
	for key, value := range w.final("first") { // merges likewise
		want[key] = strings.Replace(value, `"policy":"first"`, `"policy":"each"`, 1)
	}
	compareFinal(t, want, w.final("each"), "in a row")
}

// TestCheckWhilePoliciesChange merges clusters while the profiles of a policy that stitched them,
// or is gone, have still to be ended: the store is sound all the while, and afterwards.
func TestCheckWhilePoliciesChange(t *testing.T) {
	cases := map[string]func(m *pipeline.Model) func(*pipeline.Entity){
		"gone": func(*pipeline.Model) func(*pipeline.Entity) { return without("first") },
		"to none": func(m *pipeline.Model) func(*pipeline.Entity) {
			return recompile(t, m, "first", pipeline.MergeSpec{Stitching: "none"})
		},
		"to the graph": func(m *pipeline.Model) func(*pipeline.Entity) {
			return recompile(t, m, "each", pipeline.MergeSpec{})
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			w := newAdopting(t, 13, func(*pipeline.Entity) {})
			defer func() { w.close() }()
			loyalty := pipeline.TopicPartition{Topic: "loyalty"}
			crm := pipeline.TopicPartition{Topic: "crm"}
			for i := range 20 {
				w.send(loyalty, pipeline.Record{
					Value: fmt.Appendf(nil, `{"email":"m%d@x","name":"n"}`, i)})
			}
			w.drain()
			w.must(w.restart(change(w.model)))
			for i := range 20 {
				w.send(crm, pipeline.Record{
					Value: fmt.Appendf(nil, `{"id":"m%d","email":"m%d@x"}`, i, i)})
			}
			if w.consume(crm, 100) != 20 {
				t.Fatal("not consumed")
			}
			w.check()
			w.tellWork()
		})
	}
}

// TestPoliciesOfAnEarlierVersion opens a store that remembers none: what it holds was merged by the
// plain rule.
func TestPoliciesOfAnEarlierVersion(t *testing.T) {
	w := newWorld(t, 1)
	defer func() { w.close() }()
	w.send(pipeline.TopicPartition{Topic: "crm"},
		pipeline.Record{Value: []byte(`{"id":"1","email":"a@x","name":"Ann"}`)})
	w.drain()
	w.adopts = true
	w.must(w.restart(func(*pipeline.Entity) {}))
	checkChanges(t, w.changes, "")
	w.must(w.restart(recompile(t, w.model, "default", pipeline.MergeSpec{Strategy: "earliest"})))
	checkChanges(t, w.changes, "default changed")
	w.emitted("profiles")
	w.tellWork()
	if got := w.emitted("profiles"); got != "" {
		t.Errorf("emitted %s, and nothing has changed", got)
	}
}

// TestPolicyJobsUnderTraffic changes policies of more profiles than one commit settles, while
// records arrive and the process crashes on the way.
func TestPolicyJobsUnderTraffic(t *testing.T) {
	const people = 700
	for name, change := range map[string]func(m *pipeline.Model) func(*pipeline.Entity){
		"gone": func(*pipeline.Model) func(*pipeline.Entity) { return without("first") },
		"stitched": func(m *pipeline.Model) func(*pipeline.Entity) {
			return recompile(t, m, "each", pipeline.MergeSpec{Strategy: "earliest"})
		},
		"new": func(m *pipeline.Model) func(*pipeline.Entity) {
			return func(*pipeline.Entity) {
				addPolicy(t, m, "late", pipeline.MergeSpec{Precedence: []string{"loyalty"}})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			crm := pipeline.TopicPartition{Topic: "crm"}
			record := func(i int, name string) pipeline.Record {
				return pipeline.Record{Value: fmt.Appendf(nil,
					`{"id":"%d","email":"p%d@x","name":"%s"}`, i, i, name)}
			}
			fill := func(w *world) {
				for i := range people {
					w.send(crm, record(i, "n"))
					w.send(pipeline.TopicPartition{Topic: "loyalty"}, pipeline.Record{
						Value: fmt.Appendf(nil, `{"email":"p%d@x","name":"l"}`, i)})
				}
				w.drain()
			}
			w := newAdopting(t, 9, func(*pipeline.Entity) {})
			defer func() { w.close() }()
			fill(w)
			w.must(w.restart(change(w.model)))
			steps := 0
			for ; w.shard.Busy(w.now.UnixNano()); steps++ {
				if steps == 3 {
					w.publish()
					w.crash(vfs.CrashCloneCfg{})
				}
				w.now = w.now.Add(time.Second)
				w.send(crm, record(steps, "m"))
				if w.consume(crm, 10) == 0 {
					t.Fatal("traffic does not flow")
				}
			}
			w.publish()
			if steps < 7 {
				t.Errorf("only %d steps", steps)
			}
			fresh := newWorldOn(t, memlog.Options{}, 2, func(m *pipeline.Model) {
				addPolicies(t)(m)
				change(m)(m.Entity("profile"))
			})
			defer fresh.close()
			for _, topic := range []string{"late", "first"} {
				if !slices.Contains(fresh.model.OutputTopics(), topic) {
					fresh.log.CreateTopic(topic, 2)
				}
			}
			fresh.lay(rand.New(rand.NewPCG(9, 1)), policyFacts(rand.New(rand.NewPCG(9, 0)), 300), 2)
			fresh.drain()
			fill(fresh)
			for i := range steps {
				fresh.now = fresh.now.Add(time.Second)
				fresh.send(crm, record(i, "m"))
				fresh.drain()
			}
			compareFinal(t, fresh.policyTopics(), w.policyTopics(), "as if it had always been so")
		})
	}
}
