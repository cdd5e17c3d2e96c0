package sim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"selfsame/pipeline"
)

// audited is a record of the audit topic: what became of a control record.
type audited struct {
	ID, Op, Outcome string
	Reason          string
	Dataset         string
	Identities      []struct{ Namespace, Value string }
	Hashes          []string
	Suppress        bool
	From, Until     string
	Cut             []struct {
		Topic     string
		Partition int32
		Next      int64
	}
	Job   string
	Time  string
	Cause struct{ Offset int64 }

	ids    []who
	hashes []string
}

// String gives what has to be told.
func (a audited) String() string {
	var ids []string
	for _, id := range a.ids {
		ids = append(ids, id.ns+":"+id.value)
	}
	slices.Sort(ids)
	return fmt.Sprintf("%s %s %s%s of %s, hashes %s", a.Op, a.ID, a.Outcome, a.Reason,
		strings.Join(ids, " "), strings.Join(slices.Sorted(slices.Values(a.hashes)), " "))
}

// tell notes what the audit topic has to tell.
func (o *oracle) tell(c *control, outcome string, a audited) {
	a.ID, a.Op, a.Outcome = c.ID, c.Op, outcome
	o.audit[fmt.Sprintf("%s of %d", outcome, c.at.offset)] = a
}

// told is what the audit topic has told of operations that are to be applied again: a life of the
// store that was lost had acted on these. What was deleted by position or erased is in force from
// then on, but for what was lifted since.
type told struct {
	again map[string]*toldOp // by id
	force map[string]bool    // hashes of those who are erased in the end
}

// toldOp is an operation as it was applied first.
type toldOp struct {
	audited
	cut    cut
	lifted map[string]bool // hashes for which it was lifted later
}

func newTold() told { return told{again: map[string]*toldOp{}, force: map[string]bool{}} }

// as is what was told of a control record; nil where that is nothing, or of somebody else.
func (t *told) as(c *control) *toldOp {
	op := t.again[c.ID]
	if op == nil || op.Op != c.Op || op.Dataset != c.Dataset {
		return nil
	}
	if len(c.ids) > 0 && !slices.Contains(op.ids, c.ids[0]) &&
		!slices.Contains(op.hashes, hashOf(c.ids[0])) {
		return nil
	}
	return op
}

// hear takes up what the audit topic tells, in the order of the control topic. Of what was consumed
// already everything is known. first says that nothing of what was deleted and lifted since was
// removed yet in this life.
func (o *oracle) hear(all []audited, first bool) {
	o.told = newTold()
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b audited) int {
		return cmp.Compare(a.Cause.Offset, b.Cause.Offset)
	})
	ranges := map[who][]eventRange{}
	for _, a := range all {
		if a.Outcome != "applied" || a.Cause.Offset < o.next[topicControl+"/0"] ||
			o.again[a.ID] != nil {
			continue
		}
		for _, id := range a.Identities {
			a.ids = append(a.ids, who{id.Namespace, id.Value})
		}
		a.hashes = a.Hashes
		op := &toldOp{audited: a, cut: a.cutOff(), lifted: map[string]bool{}}
		o.again[a.ID] = op
		o.hearOne(op, ranges)
	}
	for id, more := range ranges {
		o.ranges[id] = append(o.ranges[id], more...)
		o.trim(id)
	}
	for _, id := range slices.Sorted(maps.Keys(o.again)) {
		if op := o.again[id]; op.Op == "erase" {
			o.hearErased(op)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(o.again)) {
		if first {
			o.hearLifted(o.again[id])
		}
	}
}

func (o *oracle) hearOne(op *toldOp, ranges map[who][]eventRange) {
	switch op.Op {
	case "delete_dataset":
		o.cuts[op.Dataset] = o.cuts[op.Dataset].join(op.cut)
		o.drop(op.Dataset)
	case "delete_events":
		if len(op.ids) > 0 {
			ranges[op.ids[0]] = append(ranges[op.ids[0]], op.eventRange())
		}
	case "lift_delete":
		lifted := slices.Clone(op.hashes)
		for _, id := range op.ids {
			lifted = append(lifted, hashOf(id))
			delete(ranges, id)
		}
		for _, earlier := range o.again {
			for _, hash := range earlier.everybody() {
				earlier.lifted[hash] = earlier.lifted[hash] || slices.Contains(lifted, hash)
			}
		}
	}
}

