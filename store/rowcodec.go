package store

import (
	"math"

	"selfsame/profile"
)

// Encoding and decoding of each row, side by side.

func encodeIdentity(e *encoder, row *Identity) {
	e.int(row.FirstSeen)
	e.id(row.Cluster)
	e.uint(row.Version)
	e.names(row.Fragments)
	e.names(row.Events)
	e.stamp(row.Floor)
	e.stamp(row.Unlinked)
	e.byte(flagBits(row.Ordered, row.Floored, row.Erased,
		row.Expiry != 0, row.Idle != 0, row.Erasing, row.Named))
	e.uint(row.Degree)
	e.uint(row.Crowd)
	e.byte(byte(row.Silence))
	if row.Silence&SilentHub != 0 {
		e.uint(row.Beyond)
	}
	e.uint(row.Generation)
	for _, timer := range [2]int64{row.Expiry, row.Idle} {
		if timer != 0 {
			e.int(timer)
		}
	}
}

func (d *dictionary) decodeIdentity(src []byte) (*Identity, error) {
	r := d.decode(src)
	row := &Identity{FirstSeen: r.int(), Cluster: r.id(), Version: r.uint()}
	row.Fragments = r.names()
	row.Events = r.names()
	row.Floor, row.Unlinked = r.stamp(), r.stamp()
	flags := r.byte()
	row.Ordered, row.Floored, row.Erased = flags&1 != 0, flags&2 != 0, flags&4 != 0
	row.Erasing, row.Named = flags&32 != 0, flags&64 != 0
	row.Degree, row.Crowd, row.Silence = r.uint(), r.uint(), Silence(r.byte())
	if row.Silence&SilentHub != 0 {
		row.Beyond = r.uint()
	}
	row.Generation = r.uint()
	if flags&8 != 0 {
		row.Expiry = r.int()
	}
	if flags&16 != 0 {
		row.Idle = r.int()
	}
	return row, r.done()
}

// flagBits packs flags into a byte, the first lowest.
func flagBits(flags ...bool) (b byte) {
	for i, on := range flags {
		if on {
			b |= 1 << i
		}
	}
	return b
}

func encodeLink(e *encoder, row *Link) {
	e.count(len(row.Assertions))
	for i := range row.Assertions {
		a := &row.Assertions[i]
		e.name(a.Dataset)
		e.optionalIdentity(a.Source)
		e.stamp(a.First)
		e.stamp(a.Latest)
	}
}

func (d *dictionary) decodeLink(src []byte) (*Link, error) {
	r := d.decode(src)
	row := &Link{}
	for range r.count() {
		a := Assertion{Dataset: r.name(), Source: r.optionalIdentity(), First: r.stamp(),
			Latest: r.stamp()}
		row.Assertions = append(row.Assertions, a)
	}
	return row, r.done()
}

// A fragment's leaves share few stamps, so these come first and leaves refer to them by index.
// Edits of arrays, where there are any, are the part that the row has grown.
func encodeFragment(e *encoder, f *profile.Fragment) {
	e.stamp(f.Floor)
	var known stamps
	for i := range f.Leaves {
		known.add(f.Leaves[i].Stamp)
	}
	for i := range f.Edits {
		known.add(f.Edits[i].Stamp)
	}
	e.count(len(known.list))
	for _, s := range known.list {
		e.stamp(s)
	}
	e.count(len(f.Leaves))
	for i := range f.Leaves {
		e.text(string(f.Leaves[i].Path))
		e.uint(known.find(f.Leaves[i].Stamp))
		e.value(f.Leaves[i].Value)
	}
	if len(f.Edits) > 0 {
		e.grow()
		e.edits(f.Edits, &known)
	}
}

func (e *encoder) edits(edits []profile.Edit, known *stamps) {
	e.count(len(edits))
	for i := range edits {
		e.text(string(edits[i].Path))
		e.uint(known.find(edits[i].Stamp))
		e.byte(byte(edits[i].Kind))
		e.count(edits[i].Index)
		e.value(edits[i].Value)
	}
}

