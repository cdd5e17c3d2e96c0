package pipeline_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/store"
)

func TestRunConsumes(t *testing.T) {
	run(t, memlog.Options{}, nil, func(l *live) {
		l.produce(0, 600)
		l.want(store.InputRunning, 600, 600)
		l.restart()
		l.produce(0, 5)
		l.want(store.InputRunning, 605, 5)
		l.wait(time.Hour)
		if text := l.said(); text != "" {
			t.Errorf("silence is health:\n%s", text)
		}
	})
}

// outcome is where partition 0 of crm ends up, how many records of it are consumed on the way, and
// how many are passed over.
type ending struct {
	next           int64
	consumed, lost uint64
}

// harms are what can happen to a log of which 100 records were consumed, and what each policy makes
// of it.
var harms = []struct {
	name         string
	options      memlog.Options
	harm         func(l *live)
	live         bool // also while the daemon runs
	found        string
	rewind, skip ending
}{
	{
		name: "expired", found: "expired: ",
		harm: func(l *live) {
			l.produce(0, 50)
			l.log.Expire(crm0, 120)
		},
		rewind: ending{150, 30, 20}, skip: ending{150, 30, 20},
	},
	{
		name: "cut short", found: "truncated: ", live: true,
		harm:   func(l *live) { l.log.Truncate(crm0, 60) },
		rewind: ending{60, 60, 0}, skip: ending{60, 0, 0},
	},
	{
		name: "cut short and written on", found: "truncated: ", live: true,
		harm:   func(l *live) { l.log.Truncate(crm0, 60, l.records(60)...) },
		rewind: ending{120, 120, 0}, skip: ending{120, 20, 0},
	},
	{
		name: "made anew, shorter", found: "recreated: ", live: true,
		harm: func(l *live) {
			l.makeAnew()
			l.produce(0, 40)
		},
		rewind: ending{40, 40, 0}, skip: ending{40, 0, 40},
	},
	{
		name: "made anew, longer", found: "recreated: ", live: true,
		harm: func(l *live) {
			l.makeAnew()
			l.produce(0, 130)
		},
		rewind: ending{130, 130, 0}, skip: ending{130, 30, 100},
	},
	{
		name: "made anew by a broker that tells no ids", found: "truncated: ",
		options: memlog.Options{NoTopicIDs: true},
		harm: func(l *live) {
			l.log.CreateTopic("crm", 2)
			l.produce(0, 130)
		},
		rewind: ending{130, 130, 0}, skip: ending{130, 30, 0},
	},
}

// TestBreaks: each case under each policy, found at the start and while the daemon runs.
func TestBreaks(t *testing.T) {
	for _, h := range harms {
		for _, running := range []bool{false, true} {
			if running && !h.live {
				continue
			}
			harm := func(l *live) {
				if !running {
					l.stop()
				}
				h.harm(l)
				if !running {
					l.must(l.store.Close())
					l.open()
					l.begin()
				}
				l.wait(time.Minute)
			}
			name := fmt.Sprintf("%s, running=%t", h.name, running)
			before := uint64(0)
			if running {
				before = 150
			}
			for policy, want := range map[pipeline.Continuity]ending{
				pipeline.ContinuityRewind: h.rewind, pipeline.ContinuitySkip: h.skip,
			} {
				t.Run(fmt.Sprintf("%s, policy %d", name, policy), func(t *testing.T) {
					run(t, h.options, continuing(policy), func(l *live) {
						l.produce(0, 100)
						l.produce(1, 50)
						harm(l)
						l.want(store.InputRunning, want.next, before+want.consumed)
						l.said(h.found, "going on elsewhere")
						l.wantMoved(want)
					})
				})
			}
			for how, want := range map[store.Resume]ending{
				store.ResumeRewind: h.rewind, store.ResumeSkip: h.skip,
			} {
				t.Run(fmt.Sprintf("%s, halt and resume %d", name, how), func(t *testing.T) {
					run(t, h.options, nil, func(l *live) {
						l.produce(0, 100)
						l.produce(1, 50)
						harm(l)
						l.haltedAndResumed(h.found, how, want)
					})
				})
			}
		}
	}
}

// makeAnew deletes the topic and, as an operator would, makes it again a while later.
func (l *live) makeAnew() {
	l.log.DeleteTopic("crm")
	l.wait(time.Second)
	l.log.CreateTopic("crm", 2)
}

func continuing(policy pipeline.Continuity) func(m *pipeline.Model) {
	return func(m *pipeline.Model) { m.Dataset("crm").Continuity = policy }
}

// haltedAndResumed: the topic is not read, across restarts, until an operator says how to go on;
// the other topics are.
func (l *live) haltedAndResumed(found string, how store.Resume, want ending) {
	l.t.Helper()
	consumed := l.shard.Stats().Figures().Datasets["crm"].Consumed
	l.want(store.InputHalted, 100, consumed)
	l.said("level=ERROR", "state=halted", found,
		"selfsame dataset resume crm --rewind", "selfsame dataset resume crm --skip")
	l.wait(time.Minute)
	l.said("level=ERROR")
	l.restart()
	l.said("level=ERROR", "state=halted")
	l.want(store.InputHalted, 100, 0)
	l.log.Append(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{
		Time: time.Now().UnixNano(), Value: []byte("{"),
		Headers: []pipeline.Header{{Key: pipeline.HeaderDataset, Value: []byte("web")}},
	})
	l.wait(time.Second)
	if n := l.shard.Stats().Figures().Datasets["web"].Consumed; n != 1 {
		l.t.Errorf("%d records of another topic were consumed", n)
	}
	l.resume("crm", store.ResumeAsIs) // nothing has been mended
	l.want(store.InputHalted, 100, l.shard.Stats().Figures().Datasets["crm"].Consumed)
	before := l.shard.Stats().Figures().Datasets["crm"].Consumed
	l.resume("crm", how)
	l.want(store.InputRunning, want.next, before+want.consumed)
	l.wantMoved(want)
	l.restart()
	l.produce(0, 1)
	l.want(store.InputRunning, want.next+1, 1)
}

// wantMoved: what was passed over is counted, and the audit topic tells of the move.
func (l *live) wantMoved(want ending) {
	l.t.Helper()
	if n := l.shard.Stats().Figures().Lost["crm"]; n != want.lost {
		l.t.Errorf("%d counted as lost, want %d", n, want.lost)
	}
	audit := l.emitted("audit")
	for _, text := range []string{
		"input-moved/crm/0/", `"op":"input_moved"`, `"next":100,`,
		fmt.Sprintf(`"lost":%d,`, want.lost),
	} {
		if !strings.Contains(audit, text) {
			l.t.Errorf("audit lacks %s:\n%s", text, audit)
		}
	}
}
