package pipeline_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/store"
)

// fakeRegistry is a registry that can be away. It may be asked by several readers.
type fakeRegistry struct {
	mu struct {
		sync.Mutex
		texts map[uint32]string // "" stands for a schema of no use
		away  bool
		asked int
	}
}

func (f *fakeRegistry) SchemaText(_ context.Context, id uint32) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.asked++
	text, ok := f.mu.texts[id]
	switch {
	case f.mu.away:
		return nil, errors.New("nobody there")
	case !ok:
		return nil, fmt.Errorf("%w: not here", pipeline.ErrUnknownSchema)
	case text == "":
		return nil, fmt.Errorf("%w: it is PROTOBUF", pipeline.ErrUnusableSchema)
	}
	return []byte(text), nil
}

func (f *fakeRegistry) set(away bool, texts map[uint32]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.away, f.mu.texts = away, texts
}

func (f *fakeRegistry) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.asked
}

// The writers' schemas: the dataset's own fields in another order and narrower, and some more.
const (
	writer1 = `{"type":"record","name":"w","fields":[
		{"name":"extra","type":["int","string","null"]},
		{"name":"name","type":"string"},{"name":"id","type":"string"}]}`
	writer2 = `{"type":"record","name":"w","fields":[{"name":"id","type":"string"},
		{"name":"age","type":["null","int"]},{"name":"name","type":["null","string"]}]}`
	unfitting = `{"type":"record","name":"w","fields":[{"name":"id","type":"string"},
		{"name":"age","type":"string"}]}`
)

func text(s string) string { return string(binary.AppendVarint(nil, int64(len(s)))) + s }

// framed makes a value in writer1 or writer2.
func framed(id uint32, body ...string) []byte {
	value := binary.BigEndian.AppendUint32([]byte{0}, id)
	return append(value, strings.Join(body, "")...)
}

// framedWorld runs a pipeline whose dataset crm is in format registry.
func framedWorld(t *testing.T, play func(l *live, r *fakeRegistry)) {
	t.Helper()
	registry := &fakeRegistry{}
	registry.set(false, map[uint32]string{1: writer1, 2: writer2, 3: unfitting, 4: ""})
	change := func(m *pipeline.Model) { m.Dataset("crm").Format = pipeline.FormatRegistry }
	run(t, memlog.Options{}, change, func(l *live) {
		l.stop()
		l.registry = registry
		l.restartOpen()
		play(l, registry)
	})
}

// restartOpen starts a pipeline on the store of one that has stopped.
func (l *live) restartOpen() {
	l.t.Helper()
	l.must(l.store.Close())
	l.open()
	l.begin()
}

func (l *live) append(value []byte) {
	l.log.Append(crm0, pipeline.Record{Key: []byte("k"), Time: time.Now().UnixNano(), Value: value})
}

func (l *live) accepted(want uint64) {
	l.t.Helper()
	if n := l.shard.Stats().Figures().Datasets["crm"].Accepted; n != want {
		l.t.Errorf("%d accepted, want %d", n, want)
	}
}

func (l *live) rejected(reason pipeline.Reason, want uint64) {
	l.t.Helper()
	if n := l.shard.Stats().Figures().Datasets["crm"].Rejected[reason]; n != want {
		l.t.Errorf("%d rejected as %s, want %d", n, reason, want)
	}
}

// TestFramed: records of one partition in several schemas, each resolved to the dataset's, and each
// schema asked for once.
func TestFramed(t *testing.T) {
	framedWorld(t, func(l *live, r *fakeRegistry) {
		for i := range 300 {
			id := fmt.Sprintf("c%d", i)
			l.append(framed(1, "\x00\x08", text("Ann"), text(id)))
			l.append(framed(2, text(id), "\x02\x54", "\x00"))
		}
		l.wait(time.Second)
		l.want(store.InputRunning, 600, 600)
		l.accepted(600)
		if n := r.requests(); n != 2 {
			t.Errorf("the registry was asked %d times, want 2", n)
		}
		l.wait(time.Second)
		for _, value := range l.final("profiles") {
			if !strings.Contains(value, `"age":42`) || !strings.Contains(value, `"name":"Ann"`) ||
				strings.Contains(value, "extra") {
				t.Fatalf("a profile is %s", value)
			}
		}
	})
}

