package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/store"
)

// live is a world whose pipeline runs, in a bubble of fake time.
type live struct {
	*world
	t      *testing.T
	p      *pipeline.Pipeline
	logged bytes.Buffer // between waits only
	stop   func()
	sent   int

	registry pipeline.SchemaRegistry
}

// run plays a test against a running pipeline. change may alter the model first.
func run(t *testing.T, o memlog.Options, change func(m *pipeline.Model), play func(l *live)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.FetchWait = 500 * time.Millisecond
		l := &live{t: t, world: newWorldOn(t, o, 2, change)}
		l.begin()
		play(l)
		l.stop()
		l.checkCounts(true)
		l.close()
	})
}

// begin starts the pipeline on the shard that is open.
func (l *live) begin() {
	l.t.Helper()
	log := slog.New(slog.NewTextHandler(&l.logged, nil))
	l.p = pipeline.NewPipeline(l.shard, l.publisher, l.log.Source(), log)
	l.p.Registry = l.registry
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.p.Run(ctx) }()
	l.stop = func() {
		l.t.Helper()
		cancel()
		l.must(<-ended)
	}
	l.wait(time.Second)
}

// restart stops the daemon and starts it again.
func (l *live) restart() {
	l.t.Helper()
	l.stop()
	l.must(l.store.Close())
	l.open()
	l.begin()
}

// wait lets time pass, and then everything come to rest.
func (l *live) wait(d time.Duration) {
	l.t.Helper()
	timer := time.NewTimer(d)
	<-timer.C
	synctest.Wait()
}

// produce appends n records of other people to a partition of crm.
func (l *live) produce(partition int32, n int) {
	l.t.Helper()
	for range n {
		l.sent++
		l.log.Append(pipeline.TopicPartition{Topic: "crm", Partition: partition}, pipeline.Record{
			Time: time.Now().UnixNano(), Key: fmt.Appendf(nil, "k%d", l.sent),
			Value: fmt.Appendf(nil, `{"id":"%d","name":"n%d"}`, l.sent, l.sent),
		})
	}
	l.wait(time.Second)
}

// order does what a control record would do, in a commit of its own.
func (l *live) order(do func(sh *pipeline.Shard, now int64) bool) {
	l.t.Helper()
	synctest.Wait()
	now := time.Now().UnixNano()
	if !do(l.shard, now) {
		l.t.Fatal("the order was turned down")
	}
	l.must(l.shard.Flush())
	l.wait(time.Second)
}

func (l *live) resume(how store.Resume) {
	l.t.Helper()
	l.resumeTopic("crm", how)
}

func (l *live) resumeTopic(topic string, how store.Resume) {
	l.t.Helper()
	l.order(func(sh *pipeline.Shard, now int64) bool { return sh.ResumeInput(topic, how, now) })
}

func memFS() *vfs.MemFS { return vfs.NewCrashableMem() }

// want compares the state of crm, the position of its partition 0, and how many of its records were
// consumed since the last start.
func (l *live) want(state store.InputState, next int64, consumed uint64) {
	l.t.Helper()
	f := l.shard.Stats().Figures()
	in := f.Inputs["crm"]
	if in.State != state || f.Positions[crm0] != next || f.Datasets["crm"].Consumed != consumed {
		l.t.Errorf("crm is %s (%s) at %d with %d consumed, want %s at %d with %d", in.State,
			in.Reason, f.Positions[crm0], f.Datasets["crm"].Consumed, state, next, consumed)
	}
}

// said takes what was logged since it was last asked, and complains where a text is missing.
func (l *live) said(texts ...string) string {
	l.t.Helper()
	all := l.logged.String()
	l.logged.Reset()
	for _, text := range texts {
		if !strings.Contains(all, text) {
			l.t.Errorf("not logged: %s\nin:\n%s", text, all)
		}
	}
	return all
}

var crm0 = pipeline.TopicPartition{Topic: "crm"}