func (d *dictionary) decodeFragment(src []byte) (*profile.Fragment, error) {
	r, edited := d.decodeUpTo(rowVersionGrown, src)
	f := &profile.Fragment{Floor: r.stamp()}
	stamps := make([]profile.Stamp, r.count())
	for i := range stamps {
		stamps[i] = r.stamp()
	}
	n := r.count()
	f.Leaves = make([]profile.Leaf, 0, n)
	for range n {
		leaf := profile.Leaf{Path: profile.Path(r.text()), Stamp: r.stampOf(stamps)}
		leaf.Value = r.value(0)
		f.Leaves = append(f.Leaves, leaf)
	}
	if edited {
		f.Edits = r.edits(stamps)
	}
	return f, r.done()
}

// stampOf reads the index of a stamp.
func (d *decoder) stampOf(stamps []profile.Stamp) profile.Stamp {
	at := d.uint()
	if at >= uint64(len(stamps)) {
		d.fail(errCorrupt)
		return profile.Stamp{}
	}
	return stamps[at]
}

func (d *decoder) edits(stamps []profile.Stamp) []profile.Edit {
	n := d.count()
	edits := make([]profile.Edit, 0, n)
	for range n {
		path, stamp := profile.Path(d.text()), d.stampOf(stamps)
		kind, index := profile.EditKind(d.byte()), d.uint()
		value := d.value(0)
		if !kind.Valid() || index > math.MaxInt32 {
			d.fail(errCorrupt)
		}
		if d.err != nil {
			break
		}
		edits = append(edits, profile.NewEdit(path, stamp, kind, int(index), value))
	}
	return edits
}

func encodeEvent(e *encoder, row *Event) {
	e.stamp(row.Stamp)
	e.value(row.Body)
}

func (d *dictionary) decodeEvent(src []byte) (*Event, error) {
	r := d.decode(src)
	row := &Event{Stamp: r.stamp(), Body: r.value(0)}
	return row, r.done()
}

func encodeEventID(e *encoder, row *EventID) {
	e.stamp(row.Deleted)
	e.stamp(row.Stamp)
	if row.Stamp.IsZero() {
		return
	}
	e.flag(row.Hidden)
	e.flag(row.Expired)
	if row.Hidden {
		e.raw(row.Holder[:])
	}
	if row.Exists() { // where it was is forgotten with it: a value outlives nothing
		e.name(row.Class)
		e.identity(row.Identity)
	}
}

func (d *dictionary) decodeEventID(src []byte) (*EventID, error) {
	r := d.decode(src)
	row := &EventID{Deleted: r.stamp(), Stamp: r.stamp()}
	if row.Stamp.IsZero() {
		return row, r.done()
	}
	row.Hidden, row.Expired = r.flag(), r.flag()
	if row.Hidden {
		copy(row.Holder[:], r.raw(len(row.Holder)))
	}
	if row.Exists() {
		row.Class, row.Identity = r.name(), r.identity()
	}
	return row, r.done()
}

func encodeCluster(e *encoder, row *Cluster) {
	e.count(len(row.Members))
	for _, id := range row.Members {
		e.identity(id)
	}
}

func (d *dictionary) decodeCluster(src []byte) (*Cluster, error) {
	r := d.decode(src)
	row := &Cluster{}
	for range r.count() {
		row.Members = append(row.Members, r.identity())
	}
	return row, r.done()
}

func encodeProfile(e *encoder, row *Profile) {
	e.uint(row.Version)
	e.raw(row.Digest[:])
	e.int(row.Time)
	e.flag(row.Cause.Topic != "")
	if row.Cause.Topic != "" {
		e.position(row.Cause)
	}
	e.flag(row.Dead)
	if row.Dead {
		e.id(row.Survivor)
	}
	if !row.Identity.IsZero() || row.Now != 0 {
		e.grow()
		e.optionalIdentity(row.Identity)
		e.int(row.Now)
	}
}

