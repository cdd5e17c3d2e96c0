package pipeline_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/store"
)

var crm1 = pipeline.TopicPartition{Topic: "crm", Partition: 1}

// TestBrokerAway: however many partitions that concerns, it is said once, and once when it is over.
func TestBrokerAway(t *testing.T) {
	run(t, memlog.Options{}, nil, func(l *live) {
		l.log.FailFetch(50, errors.New("nobody there"))
		l.produce(0, 10)
		l.wait(10 * time.Minute)
		l.want(store.InputRunning, 10, 10)
		text := l.said("nobody there", "reading goes on")
		if strings.Count(text, "level=WARN") != 1 || strings.Count(text, "level=INFO") != 1 {
			t.Errorf("said more than once:\n%s", text)
		}
	})
}

// TestTopicMissing: a topic that is deleted is waited for, and the others are read.
func TestTopicMissing(t *testing.T) {
	run(t, memlog.Options{}, continuing(pipeline.ContinuityRewind), func(l *live) {
		l.produce(0, 10)
		l.log.DeleteTopic("crm")
		l.log.FailFetch(2, errors.New("nobody there")) // of other topics: that ends, this does not
		l.wait(10 * time.Minute)
		text := l.said("unknown topic", `msg="reading goes on" what=kafka`)
		if strings.Contains(text, `msg="reading goes on" what="topic crm"`) {
			t.Errorf("goes on without the topic:\n%s", text)
		}
		l.want(store.InputRunning, 10, 10)
		l.log.CreateTopic("crm", 1)
		l.produce(0, 3)
		l.wait(10 * time.Minute)
		l.want(store.InputRunning, 3, 13)
		l.log.AddPartitions("crm", 1)
		l.wait(10 * time.Minute)
		l.said(`msg="reading goes on" what="topic crm"`)
	})
}

// TestNewLeaders: a log that goes on under another leader goes on, whatever compaction has taken.
func TestNewLeaders(t *testing.T) {
	run(t, memlog.Options{NoTopicIDs: true}, nil, func(l *live) {
		l.produce(0, 10)
		l.log.Truncate(crm0, 10) // loses nothing and begins an epoch
		l.produce(0, 10)
		l.log.Append(crm0, pipeline.Record{Key: []byte("k20"), Time: time.Now().UnixNano(),
			Value: []byte(`{"id":"20"}`)})
		l.log.Compact(crm0) // takes the record before the last, which is the anchor below
		l.wait(time.Second)
		l.want(store.InputRunning, 21, 21)
		l.stop()
		l.log.Append(crm0, pipeline.Record{Key: []byte("k20"), Time: time.Now().UnixNano(),
			Value: []byte(`{"id":"20"}`)})
		l.log.Compact(crm0)
		l.must(l.store.Close())
		l.open()
		l.begin()
		l.want(store.InputRunning, 22, 1)
		if text := l.said(); text != "" {
			t.Errorf("silence is health:\n%s", text)
		}
		l.stop()
		l.log.CreateTopic("crm", 2) // by a broker without ids: the epoch falls
		l.produce(0, 30)
		l.log.Compact(crm0)
		l.must(l.store.Close())
		l.open()
		l.begin()
		l.want(store.InputHalted, 22, 0)
		l.said("recreated: ")
	})
}

// TestStartIsCommitted: what the start meant at first is what it means after a restart, and
// partitions that are added begin with their first record.
func TestStartIsCommitted(t *testing.T) {
	latest := func(m *pipeline.Model) {
		m.Dataset("crm").Start = pipeline.Start{Kind: pipeline.StartLatest}
	}
	run(t, memlog.Options{}, latest, func(l *live) {
		l.stop()
		l.must(l.store.Close())
		l.fs = memFS() // as if it had never run
		l.open()
		l.produce(0, 10)
		l.begin()
		l.want(store.InputRunning, 10, 0)
		l.stop()
		l.must(l.store.Close())
		l.produce(0, 5)
		l.open()
		l.begin()
		l.want(store.InputRunning, 15, 5)
		l.log.AddPartitions("crm", 1)
		l.produce(2, 3)
		l.wait(time.Minute)
		l.want(store.InputRunning, 15, 8)
		l.stop()
		l.must(l.store.Close())
		l.log.AddPartitions("crm", 1)
		l.produce(3, 2)
		l.open()
		l.begin()
		l.want(store.InputRunning, 15, 2)
	})
}

