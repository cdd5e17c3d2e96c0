package store

import (
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func floors(t *testing.T, s *Store) map[landing]int64 {
	t.Helper()
	got := map[landing]int64{}
	must(t, s.Reader().Floors(func(topic string, partition int32, floor int64) error {
		got[landing{topic, partition}] = floor
		return nil
	}))
	return got
}

// TestFloors: a floor comes with the commit that forgets what landed below it, and goes with it.
func TestFloors(t *testing.T) {
	fs := vfs.NewCrashableMem()
	s := openTest(t, fs)
	enqueue(t, s, pointTo(1), pointTo(2))
	take(t, s, 10)
	s.AckLanded("out", 1, 7, 0)
	if got := floors(t, s); len(got) != 0 {
		t.Errorf("before the commit: %v", got)
	}
	enqueue(t, s)
	s.AckLanded("out", 1, 9, 1)
	must(t, s.Commit(s.NewBatch(), false)) // lost in the crash
	want := map[landing]int64{{"out", 1}: 9}
	if got := floors(t, s); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	clone := fs.CrashClone(vfs.CrashCloneCfg{})
	must(t, s.Close())
	s = openTest(t, clone)
	defer s.Close()
	want = map[landing]int64{{"out", 1}: 7}
	if got := floors(t, s); !maps.Equal(got, want) || s.OutboxDepth() != 1 {
		t.Errorf("after a crash %v and %d entries, want %v and 1", got, s.OutboxDepth(), want)
	}
}

// TestOutputRows: what is written about the output is read back, by the next life too.
func TestOutputRows(t *testing.T) {
	fs := vfs.NewMem()
	s := openTest(t, fs)
	output := &Output{Cluster: "c", Writer: "w", Partitions: map[string]int32{"a": 1, "b": 12}}
	barrier := Barrier{{"in", 0, 5}, {"in", 1, 0}}
	repairs := []Repair{{"a", 0, 3, true}, {"b", 11, 0, false}}
	b := s.NewBatch()
	must(t, s.SetOutput(output))
	b.SetBarrier(barrier)
	b.SetRepairs(repairs)
	must(t, s.Advance(4, 100))
	must(t, s.Commit(b, true))
	at := time.Unix(1_700_000_000, 5)
	for i := range keepFenced + 2 {
		must(t, s.NoteFenced(at.Add(time.Duration(i))))
	}
	must(t, s.Close())
	s = openTest(t, fs)
	defer s.Close()
	gotOutput, err := s.Reader().Output()
	must(t, err)
	gotBarrier, err := s.Reader().Barrier()
	must(t, err)
	gotRepairs, err := s.Reader().Repairs()
	must(t, err)
	fenced, err := s.Reader().Fenced()
	must(t, err)
	if !reflect.DeepEqual(gotOutput, output) || !reflect.DeepEqual(*gotBarrier, barrier) ||
		!reflect.DeepEqual(gotRepairs, repairs) {
		t.Errorf("%+v, %+v, %+v", gotOutput, gotBarrier, gotRepairs)
	}
	if len(fenced) != keepFenced || !fenced[keepFenced-1].Equal(at.Add(keepFenced+1)) {
		t.Errorf("fenced at %v", fenced)
	}
	if s.Incarnation() != 5 || s.NextSequence() != 100 || s.NextVersion() != 5<<commitBits|2 {
		t.Errorf("incarnation %d, sequence %d, version %x", s.Incarnation(), s.NextSequence(),
			s.NextVersion())
	}
	must(t, s.LiftBarrier())
	must(t, s.SetRepairs(nil))
	gotBarrier, err = s.Reader().Barrier()
	must(t, err)
	gotRepairs, err = s.Reader().Repairs()
	must(t, err)
	if gotBarrier != nil || gotRepairs != nil {
		t.Errorf("%+v, %+v after they were lifted", gotBarrier, gotRepairs)
	}
	enqueue(t, s, pointTo(1))
	if got := take(t, s, 1); len(got) != 1 || got[0] != 100 {
		t.Errorf("took %v", got)
	}
}
