package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"

	"selfsame/profile"
)

// Keys of the rows that deletions leave.
const (
	spaceCut    = 'k'
	spaceErased = 'x'
	rowFloors   = 7 // within an identity's range
)

// Hash stands for an identity that must not be stored: a keyed hash of class and identity.
type Hash [16]byte

// DatasetCut is how far what a dataset said is deleted.
type DatasetCut struct {
	Cut  Cut
	Done bool // nothing of what the cut covers is stored any more
	Anew bool // records have come since
	// Era counts how often the cut was widened: what is folded of expired events is kept by it. Of
	// those before FirstEra nothing is kept any more.
	Era, FirstEra uint64
}

// DataFloors are what turns data of one dataset about one identity away.
type DataFloors struct {
	Fragment profile.Stamp // what is stamped below; absent without one
	Events   []EventFloor
}

// IsZero reports whether they turn nothing away.
func (f *DataFloors) IsZero() bool { return f.Fragment.IsZero() && len(f.Events) == 0 }

// EventFloor turns the events of a range of times away that a cut covers.
type EventFloor struct {
	From, To int64 // nanoseconds since the epoch, both included
	Cut      Cut
}

// Erased is what is kept of an identity that was erased.
type Erased struct {
	Floor    profile.Stamp // what is stamped below does not come back
	Suppress bool          // nor does what is newer
	// Floors are those of single datasets that reach further, sorted by dataset. Once newer data
	// has begun the identity anew its own rows have them, too.
	Floors []NamedFloors
}

// NamedFloors are the floors of one dataset.
type NamedFloors struct {
	Dataset string
	DataFloors
}

func (d *dictionary) floorsKey(dst []byte, f FragmentRef) ([]byte, error) {
	dst, err := d.identityPrefix(dst, f.Class, f.Identity)
	if err != nil {
		return nil, err
	}
	ds, err := d.number(f.Dataset)
	return appendNumber(append(dst, rowFloors), ds), err
}

func (d *dictionary) cutKey(dataset string) ([]byte, error) {
	ds, err := d.number(dataset)
	return appendNumber([]byte{spaceCut}, ds), err
}

func erasedKey(hash Hash) []byte { return append([]byte{spaceErased}, hash[:]...) }

// SetDataFloors writes what turns data of a dataset about an identity away; an empty row removes
// it.
func (b *Batch) SetDataFloors(ref FragmentRef, row *DataFloors) {
	key, err := b.store.dict.floorsKey(b.key[:0], ref)
	if row.IsZero() {
		b.delete(key, err)
		return
	}
	set(b, key, err, row, encodeDataFloors)
}

// SetCut writes how far what a dataset said is deleted.
func (b *Batch) SetCut(dataset string, row *DatasetCut) {
	key, err := b.store.dict.cutKey(dataset)
	set(b, key, err, row, encodeDatasetCut)
}

// SetErased writes what is kept of an identity that was erased; nil removes it.
func (b *Batch) SetErased(hash Hash, row *Erased) {
	if row == nil {
		b.delete(erasedKey(hash), nil)
		return
	}
	set(b, erasedKey(hash), nil, row, encodeErased)
}

// DeleteIdentity removes an identity's row.
func (b *Batch) DeleteIdentity(class string, id profile.Identity) {
	key, err := b.store.dict.identityKey(b.key[:0], class, id)
	b.delete(key, err)
}

// DeleteSaid removes what the newest record of a dataset links under a primary identity.
func (b *Batch) DeleteSaid(class string, id profile.Identity, dataset string) {
	key, err := b.store.dict.saidKey(b.key[:0], class, id, dataset)
	b.delete(key, err)
}

// DeleteOrders removes what operators have said about a pair.
func (b *Batch) DeleteOrders(class string, a, c profile.Identity) {
	key, err := b.store.dict.ordersKey(class, a, c)
	b.delete(key, err)
	key, err = b.store.dict.ordersKey(class, c, a)
	b.delete(key, err)
}

// DeleteEventID forgets an event id.
func (b *Batch) DeleteEventID(dataset, id string) {
	key, err := b.store.dict.eventIDKey(b.key[:0], dataset, id)
	b.delete(key, err)
}

// DataFloors reads what turns data of a dataset about an identity away.
func (r *Reader) DataFloors(ref FragmentRef) (*DataFloors, error) {
	key, err := r.dict.floorsKey(nil, ref)
	return read(r, "floors", key, err, r.dict.decodeDataFloors)
}

// Erased reads what is kept of an identity that was erased.
func (r *Reader) Erased(hash Hash) (*Erased, error) {
	return read(r, "an erased identity", erasedKey(hash), nil, r.dict.decodeErased)
}

// metaRetentions is the name of the meta row that tells the retentions under which timers were set.
const metaRetentions = "retentions"

