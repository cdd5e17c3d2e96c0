package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var backupTime = time.Unix(1_700_000_000, 0).UTC()

// rowsOf is every row of a store, in order.
func rowsOf(t *testing.T, s *Store) (rows []string) {
	t.Helper()
	iter, err := s.db.NewIter(nil)
	must(t, err)
	defer iter.Close()
	for iter.First(); iter.Valid(); iter.Next() {
		rows = append(rows, fmt.Sprintf("%x=%x", iter.Key(), iter.Value()))
	}
	must(t, iter.Error())
	return rows
}

// more commits n entries of the outbox, durably or not.
func more(t *testing.T, s *Store, n int, durable bool) {
	t.Helper()
	for i := range n {
		b := s.NewBatch()
		b.Enqueue(Entry{Kind: EntryRecord, Topic: "out", Partition: int32(i % 3),
			Record: &OutRecord{Key: []byte{byte(i)}, Value: make([]byte, 100)}})
		must(t, s.Commit(b, durable))
	}
}

// checked opens the store in dir for looking only, and holds it to its invariants.
func checked(t *testing.T, fs vfs.FS, dir string) (rows []string) {
	t.Helper()
	s, err := OpenReadOnly(dir, Options{FS: fs, CacheBytes: 8 << 20, MemtableBytes: 1 << 20})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	_, err = s.Check(context.Background(), func(p Problem) { t.Errorf("%s: %s", dir, p) })
	must(t, err)
	return rowsOf(t, s)
}

func options(fs vfs.FS) Options {
	return Options{FS: fs, CacheBytes: 8 << 20, MemtableBytes: 1 << 20}
}

// backUp makes a backup.
func backUp(t *testing.T, s *Store, name string) *Backup {
	t.Helper()
	c, err := s.Checkpoint("backups/"+name, backupTime)
	must(t, err)
	b, err := c.Seal()
	must(t, err)
	return b
}

// TestBackup takes a backup of a store with tables and a log, goes on, and restores it.
func TestBackup(t *testing.T) {
	fs := vfs.NewMem()
	s := openTest(t, fs)
	must(t, s.Commit(person(s), true))
	must(t, s.db.Flush())
	more(t, s, 20, false)
	want := rowsOf(t, s)
	b := backUp(t, s, "a")
	if b.Name != "a" || b.Format != FormatVersion || b.Version != s.NextVersion()-1 ||
		b.Commit() != 21 || b.Bytes() < 3000 || !b.Created.Equal(backupTime) {
		t.Errorf("%+v", b)
	}
	more(t, s, 20, true)
	if rows := checked(t, fs, "backups/a/store"); !slices.Equal(rows, want) {
		t.Errorf("the backup has %d rows, wanted %d, or they differ", len(rows), len(want))
	}
	now := rowsOf(t, s)
	_, err := Restore("backups/a", "store", "", options(fs))
	wantError(t, "over a store", err, ErrNotEmpty)
	_, err = Restore("backups/a", "store", "old", options(fs))
	wantError(t, "under a daemon", err, ErrLocked)
	must(t, s.Close())

	got, err := Restore("backups/a", "store", "old", options(fs))
	must(t, err)
	if got.Version != b.Version {
		t.Errorf("restored %+v", got)
	}
	if rows := checked(t, fs, "store"); !slices.Equal(rows, want) {
		t.Errorf("restored %d rows, wanted %d, or they differ", len(rows), len(want))
	}
	if rows := checked(t, fs, "old"); !slices.Equal(rows, now) {
		t.Errorf("moved aside %d rows, there were %d, or they differ", len(rows), len(now))
	}
	goOn(t, fs, b, want)
}

// goOn works on a restored store, which must leave the backup as it is: another restore gives the
// same.
func goOn(t *testing.T, fs vfs.FS, b *Backup, want []string) {
	t.Helper()
	s := openTest(t, fs)
	if s.NextVersion() != b.Version+1 {
		t.Errorf("the restored store goes on with %d after %d", s.NextVersion(), b.Version)
	}
	for range 3 {
		more(t, s, 50, true)
		must(t, s.db.Flush())
		must(t, s.db.Compact(context.Background(), []byte{0}, []byte{255}, true))
	}
	must(t, s.Close())
	_, err := Restore("backups/a", "elsewhere", "", options(fs))
	must(t, err)
	if rows := checked(t, fs, "elsewhere"); !slices.Equal(rows, want) {
		t.Errorf("restored again %d rows, wanted %d, or they differ", len(rows), len(want))
	}
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// TestBackupRefused: names that are none or taken, what is unfinished, and what was cut short.
func TestBackupRefused(t *testing.T) {
	fs := vfs.NewMem()
	s := openTest(t, fs)
	defer s.Close()
	for _, name := range []string{"", ".", "..", "a.partial", "ä", strings.Repeat("x", 65)} {
		wantError(t, name, CheckBackupName(name), ErrBackupName)
	}
	must(t, fs.MkdirAll("backups/old.partial/store", 0o700))
	backUp(t, s, "a")
	_, err := s.Checkpoint("backups/a", backupTime)
	wantError(t, "again", err, ErrBackupExists)
	_, err = s.Checkpoint("backups/a.b", backupTime)
	wantError(t, "bad name", err, ErrBackupName)
	must(t, fs.MkdirAll("backups/new.partial/store", 0o700))
	must(t, fs.MkdirAll("backups/other", 0o700))
	all, others, err := Backups("backups", options(fs))
	must(t, err)
	if len(all) != 1 || all[0].Name != "a" || !slices.Equal(others, []string{"new.partial",
		"other"}) {
		t.Errorf("backups %v, others %v", all, others)
	}
	_, err = Restore("backups/new.partial", "x", "", options(fs))
	wantError(t, "restoring what is unfinished", err, ErrNoBackup)
	for name := range all[0].Files {
		must(t, fs.Remove("backups/a/store/"+name))
		break
	}
	_, err = Restore("backups/a", "x", "", options(fs))
	wantError(t, "restoring what lacks a file", err, ErrNoBackup)
	none, others, err := Backups("nowhere", options(fs))
	if len(none)+len(others) > 0 || err != nil {
		t.Errorf("nowhere: %v %v %v", none, others, err)
	}
}

// TestBackupBesideWrites takes backups while other goroutines write: each opens, and holds one
// state.
func TestBackupBesideWrites(t *testing.T) {
	fs := vfs.NewMem()
	s := openTest(t, fs)
	defer s.Close()
	must(t, s.Commit(person(s), true))
	stop := make(chan struct{})
	ended := make(chan error, 1)
	go func() { ended <- s.disturb(stop) }()
	defer func() {
		close(stop)
		must(t, <-ended)
	}()
	for i := range 30 {
		name := fmt.Sprintf("b%d", i)
		backUp(t, s, name)
		checked(t, fs, "backups/"+name+"/store")
	}
}

// disturb writes until it is stopped: commits, and what is written beside them.
func (s *Store) disturb(stop chan struct{}) error {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return nil
		default:
		}
		err := s.SetOutput(&Output{Cluster: strings.Repeat("x", i%5000)})
		if err = errors.Join(err, s.Commit(s.NewBatch(), i%2 == 0)); err != nil {
			return err
		}
	}
}
