package store

import (
	"cmp"
	"slices"

	"selfsame/profile"
)

// Cut is how far input topics had been consumed when something was deleted: what lies before is
// covered, what comes after is not. Parts are sorted by topic and partition.
type Cut struct{ Parts []CutPart }

// CutPart is one partition of a cut.
type CutPart struct {
	Topic     string
	Partition int32
	ID        TopicID // of the topic, zero where it is not known
	Next      int64   // what lies below is covered
	Former    int64   // likewise in logs of the topic that are no more; 0: there were none
}

// Compare orders parts by topic and partition.
func (p *CutPart) Compare(topic string, partition int32) int {
	return cmp.Or(cmp.Compare(p.Topic, topic), cmp.Compare(p.Partition, partition))
}

// IsZero reports whether the cut covers nothing.
func (c *Cut) IsZero() bool { return len(c.Parts) == 0 }

// Covers reports whether the cut covers what a stored record at pos had said.
func (c *Cut) Covers(pos profile.Position) bool {
	p := c.part(pos.Topic, pos.Partition)
	return p != nil && pos.Offset < max(p.Next, p.Former)
}

// CoversRecord reports whether the cut covers a record that is consumed, from the topic of that id.
func (c *Cut) CoversRecord(pos profile.Position, id TopicID) bool {
	p := c.part(pos.Topic, pos.Partition)
	if p == nil || p.ID != id && !p.ID.IsZero() && !id.IsZero() {
		return false
	}
	return pos.Offset < p.Next
}

func (c *Cut) part(topic string, partition int32) *CutPart {
	i, found := c.find(topic, partition)
	if !found {
		return nil
	}
	return &c.Parts[i]
}

func (c *Cut) find(topic string, partition int32) (int, bool) {
	return slices.BinarySearchFunc(c.Parts, topic,
		func(p CutPart, topic string) int { return p.Compare(topic, partition) })
}

// Add widens the cut by a part, which is not of an older log than those it has, and reports whether
// that covers more.
func (c *Cut) Add(p CutPart) bool {
	i, found := c.find(p.Topic, p.Partition)
	if !found {
		c.Parts = slices.Insert(c.Parts, i, p)
		return true
	}
	old := &c.Parts[i]
	before := *old
	old.Former = max(old.Former, p.Former)
	if p.ID != old.ID && !p.ID.IsZero() && !old.ID.IsZero() {
		old.Former, old.Next = max(old.Former, old.Next), 0
	}
	if !p.ID.IsZero() {
		old.ID = p.ID
	}
	old.Next = max(old.Next, p.Next)
	return *old != before
}

// Join widens the cut by a later one, and reports whether it covers more.
func (c *Cut) Join(later *Cut) (wider bool) {
	for _, p := range later.Parts {
		wider = c.Add(p) || wider
	}
	return wider
}

func encodeCut(e *encoder, c *Cut) {
	e.count(len(c.Parts))
	for i := range c.Parts {
		p := &c.Parts[i]
		e.name(p.Topic)
		e.uint(uint64(uint32(p.Partition)))
		e.raw(p.ID[:])
		e.int(p.Next)
		e.int(p.Former)
	}
}

func (d *decoder) cut() (c Cut) {
	for range d.count() {
		p := CutPart{Topic: d.name(), Partition: int32(d.uint())}
		copy(p.ID[:], d.raw(len(p.ID)))
		p.Next, p.Former = d.int(), d.int()
		c.Parts = append(c.Parts, p)
	}
	return c
}
