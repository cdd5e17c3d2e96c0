package store

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"selfsame/profile"
)

// Reader reads typed rows. Methods return nil without an error where there is no row.
type Reader struct {
	src  pebble.Reader
	dict *dictionary
}

// Identity reads what is known of an identity apart from its data.
func (r *Reader) Identity(class string, id profile.Identity) (*Identity, error) {
	key, err := r.dict.identityKey(nil, class, id)
	return read(r, "identity", key, err, r.dict.decodeIdentity)
}

// Link reads the row of the link between two identities; the order of the ends does not matter.
func (r *Reader) Link(class string, a, b profile.Identity) (*Link, error) {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	key, err := r.dict.linkKey(nil, class, a, b)
	return read(r, "link", key, err, r.dict.decodeLink)
}

// Fragment reads a fragment.
func (r *Reader) Fragment(ref FragmentRef) (*profile.Fragment, error) {
	key, err := r.dict.fragmentKey(nil, ref)
	return read(r, "fragment", key, err, r.dict.decodeFragment)
}

// Event reads an event's row.
func (r *Reader) Event(ref EventRef) (*Event, error) {
	key, err := r.dict.eventKey(nil, ref)
	return read(r, "event", key, err, r.dict.decodeEvent)
}

// EventID reads where the event of an id is.
func (r *Reader) EventID(dataset, id string) (*EventID, error) {
	key, err := r.dict.eventIDKey(nil, dataset, id)
	return read(r, "event id", key, err, r.dict.decodeEventID)
}

// Cluster reads a cluster.
func (r *Reader) Cluster(class string, id profile.ID) (*Cluster, error) {
	key, err := r.dict.clusterKey(nil, class, id)
	return read(r, "cluster", key, err, r.dict.decodeCluster)
}

// Profile reads what was last decided about a merged profile.
func (r *Reader) Profile(ref ProfileRef) (*Profile, error) {
	key, err := r.dict.profileKey(nil, ref)
	return read(r, "profile", key, err, r.dict.decodeProfile)
}

// Position reads how far an input partition has been consumed.
func (r *Reader) Position(topic string, partition int32) (*Position, error) {
	key, err := r.dict.positionKey(nil, topic, partition)
	return read(r, "position", key, err, r.dict.decodePosition)
}

// Neighbour is an end of a link as it is found from the other end.
type Neighbour struct {
	ID   profile.Identity
	Link *Link // nil under the greater end, which has only a pointer: ask Reader.Link
}

// Neighbours lists up to limit identities that id has a link with, in key order.
func (r *Reader) Neighbours(class string, id profile.Identity, limit int) ([]Neighbour, error) {
	var out []Neighbour
	if limit == 0 {
		return nil, nil
	}
	err := r.EachNeighbour(class, id, func(n Neighbour) error {
		if out = append(out, n); len(out) == limit {
			return ErrStop
		}
		return nil
	})
	return out, err
}

// EachNeighbour calls fn for each identity that id has a link with, in key order, until fn fails.
// ErrStop ends it early.
func (r *Reader) EachNeighbour(class string, id profile.Identity, fn func(Neighbour) error) error {
	prefix, err := r.dict.linkPrefix(nil, class, id)
	if err != nil {
		return fmt.Errorf("reading links: %w", err)
	}
	err = r.scan(prefix, func(key, value []byte) error {
		other, rest, err := r.dict.cutIdentity(key[len(prefix):])
		if err == nil && len(rest) > 0 {
			err = errKey
		}
		n := Neighbour{ID: other}
		if err == nil && id.Compare(other) < 0 {
			n.Link, err = r.dict.decodeLink(value)
		}
		if err != nil {
			return err
		}
		return fn(n)
	})
	if err != nil {
		return fmt.Errorf("reading links: %w", err)
	}
	return nil
}

// Events calls fn for each event of an identity in order of time until fn fails.
func (r *Reader) Events(class string, id profile.Identity, fn func(EventRef, *Event) error) error {
	prefix, err := r.dict.identityPrefix(nil, class, id)
	if err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	prefix = append(prefix, rowEvent)
	err = r.scan(prefix, func(key, value []byte) error {
		ref := EventRef{Class: class, Identity: id}
		if err := r.dict.cutEventRef(&ref, key[len(prefix):]); err != nil {
			return err
		}
		event, err := r.dict.decodeEvent(value)
		if err != nil {
			return err
		}
		return fn(ref, event)
	})
	if err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	return nil
}

// EventRefs calls fn for the name of each event of an identity in order of time until fn fails.
func (r *Reader) EventRefs(class string, id profile.Identity, fn func(EventRef) error) error {
	return r.EventRefsFrom(class, id, math.MinInt64, fn)
}

// EventRefsFrom is EventRefs from a time on.
func (r *Reader) EventRefsFrom(class string, id profile.Identity, at int64,
	fn func(EventRef) error) error {
	prefix, err := r.dict.identityPrefix(nil, class, id)
	if err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	prefix = append(prefix, rowEvent)
	err = r.scanFrom(appendTime(slices.Clip(prefix), at), prefix, func(key, _ []byte) error {
		ref := EventRef{Class: class, Identity: id}
		if err := r.dict.cutEventRef(&ref, key[len(prefix):]); err != nil {
			return err
		}
		return fn(ref)
	})
	if err != nil {
		return fmt.Errorf("reading events: %w", err)
	}
	return nil
}