func (d *dictionary) decodeProfile(src []byte) (*Profile, error) {
	r, own := d.decodeUpTo(rowVersionGrown, src)
	row := &Profile{Version: r.uint(), Digest: r.id(), Time: r.int()}
	if r.flag() {
		row.Cause = r.position()
	}
	if row.Dead = r.flag(); row.Dead {
		row.Survivor = r.id()
	}
	if own {
		row.Identity, row.Now = r.optionalIdentity(), r.int()
	}
	return row, r.done()
}

func encodePosition(e *encoder, row *Position) {
	e.int(row.Next)
	e.int(row.MaxTime)
	e.raw(row.Topic[:])
	e.uint(row.Generation)
	e.int(row.Reached)
	e.int(row.Former)
	e.flag(row.Anchor.Known)
	if row.Anchor.Known {
		e.int(row.Anchor.Offset)
		e.int(int64(row.Anchor.Epoch))
		e.uint(uint64(row.Anchor.Sum))
	}
}

func (d *dictionary) decodePosition(src []byte) (*Position, error) {
	r := d.decode(src)
	row := &Position{Next: r.int(), MaxTime: r.int()}
	copy(row.Topic[:], r.raw(len(row.Topic)))
	row.Generation = r.uint()
	row.Reached, row.Former = r.int(), r.int()
	if r.flag() {
		row.Anchor = Anchor{Known: true, Offset: r.int(), Epoch: int32(r.int()),
			Sum: uint32(r.uint())}
	}
	return row, r.done()
}

func encodeInput(e *encoder, row *Input) {
	e.byte(byte(row.State))
	e.text(row.Reason)
	e.int(row.Since)
	e.uint(row.Generation)
	e.byte(byte(row.Resume))
	e.byte(byte(row.Break.Case))
	if row.Break.Case != CaseContinues {
		e.uint(uint64(uint32(row.Break.Partition)))
		e.int(row.Break.Next)
		e.int(row.Break.LogStart)
		e.int(row.Break.End)
	}
}

func (d *dictionary) decodeInput(src []byte) (*Input, error) {
	r := d.decode(src)
	row := &Input{State: InputState(r.byte()), Reason: r.text(), Since: r.int(),
		Generation: r.uint(), Resume: Resume(r.byte())}
	row.Break.Case = Case(r.byte())
	if row.Break.Case != CaseContinues {
		row.Break.Partition = int32(r.uint())
		row.Break.Next, row.Break.LogStart, row.Break.End = r.int(), r.int(), r.int()
	}
	if row.State > InputStopped || row.Resume > ResumeAgain || row.Break.Case > CaseAsked {
		r.fail(errCorrupt)
	}
	return row, r.done()
}

func encodeEntry(e *encoder, row *Entry) {
	e.byte(byte(row.Kind))
	e.name(row.Topic)
	e.uint(uint64(uint32(row.Partition)))
	switch row.Kind {
	case EntryProfile:
		e.name(row.Class)
		e.name(row.Policy)
		e.id(row.ID)
	case EntryAssignment:
		e.name(row.Class)
		e.identity(row.Identity)
	case EntryRecord:
		e.nullable(row.Record.Key)
		e.nullable(row.Record.Value)
		e.count(len(row.Record.Headers))
		for _, h := range row.Record.Headers {
			e.text(h.Key)
			e.nullable(h.Value)
		}
	}
}

// decodeEntry fills in everything but the number, which is the key.
func (d *dictionary) decodeEntry(src []byte, row *Entry) error {
	r := d.decode(src)
	row.Kind = EntryKind(r.byte())
	row.Topic = r.name()
	row.Partition = int32(r.uint())
	switch row.Kind {
	case EntryProfile:
		row.Class, row.Policy, row.ID = r.name(), r.name(), r.id()
	case EntryAssignment:
		row.Class, row.Identity = r.name(), r.identity()
	case EntryRecord:
		row.Record = &OutRecord{Key: r.nullable(), Value: r.nullable()}
		for range r.count() {
			h := Header{Key: r.text(), Value: r.nullable()}
			row.Record.Headers = append(row.Record.Headers, h)
		}
	default:
		r.fail(errCorrupt)
	}
	return r.done()
}
