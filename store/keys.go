package store

import (
	"encoding/binary"
	"errors"

	"selfsame/profile"
)

// Key spaces. One identity's data is one contiguous range, whatever its kind:
//
//	d class ns value 01                          identity row
//	d class ns value 02 ns value                 link to a neighbour
//	d class ns value 03 dataset                  fragment
//	d class ns value 04 time dataset event-id    event
//	d class ns value 05 ns value                 orders about a pair, under both ends
//	d class ns value 06 dataset                  which identities its newest record links
//	d class ns value 07 dataset                  floors of what the dataset says about it
//	d class ns value 08 number key               what a computed attribute keeps; 0 is their head
//	b class ns value                             a value that an operator has blocked
//	h class ns value                             a hub
//	k dataset                                    how far what the dataset said is deleted
//	x hash                                       an identity that was erased
//	e dataset event-id                           where the event of that id is
//	c class id                                   cluster
//	g class                                      totals of the graph of the class
//	p class policy id                            what was last decided about a merged profile
//	o seq                                        outbox entry
//	f topic partition                            floor of an output partition
//	s topic partition                            input position
//	a id                                         what became of a control record
//	j id                                         job
//	t time kind key                              timer
//	i topic                                      whether the input topic is read
//	m name                                       meta
//	n id                                         dictionary: the name of a number
//
// class, ns, dataset, policy and topic are two-byte numbers of the dictionary; value is escaped
// and terminated (see appendText); times and numbers are big-endian, signed ones with the sign
// flipped.
const (
	spaceData     = 'd'
	spaceEventID  = 'e'
	spaceCluster  = 'c'
	spaceProfile  = 'p'
	spaceOutbox   = 'o'
	spaceFloor    = 'f'
	spacePosition = 's'
	spaceInput    = 'i'
	spaceMeta     = 'm'
	spaceName     = 'n'
)

// Kinds of row within an identity's range.
const (
	rowIdentity = 1
	rowLink     = 2
	rowFragment = 3
	rowEvent    = 4
)

// errKey says that a stored key does not have the form of its space.
var errKey = errors.New("malformed key")

// appendText appends s so that byte order is kept and no encoding is a prefix of another: 0x00
// becomes 0x00 0xff, and 0x00 0x01 ends the text.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = append(dst, s[i])
		if s[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 1)
}

// cutText reads what appendText wrote and returns the rest.
func cutText(src []byte) (s string, rest []byte, err error) {
	var buf []byte
	for i := 0; i+1 < len(src); i++ {
		switch {
		case src[i] != 0:
			buf = append(buf, src[i])
		case src[i+1] == 1:
			return string(buf), src[i+2:], nil
		case src[i+1] == 0xff:
			buf = append(buf, 0)
			i++
		default:
			return "", nil, errKey
		}
	}
	return "", nil, errKey
}

func appendNumber(
	dst []byte,
	n NameID,
) []byte {
	return binary.BigEndian.AppendUint16(dst, uint16(n))
}

func cutNumber(src []byte) (NameID, []byte, error) {
	if len(src) < 2 {
		return 0, nil, errKey
	}
	return NameID(binary.BigEndian.Uint16(src)), src[2:], nil
}

func appendTime(dst []byte, t int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(t)^(1<<63))
}

func cutTime(src []byte) (int64, []byte, error) {
	if len(src) < 8 {
		return 0, nil, errKey
	}
	return int64(binary.BigEndian.Uint64(src) ^ (1 << 63)), src[8:], nil
}

// Key building. Each function appends to dst and fails only on names that were never interned.

func (d *dictionary) identityPrefix(
	dst []byte,
	class string,
	id profile.Identity,
) ([]byte, error) {
	c, err := d.number(class)
	if err != nil {
		return nil, err
	}
	dst = appendNumber(append(dst, spaceData), c)
	return d.appendIdentity(dst, id)
}

func (d *dictionary) appendIdentity(dst []byte, id profile.Identity) ([]byte, error) {
	ns, err := d.number(id.Namespace)
	if err != nil {
		return nil, err
	}
	return appendText(appendNumber(dst, ns), id.Value), nil
}

