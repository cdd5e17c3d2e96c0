package pipeline

import (
	"context"
	"errors"
	"time"

	"selfsame/store"
)

// reader fetches and decodes one partition, and sees to it that what it hands over continues what
// was consumed.
type reader struct {
	p     *Pipeline
	tp    TopicPartition
	first int64 // where to begin while no position is stored

	in    store.Input    // under which it reads
	at    store.Position // like the stored one, and ahead of it by what is on the way
	epoch int32          // of the leader that appended what was fetched last, -1 where unknown

	refused map[uint32]time.Time // schema ids, until when the registry is not asked for them

	unsure    bool // the log has to be looked at before it is read on
	described bool // the watcher has described the topic and nothing has been asked since
	pause     time.Duration
}

// Bounds of the pause between two attempts to fetch.
const (
	minFetchPause = 100 * time.Millisecond
	maxFetchPause = 10 * time.Second
)

// newReader returns the reader of a partition whose topic was described a moment ago.
func newReader(p *Pipeline, tp TopicPartition, first int64) *reader {
	return &reader{p: p, tp: tp, first: first, described: true,
		refused: map[uint32]time.Time{}}
}

// run reads until ctx ends. It waits while the topic is not to be read, and goes on from the stored
// position when it is again.
func (r *reader) run(ctx context.Context) error {
	least := uint64(0)
	for {
		in, err := r.p.Shard.board.await(ctx, r.tp.Topic, least)
		if err != nil {
			return nil // asked to end
		}
		r.enter(in)
		for r.step(ctx) {
		}
		r.p.held.end(r.tp.String())
		least = in.Generation + 1
	}
}

// enter takes up the stored position.
func (r *reader) enter(in store.Input) {
	at, stored := r.p.Shard.board.position(r.tp)
	if !stored {
		at = store.Position{Next: r.first, Generation: in.Generation,
			Topic: r.p.topics.Get(r.tp.Topic)}
	}
	r.in, r.at, r.epoch = in, at, -1
	if at.Anchor.Known {
		r.epoch = at.Anchor.Epoch
	}
	r.unsure, r.pause = true, minFetchPause
}

// step makes sure of the log where that is needed, else fetches and delivers once. It reports false
// when reading has to end for now.
func (r *reader) step(ctx context.Context) bool {
	if ctx.Err() != nil || !r.p.Shard.board.reads(r.tp.Topic, r.in.Generation) {
		return false
	}
	if r.unsure || differ(r.at.Topic, r.p.topics.Get(r.tp.Topic)) {
		return r.assure(ctx, nil)
	}
	fetched, err := r.p.Source.Fetch(ctx, r.tp, r.at.Next)
	var gone *OutOfRangeError
	switch {
	case errors.As(err, &gone):
		return r.assure(ctx, gone)
	case err != nil:
		r.holdUp(ctx, err)
		return true
	case differ(r.at.Topic, fetched.Topic) || r.changesLeader(&fetched):
		r.unsure = true
		return true
	}
	r.goesOn()
	return r.deliver(ctx, &fetched)
}

// changesLeader reports whether another leader has appended what was fetched than what was fetched
// before. That is rare, and the time at which a log can have been cut short and written anew.
func (r *reader) changesLeader(f *Fetched) bool {
	if len(f.Records) == 0 {
		return false
	}
	before := r.epoch
	r.epoch = f.Records[0].LeaderEpoch
	changed := before >= 0 && r.epoch != before
	if !changed {
		r.epoch = f.Records[len(f.Records)-1].LeaderEpoch
	}
	return changed
}

// holdUp waits before the next attempt. After it the log has to be looked at again.
func (r *reader) holdUp(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	r.unsure = true
	r.p.held.begin(r.tp.String(), r.tp.Topic, err)
	_ = Sleep(ctx, r.pause) // the loop asks ctx
	r.pause = min(2*r.pause, maxFetchPause)
}

func (r *reader) goesOn() {
	if r.pause != minFetchPause {
		r.pause = minFetchPause
		r.p.held.end(r.tp.String())
	}
}

// chunkRecords bounds a chunk, so that a commit can be of any size in steps of it.
const chunkRecords = 250

// deliver decodes what was fetched and hands it to the applier. It reports false when
// reading has to end for now.
func (r *reader) deliver(ctx context.Context, f *Fetched) bool {
	r.p.Shard.stats.fetched(r.tp, r.at.Next, f.End)
	if f.Next == r.at.Next && r.at.Generation == r.in.Generation {
		return true
	}
	records := f.Records
	for {
		n := min(len(records), chunkRecords)
		if !r.learn(ctx, records[:n]) {
			return false
		}
		chunk := r.chunk(ChunkRecords, f.Next)
		chunk.Inputs = make([]Input, n)
		for i := range n {
			chunk.Inputs[i] = r.p.decoder.Decode(records[i])
		}
		if n > 0 {
			r.at.Anchor = anchorOf(&records[n-1])
		}
		records = records[n:]
		if len(records) > 0 {
			chunk.Next = records[0].Pos.Offset
		}
		if !r.p.hand(ctx, chunk) {
			return false
		}
		r.at.Next, r.at.Generation = chunk.Next, r.in.Generation
		if len(records) == 0 {
			return true
		}
	}
}

// chunk is one of this reader from where it is.
func (r *reader) chunk(kind ChunkKind, next int64) Chunk {
	return Chunk{TP: r.tp, Kind: kind, From: r.at.Next, Next: next,
		Topic: r.at.Topic, Generation: r.in.Generation}
}

// hand gives a chunk to the applier. It reports false when ctx has ended.
func (p *Pipeline) hand(ctx context.Context, c Chunk) bool {
	select {
	case p.inputs <- c:
		return true
	case <-ctx.Done():
		return false
	}
}
