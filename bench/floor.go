package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// floor is the least state that a pipeline can keep: under the key of each record how many there
// were and the bytes of the last, and the input positions, in one synced commit per batch.
type floor struct {
	db *pebble.DB
	// fresh are the rows of the commit under way, which reads have to see.
	fresh map[string][]byte
}

// keepFloor is contender b.
func keepFloor(ctx context.Context, t task) (f figures, err error) {
	e, err := openEdge(ctx, t)
	if err != nil {
		return f, err
	}
	defer e.client.Close()
	options, release := e.cfg.StoreOptions().WithDefaults().Engine()
	defer release()
	db, err := pebble.Open(t.Dir, options)
	if err != nil {
		return f, fmt.Errorf("opening the floor's state: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	state := &floor{db: db, fresh: map[string][]byte{}}
	e.apply = state.commit
	return measure(t, func() (int64, error) { return e.drain(ctx) })
}

// commit reads, changes and writes one row per record.
func (f *floor) commit(batch []chunk) error {
	b := f.db.NewBatch()
	defer b.Close()
	clear(f.fresh)
	for _, c := range batch {
		for i := range c.records {
			if err := f.change(b, c.records[i].Key, c.records[i].Value); err != nil {
				return fmt.Errorf("changing a row: %w", err)
			}
		}
		position := fmt.Appendf(nil, "position %s", c.tp)
		next := binary.BigEndian.AppendUint64(nil, uint64(c.next))
		if err := b.Set(position, next, nil); err != nil {
			return fmt.Errorf("writing a position: %w", err)
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	return nil
}

func (f *floor) change(b *pebble.Batch, key, value []byte) error {
	seen, err := f.seen(key)
	if err != nil {
		return err
	}
	row := make([]byte, 0, 8+len(value))
	row = append(binary.BigEndian.AppendUint64(row, seen+1), value...)
	f.fresh[string(key)] = row
	return b.Set(key, row, nil)
}

// seen reads how many records of a key there were.
func (f *floor) seen(key []byte) (uint64, error) {
	if row, ok := f.fresh[string(key)]; ok {
		return binary.BigEndian.Uint64(row), nil
	}
	row, closer, err := f.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(row), closer.Close()
}
