package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"selfsame/profile"
)

// Problem is something that a check found. It holds no personal value: of an identity it tells the
// class, the namespace and the length of the value.
type Problem struct {
	Space string // the key space, such as identity or link
	Where string // the row, without personal values
	Text  string // what is wrong
}

// String gives one line.
func (p Problem) String() string { return p.Space + " " + p.Where + ": " + p.Text }

// Summary counts the rows that a check has read.
type Summary struct {
	Identities, Links, Fragments, Events, EventIDs int
	Clusters, Profiles, Outbox, Positions, Names   int
	Orders, Control, Jobs, Timers, Inputs          int
}

// String gives one line.
func (s Summary) String() string {
	return fmt.Sprintf(
		"%d identities, %d links, %d fragments, %d events, %d event ids, %d clusters, "+
			"%d profiles, %d outbox entries, %d positions, %d inputs, %d names, %d orders, "+
			"%d control records, %d jobs, %d timers",
		s.Identities, s.Links, s.Fragments, s.Events, s.EventIDs, s.Clusters, s.Profiles, s.Outbox,
		s.Positions, s.Inputs, s.Names, s.Orders, s.Control, s.Jobs, s.Timers,
	)
}

// Check reads every row of the latest committed state and reports every one that does not decode
// or
// contradicts another:
//
//   - an identity's cluster exists and lists it; a cluster's members are sorted and point back
//   - an identity says how many links it has, which computed attributes, and when a timer is set
//   - a link has assertions, First not after Latest; it is found from both ends, which exist
//   - an identity lists exactly the fragments and the events' datasets that are there
//   - a fragment is sorted and hides nothing below its floor; no edit of an array is overruled
//   - an event and the row of its id name each other
//   - a union schema has its fingerprint
//   - orders about a pair are the same from both ends; control records, jobs and timers decode
//   - the totals of the graph of a class are those of its rows
//   - a live profile has a cluster of its id, or its identity is known, but for those that the job
//     of a policy which has changed has still to end
//   - outbox entries decode and lie below the next number
//
// It needs little memory: one pass over the keys, and point reads. The error is one of reading, or
// ctx's.
func (s *Store) Check(ctx context.Context, report func(Problem)) (Summary, error) {
	snap := s.Snapshot()
	defer snap.Close()
	c := &checker{Reader: &snap.Reader, report: report, ending: map[string]bool{},
		said: map[string]*GraphTotals{}, found: map[string]*GraphTotals{}}
	raw, err := get(snap.snap, metaKey(metaState))
	if err := errors.Join(err, c.findEnding()); err != nil {
		return c.sum, err
	}
	if raw != nil {
		if c.state, err = decodeState(raw); err != nil {
			c.problem("meta", "state", "%v", err)
		}
	}
	err = c.scan(nil, func(key, value []byte) error {
		c.row(key, value)
		return errors.Join(c.fault, ctx.Err())
	})
	c.leave()
	if err == nil {
		c.compareTotals()
	}
	return c.sum, errors.Join(err, c.fault)
}

// checker is one run of Check. Rows of one identity follow each other; current is the one at hand.
type checker struct {
	*Reader
	report  func(Problem)
	sum     Summary
	state   counters
	current owner
	fault   error                   // of reading
	ending  map[string]bool         // policies, by class and name, whose job is not done
	said    map[string]*GraphTotals // by class, as the store has them
	found   map[string]*GraphTotals // by class, as the rows add up
}

// owner is the identity whose rows are being read, and what they were.
type owner struct {
	class     string
	id        profile.Identity
	row       *Identity
	prefix    string
	fragments []string
	events    []string
	ordered   bool // says that there are orders
	orders    int  // that there are
	floors    int  // likewise
	links     uint64
	computed  ownComputed
}

func (c *checker) problem(space, where, format string, args ...any) {
	c.report(Problem{Space: space, Where: where, Text: fmt.Sprintf(format, args...)})
}

// safe names an identity without its value.
func safe(class string, id profile.Identity) string {
	return fmt.Sprintf("%s/%s(%d bytes)", class, id.Namespace, len(id.Value))
}

// row checks one row.
func (c *checker) row(key, value []byte) {
	switch key[0] {
	case spaceData:
		c.data(key, value)
	case spaceEventID:
		c.sum.EventIDs++
		c.eventIDRow(key, value)
	case spaceCluster:
		c.sum.Clusters++
		c.clusterRow(key, value)
	case spaceProfile:
		c.sum.Profiles++
		c.profileRow(key, value)
	case spaceOutbox:
		c.sum.Outbox++
		c.outboxRow(key, value)
	case spaceFloor:
		c.floorRow(key, value)
	case spacePosition:
		c.sum.Positions++
		c.positionRow(key, value)
	case spaceInput:
		c.sum.Inputs++
		c.inputRow(key, value)
	case spaceName:
		c.sum.Names++
	case spaceMeta:
		c.metaRow(key, value)
	case spaceBlocked, spaceHub:
		c.markRow(key, value)
	case spaceCut, spaceErased:
		c.deletionRow(key, value)
	case spaceApplied, spaceJob, spaceTimer:
		c.controlRow(key, value)
	case spaceTotals:
		c.totalsRow(key, value)
	default:
		c.problem("unknown", fmt.Sprintf("space %q", key[0]), "no such key space")
	}
}

