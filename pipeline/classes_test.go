package pipeline_test

import (
	"strings"
	"testing"
	"time"

	"selfsame/identity"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
)

// addCompanies adds an entity class whose namespaces have the names that those of people have, and
// a dataset of it with the schema of crm.
func addCompanies(t *testing.T) func(m *pipeline.Model) {
	return func(m *pipeline.Model) {
		rules, err := identity.NewRules([]identity.Namespace{
			{Name: "crm", Type: identity.CrossDevice, Unique: true, HubDegree: identity.HubsOff},
			{Name: "email", Type: identity.Email, HubDegree: identity.HubsOff},
		}, 6)
		if err != nil {
			t.Fatal(err)
		}
		m.Entities = append(m.Entities, &pipeline.Entity{Name: "company", Rules: rules,
			Policies: []pipeline.PolicyTopic{{Policy: profile.Policy{Name: "default"},
				Topic: "companies", Default: true}},
			IdentityTopic: "company-identity", AssignmentTopic: "company-assignments"})
		m.Datasets = append(m.Datasets, &pipeline.Dataset{Name: "firms", Topic: "firms",
			Entity: "company", Schema: parse(t, crmSchema), MaxFuture: 5 * time.Minute,
			Identities: []pipeline.IdentityField{
				{Path: "id", Namespace: "crm", Primary: true},
				{Path: "email", Namespace: "email"}}})
	}
}

// TestClassesStayApart: the same identity in two entity classes is two; links, upserts and
// deletions of one class do not reach the other.
func TestClassesStayApart(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, addCompanies(t))
	defer w.close()
	firms := pipeline.TopicPartition{Topic: "firms"}
	w.send(crm0, pipeline.Record{Value: []byte(`{"id":"1","email":"a@x.org","name":"Ann"}`)})
	w.send(firms, pipeline.Record{Value: []byte(`{"id":"1","name":"Acme"}`)})
	w.send(firms, pipeline.Record{Value: []byte(`{"id":"2","email":"a@x.org","age":7}`)})
	w.drain()
	want := func(topic string, texts ...string) {
		t.Helper()
		held := w.final(topic)
		if len(held) != len(texts) {
			t.Errorf("%s holds %d profiles, want %d: %v", topic, len(held), len(texts), held)
		}
		all := ""
		for _, value := range held {
			all += value
		}
		for _, text := range texts {
			if !strings.Contains(all, text) {
				t.Errorf("%s has no %s: %s", topic, text, all)
			}
		}
	}
	const ann = `"identities":{"crm":["1"],"email":["a@x.org"]},` +
		`"attributes":{"email":"a@x.org","id":"1","name":"Ann"}`
	const acme = `"identities":{"crm":["1"]},"attributes":{"id":"1","name":"Acme"}`
	const other = `"identities":{"crm":["2"],"email":["a@x.org"]}`
	want("profiles", ann)
	want("companies", acme, other)

	w.now = w.now.Add(time.Second)
	w.send(firms, pipeline.Record{Value: []byte(`{"id":"1"}`),
		Headers: []pipeline.Header{{Key: "selfsame-op", Value: []byte("delete")}}})
	w.control(`{"id":"d","op":"delete_profile","class":"company","identities":["email:a@x.org"]}`)
	w.drain()
	want("profiles", ann)
	want("companies")

	w.control(`{"id":"e","op":"delete_profile","identities":["crm:1"]}`)
	w.send(firms, pipeline.Record{Value: []byte(`{"id":"1","name":"Acme again"}`)})
	w.drain()
	want("profiles")
	want("companies", `"name":"Acme again"`)
}
