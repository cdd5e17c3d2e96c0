package pipeline_test

import (
	"testing"
	"time"

	"selfsame/pipeline"
	"selfsame/profile"
)

const (
	identityMapType = `["null",{"type":"map","values":{"type":"array","items":{"type":"record",
		"name":"item","fields":[{"name":"id","type":"string"},
		{"name":"primary","type":["null","boolean"],"default":null}]}}}]`
	xdmSchema = `{"type":"record","name":"person","fields":[
		{"name":"identityMap","type":` + identityMapType + `,"default":null},
		{"name":"name","type":["null","string"],"default":null},
		{"name":"city","type":["null","string"],"default":null}]}`
	xdmEventSchema = `{"type":"record","name":"event","fields":[
		{"name":"_id","type":"string"},
		{"name":"timestamp","type":"string"},
		{"name":"identityMap","type":` + identityMapType + `,"default":null},
		{"name":"page","type":["null","string"],"default":null}]}`
)

// addEnveloped adds datasets whose records come in envelopes.
func addEnveloped(t testing.TB) func(m *pipeline.Model) {
	row := func(name string) *pipeline.Dataset {
		return &pipeline.Dataset{Name: name, Topic: name, Entity: "profile",
			Schema: parse(t, crmSchema), Envelope: pipeline.EnvelopeDebezium,
			Mode: pipeline.OpReplace, Tombstones: pipeline.TombstonesIgnore,
			Nulls: profile.NullsAbsent, MaxFuture: 5 * time.Minute,
			Identities: []pipeline.IdentityField{
				{Path: "id", Namespace: "crm", Primary: true},
				{Path: "email", Namespace: "email"},
			}}
	}
	dated := row("dated")
	dated.Timestamp, dated.Tombstones = "at", pipeline.TombstonesDelete
	log := row("log")
	log.Class, log.EventID, log.Mode = pipeline.ClassEvent, "name", pipeline.OpUpsert
	return func(m *pipeline.Model) {
		m.Datasets = append(m.Datasets, row("rows"), dated, log,
			&pipeline.Dataset{Name: "xdm", Topic: "xdm", Entity: "profile",
				Schema: parse(t, xdmSchema), Envelope: pipeline.EnvelopeXDM,
				IdentityMap: "identityMap", MaxFuture: 5 * time.Minute},
			&pipeline.Dataset{Name: "xdmevents", Topic: "xdmevents", Entity: "profile",
				Class: pipeline.ClassEvent, Schema: parse(t, xdmEventSchema),
				Envelope: pipeline.EnvelopeXDM, IdentityMap: "identityMap",
				EventID: "_id", Timestamp: "timestamp", MaxFuture: 5 * time.Minute})
	}
}
