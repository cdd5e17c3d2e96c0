package pipeline_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"selfsame/identity"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
)

// TestWorkBoundsACommit lets a storm of cookies onto one person arrive at once: the commits that it
// takes are several, and come to what a single one comes to.
func TestWorkBoundsACommit(t *testing.T) {
	const storm = 3000
	web := pipeline.TopicPartition{Topic: "web", Partition: 0}
	arrive := func(w *world) []pipeline.Chunk {
		for n := range storm {
			w.send(web, pipeline.Record{
				Headers: []pipeline.Header{{Key: pipeline.HeaderDataset, Value: []byte("web")}},
				Value:   fmt.Appendf(nil, `{"event":"e%d","crm":"c1","cookie":"ck%d"}`, n, n)})
		}
		var chunks []pipeline.Chunk
		for _, r := range w.log.Records(web) {
			if len(chunks) == 0 || len(chunks[len(chunks)-1].Inputs) == 250 {
				chunks = append(chunks, pipeline.Chunk{TP: web, From: r.Pos.Offset})
			}
			c := &chunks[len(chunks)-1]
			c.Inputs, c.Next = append(c.Inputs, w.decoder.Decode(r)), r.Pos.Offset+1
		}
		return chunks
	}

	whole := newWorld(t, 1)
	defer whole.close()
	whole.must(whole.shard.Apply(arrive(whole), whole.now.UnixNano()))
	whole.publish()

	some := newWorld(t, 1)
	defer some.close()
	commits, last := 0, int64(0)
	var err error
	for rest := arrive(some); len(rest) > 0; commits++ {
		rest, err = some.shard.ApplySome(rest, some.now.UnixNano(), 0)
		some.must(err)
		next := some.shard.Stats().Figures().Positions[web]
		if next < last || next == last && len(rest) > 0 {
			t.Fatalf("commit %d goes on from %d to %d", commits, last, next)
		}
		last = next
	}
	some.publish()
	if commits < 2 || commits > 20 || last != storm {
		t.Errorf("%d commits, and %d of %d records are consumed", commits, last, storm)
	}
	if ds := some.shard.Stats().Figures().Datasets["web"]; ds.Accepted != storm {
		t.Errorf("%d of %d records are accepted", ds.Accepted, storm)
	}
	for _, topic := range []string{"profiles", "assignments"} {
		if want, got := whole.final(topic), some.final(topic); !maps.Equal(got, want) {
			t.Errorf("%s: %d keys, in one commit %d, or they differ", topic, len(got), len(want))
		}
	}
}

// TestContestedAmongMany lets an address that was contested go back to a person who has so many
// cookies that their links are kept in order.
func TestContestedAmongMany(t *testing.T) {
	rules, err := identity.NewRules([]identity.Namespace{
		{Name: "crm", Type: identity.CrossDevice, Unique: true},
		{Name: "email", Type: identity.Email, DropContested: true},
		{Name: "cookie", Type: identity.Cookie},
	}, 6)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		m.Entities[0].Rules = rules
		m.Datasets[0].CurrentLinks = true
	})
	defer w.close()
	crm := func(id, email string) {
		w.now = w.now.Add(time.Second)
		w.send(pipeline.TopicPartition{Topic: "crm"},
			pipeline.Record{Value: fmt.Appendf(nil, `{"id":"%s","email":"%s"}`, id, email)})
		w.drain()
	}
	cookies := 0
	browse := func(n int) {
		for range n {
			cookies++
			w.now = w.now.Add(time.Second)
			w.send(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{
				Headers: []pipeline.Header{{Key: pipeline.HeaderDataset, Value: []byte("web")}},
				Value: fmt.Appendf(nil, `{"event":"e%d","crm":"c1","cookie":"ck%d"}`, cookies,
					cookies)})
		}
		w.drain()
	}
	together := func() bool {
		held := w.final("assignments")
		newest := fmt.Sprintf("cookie:ck%d", cookies)
		return held["email:e1"] == held["crm:c1"] && held[newest] == held["crm:c1"]
	}
	crm("c1", "e1")
	browse(100)
	if !together() {
		t.Fatal("the person, the address and the newest cookie are not one")
	}
	for round := range 3 {
		crm("c2", "e1")
		browse(3)
		if together() {
			t.Fatalf("round %d: two claim the address, and it stays with one", round)
		}
		crm("c2", "e2")
		if browse(3); !together() {
			t.Fatalf("round %d: the address does not go back", round)
		}
	}
}
