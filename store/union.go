package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// Union is the union schema that the data of a class was written under.
type Union struct {
	Class       string   // name of the union: an entity class, or CLASS.events
	Fingerprint string   // SHA-256 of Avro in hexadecimal
	Avro        []byte   // canonical text
	Datasets    []string // that it was composed of, sorted
}

// metaUnion begins the names of the meta rows that hold the unions.
const metaUnion = "union/"

// Union reads the union of a class.
func (r *Reader) Union(class string) (*Union, error) {
	u, err := read(r, "union schema", metaKey(metaUnion+class), nil, r.dict.decodeUnion)
	if u != nil {
		u.Class = class
	}
	return u, err
}

// Unions calls fn for every union, in order of class, until fn fails.
func (r *Reader) Unions(fn func(*Union) error) error {
	prefix := metaKey(metaUnion)
	return r.scan(prefix, func(key, value []byte) error {
		u, err := r.dict.decodeUnion(value)
		if err != nil {
			return fmt.Errorf("reading union schema: %w", err)
		}
		u.Class = string(key[len(prefix):])
		return fn(u)
	})
}

// SetUnions writes unions, all or none, durably. It is no commit: call it before the first one,
// with what the configuration says.
func (s *Store) SetUnions(unions ...Union) error {
	b := s.db.NewBatch()
	defer b.Close()
	for i := range unions {
		value, err := s.dict.encodeUnion(&unions[i])
		if err == nil {
			err = b.Set(metaKey(metaUnion+unions[i].Class), value, nil)
		}
		if err != nil {
			return fmt.Errorf("writing union schemas: %w", err)
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return fmt.Errorf("writing union schemas: %w", err)
	}
	return nil
}

// metaRow checks the meta rows that are not read when the store is opened.
func (c *checker) metaRow(key, value []byte) {
	if class, ok := strings.CutPrefix(string(key[1:]), metaRules); ok {
		if _, err := c.dict.decodeRules(value); err != nil {
			c.problem("meta", metaRules+class, "does not decode: %v", err)
		}
		return
	}
	if name, ok := strings.CutPrefix(string(key[1:]), metaPolicy); ok {
		if _, err := c.dict.decodePolicy(name, value); err != nil {
			c.problem("meta", metaPolicy, "does not decode: %v", err)
		}
		return
	}
	if class, ok := strings.CutPrefix(string(key[1:]), metaComputed); ok {
		if _, err := c.dict.decodeComputedClass(value); err != nil {
			c.problem("meta", metaComputed+class, "does not decode: %v", err)
		}
		return
	}
	class, ok := strings.CutPrefix(string(key[1:]), metaUnion)
	if !ok {
		return
	}
	if _, err := c.dict.decodeUnion(value); err != nil {
		c.problem("meta", metaUnion+class, "does not decode: %v", err)
	}
}

func (s *dictionary) encodeUnion(u *Union) ([]byte, error) {
	e := s.encode()
	e.text(u.Fingerprint)
	e.bytes(u.Avro)
	e.count(len(u.Datasets))
	for _, name := range u.Datasets {
		e.text(name)
	}
	return e.done()
}

func (s *dictionary) decodeUnion(src []byte) (*Union, error) {
	d := s.decode(src)
	u := &Union{Fingerprint: d.text(), Avro: d.bytes()}
	for range d.count() {
		u.Datasets = append(u.Datasets, d.text())
	}
	sum := sha256.Sum256(u.Avro)
	if d.err == nil && hex.EncodeToString(sum[:]) != u.Fingerprint {
		d.fail(fmt.Errorf("%w: the text of a union schema does not have its fingerprint",
			errCorrupt))
	}
	return u, d.done()
}
