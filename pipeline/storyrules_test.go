package pipeline_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"

	"selfsame/identity"
	"selfsame/pipeline"
	"selfsame/profile"
)

// changeRules starts the world anew, empty, under other rules: one line for each namespace or
// dataset.
func (w *world) changeRules(d *datadriven.TestData) {
	entity := w.model.Entities[0]
	var namespaces []identity.Namespace
	for _, name := range entity.Rules.Names() {
		n, _ := entity.Rules.Namespace(name)
		namespaces = append(namespaces, *n)
	}
	for line := range strings.Lines(d.Input) {
		name, rule, _ := strings.Cut(strings.TrimSpace(line), " ")
		key, value, _ := strings.Cut(rule, "=")
		n := &identity.Namespace{}
		for i := range namespaces {
			if namespaces[i].Name == name {
				n = &namespaces[i]
			}
		}
		switch key {
		case "hub_degree":
			degree, err := strconv.Atoi(value)
			w.must(err)
			n.HubDegree = degree
		case "contested":
			n.DropContested = value == "none"
		case "pseudonymous":
			idle, err := time.ParseDuration(value)
			w.must(err)
			entity.PseudonymousRetention = idle
		case "links":
			w.model.Dataset(name).CurrentLinks = value == "current"
		default:
			d.Fatalf(w.t, "unknown rule %s", line)
		}
	}
	var err error
	entity.Rules, err = identity.NewRules(namespaces, entity.Rules.MaxIdentities())
	w.must(err)
	w.must(w.store.Close())
	w.decoder = pipeline.NewDecoder(w.model)
	w.open()
}

// retire goes on with a dataset whose topic is not read any more.
func (w *world) retire(name string) {
	w.t.Helper()
	w.model.Dataset(name).Retired = true
	w.must(w.store.Close())
	w.decoder = pipeline.NewDecoder(w.model)
	w.open()
	w.publish()
}

// tellIdentity shows what the store knows of an identity and of its links.
func (w *world) tellIdentity(d *datadriven.TestData) string {
	namespace, value, _ := strings.Cut(d.CmdArgs[0].Key, ":")
	row, err := w.store.Reader().Identity("profile", profile.Identity{Namespace: namespace,
		Value: value})
	w.must(err)
	if row == nil {
		return "not known"
	}
	return w.alias(fmt.Sprintf("in %s, links %d, of them crowding %d, turned away %d, silence %03b",
		row.Cluster, row.Degree, row.Crowd, row.Beyond, row.Silence))
}