// Retentions reads the retentions under which timers were set, in the encoding of those who write
// them; nil where nobody has.
func (r *Reader) Retentions() ([]byte, error) {
	raw, err := get(r.src, metaKey(metaRetentions))
	if err != nil {
		return nil, fmt.Errorf("reading retentions: %w", err)
	}
	return raw, nil
}

// SetRetentions writes them.
func (b *Batch) SetRetentions(text []byte) { b.setRaw(metaKey(metaRetentions), text, nil) }

// AnyErased reports whether any identity was erased.
func (r *Reader) AnyErased() (bool, error) {
	found := false
	err := r.scan([]byte{spaceErased}, func([]byte, []byte) error {
		found = true
		return ErrStop
	})
	return found, err
}

// Cuts calls fn for each dataset of which something is deleted by position.
func (r *Reader) Cuts(fn func(dataset string, row *DatasetCut)) error {
	return r.scan([]byte{spaceCut}, func(key, value []byte) error {
		n, _, err := cutNumber(key[1:])
		if err != nil {
			return fmt.Errorf("reading cuts: %w", err)
		}
		name, err := r.dict.name(n)
		if err != nil {
			return fmt.Errorf("reading cuts: %w", err)
		}
		row, err := r.dict.decodeDatasetCut(value)
		if err != nil {
			return fmt.Errorf("reading cuts: %w", err)
		}
		fn(name, row)
		return nil
	})
}

// SaidOf calls fn for each dataset whose links under a primary identity are the current ones.
func (r *Reader) SaidOf(class string, id profile.Identity,
	fn func(dataset string, row *Said)) error {
	return r.ofDatasets(class, id, rowSaid, func(dataset string, value []byte) error {
		row, err := r.dict.decodeSaid(value)
		if err == nil {
			fn(dataset, row)
		}
		return err
	})
}

// DataFloorsOf calls fn for each dataset of which something about an identity is turned away.
func (r *Reader) DataFloorsOf(class string, id profile.Identity, fn func(dataset string)) error {
	return r.ofDatasets(class, id, rowFloors, func(dataset string, _ []byte) error {
		fn(dataset)
		return nil
	})
}

// ofDatasets reads the rows of one kind that an identity has by dataset.
func (r *Reader) ofDatasets(class string, id profile.Identity, kind byte,
	fn func(dataset string, value []byte) error) error {
	prefix, err := r.dict.identityPrefix(nil, class, id)
	if err != nil {
		return fmt.Errorf("reading rows by dataset: %w", err)
	}
	prefix = append(prefix, kind)
	return r.scan(prefix, func(key, value []byte) error {
		n, _, err := cutNumber(key[len(prefix):])
		if err != nil {
			return fmt.Errorf("reading rows by dataset: %w", err)
		}
		name, err := r.dict.name(n)
		if err != nil {
			return fmt.Errorf("reading rows by dataset: %w", err)
		}
		return fn(name, value)
	})
}

// ItemKind says what row an Item is.
type ItemKind uint8

// The kinds of rows that a walk meets.
const (
	ItemIdentity ItemKind = iota // Row is set
	ItemLink                     // Other and Link are set; of the smaller end
	ItemFragment                 // Dataset is set
	ItemEvent                    // Event is set
	ItemSaid                     // Dataset is set
	ItemOther                    // any other row of an identity
)

// Item is a row of an identity, as a walk meets it.
type Item struct {
	Kind     ItemKind
	Identity profile.Identity
	Row      *Identity
	Other    profile.Identity
	Link     *Link
	Dataset  string
	Event    EventRef
}

// Walk calls fn for each row of the identities of a class, in the order of keys, after a place that
// an earlier walk has told; nil begins. fn is told the place of each row. ErrStop ends it early.
func (r *Reader) Walk(class string, after []byte, fn func(place []byte, item *Item) error) error {
	n, err := r.dict.number(class)
	if err != nil {
		return fmt.Errorf("walking over a class: %w", err)
	}
	prefix := appendNumber([]byte{spaceData}, n)
	from := prefix
	if len(after) > 0 {
		from = append(bytes.Clone(after), 0)
	}
	err = r.scanFrom(from, prefix, func(key, value []byte) error {
		item, err := r.item(class, key[len(prefix):], value)
		if err != nil {
			return err
		}
		return fn(key, item)
	})
	if err != nil {
		return fmt.Errorf("walking over a class: %w", err)
	}
	return nil
}

