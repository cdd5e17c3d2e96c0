package store

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// BenchmarkPositions reads the positions, as the publisher does for every batch, after many commits
// that each have written them again.
func BenchmarkPositions(b *testing.B) {
	s, err := Open("store", Options{FS: vfs.NewMem()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Intern("in"); err != nil {
		b.Fatal(err)
	}
	const commits, positions = 20_000, 8
	for n := range int64(commits) {
		batch := s.NewBatch()
		for partition := range int32(positions) {
			batch.SetPosition("in", partition, &Position{Next: n})
		}
		if err := s.Commit(batch, false); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		seen := 0
		err := s.Reader().Positions(func(_ string, partition int32, p *Position) error {
			if p.Next == commits-1 && partition == int32(seen) {
				seen++
			}
			return nil
		})
		if err != nil || seen != positions {
			b.Fatalf("%d positions as they were written last, %v", seen, err)
		}
	}
}
