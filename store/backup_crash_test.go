package store

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// crashes plays a scenario with a crash before, within and after each operation of the file system
// that it makes, with none, half and all kept of what was not synced. The scenario reports whether
// its work had come as far as that operation.
func crashes(t *testing.T, play func(t *testing.T, disk *fragile, at int) bool) {
	t.Helper()
	operations := 0
	for at, reached := 1, true; reached; at++ {
		reached = false
		for _, phase := range []string{"before", "torn", "after"} {
			for _, kept := range []int{0, 50, 100} {
				seed := rand.Uint64()
				disk := newFragile(mishap{phase, kept}, seed)
				reached = play(t, disk, at) || reached
				if t.Failed() {
					t.Fatalf("crash %s operation %d, %d%% kept, seed %d", phase, at, kept, seed)
				}
			}
		}
		operations = at - 1
	}
	t.Logf("%d operations", operations)
	if operations < 20 {
		t.Errorf("only %d operations", operations)
	}
}

// filled is a store with a table, a log, and what an unfinished backup has left. states are its
// rows after each commit that a crash could undo, and before the first of them.
func filled(t *testing.T, disk *fragile) (s *Store, states [][]string) {
	t.Helper()
	s = openTest(t, disk)
	must(t, s.Commit(person(s), true))
	must(t, s.db.Flush())
	more(t, s, 2, true)
	must(t, disk.mem.MkdirAll("backups/stale.partial/store", 0o700))
	must(t, syncDir(disk.mem, "/"))
	must(t, syncDir(disk.mem, "backups"))
	states = append(states, rowsOf(t, s))
	for range 3 {
		more(t, s, 1, false)
		states = append(states, rowsOf(t, s))
	}
	return s, states
}

func among(states [][]string, rows []string) bool {
	return slices.ContainsFunc(states, func(s []string) bool { return slices.Equal(s, rows) })
}

// TestBackupCrash: whenever the process dies, the store is unharmed, and the backup is whole or
// known not to be.
func TestBackupCrash(t *testing.T) {
	crashes(t, func(t *testing.T, disk *fragile, at int) bool {
		s, states := filled(t, disk)
		disk.plan(at)
		backUp(t, s, "a")
		image := disk.image()
		must(t, s.Close())
		if image == nil {
			return false
		}
		if rows := checked(t, image, "store"); !among(states, rows) {
			t.Errorf("the store has %d rows, which it never had", len(rows))
		}
		checkBackups(t, image, states[len(states)-1])
		again := openTest(t, image)
		backUp(t, again, "b")
		must(t, again.Close())
		all, others, err := Backups("backups", options(image))
		must(t, err)
		if len(all) == 0 || all[len(all)-1].Name != "b" || len(others) > 0 {
			t.Errorf("afterwards there are %d backups, and %v", len(all), others)
		}
		return true
	})
}

// checkBackups wants the backup whole, or only what says that it is unfinished.
func checkBackups(t *testing.T, image *vfs.MemFS, want []string) {
	t.Helper()
	all, others, err := Backups("backups", options(image))
	must(t, err)
	for _, b := range all {
		if rows := checked(t, image, "backups/"+b.Name+"/store"); !slices.Equal(rows, want) {
			t.Errorf("backup %s has %d rows, not those of the store", b.Name, len(rows))
		}
	}
	for _, name := range others {
		if !strings.HasSuffix(name, partialSuffix) {
			t.Errorf("%s looks like a backup and is none", name)
		}
	}
}

// TestRestoreCrash: whenever the process dies, there is the old store or the restored one, and
// restoring again works.
func TestRestoreCrash(t *testing.T) {
	crashes(t, func(t *testing.T, disk *fragile, at int) bool {
		s, states := filled(t, disk)
		want := states[len(states)-1]
		backUp(t, s, "a")
		more(t, s, 4, true)
		old := rowsOf(t, s)
		must(t, s.Close())
		disk.plan(at)
		_, err := Restore("backups/a", "store", "old", options(disk))
		must(t, err)
		image := disk.image()
		if image == nil {
			return false
		}
		if rows := checked(t, image, "backups/a/store"); !slices.Equal(rows, want) {
			t.Errorf("the backup has %d rows, not those that it had", len(rows))
		}
		checkPlaces(t, image, old, want)
		_, err = Restore("backups/a", "store", "older", options(image))
		must(t, err)
		if rows := checked(t, image, "store"); !slices.Equal(rows, want) {
			t.Errorf("restored %d rows, not those of the backup", len(rows))
		}
		return true
	})
}

// checkPlaces looks at where the stores are: what was there is not lost, and what has taken its
// place is whole.
func checkPlaces(t *testing.T, image *vfs.MemFS, old, restored []string) {
	t.Helper()
	kept := false
	for _, place := range []string{"store", "old"} {
		if _, err := image.Stat(place); err != nil {
			continue
		}
		rows := checked(t, image, place)
		kept = kept || slices.Equal(rows, old)
		if !slices.Equal(rows, old) && (place == "old" || !slices.Equal(rows, restored)) {
			t.Errorf("%s has %d rows, which no store had", place, len(rows))
		}
	}
	if !kept {
		t.Error("the store that was there is lost")
	}
}
