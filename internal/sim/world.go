package sim

import (
	"fmt"
	"time"

	"selfsame/identity"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/schemas"
)

const (
	crmSchema = `{"type":"record","name":"crm","fields":[
		{"name":"id","type":"string"},
		{"name":"email","type":["null","string"],"default":null},
		{"name":"name","type":["null","string"],"default":null},
		{"name":"age","type":["null","int"],"default":null},
		{"name":"rev","type":["null","long"],"default":null},
		{"name":"tags","type":["null",{"type":"array","items":"string"}],"default":null},
		{"name":"address","type":["null",{"type":"record","name":"address","fields":[
			{"name":"city","type":["null","string"],"default":null},
			{"name":"zip","type":["null","string"],"default":null}]}],"default":null},
		{"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}],
			"default":null}]}`
	shopSchema = `{"type":"record","name":"shop","fields":[
		{"name":"mail","type":"string"},
		{"name":"name","type":["null","string"],"default":null},
		{"name":"tier","type":["null","string"],"default":null},
		{"name":"address","type":["null",{"type":"record","name":"address","fields":[
			{"name":"city","type":["null","string"],"default":null},
			{"name":"zip","type":["null","string"],"default":null}]}],"default":null},
		{"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}],
			"default":null}]}`
	webSchema = `{"type":"record","name":"web","fields":[
		{"name":"event","type":"string"},
		{"name":"crm","type":["null","string"],"default":null},
		{"name":"login","type":["null","string"],"default":null},
		{"name":"cookie","type":["null","string"],"default":null},
		{"name":"cookies","type":["null",{"type":"array","items":"string"}],"default":null},
		{"name":"page","type":["null","string"],"default":null},
		{"name":"at","type":["null","string"],"default":null}]}`
)

// What the world is made of; the oracle has the same in its own words.
const (
	idKey         = "0123456789abcdef0123456789abcdef"
	maxIdentities = 4
	maxFuture     = 5 * time.Minute
	retention     = 30 * 24 * time.Hour
	recordBytes   = 2048

	topicProfiles    = "profiles"
	topicAssignments = "assignments"
	topicIdentity    = "identity"
	topicDead        = "dead"
)

// newModel is a small world: a CRM and a shop as records, two datasets of events in one topic.
// Clusters are small, so that links are left out all the time.
func newModel() (*pipeline.Model, error) {
	// Who becomes a hub depends on the order of arrival, which the oracle does not know.
	rules, err := identity.NewRules([]identity.Namespace{
		{Name: "crm", Type: identity.CrossDevice, Unique: true, HubDegree: identity.HubsOff},
		{Name: "email", Type: identity.Email, HubDegree: identity.HubsOff},
		{Name: "cookie", Type: identity.Cookie, HubDegree: identity.HubsOff},
	}, maxIdentities)
	if err != nil {
		return nil, err
	}
	limits := pipeline.DefaultLimits()
	limits.RecordBytes = recordBytes
	m := &pipeline.Model{
		IDKey: []byte(idKey), DeadLetterTopic: topicDead, Limits: limits,
		Entities: []*pipeline.Entity{{
			Name: "profile", Rules: rules,
			Policies: []pipeline.PolicyTopic{{
				Policy: profile.Policy{Name: "default"}, Topic: topicProfiles, Default: true,
			}},
			IdentityTopic: topicIdentity, AssignmentTopic: topicAssignments,
		}},
		Datasets: []*pipeline.Dataset{
			{
				Name: "crm", Timestamp: "at", Sequence: "rev",
				Tombstones: pipeline.TombstonesDelete,
				Identities: []pipeline.IdentityField{
					{Path: "id", Namespace: "crm", Primary: true},
					{Path: "email", Namespace: "email"},
				},
			},
			{
				Name: "shop", Mode: pipeline.OpReplace, Timestamp: "at",
				Rename: []schemas.Rename{{From: "mail", To: "email"}},
				Identities: []pipeline.IdentityField{
					{Path: "mail", Namespace: "email", Primary: true},
				},
			},
			{
				Name: "web", Class: pipeline.ClassEvent, Timestamp: "at", EventID: "event",
				Retention: retention,
				Identities: []pipeline.IdentityField{
					{Path: "crm", Namespace: "crm"},
					{Path: "login", Namespace: "crm"},
					{Path: "cookie", Namespace: "cookie"},
					{Path: "cookies", Namespace: "cookie"},
				},
			},
			{
				Name: "app", Class: pipeline.ClassEvent, Timestamp: "at", EventID: "event",
				Identities: []pipeline.IdentityField{{Path: "cookie", Namespace: "cookie"}},
			},
		},
	}
	texts := []string{crmSchema, shopSchema, webSchema, webSchema}
	for i, ds := range m.Datasets {
		ds.Topic, ds.Entity, ds.MaxFuture = ds.Name, "profile", maxFuture
		if ds.Name == "app" {
			ds.Topic = "web"
		}
		if ds.Schema, err = schemas.Parse(ds.Name+".avsc", []byte(texts[i])); err != nil {
			return nil, fmt.Errorf("parsing the schema of %s: %w", ds.Name, err)
		}
	}
	return m, nil
}