// TestFramedRefused: what is wrong with single records is their rejection, and costs no waiting.
func TestFramedRefused(t *testing.T) {
	framedWorld(t, func(l *live, _ *fakeRegistry) {
		l.append([]byte(`{"id":"1"}`)) // no frame
		l.append([]byte{0, 0, 0, 0})   // short of one
		l.append(framed(1, "\x00"))    // cut short
		l.append(framed(3, text("1"), text("old")))
		l.append(framed(4, text("1")))
		l.append(framed(0))
		l.append(framed(1 << 31))
		l.wait(time.Second)
		l.want(store.InputRunning, 7, 7)
		l.rejected(pipeline.ReasonMalformed, 3)
		l.rejected(pipeline.ReasonSchemaViolation, 1)
		l.rejected(pipeline.ReasonUnknownSchema, 3)
		l.said("a schema of the registry is of no use", "id=4", "PROTOBUF")
		dead := l.emitted("dead", "selfsame-dead-reason", "selfsame-dead-path",
			"selfsame-dead-found")
		if !strings.Contains(dead, "schema_violation selfsame-dead-path=age "+
			"selfsame-dead-found=string cannot be read as int") {
			t.Errorf("dead letters:\n%s", dead)
		}
	})
}

// TestUnknownSchemaIsAwaited: an id that comes to be known in time is no reason to reject; one that
// does not, is, and is asked for again a minute later.
func TestUnknownSchemaIsAwaited(t *testing.T) {
	framedWorld(t, func(l *live, r *fakeRegistry) {
		r.set(false, nil)
		l.append(framed(1, "\x00\x08", text("Ann"), text("1")))
		l.wait(8 * time.Second)
		l.want(store.InputRunning, 0, 0)
		r.set(false, map[uint32]string{1: writer1})
		l.wait(2 * time.Second)
		l.want(store.InputRunning, 1, 1)
		l.accepted(1)
		if log := l.said(); log != "" {
			t.Errorf("silence is health:\n%s", log)
		}
		for range 10 {
			l.append(framed(2, text("1"), "\x00\x00"))
		}
		l.wait(9 * time.Second)
		l.want(store.InputRunning, 1, 1)
		l.wait(3 * time.Second)
		l.want(store.InputRunning, 11, 11)
		l.rejected(pipeline.ReasonUnknownSchema, 10)
		l.said("does not know a schema", "partition=crm/0", "id=2")
		before := r.requests()
		l.append(framed(2, text("1"), "\x00\x00"))
		l.wait(time.Second)
		l.rejected(pipeline.ReasonUnknownSchema, 11)
		if n := r.requests(); n != before {
			t.Errorf("asked %d times more within a minute", n-before)
		}
		r.set(false, map[uint32]string{1: writer1, 2: writer2})
		l.wait(time.Minute)
		l.append(framed(2, text("1"), "\x00\x00"))
		l.wait(time.Second)
		l.accepted(2)
	})
}

// TestRegistryAway: nothing is rejected and nothing consumed, what needs no registry goes on, it is
// said once, and a pause still works.
func TestRegistryAway(t *testing.T) {
	framedWorld(t, func(l *live, r *fakeRegistry) {
		l.append(framed(1, "\x00\x08", text("Ann"), text("1")))
		l.wait(time.Second)
		r.set(true, nil)
		l.append(framed(1, "\x00\x08", text("Bea"), text("2"))) // its schema is known
		l.wait(time.Second)
		l.want(store.InputRunning, 2, 2)
		l.append(framed(2, text("1"), "\x00\x00"))
		l.wait(time.Hour)
		l.want(store.InputRunning, 2, 2)
		l.log.Append(pipeline.TopicPartition{Topic: "web"}, pipeline.Record{
			Time: time.Now().UnixNano(), Value: []byte("{"),
			Headers: []pipeline.Header{{Key: pipeline.HeaderDataset, Value: []byte("web")}}})
		l.wait(time.Second)
		if n := l.shard.Stats().Figures().Datasets["web"].Consumed; n != 1 {
			t.Errorf("another topic is held up: %d consumed", n)
		}
		log := l.said(`what="schema registry"`, "nobody there")
		if strings.Count(log, "level=WARN") != 1 {
			t.Errorf("said more than once:\n%s", log)
		}
		l.pause("crm")
		l.wait(time.Minute)
		l.said("reading goes on") // nobody is held up while the topic is not read
		r.set(false, map[uint32]string{1: writer1, 2: writer2})
		l.resume("crm", store.ResumeAsIs)
		l.wait(time.Minute)
		l.want(store.InputRunning, 3, 3)
		l.accepted(3)
	})
}
