package sim

import (
	"maps"
	"math"
	"slices"
)

// said is what operators have said, and what is left of it.
type said struct {
	done     map[string]bool    // ids of control records that were applied
	audit    map[string]audited // by place and outcome: what the audit topic has to tell
	orders   map[[2]who]*orders
	floor    map[who]int64            // data up to then is deleted
	below    map[who]map[string]int64 // by dataset: fragments up to then are deleted
	ranges   map[who][]eventRange     // events in these are deleted
	unlinked map[who]int64            // links asserted up to then are void: unlink
	parted   map[who]int64            // the same: erase
	cuts     map[string]cut           // by dataset: what lies before is deleted
	erased   map[string]erasure       // by hash
	blocked  map[who]bool             // values that are no identities
}

// orders are the latest words on a pair.
type orders struct{ together, apart word }

type word struct {
	on    bool
	stamp stamp
}

// erasure is up to when what is said of somebody does not come back, or whether it ever does.
type erasure struct {
	time     int64
	suppress bool
}

// cut is how far topics had been consumed, by partition.
type cut map[string]int64

func (c cut) covers(s stamp) bool {
	r := fed{topic: s.topic, partition: s.partition}
	return s.offset < c[r.from()]
}

// join widens a cut.
func (c cut) join(other cut) cut {
	wider := maps.Clone(c)
	if wider == nil {
		wider = cut{}
	}
	for from, next := range other {
		wider[from] = max(wider[from], next)
	}
	return wider
}

// eventRange is a deletion of events that were consumed before a cut.
type eventRange struct {
	dataset     string
	first, last int64 // both in it
	cut         cut
	by          int64 // offset of the control record
}

func (r *eventRange) covers(f *fact) bool {
	return f.dataset == r.dataset && r.first <= f.stamp.time && f.stamp.time <= r.last &&
		r.cut.covers(f.stamp)
}

func newSaid() said {
	return said{done: map[string]bool{}, audit: map[string]audited{},
		orders: map[[2]who]*orders{}, floor: map[who]int64{},
		below: map[who]map[string]int64{}, ranges: map[who][]eventRange{},
		unlinked: map[who]int64{}, parted: map[who]int64{}, cuts: map[string]cut{},
		erased:  map[string]erasure{},
		blocked: map[who]bool{}}
}

// always is before all times: where nothing was deleted.
const always = math.MinInt64

// endless is after all times.
const endless = math.MaxInt64

func (s *said) floorOf(id who) int64 {
	if at, found := s.floor[id]; found {
		return at
	}
	return always
}

// unlinkedTo is up to when assertions about an identity are void.
func (s *said) unlinkedTo(id who) int64 {
	to := int64(always)
	for _, at := range []map[who]int64{s.unlinked, s.parted} {
		if up, found := at[id]; found {
			to = max(to, up)
		}
	}
	return to
}

// floored reports whether what a record says was deleted before it came.
func (s *said) floored(f *fact) bool {
	below, found := s.below[f.primary][f.dataset]
	return f.stamp.time <= s.floorOf(f.primary) || found && f.stamp.time <= below
}

// barred reports whether an event was deleted before it came.
func (s *said) barred(f *fact) bool {
	return slices.ContainsFunc(s.ranges[f.primary], func(r eventRange) bool { return r.covers(f) })
}

func (s *said) apart(a, b who) bool {
	o := s.orders[pair(a, b)]
	return o != nil && o.apart.on
}

func (s *said) forced() (links []link) {
	for ends, o := range s.orders {
		if o.together.on {
			links = append(links, link{ends[0], ends[1], o.together.stamp.time, true})
		}
	}
	return links
}

func pair(a, b who) [2]who {
	if compareWho(b, a) < 0 {
		a, b = b, a
	}
	return [2]who{a, b}
}

// bound reports whether what is said of an identity at a time does not come back.
func (s *said) bound(id who, at int64) bool {
	e, erased := s.erased[hashOf(id)]
	return erased && (e.suppress || at <= e.time)
}

// withoutErased leaves out of a record whom it may not speak of. It is refused where that is its
// primary identity.
func (o *oracle) withoutErased(f *fact) (reason string) {
	out := func(id who) bool { return o.bound(id, f.stamp.time) }
	if len(f.all) > 0 && out(f.primary) {
		return "erased"
	}
	f.all = slices.DeleteFunc(f.all, out)
	return ""
}

