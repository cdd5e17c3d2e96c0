package pipeline_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// jobs lists what the store holds of jobs.
func (w *world) jobs() map[string]store.Job {
	w.t.Helper()
	all := map[string]store.Job{}
	w.must(w.store.Reader().Jobs(func(job *store.Job) error {
		all[job.ID] = *job
		return nil
	}))
	return all
}

func (w *world) control(format string, args ...any) {
	w.t.Helper()
	value := fmt.Sprintf(format, args...)
	if r := w.model.CheckControl([]byte(value)); r != nil {
		w.t.Fatal(r)
	}
	w.send(pipeline.TopicPartition{Topic: "control"}, pipeline.Record{Value: []byte(value)})
}

// TestRemergeUnderTraffic merges everything anew while records arrive and the process crashes on
// the way: every profile is emitted again, and in the end consumers hold what the records say.
func TestRemergeUnderTraffic(t *testing.T) {
	const people = 1500
	w := newWorld(t, 1)
	defer func() { w.close() }()
	crm := pipeline.TopicPartition{Topic: "crm"}
	for i := range people {
		w.send(crm, pipeline.Record{Value: fmt.Appendf(nil, `{"id":"%d","name":"n"}`, i+1)})
	}
	w.drain()
	before := w.final("profiles")
	w.emitted("profiles")
	w.control(`{"id":"again","op":"remerge","all":true}`)
	w.consume(pipeline.TopicPartition{Topic: "control"}, 1)
	if !w.shard.Busy(w.now.UnixNano()) {
		t.Fatal("no work to do")
	}
	steps, lastDone := 0, w.jobs()["again"].Done
	for ; w.shard.Busy(w.now.UnixNano()); steps++ {
		if steps == 5 {
			w.publish()
			w.crash(vfs.CrashCloneCfg{})
		}
		w.send(crm, pipeline.Record{Value: fmt.Appendf(nil, `{"id":"%d","name":"m"}`,
			steps+1)})
		if w.consume(crm, 10) == 0 {
			t.Fatal("traffic does not flow")
		}
		job := w.jobs()["again"]
		if job.Done < lastDone || job.Done-lastDone > 100 || job.Total < job.Done {
			t.Fatalf("step %d: %d of %d done, before it %d", steps, job.Done, job.Total, lastDone)
		}
		lastDone = job.Done
	}
	w.publish()
	if job := w.jobs()["again"]; job.State != store.JobDone || job.Done < people || steps < 10 {
		t.Errorf("in the end: %+v after %d steps", job, steps)
	}
	emitted := map[string]int{}
	for line := range strings.SplitSeq(w.emitted("profiles"), "\n") {
		key, _, _ := strings.Cut(line, " ")
		emitted[key]++
	}
	if len(emitted) != people {
		t.Errorf("%d of %d profiles were emitted again", len(emitted), people)
	}
	after := w.final("profiles")
	changed := 0
	for key, value := range after {
		if before[key] != value {
			changed++
		}
	}
	if len(after) != people || changed != steps {
		t.Errorf("%d profiles, %d changed; want %d, %d", len(after), changed, people, steps)
	}
}

// TestRemergeOfNothingNew emits nothing.
func TestRemergeOfNothingNew(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	for i := range 1200 {
		w.send(pipeline.TopicPartition{Topic: "crm"},
			pipeline.Record{Value: fmt.Appendf(nil, `{"id":"%d","name":"n"}`, i)})
	}
	w.drain()
	w.emitted("profiles")
	w.control(`{"id":"again","op":"remerge"}`)
	w.drain()
	w.tellWork()
	if got := w.emitted("profiles"); got != "" {
		t.Errorf("emitted %s", got)
	}
}

// TestPurgeInSteps deletes a profile of more events than one commit removes: its floor holds at
// once, the events go in the background, and copies do not come back.
func TestPurgeInSteps(t *testing.T) {
	const events = 3500
	w := newWorld(t, 1)
	defer func() { w.close() }()
	web := pipeline.TopicPartition{Topic: "web"}
	headers := []pipeline.Header{{Key: "selfsame-dataset", Value: []byte("web")}}
	one := func(i int) pipeline.Record {
		return pipeline.Record{Headers: headers, Value: fmt.Appendf(nil,
			`{"event":"e%d","crm":"1","cookie":"c%d"}`, i, i%3)}
	}
	for i := range events {
		w.send(web, one(i))
	}
	w.drain()
	w.control(`{"id":"gone","op":"delete_profile","identities":["cookie:c1"]}`)
	w.consume(pipeline.TopicPartition{Topic: "control"}, 1)
	w.crash(vfs.CrashCloneCfg{})
	w.now = w.now.Add(time.Second)
	w.send(web, pipeline.Record{Headers: headers, Value: []byte(
		`{"event":"new","cookie":"c2"}`)})
	w.send(web, one(7)) // a copy, written again: later than the deletion, but of a known id
	w.drain()
	if job := w.jobs()["gone"]; job.State != store.JobRunning && job.Done == 0 {
		t.Errorf("the job: %+v", job)
	}
	w.tellWork()
	left := 0
	for _, cookie := range []string{"cookie:c0", "cookie:c1", "cookie:c2", "crm:1"} {
		id := identityOf(t, cookie)
		w.must(w.store.Reader().EventRefs("profile", id, func(store.EventRef) error {
			left++
			return nil
		}))
	}
	if left != 1 {
		t.Errorf("%d events are left, want the new one", left)
	}
	applied, err := w.store.Reader().Applied("gone")
	w.must(err)
	if applied == nil || applied.Events != events || applied.Job != "" {
		t.Errorf("applied: %+v", applied)
	}
	if audit := w.emitted("audit"); !strings.Contains(audit, `"outcome":"done"`) ||
		!strings.Contains(audit, fmt.Sprintf(`"events":%d`, events)) {
		t.Errorf("audit: %s", audit)
	}
}

// TestTimersAreBounded lets more timers be due at one moment than one commit works off.
func TestTimersAreBounded(t *testing.T) {
	const jobs = 1200
	w := newWorld(t, 1)
	defer w.close()
	for i := range jobs {
		w.control(`{"id":"j%d","op":"remerge"}`, i)
	}
	w.drain()
	w.tellWork()
	if n := len(w.jobs()); n != jobs {
		t.Fatalf("%d jobs", n)
	}
	if n := w.shard.Stats().Figures().TimersWaiting; n != jobs {
		t.Errorf("%d timers wait", n)
	}
	w.now = w.now.Add(8 * 24 * time.Hour)
	w.must(w.store.Close())
	w.open()
	before := jobs
	for steps := 0; w.shard.Busy(w.now.UnixNano()); steps++ {
		w.must(w.shard.Apply(nil, w.now.UnixNano()))
		if now := len(w.jobs()); before-now > 500 || now >= before {
			t.Fatalf("step %d: %d jobs, before it %d", steps, now, before)
		}
		before = len(w.jobs())
	}
	f := w.shard.Stats().Figures()
	if before != 0 || f.TimersFired != jobs || f.TimersWaiting != 0 {
		t.Errorf("%d jobs are left; fired %d, waiting %d", before, f.TimersFired, f.TimersWaiting)
	}
}

func identityOf(t *testing.T, text string) profile.Identity {
	t.Helper()
	id, ok := profile.ParseIdentity(text)
	if !ok {
		t.Fatal(text)
	}
	return id
}
