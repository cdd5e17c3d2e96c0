package store

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrNotEmpty says that there is a store where one is to be restored.
var ErrNotEmpty = errors.New("there is a store already")

// tableSuffix is that of the engine's tables, which are never changed once written.
const tableSuffix = ".sst"

// Restore makes the store in dir from the backup in from, which stays as it is, and proves that it
// opens with the state that the backup was taken of. Where dir holds a store, that one is moved to
// aside, which must not exist; with an aside of "" it is ErrNotEmpty. ErrLocked where a process has
// it open, ErrNoBackup where from is none. What a failed restore leaves is removed by the next.
func Restore(from, dir, aside string, o Options) (*Backup, error) {
	o = o.WithDefaults()
	b, err := ReadBackup(from, o)
	if err != nil {
		return nil, err
	}
	unlock, err := claimPlace(o.FS, dir, aside)
	if err != nil {
		return nil, fmt.Errorf("restoring to %s: %w", dir, err)
	}
	partial := dir + partialSuffix
	err = copyStore(o.FS, o.FS.PathJoin(from, backupStore), partial, b)
	if err == nil {
		err = proveStore(partial, o, b.Version)
	}
	if err == nil {
		err = syncDir(o.FS, partial)
	}
	if err == nil {
		err = takePlace(o.FS, partial, dir, aside)
	}
	if err = errors.Join(err, unlock()); err != nil {
		return nil, fmt.Errorf("restoring to %s: %w", dir, err)
	}
	return b, nil
}

// claimPlace makes sure that nobody works on the store in dir, if there is one and it may be moved.
func claimPlace(fs vfs.FS, dir, aside string) (unlock func() error, err error) {
	unlock = func() error { return nil }
	if empty, err := emptyStore(fs, dir); empty || err != nil {
		return unlock, err
	}
	if aside == "" {
		return nil, ErrNotEmpty
	}
	if _, err := fs.Stat(aside); err == nil {
		return nil, fmt.Errorf("%s exists", aside)
	}
	lock, err := pebble.LockDirectory(dir, fs)
	if err != nil {
		return nil, explainOpen(err)
	}
	return lock.Close, nil
}

// emptyStore reports whether there is nothing in dir that a store could be made of.
func emptyStore(fs vfs.FS, dir string) (bool, error) {
	names, err := fs.List(dir)
	names = slices.DeleteFunc(names, func(name string) bool { return name == lockFile })
	return len(names) == 0, ignoreMissing(err)
}

// copyStore copies the files of a backup. Tables are linked where that is possible; all else the
// engine may write to again.
func copyStore(fs vfs.FS, from, to string, b *Backup) error {
	if err := fs.RemoveAll(to); err != nil {
		return err
	}
	if err := fs.MkdirAll(to, 0o700); err != nil {
		return err
	}
	for name := range b.Files {
		put := vfs.Copy
		if strings.HasSuffix(name, tableSuffix) {
			put = vfs.LinkOrCopy
		}
		if err := put(fs, fs.PathJoin(from, name), fs.PathJoin(to, name)); err != nil {
			return err
		}
	}
	return syncDir(fs, to)
}

// takePlace moves the store that was there aside, and the restored one to its place.
func takePlace(fs vfs.FS, partial, dir, aside string) error {
	empty, err := emptyStore(fs, dir)
	if err != nil {
		return err
	}
	switch {
	case empty:
		err = fs.RemoveAll(dir)
	case aside == "":
		err = ErrNotEmpty // a daemon was started meanwhile
	default:
		err = fs.Rename(dir, aside)
	}
	if err == nil {
		err = syncDir(fs, fs.PathDir(dir)) // or a crash could keep the second move alone
	}
	if err == nil {
		err = fs.Rename(partial, dir)
	}
	if err == nil {
		err = syncDir(fs, fs.PathDir(dir))
	}
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	return err
}
