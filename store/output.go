package store

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Output is where the store's outbox goes. Floors, sequences and layouts mean nothing elsewhere.
type Output struct {
	Cluster    string           // of Kafka
	Writer     string           // the name under which everything is written
	Partitions map[string]int32 // of each topic
}

// Barrier holds publishing up until input positions are reached that an earlier life of the store
// had reached when it published: what is older must not follow what is newer.
type Barrier []Reached

// Reached is an input position: the offset of the next record to consume.
type Reached struct {
	Topic     string
	Partition int32
	Next      int64
}

// Repair is an output partition whose content does not follow from what was acknowledged: what the
// store holds of it has to be published again.
type Repair struct {
	Topic     string
	Partition int32
	From      int64 // keys from this offset on are to be published again
	All       bool  // and so is every row that belongs in the partition
}

// Names of the meta rows about the output.
const (
	metaOutput  = "output"
	metaBarrier = "barrier"
	metaRepairs = "repairs"
	metaFenced  = "fenced"
)

// Output reads where the outbox goes, nil where nothing was published yet.
func (r *Reader) Output() (*Output, error) {
	return readMeta(r, metaOutput, func(d *decoder) *Output {
		o := &Output{Cluster: d.text(), Writer: d.text(), Partitions: map[string]int32{}}
		for range d.count() {
			topic := d.text()
			o.Partitions[topic] = int32(d.uint())
		}
		return o
	})
}

// SetOutput writes where the outbox goes, durably, without a commit.
func (s *Store) SetOutput(o *Output) error {
	e := s.dict.encode()
	e.text(o.Cluster)
	e.text(o.Writer)
	e.count(len(o.Partitions))
	for _, topic := range slices.Sorted(maps.Keys(o.Partitions)) {
		e.text(topic)
		e.uint(uint64(o.Partitions[topic]))
	}
	if err := s.setMeta(metaOutput, e); err != nil {
		return fmt.Errorf("writing down where the output goes: %w", err)
	}
	return nil
}

// Barrier reads what publishing waits for, nil where it waits for nothing.
func (r *Reader) Barrier() (*Barrier, error) {
	return readMeta(r, metaBarrier, func(d *decoder) *Barrier {
		var barrier Barrier
		for range d.count() {
			at := Reached{Topic: d.text(), Partition: int32(d.uint()), Next: d.int()}
			barrier = append(barrier, at)
		}
		return &barrier
	})
}

// SetBarrier writes what publishing waits for.
func (b *Batch) SetBarrier(barrier Barrier) {
	e := b.store.dict.encode()
	e.count(len(barrier))
	for _, at := range barrier {
		e.text(at.Topic)
		e.uint(uint64(uint32(at.Partition)))
		e.int(at.Next)
	}
	b.setMeta(metaBarrier, e)
}

// LiftBarrier forgets, durably, what publishing waited for. It may be called beside a commit.
func (s *Store) LiftBarrier() error {
	s.writing.RLock()
	defer s.writing.RUnlock()
	if err := s.db.Delete(metaKey(metaBarrier), pebble.Sync); err != nil {
		return fmt.Errorf("lifting the barrier: %w", err)
	}
	return nil
}

// Repairs reads which output partitions are to be published again.
func (r *Reader) Repairs() ([]Repair, error) {
	repairs, err := readMeta(r, metaRepairs, func(d *decoder) *[]Repair {
		var repairs []Repair
		for range d.count() {
			repairs = append(repairs, Repair{Topic: d.text(), Partition: int32(d.uint()),
				From: d.int(), All: d.flag()})
		}
		return &repairs
	})
	if err != nil || repairs == nil {
		return nil, err
	}
	return *repairs, nil
}

// SetRepairs writes which output partitions are to be published again.
func (b *Batch) SetRepairs(repairs []Repair) {
	b.setMeta(metaRepairs, b.store.dict.repairs(repairs))
}

// SetRepairs does so, durably, without a commit. It may be called beside one.
func (s *Store) SetRepairs(repairs []Repair) error {
	if err := s.setMeta(metaRepairs, s.dict.repairs(repairs)); err != nil {
		return fmt.Errorf("writing down lost output: %w", err)
	}
	return nil
}

func (d *dictionary) repairs(repairs []Repair) *encoder {
	e := d.encode()
	e.count(len(repairs))
	for _, r := range repairs {
		e.text(r.Topic)
		e.uint(uint64(uint32(r.Partition)))
		e.int(r.From)
		e.flag(r.All)
	}
	return e
}

// keepFenced is how many times of being fenced are kept.
const keepFenced = 8

// NoteFenced writes down, durably, that another owner has taken over at a time. It may be called
// beside a commit.
func (s *Store) NoteFenced(at time.Time) error {
	times, err := s.Reader().Fenced()
	if err != nil {
		return err
	}
	times = append(times, at)
	times = times[max(0, len(times)-keepFenced):]
	e := s.dict.encode()
	e.count(len(times))
	for _, t := range times {
		e.int(t.UnixNano())
	}
	if err := s.setMeta(metaFenced, e); err != nil {
		return fmt.Errorf("writing down a takeover: %w", err)
	}
	return nil
}

// Fenced reads when other owners have taken over, the latest last.
func (r *Reader) Fenced() ([]time.Time, error) {
	times, err := readMeta(r, metaFenced, func(d *decoder) *[]time.Time {
		var times []time.Time
		for range d.count() {
			times = append(times, time.Unix(0, d.int()))
		}
		return &times
	})
	if err != nil || times == nil {
		return nil, err
	}
	return *times, nil
}

// Floors calls fn with the floor of each output partition that has one: no entry that is still in
// the outbox has landed below.
func (r *Reader) Floors(fn func(topic string, partition int32, floor int64) error) error {
	return r.scan([]byte{spaceFloor}, func(key, value []byte) error {
		topic, partition, err := r.dict.cutPosition(key[1:])
		if err != nil {
			return err
		}
		d := r.dict.decode(value)
		floor := d.int()
		if err := d.done(); err != nil {
			return err
		}
		return fn(topic, partition, floor)
	})
}

func (d *dictionary) floorKey(topic string, partition int32) ([]byte, error) {
	t, err := d.number(topic)
	key := appendNumber([]byte{spaceFloor}, t)
	return binary.BigEndian.AppendUint32(key, uint32(partition)), err
}

func (d *dictionary) encodeFloor(offset int64) ([]byte, error) {
	e := d.encode()
	e.int(offset)
	return e.done()
}

func (b *Batch) setMeta(name string, e *encoder) {
	value, err := e.done()
	b.setRaw(metaKey(name), value, err)
}

func (s *Store) setMeta(name string, e *encoder) error {
	value, err := e.done()
	if err != nil {
		return err
	}
	s.writing.RLock()
	defer s.writing.RUnlock()
	return s.db.Set(metaKey(name), value, pebble.Sync)
}

func readMeta[T any](r *Reader, name string, decode func(*decoder) *T) (*T, error) {
	return read(r, name, metaKey(name), nil, func(value []byte) (*T, error) {
		d := r.dict.decode(value)
		row := decode(d)
		return row, d.done()
	})
}

// encode starts a row in memory of its own.
func (d *dictionary) encode() *encoder {
	e := &encoder{dict: d}
	e.start()
	return e
}
