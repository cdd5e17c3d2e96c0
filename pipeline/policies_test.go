package pipeline_test

import (
	"testing"
	"time"

	"selfsame/pipeline"
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
	e.Policies = append(e.Policies, pipeline.PolicyTopic{Policy: policy, Topic: name})
}