// LastEvent is the time of the latest event of an identity.
func (r *Reader) LastEvent(class string, id profile.Identity) (at int64, found bool, err error) {
	prefix, err := r.dict.identityPrefix(nil, class, id)
	if err != nil {
		return 0, false, fmt.Errorf("reading the last event: %w", err)
	}
	prefix = append(prefix, rowEvent)
	iter, err := r.src.NewIter(prefixBounds(prefix))
	if err != nil {
		return 0, false, fmt.Errorf("reading the last event: %w", err)
	}
	defer iter.Close()
	if !iter.Last() {
		return 0, false, iter.Error()
	}
	at, _, err = cutTime(iter.Key()[len(prefix):])
	return at, err == nil, err
}

// Positions calls fn for each stored input position.
func (r *Reader) Positions(fn func(topic string, partition int32, p *Position) error) error {
	return r.scanHot([]byte{spacePosition}, func(key, value []byte) error {
		topic, partition, err := r.dict.cutPosition(key[1:])
		if err != nil {
			return err
		}
		p, err := r.dict.decodePosition(value)
		if err != nil {
			return err
		}
		return fn(topic, partition, p)
	})
}

// Inputs calls fn for each input topic whose state was ever changed.
func (r *Reader) Inputs(fn func(topic string, row *Input) error) error {
	return r.scan([]byte{spaceInput}, func(key, value []byte) error {
		topic, err := r.dict.cutInput(key[1:])
		if err != nil {
			return fmt.Errorf("reading inputs: %w", err)
		}
		row, err := r.dict.decodeInput(value)
		if err != nil {
			return fmt.Errorf("reading inputs: %w", err)
		}
		return fn(topic, row)
	})
}

// Profiles calls fn for what was last decided about each profile of a class under a policy, in
// order of id, until fn fails.
func (r *Reader) Profiles(class, policy string, fn func(profile.ID, *Profile) error) error {
	return r.ProfilesFrom(class, policy, profile.ID{}, fn)
}

// ProfilesFrom is Profiles from an id on. ErrStop ends it early.
func (r *Reader) ProfilesFrom(class, policy string, first profile.ID,
	fn func(profile.ID, *Profile) error) error {
	from, err := r.dict.profileKey(nil, ProfileRef{Class: class, Policy: policy, ID: first})
	if err != nil {
		return fmt.Errorf("reading profiles: %w", err)
	}
	prefix := from[:len(from)-len(profile.ID{})]
	return r.scanFrom(from, prefix, func(key, value []byte) error {
		var id profile.ID
		if copy(id[:], key[len(prefix):]) != len(id) {
			return fmt.Errorf("reading profiles: %w", errKey)
		}
		row, err := r.dict.decodeProfile(value)
		if err != nil {
			return fmt.Errorf("reading profiles: %w", err)
		}
		return fn(id, row)
	})
}

// ErrStop, returned by a callback, ends a scan early without being an error of it.
var ErrStop = errors.New("stop")

// scan calls fn for each row whose key starts with prefix. Key and value are valid during the call.
func (r *Reader) scan(prefix []byte, fn func(key, value []byte) error) error {
	return r.scanFrom(prefix, prefix, fn)
}

// scanFrom is scan from a key on.
func (r *Reader) scanFrom(from, prefix []byte, fn func(key, value []byte) error) error {
	return r.walk(from, prefix, (*pebble.Iterator).Next, fn)
}

// scanHot is scan over few rows that every commit writes again. The engine keeps all that was
// written until it flushes, and a step would go through thousands of writes of one row; a seek does
// not.
func (r *Reader) scanHot(prefix []byte, fn func(key, value []byte) error) error {
	var after []byte
	next := func(iter *pebble.Iterator) bool {
		after = append(append(after[:0], iter.Key()...), 0)
		return iter.SeekGE(after)
	}
	return r.walk(prefix, prefix, next, fn)
}

// walk calls fn for each row whose key starts with prefix, from a key on; next goes to the next.
func (r *Reader) walk(from, prefix []byte, next func(*pebble.Iterator) bool,
	fn func(key, value []byte) error) error {
	bounds := prefixBounds(prefix)
	bounds.LowerBound = from
	iter, err := r.src.NewIter(bounds)
	if err != nil {
		return err
	}
	defer iter.Close()
	for iter.First(); iter.Valid(); next(iter) {
		value, err := iter.ValueAndErr()
		if err != nil {
			return err
		}
		switch err := fn(iter.Key(), value); {
		case errors.Is(err, ErrStop):
			return nil
		case err != nil:
			return err
		}
	}
	return iter.Error()
}

// read gets one row and decodes it. keyErr is the error of building the key.
func read[T any](r *Reader, what string, key []byte, keyErr error,
	decode func([]byte) (*T, error)) (*T, error) {
	if keyErr != nil {
		return nil, fmt.Errorf("reading %s: %w", what, keyErr)
	}
	value, closer, err := r.src.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	row, err := decode(value)
	if err != nil {
		err = fmt.Errorf("reading %s: %w", what, err)
	}
	return row, errors.Join(err, closer.Close())
}
