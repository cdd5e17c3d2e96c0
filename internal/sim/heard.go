package sim

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
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

// told is what the audit topic has told of deletions that are to be applied again: before its
// deletions were lost, a life of the store had acted on these. What was deleted by position or
// erased is in force from then on; what was lifted since is not.
type told struct {
	acted      map[string][]who           // of delete_profile, by id
	toldCuts   map[string]cut             // of delete_dataset and delete_events
	toldHashes map[string][]string        // of erase
	lifted     map[string]map[string]bool // by id: the hashes for whom it was lifted
}

func newTold() told {
	return told{acted: map[string][]who{}, toldCuts: map[string]cut{},
		toldHashes: map[string][]string{}, lifted: map[string]map[string]bool{}}
}

// hear takes up what the audit topic tells, in the order of the control topic. Of what was consumed
// already everything is known.
func (o *oracle) hear(all []audited) {
	o.told = newTold()
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b audited) int {
		return cmp.Compare(a.Cause.Offset, b.Cause.Offset)
	})
	consumed := o.next[topicControl+"/0"]
	var erasures []audited
	ranges := map[who][]eventRange{}
	for _, a := range all {
		if a.Outcome != "applied" || a.Cause.Offset < consumed {
			continue
		}
		for _, id := range a.Identities {
			a.ids = append(a.ids, who{id.Namespace, id.Value})
		}
		switch a.Op {
		case "delete_profile":
			o.acted[a.ID] = append(o.acted[a.ID], a.ids...)
		case "erase":
			o.toldHashes[a.ID] = append(o.toldHashes[a.ID], a.Hashes...)
			erasures = append(erasures, a)
		case "delete_dataset":
			o.toldCuts[a.ID] = a.cut()
			o.cuts[a.Dataset] = o.cuts[a.Dataset].join(a.cut())
			o.drop(a.Dataset)
		case "delete_events":
			o.toldCuts[a.ID] = a.cut()
			r := control{From: a.From, Until: a.Until}
			first, last, _ := r.span()
			ranges[a.ids[0]] = append(ranges[a.ids[0]], eventRange{a.Dataset, first, last, a.cut(),
				a.Cause.Offset})
		case "lift_delete":
			o.hearLift(&a, ranges)
		}
	}
	for id, more := range ranges {
		o.ranges[id] = append(o.ranges[id], more...)
		o.trim(id)
	}
	for _, a := range erasures {
		o.hearErased(&a)
	}
}

func (a *audited) cut() cut {
	c := cut{}
	for _, part := range a.Cut {
		c[fmt.Sprintf("%s/%d", part.Topic, part.Partition)] = part.Next
	}
	return c
}

// hearLift takes back, of what was told so far, what was lifted.
func (o *oracle) hearLift(a *audited, ranges map[who][]eventRange) {
	lifted := slices.Clone(a.Hashes)
	for _, id := range a.ids {
		lifted = append(lifted, hashOf(id))
		delete(ranges, id)
	}
	note := func(op, hash string) bool {
		out := slices.Contains(lifted, hash)
		if out && o.lifted[op] == nil {
			o.lifted[op] = map[string]bool{}
		}
		if out {
			o.lifted[op][hash] = true
		}
		return out
	}
	for op := range o.acted {
		o.acted[op] = slices.DeleteFunc(o.acted[op], func(id who) bool {
			return note(op, hashOf(id))
		})
	}
	for op := range o.toldHashes {
		o.toldHashes[op] = slices.DeleteFunc(o.toldHashes[op], func(hash string) bool {
			return note(op, hash)
		})
	}
}

// hearErased erases again whom another life had erased.
func (o *oracle) hearErased(a *audited) {
	at, err := time.Parse(time.RFC3339Nano, a.Time)
	if err != nil {
		return
	}
	for _, hash := range o.toldHashes[a.ID] {
		o.raise(hash, erasure{at.UnixNano(), a.Suppress})
		for id := range o.known {
			if hashOf(id) == hash {
				o.forget([]who{id}, o.erased[hash])
			}
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