// data checks a row of an identity's range.
func (c *checker) data(key, value []byte) {
	class, rest, err := cutNumber(key[1:])
	var id profile.Identity
	if err == nil {
		id, rest, err = c.dict.cutIdentity(rest)
	}
	name, nameErr := c.dict.name(class)
	if err = errors.Join(err, nameErr); err != nil || len(rest) == 0 {
		c.problem("data", "key", "does not decode: %v", err)
		return
	}
	if prefix := string(key[:len(key)-len(rest)]); prefix != c.current.prefix {
		c.leave()
		c.current = owner{class: name, id: id, prefix: prefix}
	}
	switch rest[0] {
	case rowIdentity:
		c.sum.Identities++
		c.identityRow(value)
	case rowLink:
		c.linkRow(rest[1:], value)
	case rowFragment:
		c.sum.Fragments++
		c.fragmentRow(rest[1:], value)
	case rowEvent:
		c.sum.Events++
		c.eventRow(rest[1:], value)
	case rowOrders:
		c.ordersRow(rest[1:], value)
	case rowSaid:
		c.saidRow(rest[1:], value)
	case rowFloors:
		c.floorsRow(rest[1:], value)
	case rowComputed:
		c.computedRow(rest[1:], value)
	default:
		c.problem("data", safe(name, id), "unknown kind of row %d", rest[0])
	}
}

// leave compares what an identity lists with what was there.
func (c *checker) leave() {
	o := &c.current
	if o.prefix == "" {
		return
	}
	if o.row == nil {
		c.problem("identity", safe(o.class, o.id), "has data but no row of its own")
		return
	}
	if o.ordered != (o.orders > 0) {
		c.problem("identity", safe(o.class, o.id), "has %d orders, says otherwise", o.orders)
	}
	if o.row.Floored != (o.floors > 0) {
		c.problem("identity", safe(o.class, o.id), "has %d floors, says otherwise", o.floors)
	}
	if o.row.Degree != o.links || o.row.Crowd > o.links {
		c.problem("identity", safe(o.class, o.id), "has %d links, says %d, of which %d crowd it",
			o.links, o.row.Degree, o.row.Crowd)
	}
	c.leaveComputed()
	slices.Sort(o.events)
	o.events = slices.Compact(o.events)
	slices.Sort(o.fragments)
	if !slices.Equal(o.row.Fragments, o.fragments) {
		c.problem("identity", safe(o.class, o.id), "lists fragments [%s] but has [%s]",
			strings.Join(o.row.Fragments, " "), strings.Join(o.fragments, " "))
	}
	if !slices.Equal(o.row.Events, o.events) {
		c.problem("identity", safe(o.class, o.id), "lists events of [%s] but has those of [%s]",
			strings.Join(o.row.Events, " "), strings.Join(o.events, " "))
	}
}

func (c *checker) identityRow(value []byte) {
	o := &c.current
	row, err := c.dict.decodeIdentity(value)
	if err != nil {
		c.problem("identity", safe(o.class, o.id), "%v", err)
		return
	}
	o.row = row
	o.ordered = row.Ordered
	if row.Silence&SilentHub != 0 {
		key, err := c.dict.markKey(spaceHub, o.class, o.id)
		c.note(err)
		found, err := get(c.src, key)
		c.note(err)
		if found == nil {
			c.problem("identity", safe(o.class, o.id), "is a hub that is not listed")
		}
	}
	cluster, err := c.Cluster(o.class, row.Cluster)
	c.note(err)
	switch {
	case cluster == nil:
		c.problem("identity", safe(o.class, o.id), "its cluster %s is missing", row.Cluster)
	case !slices.Contains(cluster.Members, o.id):
		c.problem("identity", safe(o.class, o.id), "its cluster %s does not list it", row.Cluster)
	}
}

// note keeps the first fault of reading; a row that does not decode is reported where it lies.
func (c *checker) note(err error) {
	if err != nil && !errors.Is(err, errCorrupt) && c.fault == nil {
		c.fault = err
	}
}

func (c *checker) linkRow(tail, value []byte) {
	o := &c.current
	o.links++
	where := safe(o.class, o.id)
	other, rest, err := c.dict.cutIdentity(tail)
	if err != nil || len(rest) > 0 {
		c.problem("link", where, "its key does not decode")
		return
	}
	back, err := c.dict.linkKey(nil, o.class, other, o.id)
	c.note(err)
	found, err := get(c.src, back)
	c.note(err)
	if found == nil {
		c.problem("link", where, "is not found from its other end")
	}
	end, err := c.Identity(o.class, other)
	c.note(err)
	if end == nil && err == nil {
		c.problem("link", where, "its other end is not known")
	}
	if other.Compare(o.id) < 0 {
		return // the pointer; the row is under the smaller end
	}
	c.sum.Links++
	c.counted(o.class).Links++
	row, err := c.dict.decodeLink(value)
	if err != nil || len(row.Assertions) == 0 {
		c.problem("link", where, "has no assertions: %v", err)
		return
	}
	for i, a := range row.Assertions {
		if a.Latest.Before(a.First) ||
			i > 0 && row.Assertions[i-1].Compare(a.Dataset, a.Source) >= 0 {
			c.problem("link", where, "its assertion by %s is out of order", a.Dataset)
		}
	}
}

