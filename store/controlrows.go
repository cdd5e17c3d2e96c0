package store

import (
	"fmt"

	"selfsame/profile"
)

// Keys of the rows of control records, jobs and timers.
const (
	spaceApplied = 'a'
	spaceJob     = 'j'
	spaceTimer   = 't'
	rowOrders    = 5 // within an identity's range
)

func (d *dictionary) ordersPrefix(class string, id profile.Identity) ([]byte, error) {
	dst, err := d.identityPrefix(nil, class, id)
	return append(dst, rowOrders), err
}

func (d *dictionary) ordersKey(class string, from, to profile.Identity) ([]byte, error) {
	dst, err := d.ordersPrefix(class, from)
	if err != nil {
		return nil, err
	}
	return d.appendIdentity(dst, to)
}

func (d *dictionary) timerKey(t Timer) ([]byte, error) {
	kind, err := d.number(t.Kind)
	return append(appendNumber(appendTime([]byte{spaceTimer}, t.At), kind), t.Key...), err
}

func (d *dictionary) cutTimer(tail []byte) (Timer, error) {
	at, rest, err := cutTime(tail)
	if err != nil {
		return Timer{}, err
	}
	kind, rest, err := cutNumber(rest)
	if err != nil {
		return Timer{}, err
	}
	t := Timer{At: at, Key: string(rest)}
	t.Kind, err = d.name(kind)
	return t, err
}

func appliedKey(id string) []byte { return append([]byte{spaceApplied}, id...) }
func jobKey(id string) []byte     { return append([]byte{spaceJob}, id...) }

// SetOrders writes what operators have said about a pair, under both ends.
func (b *Batch) SetOrders(class string, a, c profile.Identity, row *Orders) {
	key, err := b.store.dict.ordersKey(class, a, c)
	set(b, key, err, row, encodeOrders)
	key, err = b.store.dict.ordersKey(class, c, a)
	set(b, key, err, row, encodeOrders)
}

// SetApplied writes what became of the control record with an id.
func (b *Batch) SetApplied(id string, row *Applied) {
	set(b, appliedKey(id), nil, row, encodeApplied)
}

// SetJob writes a job.
func (b *Batch) SetJob(row *Job) { set(b, jobKey(row.ID), nil, row, encodeJob) }

// DeleteJob forgets a job.
func (b *Batch) DeleteJob(id string) { b.delete(jobKey(id), nil) }

// SetTimer adds a timer.
func (b *Batch) SetTimer(t Timer) {
	key, err := b.store.dict.timerKey(t)
	b.setRaw(key, []byte{rowVersion}, err)
}

// DeleteTimer removes a timer.
func (b *Batch) DeleteTimer(t Timer) {
	key, err := b.store.dict.timerKey(t)
	b.delete(key, err)
}

// DeleteFragment removes a fragment.
func (b *Batch) DeleteFragment(ref FragmentRef) {
	key, err := b.store.dict.fragmentKey(nil, ref)
	b.delete(key, err)
}

// Applied reads what became of the control record with an id.
func (r *Reader) Applied(id string) (*Applied, error) {
	return read(r, "control record", appliedKey(id), nil, r.dict.decodeApplied)
}

// Orders calls fn for every identity that operators have said something about together with id.
func (r *Reader) Orders(class string, id profile.Identity,
	fn func(other profile.Identity, row *Orders)) error {
	prefix, err := r.dict.ordersPrefix(class, id)
	if err != nil {
		return fmt.Errorf("reading orders: %w", err)
	}
	err = r.scan(prefix, func(key, value []byte) error {
		other, rest, err := r.dict.cutIdentity(key[len(prefix):])
		if err == nil && len(rest) > 0 {
			err = errKey
		}
		if err != nil {
			return err
		}
		row, err := r.dict.decodeOrders(value)
		if err == nil {
			fn(other, row)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("reading orders: %w", err)
	}
	return nil
}

// Unlinks calls fn for each class in which an operator has voided links.
func (r *Reader) Unlinks(fn func(class string)) error {
	prefix := metaKey(metaUnlinks)
	return r.scan(prefix, func(key, _ []byte) error {
		fn(string(key[len(prefix):]))
		return nil
	})
}

// metaUnlinks begins the names of the meta rows that mark a class in which links were voided.
const metaUnlinks = "unlinks/"

// SetUnlinks marks a class as one in which an operator has voided links.
func (b *Batch) SetUnlinks(class string) {
	b.setRaw(metaKey(metaUnlinks+class), []byte{rowVersion}, nil)
}

// Jobs calls fn for every job, in order of id, until fn fails.
func (r *Reader) Jobs(fn func(*Job) error) error {
	return r.scan([]byte{spaceJob}, func(key, value []byte) error {
		row, err := r.dict.decodeJob(value)
		if err != nil {
			return fmt.Errorf("reading jobs: %w", err)
		}
		row.ID = string(key[1:])
		return fn(row)
	})
}

// TimersFrom calls fn for every timer of a time or later, the earliest first, until fn fails.
// ErrStop ends it early.
func (r *Reader) TimersFrom(at int64, fn func(Timer) error) error {
	from := appendTime([]byte{spaceTimer}, at)
	return r.scanFrom(from, []byte{spaceTimer}, func(key, _ []byte) error {
		t, err := r.dict.cutTimer(key[1:])
		if err != nil {
			return fmt.Errorf("reading timers: %w", err)
		}
		return fn(t)
	})
}
