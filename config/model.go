package config

import (
	"slices"
	"time"

	"selfsame/pipeline"
	"selfsame/profile"
)

// build makes the model. Everything wrong is in p; the model is only good where p is empty.
func (c *Config) build(p *problems) *pipeline.Model {
	m := &pipeline.Model{IDKey: c.idKey, DeadLetterTopic: c.file.DeadLetters.Topic,
		ControlTopic: c.file.Control.Topic, AuditTopic: c.file.Control.Audit,
		Limits: pipeline.Limits{
			RecordBytes:       int(c.file.Limits.RecordBytes),
			LeavesPerFragment: c.file.Limits.LeavesPerFragment,
			ArrayEdits:        c.file.Limits.ArrayEdits,
			EventIDBytes:      int(c.file.Limits.EventIDBytes),
			OutputBytes:       int(c.file.Limits.OutputBytes),
		}}
	if m.DeadLetterTopic == "" {
		p.add([]string{"dead_letters", "topic"}, "is missing")
	}
	if m.ControlTopic == "" || m.AuditTopic == "" {
		p.add([]string{"control"}, "topic and audit must name topics")
	}
	if len(c.file.Entities) == 0 {
		p.add([]string{"entities"}, "at least one entity class is needed, such as profile")
	}
	for _, name := range c.lines.keys("entities") {
		m.Entities = append(m.Entities, c.buildEntity(p, name))
	}
	if len(c.file.Datasets) == 0 {
		p.add([]string{"datasets"}, "at least one dataset is needed")
	}
	for _, name := range c.lines.keys("datasets") {
		b := &datasetBuilder{c: c, p: p, m: m, name: name, f: c.file.Datasets[name]}
		m.Datasets = append(m.Datasets, b.build())
	}
	checkTopics(p, m)
	checkShared(p, m)
	compose(p, m)
	c.compileMerges(p, m)
	c.compileComputed(p, m)
	return m
}

func (c *Config) buildEntity(p *problems, name string) *pipeline.Entity {
	f := c.file.Entities[name]
	path := []string{"entities", name}
	e := &pipeline.Entity{Name: name, IdentityTopic: f.Topics.Identity,
		AssignmentTopic: f.Topics.Assignment}
	if e.IdentityTopic == "" || e.AssignmentTopic == "" {
		p.add(append(path, "topics"), "identity and assignment must name topics")
	}
	e.Rules = buildRules(p, path, f)
	if f.Pseudonymous != nil {
		e.PseudonymousRetention = time.Duration(*f.Pseudonymous)
		if e.PseudonymousRetention == 0 {
			p.add(append(path, "pseudonymous_retention"),
				"must be more than 0; leave it out to keep cookies and devices for ever")
		}
	}
	c.buildPolicies(p, e, f)
	return e
}

func (c *Config) buildPolicies(p *problems, e *pipeline.Entity, f entity) {
	path := []string{"entities", e.Name, "policies"}
	defaults := 0
	for _, name := range c.lines.keys(path...) {
		one := f.Policies[name]
		at := slices.Concat(path, []string{name})
		if one.Topic == "" {
			p.add(at, "topic is missing")
		}
		if one.Default || len(f.Policies) == 1 {
			defaults++
		}
		format, ok := map[string]pipeline.Format{"": pipeline.FormatJSON,
			"json": pipeline.FormatJSON, "avro": pipeline.FormatAvro,
			"registry": pipeline.FormatRegistry}[one.Format]
		if !ok {
			p.add(append(at, "format"), "%q is not json, avro or registry", one.Format)
		}
		if one.Deprecated != "" && one.Deprecated != "hide" && one.Deprecated != "show" {
			p.add(append(at, "deprecated"), "%q is not hide or show", one.Deprecated)
		}
		e.Policies = append(e.Policies, pipeline.PolicyTopic{Topic: one.Topic, Format: format,
			Changes:        one.Changes,
			ShowDeprecated: one.Deprecated == "show",
			Policy:         profile.Policy{Name: name}, // the rest once the unions are there
			Default:        one.Default || len(f.Policies) == 1})
	}
	if defaults != 1 {
		p.add(path, "exactly one policy must have default: true, %d have", defaults)
	}
}

// checkTopics sees to it that no two purposes share a topic.
func checkTopics(p *problems, m *pipeline.Model) {
	use := map[string]string{}
	claim := func(topic, purpose string, path ...string) {
		if topic == "" {
			return
		}
		if other, taken := use[topic]; taken {
			p.add(path, "topic %s is used twice: as %s and as %s", topic, other, purpose)
		}
		use[topic] = purpose
	}
	for _, topic := range m.InputTopics() {
		claim(topic, "input")
	}
	claim(m.DeadLetterTopic, "dead letters", "dead_letters", "topic")
	claim(m.ControlTopic, "control topic", "control", "topic")
	claim(m.AuditTopic, "audit topic", "control", "audit")
	for _, e := range m.Entities {
		in := func(keys ...string) []string { return append([]string{"entities", e.Name}, keys...) }
		claim(e.IdentityTopic, "identity topic of "+e.Name, in("topics", "identity")...)
		claim(e.AssignmentTopic, "assignment topic of "+e.Name, in("topics", "assignment")...)
		for i := range e.Policies {
			name := e.Policies[i].Name
			claim(e.Policies[i].Topic, "profiles of policy "+name, in("policies", name, "topic")...)
			claim(e.Policies[i].Changes, "changes of policy "+name,
				in("policies", name, "changes")...)
		}
	}
}

// checkShared: datasets that share a topic are read together, so they start together, and what is
// done about a topic that does not go on is done for all of them.
func checkShared(p *problems, m *pipeline.Model) {
	first := map[string]*pipeline.Dataset{}
	for _, ds := range m.Datasets {
		other := first[ds.Topic]
		if ds.Retired {
			continue
		}
		if other == nil {
			first[ds.Topic] = ds
			continue
		}
		differs := func(key string) {
			p.add([]string{"datasets", ds.Name, key},
				"differs from that of dataset %s, which shares topic %s", other.Name, ds.Topic)
		}
		if other.Start != ds.Start {
			differs("start")
		}
		if other.Continuity != ds.Continuity {
			differs("continuity")
		}
	}
}

// compose builds the union schema of each class of each entity, for its conflicts, and for what is
// deprecated.
func compose(p *problems, m *pipeline.Model) {
	for _, e := range m.Entities {
		var err error
		e.Union, err = m.Union(e.Name, pipeline.ClassRecord)
		each(p, []string{"datasets"}, err)
		_, err = m.Union(e.Name, pipeline.ClassEvent)
		each(p, []string{"datasets"}, err)
	}
}