// obey applies a control record, or says why not.
func (o *oracle) obey(r *fed) (reason string) {
	c, reason := judgeControl(r)
	if reason == "" && c.at.time-o.appended[r.from()] > int64(maxFuture) {
		reason = "future_timestamp"
	}
	again := (c.Op == "delete_events" || c.Op == "delete_profile" || c.Op == "block_value") &&
		o.as(c) != nil
	if reason == "" && c.Op != "erase" && c.Op != "lift_delete" && !again &&
		slices.ContainsFunc(c.ids, func(id who) bool { return o.bound(id, c.at.time) }) {
		reason = "erased"
	}
	if reason != "" {
		if c.ID != "" {
			o.tell(c, "rejected", audited{Reason: reason})
		}
		return reason
	}
	if o.done[c.ID] {
		return ""
	}
	o.done[c.ID] = true
	entry := audited{}
	switch {
	case c.Op == "erase", c.Op == "lift_delete":
	case c.Op == "delete_profile" && again:
	case c.Op == "delete_events" && o.erasedSince(c.ids[0], c):
		entry.hashes = []string{hashOf(c.ids[0])}
	default:
		for _, id := range c.ids {
			o.meet(id, math.MaxInt64)
		}
		entry.ids = c.ids
	}
	o.perform(c, &entry)
	o.tell(c, "applied", entry)
	return ""
}

func (o *oracle) unknown(id who) bool {
	_, known := o.known[id]
	return !known
}

// liftedSince reports whether an operation that is applied again was lifted later.
func (o *oracle) liftedSince(c *control) bool {
	op := o.as(c)
	return op != nil && op.lifted[hashOf(c.ids[0])]
}

func (o *oracle) perform(c *control, entry *audited) {
	id := who{}
	if len(c.ids) > 0 {
		id = c.ids[0]
	}
	at := c.at.time
	switch c.Op {
	case "link", "forbid_link":
		o.order(c)
	case "unlink":
		o.unlinked[id] = max(o.unlinkedTo(id), at)
	case "block_value":
		if o.blocked[id] = !c.Lift; !c.Lift {
			o.cutLinks(func(a who, _ *fact) bool { return a == id })
		}
	case "delete_profile":
		ids := o.deleted(c, entry)
		for _, m := range ids {
			o.floor[m] = max(o.floorOf(m), at)
			o.unfold(m, "", always, at)
		}
		o.sink()
	case "delete_fragment":
		if o.liftedSince(c) {
			return
		}
		if o.below[id] == nil {
			o.below[id] = map[string]int64{}
		}
		if old, found := o.below[id][c.Dataset]; !found || old < at {
			o.below[id][c.Dataset] = at
		}
		o.sink()
	case "delete_events":
		if o.liftedSince(c) {
			return
		}
		o.ranges[id] = append(o.ranges[id], eventRange{c.Dataset, c.first, c.last, o.cutOf(c),
			c.at.offset})
		o.trim(id)
		o.unfold(id, c.Dataset, c.first, c.last)
	case "delete_dataset":
		o.cuts[c.Dataset] = o.cuts[c.Dataset].join(o.cutOf(c))
		o.drop(c.Dataset)
		o.tell(c, "done", audited{})
	case "erase":
		o.erase(c, entry)
	case "lift_delete":
		o.lift(c, entry)
	case "remerge":
		o.tell(c, "done", audited{})
	}
}

// order keeps the latest word on a pair.
func (o *oracle) order(c *control) {
	ends := pair(c.ids[0], c.ids[1])
	if o.orders[ends] == nil {
		o.orders[ends] = &orders{}
	}
	w := &o.orders[ends].together
	if c.Op == "forbid_link" {
		w = &o.orders[ends].apart
	}
	if w.stamp.compare(c.at) < 0 {
		*w = word{!c.Lift, c.at}
	}
}

// cutLinks has facts assert no links of some identities any more.
func (o *oracle) cutLinks(of func(id who, f *fact) bool) {
	for _, f := range o.facts {
		f.links = slices.DeleteFunc(f.links, func(ends [2]who) bool {
			return of(ends[0], f) || of(ends[1], f)
		})
	}
}

// deleted lists whom a deletion acts on: the profile as it is, or those on which it had acted
// before the input was consumed again, but for those for whom it was lifted later. Those who were
// erased since it tells by their hashes.
func (o *oracle) deleted(c *control, entry *audited) (ids []who) {
	op := o.as(c)
	if op == nil {
		entry.ids = o.members(c.ids[0])
		return entry.ids
	}
	entry.hashes = slices.Clone(op.hashes)
	for _, id := range op.ids {
		if o.erasedSince(id, c) {
			entry.hashes = append(entry.hashes, hashOf(id))
			continue
		}
		entry.ids = append(entry.ids, id)
		o.meet(id, math.MaxInt64)
		if !op.lifted[hashOf(id)] {
			ids = append(ids, id)
		}
	}
	return ids
}

// erasedSince reports whether nothing is known of an identity but that it was erased since an
// operation about it.
func (o *oracle) erasedSince(id who, c *control) bool {
	_, known := o.known[id]
	return !known && o.bound(id, c.at.time)
}

// cutOf is how far the input is consumed, or was when the deletion was applied before the input was
// consumed again.
func (o *oracle) cutOf(c *control) cut {
	if op := o.again[c.ID]; op != nil && op.Op == c.Op && op.Dataset == c.Dataset {
		return op.cut
	}
	return maps.Clone(o.next)
}

