package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
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
		{"name":"amount","type":["null","int"],"default":null},
		{"name":"at","type":["null","string"],"default":null}]}`
	clubSchema = `{"type":"record","name":"club","fields":[
		{"name":"no","type":"string"},
		{"name":"email","type":["null","string"],"default":null},
		{"name":"cookies","type":["null",{"type":"array","items":"string"}],"default":null},
		{"name":"name","type":["null","string"],"default":null},
		{"name":"tags","type":["null",{"type":"array","items":"string"}],"default":null},
		{"name":"points","type":["null","int"],"default":null},
		{"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}],
			"default":null}]}`
)

// World says what there is in a run: a later one has all that an earlier one has. Each draws its
// records in a way of its own, so that a seed goes on to mean what it meant when a later one comes.
type World uint8

// The worlds.
const (
	// Plain has records and events and one policy. What comes of them is a function of their set.
	Plain World = iota
	// Governed has operators besides, edits of arrays, a dataset whose links are the current ones,
	// and several policies. What some operators ask for depends on when it is applied.
	Governed
	// Counted has attributes that follow from the events besides, and more time passes.
	Counted
)

// worldNames are in the order of the worlds.
var worldNames = []string{"plain", "governed", "counted"}

// String names the world.
func (w World) String() string { return worldNames[w] }

// ParseWorld reads what String gives.
func ParseWorld(text string) (World, error) {
	at := slices.Index(worldNames, text)
	if at < 0 {
		return 0, errors.New("unknown world " + text)
	}
	return World(at), nil
}

// What the worlds are made of; the oracle has the same in its own words.
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
	topicControl     = "control"
	topicAudit       = "audit"
)

// newModel is a small model: a CRM and a shop as records, two datasets of events in one topic.
// Clusters are small, so that links are left out all the time.
func newModel(w World) (*pipeline.Model, error) {
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
		Datasets: plainDatasets(),
	}
	if w >= Governed {
		govern(m)
	}
	texts := map[string]string{"crm": crmSchema, "shop": shopSchema, "web": webSchema,
		"app": webSchema, "club": clubSchema}
	for _, ds := range m.Datasets {
		ds.Topic, ds.Entity, ds.MaxFuture = ds.Name, "profile", maxFuture
		if ds.Name == "app" {
			ds.Topic = "web"
		}
		ds.Schema, err = schemas.Parse(ds.Name+".avsc", []byte(texts[ds.Name]))
		if err != nil {
			return nil, fmt.Errorf("parsing the schema of %s: %w", ds.Name, err)
		}
	}
	if w >= Governed {
		err = addPolicies(m)
	}
	if w >= Counted {
		err = errors.Join(err, define(m, definedFirst()))
	}
	return m, err
}

// plainDatasets are those of the plain world, but for what all have alike.
func plainDatasets() []*pipeline.Dataset {
	return []*pipeline.Dataset{
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
	}
}

// govern adds operators, and a club whose records say all identities of a member.
func govern(m *pipeline.Model) {
	m.ControlTopic, m.AuditTopic = topicControl, topicAudit
	m.Datasets = append(m.Datasets, &pipeline.Dataset{
		Name: "club", Timestamp: "at", Tombstones: pipeline.TombstonesDelete, CurrentLinks: true,
		Identities: []pipeline.IdentityField{
			{Path: "no", Namespace: "crm", Primary: true},
			{Path: "email", Namespace: "email"},
			{Path: "cookies", Namespace: "cookie"},
		},
	})
}

// policySpecs are the policies besides the default one; each writes to the topic of its name.
var policySpecs = map[string]pipeline.MergeSpec{
	"ranked": {Precedence: []string{"crm", "shop"}, Overrides: map[string]pipeline.RuleSpec{
		"address.*": {Precedence: []string{"shop", "crm"}},
		"tags":      {Strategy: "latest", Union: true},
		"name":      {Strategy: "earliest"},
	}},
	"first": {Strategy: "earliest"},
	"each":  {Stitching: "none"},
}

func addPolicies(m *pipeline.Model) error {
	e := m.Entity("profile")
	for _, name := range slices.Sorted(maps.Keys(policySpecs)) {
		policy, problems := m.CompileMerge(e, name, policySpecs[name])
		if len(problems) > 0 {
			return fmt.Errorf("compiling policy %s: %w", name, &problems[0])
		}
		e.Policies = append(e.Policies, pipeline.PolicyTopic{Policy: policy, Topic: name})
	}
	return nil
}
