package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// NameID is the number under which the dictionary knows a name.
type NameID uint16

// dictionary numbers the few names that recur in every row: entity classes, namespaces, datasets,
// topics, policies. Names come from the configuration and are interned before the first row that
// uses them; a number is never reused.
type dictionary struct {
	mu struct {
		sync.RWMutex
		numbers map[string]NameID
		names   []string
	}
}

func newDictionary() *dictionary {
	d := &dictionary{}
	d.mu.numbers = map[string]NameID{}
	return d
}

// number returns the number of an interned name.
func (d *dictionary) number(name string) (NameID, error) {
	d.mu.RLock()
	n, ok := d.mu.numbers[name]
	d.mu.RUnlock()
	if !ok {
		return 0, fmt.Errorf("the name %q is not in the store's dictionary", name)
	}
	return n, nil
}

// name returns the name of a number.
func (d *dictionary) name(n NameID) (string, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if int(n) >= len(d.mu.names) {
		return "", fmt.Errorf("the number %d is not in the store's dictionary", n)
	}
	return d.mu.names[n], nil
}

// missing lists those of names that have no number yet, without repeats.
func (d *dictionary) missing(names []string) []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []string
	seen := map[string]bool{}
	for _, name := range names {
		if _, ok := d.mu.numbers[name]; !ok && !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

// add appends names in order; the caller has persisted them.
func (d *dictionary) add(names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range names {
		d.mu.numbers[name] = NameID(len(d.mu.names))
		d.mu.names = append(d.mu.names, name)
	}
}

func (d *dictionary) size() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.mu.names)
}

// Intern gives every name a number, durably. Call it at start with all names of the configuration.
func (s *Store) Intern(names ...string) error {
	missing := s.dict.missing(names)
	if len(missing) == 0 {
		return nil
	}
	if s.dict.size()+len(missing) > math.MaxUint16 {
		return fmt.Errorf("interning names: more than %d names", math.MaxUint16)
	}
	s.writing.RLock()
	defer s.writing.RUnlock()
	b := s.db.NewBatch()
	defer b.Close()
	for i, name := range missing {
		key := binary.BigEndian.AppendUint16([]byte{spaceName}, uint16(s.dict.size()+i))
		if err := b.Set(key, []byte(name), nil); err != nil {
			return fmt.Errorf("interning names: %w", err)
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("interning names: %w", err)
	}
	s.dict.add(missing)
	return nil
}

// loadDictionary reads the names in number order.
func (s *Store) loadDictionary() error {
	iter, err := s.db.NewIter(prefixBounds([]byte{spaceName}))
	if err != nil {
		return err
	}
	defer iter.Close()
	var names []string
	for iter.First(); iter.Valid(); iter.Next() {
		names = append(names, string(iter.Value()))
	}
	s.dict.add(names)
	return iter.Error()
}
