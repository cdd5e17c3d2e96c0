package store

import (
	"fmt"
	"math"

	"github.com/cockroachdb/pebble/v2"
)

// ComputedClass is what the store remembers of the computed attributes of an entity class.
type ComputedClass struct {
	Class      string
	Next       uint16 // the number of the next attribute; numbers are never used again
	Job        string // that brings states and profiles up to date, "" where it is done
	Attributes []ComputedAttribute
}

// ComputedAttribute is a computed attribute in one of its definitions. It is part of the profiles
// that are decided at versions from From up to but without Until.
type ComputedAttribute struct {
	Name        string
	Number      uint16
	Fingerprint string // of the compiled definition
	Definition  []byte // in its own encoding, so that it can be compiled once it is replaced
	From        uint64 // NotYet while its states are being built
	Until       uint64 // NotYet while it stays
	Since       int64  // when it was defined, nanoseconds since the epoch
	Ready       int64  // when profiles began to show it; 0 before
}

// NotYet is the version at which something happens that has not happened.
const NotYet = math.MaxUint64

// Shows reports whether profiles that are decided at a version show the attribute.
func (a *ComputedAttribute) Shows(version uint64) bool {
	return a.From <= version && version < a.Until
}

// metaComputed begins the names of the meta rows that hold the computed attributes, by class.
const metaComputed = "computed/"

// ComputedClass reads the computed attributes of a class, nil where there never was one.
func (r *Reader) ComputedClass(class string) (*ComputedClass, error) {
	row, err := read(r, "computed attributes", metaKey(metaComputed+class), nil,
		r.dict.decodeComputedClass)
	if row != nil {
		row.Class = class
	}
	return row, err
}

// ComputedClasses lists the computed attributes of all classes, in order of class.
func (r *Reader) ComputedClasses() (rows []*ComputedClass, err error) {
	prefix := metaKey(metaComputed)
	err = r.scan(prefix, func(key, value []byte) error {
		row, err := r.dict.decodeComputedClass(value)
		if err != nil {
			return fmt.Errorf("reading computed attributes: %w", err)
		}
		row.Class = string(key[len(prefix):])
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// SetComputedClass writes the computed attributes of a class.
func (b *Batch) SetComputedClass(row *ComputedClass) {
	set(b, metaKey(metaComputed+row.Class), nil, row, encodeComputedClass)
}

// SetComputedClasses writes the computed attributes of classes, and the jobs that this asks for:
// all or nothing, durably. It is no commit: call it before the first one, with what the
// configuration says.
func (s *Store) SetComputedClasses(rows []*ComputedClass, jobs []*Job) error {
	b := s.NewBatch()
	defer b.Discard()
	for _, row := range rows {
		b.SetComputedClass(row)
	}
	for _, job := range jobs {
		b.SetJob(job)
	}
	err := b.err
	if err == nil {
		err = b.pb.Commit(pebble.Sync)
	}
	if err != nil {
		return fmt.Errorf("writing computed attributes: %w", err)
	}
	return nil
}

func encodeComputedClass(e *encoder, row *ComputedClass) {
	e.uint(uint64(row.Next))
	e.text(row.Job)
	e.count(len(row.Attributes))
	for i := range row.Attributes {
		a := &row.Attributes[i]
		e.text(a.Name)
		e.uint(uint64(a.Number))
		e.text(a.Fingerprint)
		e.bytes(a.Definition)
		e.uint(a.From)
		e.uint(a.Until)
		e.int(a.Since)
		e.int(a.Ready)
	}
}

func (d *dictionary) decodeComputedClass(src []byte) (*ComputedClass, error) {
	r := d.decode(src)
	row := &ComputedClass{Next: r.number(), Job: r.text()}
	for range r.count() {
		a := ComputedAttribute{Name: r.text(), Number: r.number(), Fingerprint: r.text(),
			Definition: r.bytes(), From: r.uint(), Until: r.uint(), Since: r.int(), Ready: r.int()}
		if a.Number == 0 || a.Number >= row.Next {
			r.fail(errCorrupt)
		}
		row.Attributes = append(row.Attributes, a)
	}
	return row, r.done()
}

// number reads a number of two bytes.
func (d *decoder) number() uint16 {
	n := d.uint()
	if n > math.MaxUint16 {
		d.fail(errCorrupt)
	}
	return uint16(n)
}
