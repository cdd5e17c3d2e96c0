package pipeline_test

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// chunkOf is n records of crm from an offset on.
func (w *world) chunkOf(from int64, n int) pipeline.Chunk {
	c := pipeline.Chunk{TP: crm0, From: from, Next: from + int64(n)}
	for i := range int64(n) {
		c.Inputs = append(c.Inputs, w.decoder.Decode(pipeline.Record{
			Pos:   profile.Position{Topic: "crm", Offset: from + i},
			Value: []byte(`{"id":"1"}`), Time: w.now.UnixNano(), LeaderEpoch: 7,
		}))
	}
	return c
}

func (w *world) apply(chunks ...pipeline.Chunk) {
	w.t.Helper()
	w.must(w.shard.Apply(chunks, w.now.UnixNano()))
}

func (w *world) stored() store.Position {
	w.t.Helper()
	p, err := w.store.Reader().Position("crm", 0)
	w.must(err)
	return *p
}

// TestStaleChunks: what was fetched before a topic was resumed is not consumed after, and what was
// fetched in vain does not move the position.
func TestStaleChunks(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	now := w.now.UnixNano()
	w.apply(w.chunkOf(0, 5))
	if w.shard.ResumeInput("crm", store.ResumeAsIs, now) {
		t.Error("resumed what runs")
	}
	if !w.shard.PauseInput("crm", "x", now) || w.shard.PauseInput("crm", "again", now) {
		t.Error("not paused, or twice")
	}
	w.apply(w.chunkOf(5, 5)) // fetched before the pause
	w.shard.ResumeInput("crm", store.ResumeAsIs, now)
	w.apply(w.chunkOf(10, 5)) // and so was this
	if p := w.stored(); p.Next != 5 {
		t.Fatalf("position %+v", p)
	}
	again := w.chunkOf(5, 5)
	again.Generation = 1
	w.apply(again)
	if p := w.stored(); p.Next != 10 || p.Generation != 1 || p.Anchor.Offset != 9 ||
		!p.Anchor.Known || p.Anchor.Epoch != 7 {
		t.Fatalf("position %+v", p)
	}
	gap := w.chunkOf(11, 1)
	gap.Generation = 1
	err := w.shard.Apply([]pipeline.Chunk{gap}, now)
	if err == nil || !strings.Contains(err.Error(), "offsets 10 to 11 would be passed over") {
		t.Errorf("a gap: %v", err)
	}
}

// TestMove: a position that is set back has what lies there consumed again, judged by the append
// times of the log as it is read; one that is set forward keeps them. A crash before the commit
// leaves all as it was.
func TestMove(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	w.apply(w.chunkOf(0, 5))
	was := w.stored()
	back := pipeline.Chunk{TP: crm0, Kind: pipeline.ChunkMove, From: 5, Next: 2,
		Topic: store.TopicID{1}, Break: store.Break{Case: store.CaseTruncated, Next: 5, End: 2}}
	w.apply(back)
	want := store.Position{Next: 2, Topic: store.TopicID{1}, Reached: 5}
	if p := w.stored(); p != want || was.MaxTime == 0 {
		t.Errorf("set back: %+v", p)
	}
	w.apply(w.chunkOf(2, 2))
	if n := w.shard.Stats().Figures().Datasets["crm"].Consumed; n != 7 {
		t.Errorf("%d records consumed, want 5 and 2 again", n)
	}
	forth := pipeline.Chunk{TP: crm0, Kind: pipeline.ChunkMove, From: 4, Next: 9,
		Break: store.Break{Case: store.CaseExpired, Next: 4, LogStart: 9, End: 9}}
	w.apply(forth)
	if p := w.stored(); p.Next != 9 || p.MaxTime != was.MaxTime || p.Anchor.Known {
		t.Errorf("set forward: %+v", p)
	}
	if n := w.shard.Stats().Figures().Lost["crm"]; n != 5 {
		t.Errorf("%d counted as lost, want 5", n)
	}
	w.crash(vfs.CrashCloneCfg{})
	if p := w.stored(); p.Next != 9 {
		t.Errorf("after a crash: %+v", p)
	}
}

// TestAnchorTellsApart: two records that differ in one thing are two records.
func TestAnchorTellsApart(t *testing.T) {
	header := func(key string, value []byte) []pipeline.Header {
		return []pipeline.Header{{Key: key, Value: value}}
	}
	records := map[string]pipeline.Record{
		"same":         {Key: []byte("a"), Value: []byte("bc")},
		"time":         {Key: []byte("a"), Value: []byte("bc"), Time: 1},
		"shifted":      {Key: []byte("ab"), Value: []byte("c")},
		"null key":     {Value: []byte("bc")},
		"empty key":    {Key: []byte{}, Value: []byte("bc")},
		"tombstone":    {Key: []byte("a")},
		"header":       {Key: []byte("a"), Value: []byte("bc"), Headers: header("h", nil)},
		"empty header": {Key: []byte("a"), Value: []byte("bc"), Headers: header("h", []byte{})},
		"header value": {Key: []byte("a"), Value: []byte("bc"), Headers: header("", []byte("h"))},
		"offset":       {Key: []byte("a"), Value: []byte("bc"), Pos: profile.Position{Offset: 1}},
	}
	sums := map[uint32]string{}
	for name, r := range records {
		sum := pipeline.AnchorOf(&r).Sum
		if other, taken := sums[sum]; taken {
			t.Errorf("%s passes for %s", name, other)
		}
		sums[sum] = name
	}
}