// TestPause: nothing of a topic is consumed while it is paused, and nothing is missing afterwards.
func TestPause(t *testing.T) {
	run(t, memlog.Options{}, nil, func(l *live) {
		l.produce(0, 10)
		l.control("pause_dataset", "crm", `,"note":"holiday"`)
		l.produce(0, 1000)
		l.produce(1, 1)
		l.want(store.InputPaused, 10, 10)
		l.said("level=INFO", "holiday", "selfsame dataset resume crm")
		l.log.AddPartitions("crm", 1)
		l.produce(2, 1)
		l.wait(time.Minute)
		l.restart()
		l.want(store.InputPaused, 10, 0)
		l.resume("crm", store.ResumeAsIs)
		l.want(store.InputRunning, 1010, 1002)
		l.said("is read again")
		l.restart()
		if text := l.said(); text != "" {
			t.Errorf("silence is health:\n%s", text)
		}
	})
}

// TestReadAgain: an operator can have everything read again, once.
func TestReadAgain(t *testing.T) {
	run(t, memlog.Options{}, nil, func(l *live) {
		l.produce(0, 10)
		l.produce(1, 5)
		before := l.final("profiles")
		l.resume("crm", store.ResumeRewind)
		l.want(store.InputRunning, 10, 30)
		l.restart()
		l.want(store.InputRunning, 10, 0)
		l.pause("crm")
		l.log.Expire(crm1, 2)
		l.resume("crm", store.ResumeRewind)
		l.want(store.InputRunning, 10, 13)
		if n := l.shard.Stats().Figures().Lost["crm"]; n != 0 {
			t.Errorf("%d counted as lost that were consumed before", n)
		}
		compareFinal(t, before, l.final("profiles"), "read again")
		if f := l.shard.Stats().Figures().Datasets["crm"]; f.Superseded != 13 {
			t.Errorf("read again: %+v", f)
		}
	})
}

// TestTooManyRejects: the topic stops with the very record that passes the limit, for all of its
// datasets, and counts anew when it is resumed.
func TestTooManyRejects(t *testing.T) {
	web0 := pipeline.TopicPartition{Topic: "web"}
	limit := func(m *pipeline.Model) {
		m.Dataset("web").MaxRejectedShare, m.Dataset("web").RejectedWindow = 0.4, 10
	}
	run(t, memlog.Options{}, limit, func(l *live) {
		send := func(values ...string) {
			for _, value := range values {
				l.log.Append(web0, pipeline.Record{
					Time: time.Now().UnixNano(), Value: []byte(value),
					Headers: []pipeline.Header{{Key: pipeline.HeaderDataset, Value: []byte("web")}},
				})
			}
		}
		want := func(state store.InputState, next int64, rejected uint64) {
			t.Helper()
			l.wait(time.Second)
			f := l.shard.Stats().Figures()
			if f.Inputs["web"].State != state || f.Positions[web0] != next ||
				f.Datasets["web"].Consumed != uint64(next) && f.Datasets["web"].Consumed != 0 {
				t.Errorf("web is %s at %d, want %s at %d: %+v", f.Inputs["web"].State,
					f.Positions[web0], state, next, f.Datasets["web"])
			}
			if d := f.Datasets["web"]; d.RejectedTotal() != rejected {
				t.Errorf("%d rejected, want %d", d.RejectedTotal(), rejected)
			}
		}
		good := `{"event":"e","cookie":"c"}`
		send("{", "{", "{", `{"event":1}`, good, good, good, good, good, good) // 4 of 10 are borne
		want(store.InputRunning, 10, 4)
		send(good, "{", "{", "{", "{", "{", good, good) // the last but two is the fifth of ten
		want(store.InputStopped, 16, 9)
		l.said("level=ERROR", "dataset web: 50.0% of its last 10 records were rejected",
			"most often malformed", "selfsame dataset resume web")
		if audit := l.emitted("audit"); !strings.Contains(audit, `"op":"input_stopped"`) {
			t.Errorf("audit: %s", audit)
		}
		l.resume("web", store.ResumeAsIs)
		want(store.InputRunning, 18, 9)
		send("{", "{", "{", "{", "{")
		want(store.InputRunning, 23, 14) // 5, but of too few to judge
		send(good, good, good, good, good)
		want(store.InputStopped, 26, 14)
		l.produce(0, 10)
		l.want(store.InputRunning, 10, 10)
	})
}

// TestControlGoesOn: operators pause and resume through the control topic, and nothing that becomes
// of that topic keeps them from it.
func TestControlGoesOn(t *testing.T) {
	run(t, memlog.Options{}, nil, func(l *live) {
		l.pause("crm")
		l.produce(0, 10)
		l.want(store.InputPaused, 0, 0)
		l.resume("crm", store.ResumeAsIs)
		l.want(store.InputRunning, 10, 10)
		l.log.DeleteTopic("control")
		l.wait(time.Second)
		l.log.CreateTopic("control", 1)
		l.wait(time.Minute)
		l.said("recreated: ", "going on elsewhere")
		l.orders = 0
		l.pause("crm") // by the id that was applied already
		l.want(store.InputRunning, 10, 10)
		l.orders = 2
		l.resume("crm", store.ResumeRewind)
		l.want(store.InputRunning, 10, 20)
	})
}
