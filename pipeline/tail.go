package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// tail is what an output partition holds between its floor and its end.
type tail struct {
	tp     TopicPartition
	floor  int64
	lost   bool // the log has lost what it had acknowledged
	bounds Bounds

	found       bool   // a record of this shard
	sequence    uint64 // the greatest
	incarnation uint64 // the greatest
	version     uint64 // the greatest
	positions   map[TopicPartition]int64
}

// landed reports whether an entry for this partition has been published.
func (t *tail) landed(seq uint64) bool { return t.found && seq <= t.sequence }

// scanAll reads the tails of all output partitions, whose floors become their ends. It comes after
// a claim, and its ends are asked for after that too.
func (p *Publisher) scanAll(ctx context.Context) (map[TopicPartition]*tail, error) {
	tails := map[TopicPartition]*tail{}
	for _, tp := range p.partitions {
		lane := p.lanes[tp]
		t := &tail{tp: tp, floor: lane.floor, positions: map[TopicPartition]int64{}}
		var err error
		if t.bounds, err = p.bounds(ctx, tp); err != nil {
			return nil, err
		}
		t.lost = lane.lost || t.bounds.End < t.floor
		if t.bounds.Start > t.floor && t.floor > 0 {
			p.o.Log.Warn("retention has taken a part of what was to be read back; records whose "+
				"fate it would have told may be published twice", "partition", tp.String(),
				"from", t.floor, "to", t.bounds.Start)
		}
		from := max(min(t.floor, lane.from), t.bounds.Start)
		err = p.walk(ctx, tp, from, t.bounds.End, func(rs []Record) error {
			for i := range rs {
				if t.note(p.o.TransactionalID, &rs[i]) {
					t.version = max(t.version, p.shard.versionOf(&rs[i]))
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		tails[tp] = t
	}
	for tp, t := range tails {
		if !t.lost {
			p.lanes[tp].floor = t.bounds.End
		}
	}
	return tails, nil
}

// note takes a record into account if the shard has written it, and reports whether it has.
func (t *tail) note(shard string, r *Record) bool {
	mark, ok := readMark(r)
	if !ok || mark.shard != shard {
		return false
	}
	t.found = true
	t.sequence = max(t.sequence, mark.sequence)
	t.incarnation = max(t.incarnation, mark.incarnation)
	for tp, next := range mark.positions {
		t.positions[tp] = max(t.positions[tp], next)
	}
	return true
}

// versionOf reads the version of a record about a profile or an identity, 0 of others: a dead
// letter keeps whatever headers it came with.
func (sh *Shard) versionOf(r *Record) uint64 {
	if _, ok := sh.keyOf(r.Pos.Topic, r.Key); !ok {
		return 0
	}
	text, _ := r.Header(HeaderVersion)
	version, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return 0 // not ours
	}
	return version
}

// mark is what the writer's own headers say about a record.
type mark struct {
	shard                 string
	incarnation, sequence uint64
	positions             map[TopicPartition]int64
}

// readMark reads the writer's own headers, which come last. ok is false where there are none.
func readMark(r *Record) (m mark, ok bool) {
	own := len(r.Headers) - 1
	for own >= 0 && r.Headers[own].Key != HeaderShard {
		own--
	}
	if own < 0 {
		return mark{}, false
	}
	m.shard = string(r.Headers[own].Value)
	for _, h := range r.Headers[own+1:] {
		var err error
		switch h.Key {
		case HeaderIncarnation:
			m.incarnation, err = strconv.ParseUint(string(h.Value), 10, 64)
		case HeaderSequence:
			m.sequence, err = strconv.ParseUint(string(h.Value), 10, 64)
			ok = err == nil
		case HeaderPositions:
			m.positions, err = parsePositions(string(h.Value))
		}
		if err != nil {
			return mark{}, false
		}
	}
	return m, ok
}

// parsePositions reads what committedPositions gives.
func parsePositions(text string) (map[TopicPartition]int64, error) {
	positions := map[TopicPartition]int64{}
	for _, line := range strings.Split(text, ",") {
		if line == "" {
			continue
		}
		name, next, ok := strings.Cut(line, "=")
		slash := strings.LastIndexByte(name, '/')
		if !ok || slash < 0 {
			return nil, errors.New("malformed positions")
		}
		partition, err := strconv.ParseInt(name[slash+1:], 10, 32)
		if err != nil {
			return nil, errors.New("malformed positions")
		}
		offset, err := strconv.ParseInt(next, 10, 64)
		if err != nil {
			return nil, errors.New("malformed positions")
		}
		positions[TopicPartition{name[:slash], int32(partition)}] = offset
	}
	return positions, nil
}

// walk calls fn with the records of a partition from offset up to end.
func (p *Publisher) walk(ctx context.Context, tp TopicPartition, offset, end int64,
	fn func([]Record) error) error {
	for offset < end {
		var got Fetched
		err := p.retry(ctx, "reading back "+tp.String(), func() error {
			var err error
			got, err = p.sink.Read(ctx, tp, offset)
			return err
		})
		var gone *OutOfRangeError
		if errors.As(err, &gone) && gone.LogStart > offset {
			offset = gone.LogStart // retention was faster
			continue
		}
		if err != nil {
			return err
		}
		for len(got.Records) > 0 && got.Records[len(got.Records)-1].Pos.Offset >= end {
			got.Records = got.Records[:len(got.Records)-1]
		}
		if err := fn(got.Records); err != nil {
			return err
		}
		offset = got.Next
	}
	return nil
}

func (p *Publisher) bounds(ctx context.Context, tp TopicPartition) (Bounds, error) {
	var b Bounds
	err := p.retry(ctx, "asking for the ends of "+tp.String(), func() error {
		var err error
		b, err = p.sink.Bounds(ctx, tp)
		return err
	})
	return b, err
}

// retry calls fn until it gives an answer to act on. Unknown topics are one after a while: a broker
// that has just started does not know them all yet.
func (p *Publisher) retry(ctx context.Context, what string, fn func() error) error {
	pause := minRetryPause
	for attempt := 1; ; attempt++ {
		err := fn()
		var gone *OutOfRangeError
		unknown := errors.Is(err, ErrUnknownTopic) && attempt > maxUnknown
		if err == nil || unknown || errors.As(err, &gone) || errors.Is(err, ErrNotAuthorized) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if attempt == 1 {
			p.o.Log.Warn("publishing waits for the broker", "for", what, "error", err)
		}
		if err := p.o.Wait(ctx, pause); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		pause = min(2*pause, maxRetryPause)
	}
}

// maxUnknown is how often a topic may be unknown.
const maxUnknown = 6
