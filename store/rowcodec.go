package store

import (
	"selfsame/profile"
)

// Encoding and decoding of each row, side by side.

func (d *dictionary) encodeIdentity(row *Identity) ([]byte, error) {
	e := d.encode()
	e.int(row.FirstSeen)
	e.id(row.Cluster)
	e.uint(row.Version)
	e.names(row.Fragments)
	e.names(row.Events)
	e.stamp(row.Floor)
	e.stamp(row.Unlinked)
	e.flag(row.Ordered)
	return e.done()
}

func (d *dictionary) decodeIdentity(src []byte) (*Identity, error) {
	r := d.decode(src)
	row := &Identity{FirstSeen: r.int(), Cluster: r.id(), Version: r.uint()}
	row.Fragments = r.names()
	row.Events = r.names()
	row.Floor, row.Unlinked, row.Ordered = r.stamp(), r.stamp(), r.flag()
	return row, r.done()
}

func (d *dictionary) encodeLink(row *Link) ([]byte, error) {
	e := d.encode()
	e.count(len(row.Assertions))
	for i := range row.Assertions {
		a := &row.Assertions[i]
		e.name(a.Dataset)
		e.stamp(a.First)
		e.stamp(a.Latest)
	}
	return e.done()
}

func (d *dictionary) decodeLink(src []byte) (*Link, error) {
	r := d.decode(src)
	row := &Link{}
	for range r.count() {
		a := Assertion{Dataset: r.name(), First: r.stamp(), Latest: r.stamp()}
		row.Assertions = append(row.Assertions, a)
	}
	return row, r.done()
}

// A fragment's leaves share few stamps, so these come first and leaves refer to them by index.
func (d *dictionary) encodeFragment(f *profile.Fragment) ([]byte, error) {
	e := d.encode()
	e.stamp(f.Floor)
	index := map[profile.Stamp]uint64{}
	var stamps []profile.Stamp
	for i := range f.Leaves {
		s := f.Leaves[i].Stamp
		if _, ok := index[s]; !ok {
			index[s] = uint64(len(stamps))
			stamps = append(stamps, s)
		}
	}
	e.count(len(stamps))
	for _, s := range stamps {
		e.stamp(s)
	}
	e.count(len(f.Leaves))
	for i := range f.Leaves {
		e.text(string(f.Leaves[i].Path))
		e.uint(index[f.Leaves[i].Stamp])
		e.value(f.Leaves[i].Value)
	}
	return e.done()
}

func (d *dictionary) decodeFragment(src []byte) (*profile.Fragment, error) {
	r := d.decode(src)
	f := &profile.Fragment{Floor: r.stamp()}
	stamps := make([]profile.Stamp, r.count())
	for i := range stamps {
		stamps[i] = r.stamp()
	}
	n := r.count()
	f.Leaves = make([]profile.Leaf, 0, n)
	for range n {
		leaf := profile.Leaf{Path: profile.Path(r.text())}
		at := r.uint()
		if at >= uint64(len(stamps)) {
			r.fail(errCorrupt)
			break
		}
		leaf.Stamp = stamps[at]
		leaf.Value = r.value(0)
		f.Leaves = append(f.Leaves, leaf)
	}
	return f, r.done()
}

func (d *dictionary) encodeEvent(row *Event) ([]byte, error) {
	e := d.encode()
	e.stamp(row.Stamp)
	e.value(row.Body)
	return e.done()
}

func (d *dictionary) decodeEvent(src []byte) (*Event, error) {
	r := d.decode(src)
	row := &Event{Stamp: r.stamp(), Body: r.value(0)}
	return row, r.done()
}

func (d *dictionary) encodeEventID(row *EventID) ([]byte, error) {
	e := d.encode()
	e.stamp(row.Deleted)
	e.stamp(row.Stamp)
	if !row.Stamp.IsZero() {
		e.name(row.Class)
		e.identity(row.Identity)
		e.flag(row.Hidden)
	}
	return e.done()
}

func (d *dictionary) decodeEventID(src []byte) (*EventID, error) {
	r := d.decode(src)
	row := &EventID{Deleted: r.stamp(), Stamp: r.stamp()}
	if !row.Stamp.IsZero() {
		row.Class = r.name()
		row.Identity = r.identity()
		row.Hidden = r.flag()
	}
	return row, r.done()
}

func (d *dictionary) encodeCluster(row *Cluster) ([]byte, error) {
	e := d.encode()
	e.count(len(row.Members))
	for _, id := range row.Members {
		e.identity(id)
	}
	return e.done()
}

func (d *dictionary) decodeCluster(src []byte) (*Cluster, error) {
	r := d.decode(src)
	row := &Cluster{}
	for range r.count() {
		row.Members = append(row.Members, r.identity())
	}
	return row, r.done()
}

func (d *dictionary) encodeProfile(row *Profile) ([]byte, error) {
	e := d.encode()
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
	return e.done()
}

func (d *dictionary) decodeProfile(src []byte) (*Profile, error) {
	r := d.decode(src)
	row := &Profile{Version: r.uint(), Digest: r.id(), Time: r.int()}
	if r.flag() {
		row.Cause = r.position()
	}
	if row.Dead = r.flag(); row.Dead {
		row.Survivor = r.id()
	}
	return row, r.done()
}

func (d *dictionary) encodePosition(row *Position) ([]byte, error) {
	e := d.encode()
	e.int(row.Next)
	e.int(row.MaxTime)
	e.raw(row.Topic[:])
	e.uint(row.Generation)
	e.flag(row.Anchor.Known)
	if row.Anchor.Known {
		e.int(row.Anchor.Offset)
		e.int(int64(row.Anchor.Epoch))
		e.uint(uint64(row.Anchor.Sum))
	}
	return e.done()
}

func (d *dictionary) decodePosition(src []byte) (*Position, error) {
	r := d.decode(src)
	row := &Position{Next: r.int(), MaxTime: r.int()}
	copy(row.Topic[:], r.raw(len(row.Topic)))
	row.Generation = r.uint()
	if r.flag() {
		row.Anchor = Anchor{Known: true, Offset: r.int(), Epoch: int32(r.int()),
			Sum: uint32(r.uint())}
	}
	return row, r.done()
}

func (d *dictionary) encodeInput(row *Input) ([]byte, error) {
	e := d.encode()
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
	return e.done()
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

func (d *dictionary) encodeEntry(row *Entry) ([]byte, error) {
	e := d.encode()
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
	return e.done()
}

func (d *dictionary) decodeEntry(src []byte) (*Entry, error) {
	r := d.decode(src)
	row := &Entry{Kind: EntryKind(r.byte())}
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
	return row, r.done()
}
