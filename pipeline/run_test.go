package pipeline_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
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
	logged lines
	stop   func()
	sent   int // records of crm
	orders int // control records

	registry pipeline.SchemaRegistry
}

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// take returns what was written since it was last asked.
func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.buf.String()
	l.buf.Reset()
	return text
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
	l.log.Append(pipeline.TopicPartition{Topic: "crm", Partition: partition}, l.records(n)...)
	l.wait(time.Second)
}

// records are n records of crm, of people of their own.
func (l *live) records(n int) []pipeline.Record {
	var all []pipeline.Record
	for range n {
		l.sent++
		all = append(all, pipeline.Record{
			Time: time.Now().UnixNano(), Key: fmt.Appendf(nil, "k%d", l.sent),
			Value: fmt.Appendf(nil, `{"id":"%d","name":"n%d"}`, l.sent, l.sent),
		})
	}
	return all
}

// control sends a control record about a dataset; more are further fields.
func (l *live) control(op, dataset, more string) {
	l.t.Helper()
	l.orders++
	l.log.Append(pipeline.TopicPartition{Topic: "control"}, pipeline.Record{
		Time: time.Now().UnixNano(),
		Value: fmt.Appendf(nil, `{"id":"%d","op":"%s","dataset":"%s"%s}`, l.orders, op, dataset,
			more),
	})
	l.wait(time.Second)
}

func (l *live) pause(dataset string) {
	l.t.Helper()
	l.control("pause_dataset", dataset, "")
}

func (l *live) resume(dataset string, how store.Resume) {
	l.t.Helper()
	l.control("resume_dataset", dataset, map[store.Resume]string{
		store.ResumeRewind: `,"from":"rewind"`, store.ResumeSkip: `,"from":"skip"`}[how])
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
	all := l.logged.take()
	for _, text := range texts {
		if !strings.Contains(all, text) {
			l.t.Errorf("not logged: %s\nin:\n%s", text, all)
		}
	}
	return all
}

var crm0 = pipeline.TopicPartition{Topic: "crm"}
