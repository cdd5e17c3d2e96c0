package pipeline_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"selfsame/computed"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
)

const orderSchema = `{"type":"record","name":"orders","fields":[
	{"name":"order","type":"string"},
	{"name":"crm","type":["null","string"],"default":null},
	{"name":"cookie","type":["null","string"],"default":null},
	{"name":"amount","type":["null",{"type":"bytes","logicalType":"decimal","precision":9,
		"scale":2}],"default":null},
	{"name":"product","type":["null","string"],"default":null},
	{"name":"at","type":["null","string"],"default":null}]}`

// addOrders adds events that are worth computing with.
func addOrders(t testing.TB) func(m *pipeline.Model) {
	return func(m *pipeline.Model) {
		m.Datasets = append(m.Datasets, &pipeline.Dataset{Name: "orders", Topic: "orders",
			Entity: "profile", Class: pipeline.ClassEvent, Schema: parse(t, orderSchema),
			Timestamp: "at", EventID: "order", MaxFuture: 5 * time.Minute,
			Identities: []pipeline.IdentityField{{Path: "crm", Namespace: "crm"},
				{Path: "cookie", Namespace: "cookie"}}})
	}
}

// define sets the computed attributes of the model.
func define(t testing.TB, m *pipeline.Model, definitions ...computed.Definition) {
	t.Helper()
	class, err := m.ComputedClass("profile")
	if err != nil {
		t.Fatal(err)
	}
	m.Entities[0].Computed = nil
	for _, d := range definitions {
		compiled, err := pipeline.DefineComputed(d, class)
		if err != nil {
			t.Fatal(err)
		}
		m.Entities[0].Computed = append(m.Entities[0].Computed, compiled)
	}
}

// TestComputedStories plays stories of computed attributes.
func TestComputedStories(t *testing.T) {
	datadriven.Walk(t, "testdata/computed", func(t *testing.T, path string) {
		w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
			addOrders(t)(m)
			if strings.HasSuffix(path, "alone.txt") {
				m.Entities[0].Policies = append(m.Entities[0].Policies, pipeline.PolicyTopic{
					Policy: profile.Policy{Name: "alone", Stitching: profile.StitchNone},
					Topic:  "alone", Changes: "alone-changes"})
			}
		})
		defer w.close()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			w.t = t
			out := w.tell(d)
			if out != "" && !strings.HasSuffix(out, "\n") {
				out += "\n"
			}
			return out
		})
	})
}

// tellComputed starts the program anew with the definitions of the next lines, and says what has
// changed.
func (w *world) tellComputed(d *datadriven.TestData) string {
	var definitions []computed.Definition
	for line := range strings.Lines(d.Input) {
		def := computed.Definition{Datasets: []string{"orders"}}
		w.must(json.Unmarshal([]byte(line), &def))
		definitions = append(definitions, def)
	}
	define(w.t, w.model, definitions...)
	w.must(w.store.Close())
	w.open()
	return ""
}

// tellAttributes says what there is of computed attributes.
func (w *world) tellAttributes() string {
	status, err := pipeline.NewLookup(w.model, w.store).Computed("profile")
	w.must(err)
	var lines []string
	for _, a := range status.Attributes {
		lines = append(lines, fmt.Sprintf("%s %s %s %s%s ready=%s since=%s", a.Name, a.State,
			a.Type, a.Spec.Function, pipeline.Said(a.Spec.Filter), a.Ready, a.Since))
	}
	if status.Job != nil {
		lines = append(lines, fmt.Sprintf("%s %s %d of %d", status.Job.ID, status.Job.Phase,
			status.Job.Done, status.Job.Total))
	}
	return strings.Join(lines, "\n")
}

func (w *world) tellReadings() string {
	var lines []string
	for key, n := range w.shard.Stats().Figures().ComputedReadings {
		if n > 0 {
			lines = append(lines, fmt.Sprintf("%s %s %d", key.Attribute, key.Kind, n))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
