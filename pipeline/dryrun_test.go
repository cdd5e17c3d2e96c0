package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
)

// TestDryRun: what a dry run says is what the operation then removes, and it changes nothing.
func TestDryRun(t *testing.T) {
	for range seeds(6) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { testDryRun(t, seed) })
	}
}

func testDryRun(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWorldOn(t, memlog.Options{}, 2, func(m *pipeline.Model) {
		m.Dataset("crm").CurrentLinks = rnd.IntN(2) == 0
		if rnd.IntN(2) == 0 {
			m.Entities[0].Policies = append(m.Entities[0].Policies, pipeline.PolicyTopic{
				Policy: profile.Policy{Name: "alone", Stitching: profile.StitchNone},
				Topic:  "alone"})
		}
	})
	defer w.close()
	w.lay(rnd, distinct(facts(rnd, 200)), 2)
	w.drain()
	lookup := pipeline.NewLookup(w.model, w.store)
	for i := range 12 {
		id := fmt.Sprintf([]string{"crm:%d", "email:p%d@x.org", "cookie:k%d"}[rnd.IntN(3)],
			1+rnd.IntN(11))
		about := fmt.Sprintf(`"identities":["%s"]`, id)
		op := []string{"delete_profile", "delete_fragment", "delete_events", "delete_dataset",
			"erase", "unlink", "block_value", "reset_hub"}[rnd.IntN(8)]
		switch op {
		case "delete_dataset":
			about = `"dataset":"shop"`
		case "delete_fragment":
			about += `,"dataset":"crm"`
		case "delete_events":
			about += `,"dataset":"web"`
		}
		text := fmt.Sprintf(`{"id":"dry%d","op":"%s",%s}`, i, op, about)
		before := w.held()
		w.now = w.now.Add(time.Second)
		dry, err := lookup.DryRun(context.Background(), []byte(text), w.now)
		w.must(err)
		compareFinal(t, before, w.held(), "after a dry run")
		together := w.together(id)
		w.control("%s", text)
		w.drain()
		w.work(rnd, false)
		row, err := w.store.Reader().Applied(fmt.Sprintf("dry%d", i))
		w.must(err)
		if dry.Fragments != row.Fragments || dry.Events != row.Events || dry.Links != row.Links {
			t.Errorf("%s: dry %d %d %d, removed %d %d %d", text, dry.Fragments, dry.Events,
				dry.Links, row.Fragments, row.Events, row.Links)
		}
		slices.SortFunc(dry.Identities, profile.Identity.Compare)
		if op == "erase" && len(together) > 0 && !slices.Equal(dry.Identities, together) {
			t.Errorf("%s: dry %v, acted on %v", text, dry.Identities, together)
		}
	}
}

// TestDryRunRefused: what would be refused is.
func TestDryRunRefused(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	w.control(`{"id":"er","op":"erase","identities":["crm:77"],"suppress":true}`)
	w.drain()
	lookup := pipeline.NewLookup(w.model, w.store)
	try := func(text string) error {
		_, err := lookup.DryRun(context.Background(), []byte(text), w.now)
		return err
	}
	var rejection *pipeline.Rejection
	var query *pipeline.QueryError
	if err := try(`{"id":"a","op":"remerge"}`); !errors.As(err, &query) {
		t.Errorf("remerge: %v", err)
	}
	if err := try(`{"id":"a","op":"erase"}`); !errors.As(err, &rejection) {
		t.Errorf("without an identity: %v", err)
	}
	err := try(`{"id":"a","op":"delete_profile","identities":["crm:77"]}`)
	if !errors.As(err, &rejection) || rejection.Reason != pipeline.ReasonErased {
		t.Errorf("of somebody who was erased: %v", err)
	}
}

// TestSearchTopic: of a compacted topic only the last record of a key counts.
func TestSearchTopic(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	for range 2 {
		w.send(crm0, pipeline.Record{Value: []byte(
			`{"id":"annsnumber","email":"ann@example.org","name":"Ann Sparrow"}`)})
		w.drain()
		w.now = w.now.Add(1e9)
		w.send(crm0, pipeline.Record{Value: []byte(`{"id":"annsnumber","name":"A. Sparrow"}`)})
		w.drain()
	}
	search := func(topic string, compacted bool) (current, overwritten int) {
		found, err := pipeline.SearchTopic(context.Background(), w.log.Quick(), topic, compacted,
			[]profile.Needle{profile.NewNeedle("ANN@example.org")})
		w.must(err)
		for _, trace := range found[0] {
			current += trace.Current
			overwritten += trace.Overwritten
		}
		return current, overwritten
	}
	if current, over := search("profiles", true); current != 1 || over != 3 {
		t.Errorf("profiles: %d current, %d overwritten", current, over)
	}
	if current, over := search("profiles", false); current != 4 || over != 0 {
		t.Errorf("not compacted: %d current, %d overwritten", current, over)
	}
	w.control(`{"id":"er","op":"erase","identities":["crm:annsnumber"]}`)
	w.drain()
	for _, topic := range w.model.CompactedTopics() {
		if current, over := search(topic, true); current != 0 || over == 0 {
			t.Errorf("%s, erased: %d current, %d overwritten", topic, current, over)
		}
	}
	if current, _ := search("identity", false); current != 1 {
		t.Errorf("identity topic: %d", current)
	}
}