func (d *dictionary) cutIdentity(src []byte) (profile.Identity, []byte, error) {
	ns, rest, err := cutNumber(src)
	if err != nil {
		return profile.Identity{}, nil, err
	}
	name, err := d.name(ns)
	if err != nil {
		return profile.Identity{}, nil, err
	}
	value, rest, err := cutText(rest)
	return profile.Identity{Namespace: name, Value: value}, rest, err
}

func (d *dictionary) identityKey(dst []byte, class string, id profile.Identity) ([]byte, error) {
	dst, err := d.identityPrefix(dst, class, id)
	return append(dst, rowIdentity), err
}

func (d *dictionary) linkPrefix(dst []byte, class string, id profile.Identity) ([]byte, error) {
	dst, err := d.identityPrefix(dst, class, id)
	return append(dst, rowLink), err
}

func (d *dictionary) linkKey(dst []byte, class string, from, to profile.Identity) ([]byte, error) {
	dst, err := d.linkPrefix(dst, class, from)
	if err != nil {
		return nil, err
	}
	return d.appendIdentity(dst, to)
}

func (d *dictionary) fragmentKey(dst []byte, f FragmentRef) ([]byte, error) {
	dst, err := d.identityPrefix(dst, f.Class, f.Identity)
	if err != nil {
		return nil, err
	}
	ds, err := d.number(f.Dataset)
	return appendNumber(append(dst, rowFragment), ds), err
}

func (d *dictionary) eventKey(dst []byte, e EventRef) ([]byte, error) {
	dst, err := d.identityPrefix(dst, e.Class, e.Identity)
	if err != nil {
		return nil, err
	}
	ds, err := d.number(e.Dataset)
	dst = appendNumber(appendTime(append(dst, rowEvent), e.Time), ds)
	return append(dst, e.ID...), err
}

func (d *dictionary) eventIDKey(dst []byte, dataset, id string) ([]byte, error) {
	ds, err := d.number(dataset)
	return append(appendNumber(append(dst, spaceEventID), ds), id...), err
}

func (d *dictionary) clusterKey(dst []byte, class string, id profile.ID) ([]byte, error) {
	c, err := d.number(class)
	return append(appendNumber(append(dst, spaceCluster), c), id[:]...), err
}

func (d *dictionary) profileKey(dst []byte, p ProfileRef) ([]byte, error) {
	c, err := d.number(p.Class)
	if err != nil {
		return nil, err
	}
	policy, err := d.number(p.Policy)
	dst = appendNumber(appendNumber(append(dst, spaceProfile), c), policy)
	return append(dst, p.ID[:]...), err
}

func (d *dictionary) positionKey(dst []byte, topic string, partition int32) ([]byte, error) {
	t, err := d.number(topic)
	dst = appendNumber(append(dst, spacePosition), t)
	return binary.BigEndian.AppendUint32(dst, uint32(partition)), err
}

func (d *dictionary) inputKey(dst []byte, topic string) ([]byte, error) {
	t, err := d.number(topic)
	return appendNumber(append(dst, spaceInput), t), err
}

func outboxKey(dst []byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, spaceOutbox), seq)
}

func metaKey(name string) []byte { return append([]byte{spaceMeta}, name...) }

// prefixEnd returns the smallest key above every key that starts with prefix; nil where there is
// none.
func prefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// cutEventRef reads time, dataset and event id, the tail of an event's key.
func (d *dictionary) cutEventRef(ref *EventRef, tail []byte) error {
	at, rest, err := cutTime(tail)
	if err != nil {
		return err
	}
	ds, rest, err := cutNumber(rest)
	if err != nil {
		return err
	}
	ref.Time, ref.ID = at, string(rest)
	ref.Dataset, err = d.name(ds)
	return err
}

// cutPosition reads topic and partition, the tail of a position's key.
func (d *dictionary) cutPosition(tail []byte) (topic string, partition int32, err error) {
	t, rest, err := cutNumber(tail)
	if err != nil {
		return "", 0, err
	}
	if len(rest) != 4 {
		return "", 0, errKey
	}
	topic, err = d.name(t)
	return topic, int32(binary.BigEndian.Uint32(rest)), err
}

// cutInput reads the topic, the tail of an input's key.
func (d *dictionary) cutInput(tail []byte) (topic string, err error) {
	t, rest, err := cutNumber(tail)
	if err != nil {
		return "", err
	}
	if len(rest) > 0 {
		return "", errKey
	}
	return d.name(t)
}
