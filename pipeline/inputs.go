package pipeline

import (
	"fmt"

	"selfsame/store"
)

// Continuity is what to do where a log is not the one that was consumed.
type Continuity uint8

// The policies.
const (
	ContinuityHalt   Continuity = iota // stop reading the topic and call for an operator
	ContinuityRewind                   // go on at the log's start
	ContinuitySkip                     // go on past what is missing
)

// ChunkKind says what a chunk is for.
type ChunkKind uint8

// The kinds of chunk.
const (
	ChunkRecords ChunkKind = iota // records to consume
	ChunkBegin                    // the first positions of partitions that have none: Begin
	ChunkMove                     // Break has been found: go on at Next
	ChunkHalt                     // Break has been found: stop reading the topic
)

// Beginning is where a partition is read from at first.
type Beginning struct {
	Partition int32
	Next      int64
}

// input is the state of an input topic, as far as the commit under way has come.
type input struct {
	row   store.Input
	dirty bool
}

func (sh *Shard) input(topic string) *input {
	in := sh.inputs[topic]
	if in == nil {
		in = &input{}
		sh.inputs[topic] = in
	}
	return in
}

// admits reports whether a chunk may still be consumed: its topic is read, and was not resumed
// since the chunk was fetched. What is turned away is fetched again.
func (sh *Shard) admits(c *Chunk) bool {
	row := &sh.input(c.TP.Topic).row
	return row.State == store.InputRunning && row.Generation == c.Generation
}

// pauseInput stops the reading of a topic with this commit. It reports false where the topic is not
// read anyway. Call it from a step of a commit; now is in nanoseconds since the epoch.
func (sh *Shard) pauseInput(topic, reason string, now int64) bool {
	if sh.input(topic).row.State != store.InputRunning {
		return false
	}
	sh.leave(topic, store.InputPaused, reason, now)
	return true
}

// resumeInput has a topic read again from its stored positions. how is ResumeAsIs, ResumeRewind or
// ResumeSkip: the latter two stand for the continuity policy until each partition has been found in
// order or moved. ResumeRewind of a topic that was not halted reads every partition again from the
// log's start. It reports false where there is nothing to resume. Call it from a step of a commit;
// now is in nanoseconds since the epoch.
func (sh *Shard) resumeInput(topic string, how store.Resume, now int64) bool {
	in := sh.input(topic)
	if in.row.State == store.InputRunning && how != store.ResumeRewind {
		return false
	}
	if how == store.ResumeRewind && in.row.State != store.InputHalted {
		how = store.ResumeAgain
	}
	in.row = store.Input{State: store.InputRunning, Since: now, Resume: how,
		Generation: in.row.Generation + 1}
	in.dirty = true
	sh.forgetRejects(topic)
	return true
}

// leave takes a topic out of the state running.
func (sh *Shard) leave(topic string, state store.InputState, reason string, now int64) {
	in := sh.input(topic)
	in.row.State, in.row.Reason, in.row.Since = state, reason, now
	in.row.Break = store.Break{}
	in.dirty = true
}

// begin gives partitions their first positions, whether or not the topic is read.
func (sh *Shard) begin(c *Chunk) {
	for _, b := range c.Begin {
		tp := TopicPartition{c.TP.Topic, b.Partition}
		if sh.positions[tp] != nil {
			continue
		}
		sh.positions[tp] = &position{dirty: true, row: store.Position{Next: b.Next, Topic: c.Topic,
			Generation: sh.input(c.TP.Topic).row.Generation}}
	}
}

// move sets a position where the log does not go on. A partition that is read again is judged by
// the append times of the log as it is read, as at first.
func (sh *Shard) move(c *Chunk, now int64) {
	p := sh.position(c.TP)
	next := store.Position{Next: c.Next, MaxTime: p.row.MaxTime, Topic: c.Topic,
		Generation: c.Generation, Reached: p.row.Consumed(), Former: p.row.Former}
	if c.Next < p.row.Next {
		next.MaxTime = 0
	}
	if c.Topic != p.row.Topic && !c.Topic.IsZero() && !p.row.Topic.IsZero() {
		next.Reached, next.Former = 0, max(p.row.Former, p.row.Consumed())
	}
	p.row = next
	p.dirty = true
	lost := unread(c.Break, c.Next)
	sh.counts.inputLost(c.TP.Topic, lost)
	sh.audit(&auditEntry{
		ID: fmt.Sprintf("input-moved/%s/%d", c.TP, sh.version), Op: "input_moved",
		Time: formatTime(now), Topic: c.TP.Topic, Partition: &c.Break.Partition,
		Case: c.Break.Case.String(), Next: &c.Break.Next, LogStart: &c.Break.LogStart,
		End: &c.Break.End, To: &c.Next, Lost: &lost,
	})
}