// eventRange is that of an operation that deletes events.
func (op *toldOp) eventRange() eventRange {
	r := control{From: op.From, Until: op.Until}
	first, last, _ := r.span()
	return eventRange{op.Dataset, first, last, op.cut, op.Cause.Offset}
}

// everybody lists the hashes of those on whom it had acted.
func (op *toldOp) everybody() []string {
	all := slices.Clone(op.hashes)
	for _, id := range op.ids {
		all = append(all, hashOf(id))
	}
	return all
}

// erasure is that of an operation that erases.
func (op *toldOp) erasure() erasure {
	at, err := time.Parse(time.RFC3339Nano, op.Time)
	if err != nil {
		return erasure{time: always}
	}
	return erasure{at.UnixNano(), op.Suppress}
}

func (a *audited) cutOff() cut {
	c := cut{}
	for _, part := range a.Cut {
		c[fmt.Sprintf("%s/%d", part.Topic, part.Partition)] = part.Next
	}
	return c
}

// withHash lists those who are known of a hash.
func (o *oracle) withHash(hash string) (ids []who) {
	for id := range o.known {
		if hashOf(id) == hash {
			ids = append(ids, id)
		}
	}
	return ids
}

// hearErased erases again whom another life had erased.
func (o *oracle) hearErased(op *toldOp) {
	for _, hash := range op.hashes {
		if op.lifted[hash] {
			continue
		}
		o.raise(hash, op.erasure())
		o.force[hash] = true
		e := o.erased[hash]
		o.forget(slices.DeleteFunc(o.withHash(hash), func(id who) bool {
			return o.known[id] == e.time+1 // it has begun anew
		}), e)
	}
}

// hearLifted removes what was deleted and lifted since, for it does not come back by itself.
func (o *oracle) hearLifted(op *toldOp) {
	for _, hash := range op.everybody() {
		for _, id := range o.withHash(hash) {
			if op.lifted[hash] {
				o.removeLifted(op, id)
			}
		}
	}
}

// removeLifted removes what an operation that was lifted later had deleted of an identity.
func (o *oracle) removeLifted(op *toldOp, id who) {
	e, r := op.erasure(), op.eventRange()
	switch op.Op {
	case "erase":
		o.forget([]who{id}, e)
		o.afterwards(id, e.time+1)
	case "delete_profile":
		o.sinkBelow(id, e.time)
	case "delete_fragment":
		o.sinkFacts(id, e.time, func(dataset string) bool { return dataset == op.Dataset })
	case "delete_events":
		o.eachEvent(func(held *heldEvent) {
			if held.copy.primary == id && r.covers(held.copy) {
				held.copy = nil
			}
		})
		o.unfold(id, op.Dataset, r.first, r.last)
	}
}

// afterwards is how somebody goes on whom an erasure that was lifted had erased. What is told of
// later deletions stays.
func (o *oracle) afterwards(id who, first int64) {
	delete(o.below, id)
	o.ranges[id] = slices.DeleteFunc(o.ranges[id], func(r eventRange) bool {
		return r.by < o.next[topicControl+"/0"]
	})
	if _, known := o.known[id]; known {
		o.known[id] = first
		delete(o.floor, id)
		delete(o.parted, id)
	}
}

// sinkBelow removes the data of an identity up to a time, for once.
func (o *oracle) sinkBelow(id who, up int64) {
	o.sinkFacts(id, up, func(string) bool { return true })
	o.unfold(id, "", always, up)
	o.eachEvent(func(e *heldEvent) {
		if e.copy.primary == id && e.copy.stamp.time <= up {
			e.hidden = true
		}
	})
}

// sinkFacts removes what datasets say of an identity up to a time, for once.
func (o *oracle) sinkFacts(id who, up int64, of func(dataset string) bool) {
	for _, f := range o.facts {
		if f.event == "" && f.primary == id && f.stamp.time <= up && of(f.dataset) {
			f.counts = false
		}
	}
}

// audits reads the audit topic as it lies there.
func (s *simulation) audits() (all []audited, err error) {
	for n := range s.partitions[topicAudit] {
		records := s.broker.Records(pipeline.TopicPartition{Topic: topicAudit, Partition: n})
		for i := range records {
			var a audited
			err = errors.Join(err, json.Unmarshal(records[i].Value, &a))
			all = append(all, a)
		}
	}
	return all, err
}
