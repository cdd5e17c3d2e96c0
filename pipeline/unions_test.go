package pipeline_test

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
)

// TestStoreRemembersUnions: once something is stored, unions may only grow.
func TestStoreRemembersUnions(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	adopt := func(m *pipeline.Model) (string, error) {
		changes, err := pipeline.AdoptUnions(m, w.store)
		var all []string
		for _, c := range changes {
			all = append(all, c.Class)
			for _, one := range c.Changes {
				all = append(all, one.Path+" "+string(one.Kind))
			}
		}
		return strings.Join(all, ", "), err
	}
	expect := func(m *pipeline.Model, want string) {
		t.Helper()
		if got, err := adopt(m); err != nil || got != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
	narrow := testModel(t)
	narrow.Dataset("crm").Schema = parse(t, strings.Replace(crmSchema, `"int"`, `"string"`, 1))
	expect(narrow, "profile, profile.events")
	expect(w.model, "profile, profile.events") // nothing was stored under the first one
	w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{Value: []byte(`{"id":"1"}`)})
	w.drain()
	w.crash(vfs.CrashCloneCfg{})
	expect(w.model, "")

	grown := testModel(t)
	grown.Dataset("crm").Schema = parse(t, strings.Replace(crmSchema, `"int"`, `"long"`, 1))
	expect(grown, "profile, age widened")
	expect(grown, "")

	refused := map[string]func(m *pipeline.Model){
		"age was long and is now int: give the new type": func(*pipeline.Model) {},
		"age was long and is now string": func(m *pipeline.Model) {
			m.Dataset("crm").Schema = parse(t, strings.Replace(crmSchema, `"int"`, `"string"`, 1))
		},
		"tier (string) is gone from the union schema: keep the field": func(m *pipeline.Model) {
			m.Dataset("shop").Schema = parse(t, strings.Replace(shopSchema, "tier", "level", 1))
		},
		"dataset shop is gone from the configuration but what it said is kept " +
			"(gone with it: tier): declare it with retired: true": func(m *pipeline.Model) {
			m.Datasets = append(m.Datasets[:1:1], m.Datasets[2:]...)
		},
		"class profile.events cannot change like this:\ndataset app, web is gone": func(
			m *pipeline.Model) {
			m.Datasets = m.Datasets[:2]
		},
	}
	for want, change := range refused {
		m := testModel(t)
		change(m)
		_, err := adopt(m)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	grown.Dataset("shop").Retired = true
	expect(grown, "")
}

// TestRetiredDataset: what it said stays, its topic is not read, records that name it are rejected.
func TestRetiredDataset(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	shop, web := pipeline.TopicPartition{Topic: "shop"}, pipeline.TopicPartition{Topic: "web"}
	buy := w.encode(w.model.Dataset("shop"), `{"mail":"ann@x.org","tier":"gold"}`)
	w.send(shop, pipeline.Record{Value: buy})
	w.drain()

	w.model.Dataset("shop").Retired, w.model.Dataset("app").Retired = true, true
	w.decoder = pipeline.NewDecoder(w.model)
	w.crash(vfs.CrashCloneCfg{})
	if got := strings.Join(w.model.InputTopics(), " "); got != "crm web" {
		t.Errorf("reads %s", got)
	}
	if _, shown := w.shard.Stats().Figures().Positions[shop]; shown {
		t.Error("the position of a topic that is not read is reported")
	}
	w.send(web, pipeline.Record{Value: []byte(`{"event":"1","login":"7"}`)})
	w.send(web, pipeline.Record{Value: []byte(`{"event":"2","cookie":"c"}`),
		Headers: []pipeline.Header{{Key: pipeline.HeaderDataset, Value: []byte("app")}}})
	w.send(pipeline.TopicPartition{Topic: "control"}, pipeline.Record{
		Value: []byte(`{"id":"1","op":"pause_dataset","dataset":"shop"}`)})
	w.drain()
	f := w.shard.Stats().Figures()
	if f.Datasets["web"].Accepted != 1 || f.Datasets[""].Rejected["unknown_dataset"] != 1 ||
		f.Datasets[pipeline.ControlName].Rejected["bad_operation"] != 1 {
		t.Errorf("counts %+v", f.Datasets)
	}
	answer, err := pipeline.NewLookup(w.model, w.store).Find(
		pipeline.Query{Class: "profile", Namespace: "email", Value: "ann@x.org"})
	if err != nil || answer == nil || !strings.Contains(string(answer.JSON(false)), `"gold"`) {
		t.Errorf("what the retired dataset said is not there: %v, %v", answer, err)
	}
}

// TestDeprecatedFields: hidden where a policy does not show them, in the topic, in the API and in
// exports; records that carry them are taken.
func TestDeprecatedFields(t *testing.T) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		crm := strings.Replace(crmSchema, `{"name":"age",`, `{"name":"age","deprecated":true,`, 1)
		crm = strings.Replace(crm, `{"name":"zip",`, `{"name":"zip","deprecated":true,`, 1)
		// The shop goes on with the field name, so it stays visible.
		crm = strings.Replace(crm, `{"name":"name",`, `{"name":"name","deprecated":true,`, 1)
		m.Dataset("crm").Schema = parse(t, crm)
		e := m.Entities[0]
		e.Policies = append(e.Policies, pipeline.PolicyTopic{Topic: "full", ShowDeprecated: true,
			Policy: profile.Policy{Name: "full"}})
		var err error
		if e.Union, err = m.Union("profile", pipeline.ClassRecord); err != nil {
			t.Fatal(err)
		}
	})
	defer w.close()
	w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{Value: []byte(
		`{"id":"1","name":"Ann","age":30,"address":{"city":"Ulm","zip":"89073"}}`)})
	w.drain()
	hidden := `"attributes":{"address":{"city":"Ulm"},"id":"1","name":"Ann"}`
	shown := `"attributes":{"address":{"city":"Ulm","zip":"89073"},"age":30,"id":"1","name":"Ann"}`
	for policy, want := range map[string]string{"default": hidden, "full": shown} {
		topic := map[string]string{"default": "profiles", "full": "full"}[policy]
		var export strings.Builder
		lookup := pipeline.NewLookup(w.model, w.store)
		x, err := lookup.Export(pipeline.ExportQuery{Class: "profile", Policy: policy})
		w.must(err)
		_, err = x.Stream(t.Context(), &export)
		w.must(err)
		answer, err := lookup.Find(pipeline.Query{Class: "profile", Namespace: "crm", Value: "1",
			Policy: policy})
		w.must(err)
		for where, got := range map[string]string{"topic": w.emitted(topic),
			"API": string(answer.JSON(true)), "export": export.String()} {
			origin := policy == "full" && where == "API"
			if !strings.Contains(got, want) || strings.Contains(got, `"age":{`) != origin {
				t.Errorf("%s of %s: got %s, want %s", where, policy, got, want)
			}
		}
	}
}
