package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
)

// TestDropCountsWhatRecordsClean: what corrected history removes while a dataset is deleted counts
// for the deletion that covers it, whether the job or a record comes first, and whoever crashes.
func TestDropCountsWhatRecordsClean(t *testing.T) {
	for _, links := range []string{"keep", "current"} {
		t.Run(links, func(t *testing.T) { testDropCounts(t, links == "current") })
	}
}

func testDropCounts(t *testing.T, current bool) {
	w := newWorldOn(t, memlog.Options{}, 1, func(m *pipeline.Model) {
		m.Dataset("crm").CurrentLinks = current
	})
	defer func() { w.close() }()
	const people, events, again = 150, 1200, 40
	crm, web := pipeline.TopicPartition{Topic: "crm"}, pipeline.TopicPartition{Topic: "web"}
	rnd := rand.New(rand.NewPCG(1, 2))
	send := func(people, events int, mark string) {
		for i := 1; i <= people; i++ {
			w.send(crm, pipeline.Record{Value: fmt.Appendf(nil,
				`{"id":"%d","email":"%sp%d@x.org","name":"n"}`, i, mark, i)})
		}
		for i := 1; i <= events; i++ {
			at := w.now.Add(-time.Duration(i) * time.Minute).Format(time.RFC3339)
			w.sendWeb(fmt.Sprintf(`{"event":"e%d","crm":"%d","cookie":"k%d","at":"%s"}`, i,
				1+i%people, i, at))
		}
	}
	deleted := func(id string) {
		for _, dataset := range []string{"crm", "web"} {
			w.control(`{"id":"%s-%s","op":"delete_dataset","dataset":"%s"}`, id, dataset, dataset)
		}
		w.consume(pipeline.TopicPartition{Topic: "control"}, 2)
	}
	send(people, events, "")
	w.drain()
	deleted("first")
	send(people, again, "") // corrected history; of the links of people some are said anew
	w.consume(web, again)
	w.consume(crm, people/2)
	w.publish()
	w.crash(vfs.CrashCloneCfg{})
	w.consume(crm, people-people/2)
	deleted("second")
	send(people, again, "q")
	w.consume(web, again/2)
	w.consume(crm, people/2)
	w.work(rnd, false)
	w.drain()
	w.work(rnd, false)
	for id, want := range map[string][3]uint64{
		"first-crm": {people, 0, people}, "first-web": {0, events, events},
		"second-crm": {people, 0, people}, "second-web": {0, again, again},
	} {
		row, err := w.store.Reader().Applied(id)
		w.must(err)
		if got := [3]uint64{row.Fragments, row.Events, row.Links}; got != want || row.Job != "" {
			t.Errorf("%s has removed %v, want %v; job %q", id, got, want, row.Job)
		}
	}
}
