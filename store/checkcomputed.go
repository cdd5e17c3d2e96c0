package store

import (
	"encoding/binary"

	"selfsame/computed"
	"selfsame/profile"
)

// TimerComputed is the kind of timer of an identity whose computed attributes change by themselves.
const TimerComputed = "(computed)"

// ComputedTimer returns the timer that wakes the computed attributes of an identity.
func (r *Reader) ComputedTimer(class string, id profile.Identity, at int64) (Timer, error) {
	c, err := r.dict.number(class)
	if err != nil {
		return Timer{}, err
	}
	key, err := r.dict.appendIdentity(appendNumber(nil, c), id)
	return Timer{At: at, Kind: TimerComputed, Key: string(key)}, err
}

// CutComputedTimer tells which identity a timer of the kind [TimerComputed] is about.
func (r *Reader) CutComputedTimer(t Timer) (class string, id profile.Identity, err error) {
	c, rest, err := cutNumber([]byte(t.Key))
	if err != nil {
		return "", id, err
	}
	if class, err = r.dict.name(c); err != nil {
		return "", id, err
	}
	id, rest, err = r.dict.cutIdentity(rest)
	if err == nil && len(rest) > 0 {
		err = errKey
	}
	return class, id, err
}

// ComputedProblem is something that is wrong with the computed attributes of an identity, without
// its value.
func ComputedProblem(class string, id profile.Identity, text string) Problem {
	return Problem{Space: "computed", Where: safe(class, id), Text: text}
}

// ownComputed is what an identity says of its computed attributes, and what was there.
type ownComputed struct {
	head ComputedHead
	has  []uint16 // numbers of those that have rows
}

// leaveComputed compares the two.
func (c *checker) leaveComputed() {
	o := &c.current
	for _, number := range o.computed.has {
		if o.computed.head.Find(number) == nil {
			c.problem("identity", safe(o.class, o.id),
				"has rows of computed attribute %d and no summary", number)
		}
	}
}

// computedRow checks the head of an identity's computed attributes, or a row of one of them.
func (c *checker) computedRow(tail, value []byte) {
	o := &c.current
	where := safe(o.class, o.id)
	if len(tail) < 2 {
		c.problem("computed", where, "its key does not decode")
		return
	}
	number, key := binary.BigEndian.Uint16(tail), tail[2:]
	if number == 0 {
		c.computedHead(value)
		return
	}
	if has := o.computed.has; len(has) == 0 || has[len(has)-1] != number {
		o.computed.has = append(has, number)
	}
	if err := computed.CheckRow(key, value); err != nil {
		c.problem("computed", where, "attribute %d: %v", number, err)
	}
}

func (c *checker) computedHead(value []byte) {
	o := &c.current
	row, err := c.dict.decodeComputedHead(value)
	if err != nil {
		c.problem("computed", safe(o.class, o.id), "%v", err)
		return
	}
	o.computed.head = *row
	for i := range row.Attributes {
		a := &row.Attributes[i]
		if err := computed.CheckRow([]byte(computed.SummaryKey), a.Summary); err != nil {
			c.problem("computed", safe(o.class, o.id), "attribute %d: %v", a.Number, err)
		}
	}
	if row.Wake() == computed.Never {
		return
	}
	t, err := c.ComputedTimer(o.class, o.id, row.Wake())
	c.note(err)
	key, err := c.dict.timerKey(t)
	c.note(err)
	found, err := get(c.src, key)
	c.note(err)
	if found == nil {
		c.problem("computed", safe(o.class, o.id), "its timer is missing")
	}
}