// unread counts the offsets that are passed over by going on at to: an upper bound of the records.
func unread(b store.Break, to int64) uint64 {
	from := b.Next
	if b.Case == store.CaseRecreated {
		from = b.LogStart
	}
	return uint64(max(0, to-from))
}

// halt stops the reading of a topic whose log does not go on.
func (sh *Shard) halt(c *Chunk, now int64) {
	sh.leave(c.TP.Topic, store.InputHalted, breakText(c.TP, c.Break), now)
	sh.input(c.TP.Topic).row.Break = c.Break
	sh.audit(&auditEntry{
		ID: fmt.Sprintf("input-halted/%s/%d", c.TP, sh.version), Op: "input_halted",
		Time: formatTime(now), Topic: c.TP.Topic, Partition: &c.Break.Partition,
		Case: c.Break.Case.String(), Next: &c.Break.Next, LogStart: &c.Break.LogStart,
		End: &c.Break.End,
	})
}

// breakText says what became of a log.
func breakText(tp TopicPartition, b store.Break) string {
	at := fmt.Sprintf("partition %d was consumed up to offset %d", tp.Partition, b.Next)
	log := fmt.Sprintf("its log now holds %d to %d", b.LogStart, b.End)
	switch b.Case {
	case store.CaseExpired:
		return fmt.Sprintf("expired: %s, %s: %d offsets are gone that were not consumed",
			at, log, b.LogStart-b.Next)
	case store.CaseTruncated:
		return fmt.Sprintf("truncated: %s, %s: records that were consumed are gone, "+
			"or others are in their place", at, log)
	case store.CaseRecreated:
		return fmt.Sprintf("recreated: %s, %s: the topic was deleted and made again", at, log)
	case store.CaseAsked:
		return fmt.Sprintf("asked to read again: %s, %s", at, log)
	}
	return fmt.Sprintf("%s, %s", at, log)
}

// InputStatus is the state of an input topic, for operators.
type InputStatus struct {
	State  store.InputState
	Reason string      // why it is not read; "" where it is
	Remedy string      // what an operator can do; "" where it is read
	Since  int64       // when the state began, nanoseconds since the epoch; 0: it never changed
	Break  store.Break // of a halted one
}

// inputStatus tells the state of a topic.
func (m *Model) inputStatus(topic string, row store.Input) InputStatus {
	return InputStatus{State: row.State, Reason: row.Reason, Remedy: m.remedy(topic, row),
		Since: row.Since, Break: row.Break}
}

// remedy names the commands that have a topic read again.
func (m *Model) remedy(topic string, row store.Input) string {
	datasets := m.datasetsOf(topic)
	if row.State == store.InputRunning || len(datasets) == 0 {
		return ""
	}
	resume := "selfsame dataset resume " + datasets[0].Name
	if row.State != store.InputHalted {
		return fmt.Sprintf("%s (go on where it stopped), or %s --rewind (read the topic again)",
			resume, resume)
	}
	ways := fmt.Sprintf("%s --rewind (go on at the log's start), or %s --skip (go on past what is "+
		"missing)", resume, resume)
	if row.Break.Case != store.CaseRecreated { // the topic of that id is gone for good
		ways += fmt.Sprintf(", or restore the topic and %s", resume)
	}
	return ways
}

// datasetsOf lists the datasets that read topic.
func (m *Model) datasetsOf(topic string) []*Dataset {
	var found []*Dataset
	for _, ds := range m.Datasets {
		if ds.Topic == topic && !ds.Retired {
			found = append(found, ds)
		}
	}
	return found
}