// sink marks what lies below floors.
func (o *oracle) sink() {
	for _, f := range o.facts {
		if f.event == "" && o.floored(f) {
			f.counts = false
		}
	}
	o.eachEvent(func(e *heldEvent) {
		e.hidden = e.copy.stamp.time <= o.floorOf(e.copy.primary)
	})
}

// trim removes the events of an identity that lie in deleted ranges. Their ids are free again.
func (o *oracle) trim(id who) {
	o.eachEvent(func(e *heldEvent) {
		if e.copy.primary == id && o.barred(e.copy) {
			e.copy = nil
		}
	})
}

// drop removes what a dataset had said before the cut.
func (o *oracle) drop(dataset string) {
	gone := o.cuts[dataset]
	for _, f := range o.facts {
		if f.dataset == dataset && gone.covers(f.stamp) {
			f.forgotten()
		}
	}
	for name, e := range o.held {
		if name.dataset != dataset {
			continue
		}
		if e.copy != nil && gone.covers(e.copy.stamp) {
			e.copy, e.hidden = nil, false
		}
		if e.gone != nil && gone.covers(*e.gone) {
			e.gone = nil
		}
		if e.expired != nil && gone.covers(*e.expired) {
			e.expired = nil
		}
	}
	for id := range o.folded {
		o.unfold(id, dataset, always, endless)
	}
}

// erase takes the identities of a profile away, with what was said of them up to its time, and
// remembers their hashes.
func (o *oracle) erase(c *control, entry *audited) {
	members := o.members(c.ids[0])
	op := o.as(c)
	if op != nil {
		members = slices.DeleteFunc(members, func(id who) bool {
			return !slices.Contains(op.hashes, hashOf(id)) || op.lifted[hashOf(id)]
		})
		members = append(members, o.knownAgain(op, members)...)
	}
	for _, id := range members {
		hash := hashOf(id)
		o.raise(hash, erasure{max(c.at.time, o.floorOf(id)), c.Suppress})
		entry.hashes = append(entry.hashes, hash)
	}
	if op != nil {
		entry.hashes = op.hashes
	}
	o.forget(members, erasure{c.at.time, c.Suppress})
}

// knownAgain lists those besides whom an erasure had erased, and whom operations that are applied
// again have made known.
func (o *oracle) knownAgain(op *toldOp, members []who) (more []who) {
	for _, id := range slices.Sorted(maps.Keys(o.again)) {
		for _, id := range o.again[id].ids {
			hash := hashOf(id)
			if slices.Contains(op.hashes, hash) && !op.lifted[hash] && !o.unknown(id) &&
				!slices.Contains(members, id) && !slices.Contains(more, id) {
				more = append(more, id)
			}
		}
	}
	return more
}

// raise keeps what was erased away for longer.
func (o *oracle) raise(hash string, e erasure) {
	old, found := o.erased[hash]
	if found {
		e = erasure{max(e.time, old.time), e.suppress || old.suppress}
	}
	o.erased[hash] = e
}

// forget removes what was said of identities up to an erasure, and those of whom nothing is left.
func (o *oracle) forget(ids []who, e erasure) {
	up := e.time
	if e.suppress {
		up = math.MaxInt64
	}
	for ends := range o.orders {
		if slices.Contains(ids, ends[0]) || slices.Contains(ids, ends[1]) {
			delete(o.orders, ends)
		}
	}
	for _, f := range o.facts {
		if f.stamp.time <= up && f.event == "" && slices.Contains(ids, f.primary) {
			f.forgotten()
		}
	}
	o.cutLinks(func(id who, f *fact) bool {
		return f.stamp.time <= up && slices.Contains(ids, id)
	})
	for name, held := range o.held {
		if held.there() && held.copy.stamp.time <= up && slices.Contains(ids, held.copy.primary) {
			delete(o.held, name)
		}
	}
	for _, id := range ids {
		o.strip(id, up)
	}
}

// strip takes an identity away of which nothing is left; otherwise it begins anew.
func (o *oracle) strip(id who, up int64) {
	o.unfold(id, "", always, up)
	if _, known := o.known[id]; !known {
		return
	}
	if o.anythingOf(id) {
		o.known[id] = o.erased[hashOf(id)].time + 1
		o.floor[id] = max(o.floorOf(id), up)
		if o.parted[id] = max(o.parted[id], up); o.unlinked[id] <= up {
			delete(o.unlinked, id) // it was an order about somebody who was erased
		}
		return
	}
	delete(o.folded, id)
	delete(o.parted, id)
	delete(o.known, id)
	delete(o.floor, id)
	delete(o.unlinked, id)
}

// anythingOf reports whether there is data or a link of an identity, or a record that says which
// its links are.
func (o *oracle) anythingOf(id who) bool {
	for _, f := range o.facts {
		if f.event == "" && f.primary == id &&
			(f.counts || f.replaces || f.latest && f.dataset == "club") {
			return true
		}
	}
	for ends := range o.asserted() {
		if ends[0] == id || ends[1] == id {
			return true
		}
	}
	return o.holders()[id] != nil
}