func (r *Reader) item(class string, tail, value []byte) (*Item, error) {
	id, rest, err := r.dict.cutIdentity(tail)
	if err == nil && len(rest) == 0 {
		err = errKey
	}
	if err != nil {
		return nil, err
	}
	item := &Item{Kind: ItemOther, Identity: id}
	switch kind, rest := rest[0], rest[1:]; kind {
	case rowIdentity:
		item.Kind = ItemIdentity
		item.Row, err = r.dict.decodeIdentity(value)
	case rowLink:
		if item.Other, _, err = r.dict.cutIdentity(rest); err == nil && id.Compare(item.Other) < 0 {
			item.Kind = ItemLink
			item.Link, err = r.dict.decodeLink(value)
		}
	case rowFragment, rowSaid:
		item.Kind = map[byte]ItemKind{rowFragment: ItemFragment, rowSaid: ItemSaid}[kind]
		var n NameID
		if n, _, err = cutNumber(rest); err == nil {
			item.Dataset, err = r.dict.name(n)
		}
	case rowEvent:
		item.Kind = ItemEvent
		item.Event = EventRef{Class: class, Identity: id}
		err = r.dict.cutEventRef(&item.Event, rest)
	}
	return item, err
}

// EventIDsFrom calls fn for each event id of a dataset that lies after another, in order. ErrStop
// ends it early.
func (r *Reader) EventIDsFrom(dataset, after string, fn func(id string, row *EventID) error) error {
	prefix, err := r.dict.eventIDKey(nil, dataset, "")
	if err != nil {
		return fmt.Errorf("reading event ids: %w", err)
	}
	from := prefix
	if after != "" {
		from = append(append(bytes.Clone(prefix), after...), 0)
	}
	return r.scanFrom(from, prefix, func(key, value []byte) error {
		row, err := r.dict.decodeEventID(value)
		if err != nil {
			return fmt.Errorf("reading event ids: %w", err)
		}
		return fn(string(key[len(prefix):]), row)
	})
}

func encodeDatasetCut(e *encoder, row *DatasetCut) {
	encodeCut(e, &row.Cut)
	e.flag(row.Done)
	e.flag(row.Anew)
	if row.Era > 0 {
		e.grow()
		e.uint(row.Era)
		e.uint(row.FirstEra)
	}
}

func (d *dictionary) decodeDatasetCut(src []byte) (*DatasetCut, error) {
	r, grown := d.decodeUpTo(rowVersionGrown, src)
	row := &DatasetCut{Cut: r.cut(), Done: r.flag(), Anew: r.flag()}
	if grown {
		row.Era, row.FirstEra = r.uint(), r.uint()
	}
	return row, r.done()
}

func encodeDataFloors(e *encoder, row *DataFloors) {
	e.stamp(row.Fragment)
	e.count(len(row.Events))
	for i := range row.Events {
		e.int(row.Events[i].From)
		e.int(row.Events[i].To)
		encodeCut(e, &row.Events[i].Cut)
	}
}

func (d *dictionary) decodeDataFloors(src []byte) (*DataFloors, error) {
	r := d.decode(src)
	row := r.dataFloors()
	return &row, r.done()
}

func (d *decoder) dataFloors() DataFloors {
	row := DataFloors{Fragment: d.stamp()}
	for range d.count() {
		row.Events = append(row.Events, EventFloor{From: d.int(), To: d.int(), Cut: d.cut()})
	}
	return row
}

func encodeErased(e *encoder, row *Erased) {
	e.stamp(row.Floor)
	e.flag(row.Suppress)
	if len(row.Floors) == 0 {
		return
	}
	e.grow()
	e.count(len(row.Floors))
	for i := range row.Floors {
		e.name(row.Floors[i].Dataset)
		encodeDataFloors(e, &row.Floors[i].DataFloors)
	}
}

func (d *dictionary) decodeErased(src []byte) (*Erased, error) {
	r, grown := d.decodeUpTo(rowVersionGrown, src)
	row := &Erased{Floor: r.stamp(), Suppress: r.flag()}
	if grown {
		for range r.count() {
			row.Floors = append(row.Floors, NamedFloors{r.name(), r.dataFloors()})
		}
	}
	return row, r.done()
}

// deletionRow checks a row that a deletion has left.
func (c *checker) deletionRow(key, value []byte) {
	var err error
	switch {
	case key[0] == spaceErased && len(key) == 1+len(Hash{}):
		_, err = c.dict.decodeErased(value)
	case key[0] == spaceCut && len(key) == 3:
		_, err = c.dict.decodeDatasetCut(value)
		_, nameErr := c.dict.name(NameID(binary.BigEndian.Uint16(key[1:])))
		err = cmp.Or(err, nameErr)
	default:
		err = errKey
	}
	if err != nil {
		c.problem("deletion", "key", "does not decode: %v", err)
	}
}

// floorsRow checks a row of floors.
func (c *checker) floorsRow(tail, value []byte) {
	o := &c.current
	o.floors++
	_, rest, err := cutNumber(tail)
	if err == nil && len(rest) > 0 {
		err = errKey
	}
	if err == nil {
		_, err = c.dict.decodeDataFloors(value)
	}
	if err != nil {
		c.problem("floors", safe(o.class, o.id), "do not decode: %v", err)
	}
}