func (c *checker) fragmentRow(tail, value []byte) {
	o := &c.current
	where := safe(o.class, o.id)
	n, rest, err := cutNumber(tail)
	dataset, nameErr := c.dict.name(n)
	if errors.Join(err, nameErr) != nil || len(rest) > 0 {
		c.problem("fragment", where, "its key does not decode")
		return
	}
	o.fragments = append(o.fragments, dataset)
	f, err := c.dict.decodeFragment(value)
	if err != nil {
		c.problem("fragment", where, "%v", err)
		return
	}
	for i, leaf := range f.Leaves {
		if i > 0 && f.Leaves[i-1].Path >= leaf.Path || leaf.Stamp.Before(f.Floor) {
			c.problem("fragment", where+" of "+dataset, "leaf %d is out of order or hidden", i)
		}
	}
	if whole := (&profile.Fragment{Floor: f.Floor, Leaves: f.Leaves}); len(f.Edits) > 0 {
		whole.Join(&profile.Fragment{Edits: profile.SortEdits(slices.Clone(f.Edits))})
		if whole.Join(f) || !slices.EqualFunc(whole.Edits, f.Edits, sameEdit) {
			c.problem("fragment", where+" of "+dataset, "its edits are out of order or overruled")
		}
	}
}

func sameEdit(a, b profile.Edit) bool {
	return a.Path == b.Path && a.Stamp == b.Stamp && a.Kind == b.Kind && a.Index == b.Index
}

func (c *checker) eventRow(tail, value []byte) {
	o := &c.current
	where := safe(o.class, o.id)
	ref := EventRef{Class: o.class, Identity: o.id}
	if err := c.dict.cutEventRef(&ref, tail); err != nil {
		c.problem("event", where, "its key does not decode")
		return
	}
	o.events = append(o.events, ref.Dataset)
	row, err := c.dict.decodeEvent(value)
	if err != nil {
		c.problem("event", where, "%v", err)
		return
	}
	id, err := c.EventID(ref.Dataset, ref.ID)
	c.note(err)
	if id == nil || !id.Exists() || id.Stamp != row.Stamp || id.Identity != o.id {
		c.problem("event", where+" of "+ref.Dataset, "the row of its id does not name it")
	}
}

func (c *checker) eventIDRow(key, value []byte) {
	n, rest, err := cutNumber(key[1:])
	dataset, nameErr := c.dict.name(n)
	if err = errors.Join(err, nameErr); err != nil {
		c.problem("event id", "key", "does not decode: %v", err)
		return
	}
	row, err := c.dict.decodeEventID(value)
	if err != nil {
		c.problem("event id", dataset, "%v", err)
		return
	}
	if !row.Exists() {
		return
	}
	event, err := c.Event(EventRef{Class: row.Class, Identity: row.Identity, Time: row.Stamp.Time,
		Dataset: dataset, ID: string(rest)})
	c.note(err)
	if event == nil {
		c.problem("event id", dataset, "its event is missing")
	}
}

func (c *checker) clusterRow(key, value []byte) {
	class, id, err := c.cutClassID(key[1:])
	if err != nil {
		c.problem("cluster", "key", "does not decode: %v", err)
		return
	}
	row, err := c.dict.decodeCluster(value)
	if err != nil || len(row.Members) == 0 {
		c.problem("cluster", id.String(), "has no members: %v", err)
		return
	}
	c.counted(class).AddCluster(row.Members, 1)
	for i, member := range row.Members {
		if i > 0 && row.Members[i-1].Compare(member) >= 0 {
			c.problem("cluster", id.String(), "members are not sorted")
		}
		person, err := c.Identity(class, member)
		c.note(err)
		if person == nil || person.Cluster != id {
			c.problem("cluster", id.String(), "member %d does not point back", i)
		}
	}
}

// cutClassID reads class and id, the tail of a cluster's key.
func (c *checker) cutClassID(tail []byte) (class string, id profile.ID, err error) {
	n, rest, err := cutNumber(tail)
	if err != nil {
		return "", id, err
	}
	if copy(id[:], rest) != len(id) || len(rest) != len(id) {
		return "", id, errKey
	}
	class, err = c.dict.name(n)
	return class, id, err
}

func (c *checker) outboxRow(key, value []byte) {
	if len(key) != 9 {
		c.problem("outbox", "key", "does not decode")
		return
	}
	seq := binary.BigEndian.Uint64(key[1:])
	if err := c.dict.decodeEntry(value, &Entry{}); err != nil {
		c.problem("outbox", fmt.Sprint(seq), "%v", err)
	}
	if seq >= c.state.nextSeq {
		c.problem("outbox", fmt.Sprint(seq), "lies beyond the next number %d", c.state.nextSeq)
	}
}
