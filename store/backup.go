package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// A backup is a directory:
//
//	NAME/backup.json   what is in it; written last
//	NAME/store/        a store, as Open opens it
//
// It is made as NAME.partial and renamed when it is whole and on disk, so that what has no such
// suffix is complete.
const (
	backupFile    = "backup.json"
	backupStore   = "store"
	partialSuffix = ".partial"
	lockFile      = "LOCK" // of the engine: left behind by whoever has opened a directory
)

// maxBackupName is the length of a backup's name, in bytes.
const maxBackupName = 64

// Errors of backups.
var (
	ErrBackupExists = errors.New("a backup of this name exists")
	ErrBackupName   = errors.New("a backup's name is 1 to 64 letters, digits, - and _")
	ErrNoBackup     = errors.New("no complete backup")
)

// Backup is what a backup says of itself.
type Backup struct {
	Name    string    `json:"name"`
	Format  uint32    `json:"format"`  // of the store in it
	Version uint64    `json:"version"` // of the last commit in it
	Created time.Time `json:"created"`
	// Files are the bytes of each file of the store in it, so that a copy that was cut short is
	// told from a whole one.
	Files map[string]int64 `json:"files"`
}

// Bytes is the size of the store in it.
func (b *Backup) Bytes() (n int64) {
	for _, size := range b.Files {
		n += size
	}
	return n
}

// Commit is the number of the last commit in it.
func (b *Backup) Commit() uint64 { return b.Version & (1<<commitBits - 1) }

// CheckBackupName returns ErrBackupName for what is no name of a backup.
func CheckBackupName(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	foreign := func(c rune) bool { return !strings.ContainsRune(allowed, c) }
	if name == "" || len(name) > maxBackupName || strings.ContainsFunc(name, foreign) {
		return ErrBackupName
	}
	return nil
}

// Checkpoint is a backup that is not whole yet. Its owner calls Seal, once.
type Checkpoint struct {
	fs      vfs.FS
	dir     string // where the backup is to be
	options Options
	backup  Backup
}

func (c *Checkpoint) partial() string { return c.dir + partialSuffix }
func (c *Checkpoint) store() string   { return c.fs.PathJoin(c.partial(), backupStore) }

// WriteTables begins to write what is in memory to tables, so that a checkpoint which follows has
// little of the log to copy. done is closed once that is on disk; where writing fails, which is
// tried again, never.
func (s *Store) WriteTables() (done <-chan struct{}, err error) {
	done, err = s.db.AsyncFlush()
	if err != nil {
		return nil, fmt.Errorf("writing tables: %w", err)
	}
	return done, nil
}

// Checkpoint freezes the latest committed state for a backup in dir, whose last part is its name
// and which must not exist: ErrBackupExists. Other writes wait meanwhile, for as long as it takes
// to sync and copy the log and to link the tables: both have to be on one file system. What
// unfinished backups have left beside dir is removed, so only one at a time may be made there.
func (s *Store) Checkpoint(dir string, at time.Time) (c *Checkpoint, err error) {
	fs := s.options.FS
	c = &Checkpoint{fs: fs, dir: dir, options: s.options, backup: Backup{Name: fs.PathBase(dir),
		Format: FormatVersion, Created: at.UTC(), Files: map[string]int64{}}}
	if err := CheckBackupName(c.backup.Name); err != nil {
		return nil, err
	}
	if err := prepareBackup(fs, dir); err != nil {
		return nil, fmt.Errorf("beginning backup %s: %w", c.backup.Name, err)
	}
	if err := s.writeManifest(); err != nil {
		return nil, c.discard(fmt.Errorf("beginning backup %s: %w", c.backup.Name, err))
	}
	// The engine's copy of a log that is being written may not open.
	s.writing.Lock()
	defer s.writing.Unlock()
	held, err := s.stored()
	if err == nil {
		err = s.db.Checkpoint(c.store(), pebble.WithFlushedWAL())
	}
	if err != nil {
		return nil, c.discard(fmt.Errorf("copying the store to %s: %w", c.partial(), err))
	}
	c.backup.Version = held.version()
	return c, nil
}

// tablesWait is how long tables may take to be written while the writer waits. Where WriteTables
// was done before there is next to nothing to write.
const tablesWait = 30 * time.Second

// writeManifest makes the engine write to its manifest, by way of tables. Of one that was not
// written to since the store was opened it copies nothing, and the copy does not open.
func (s *Store) writeManifest() error {
	done, err := s.WriteTables()
	if err != nil {
		return err
	}
	limit := time.NewTimer(tablesWait)
	defer limit.Stop()
	select {
	case <-done:
		return nil
	case <-limit.C:
		return fmt.Errorf("tables were not written within %s", tablesWait)
	}
}

// prepareBackup makes the directory of backups and removes what is unfinished in it.
func prepareBackup(fs vfs.FS, dir string) error {
	parent := fs.PathDir(dir)
	if err := fs.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	if err := syncDir(fs, fs.PathDir(parent)); err != nil {
		return err
	}
	names, err := fs.List(parent)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, partialSuffix) {
			continue
		}
		if err := fs.RemoveAll(fs.PathJoin(parent, name)); err != nil {
			return err
		}
	}
	if slices.Contains(names, fs.PathBase(dir)) {
		return ErrBackupExists
	}
	return fs.MkdirAll(dir+partialSuffix, 0o700)
}

// Seal proves that the backup opens and holds the state it was taken of, and gives it its name once
// it is on disk. It needs no quiet and not even the store. After an error nothing is left.
func (c *Checkpoint) Seal() (*Backup, error) {
	err := c.prove()
	if err == nil {
		err = c.describe()
	}
	if err == nil {
		err = c.fs.Rename(c.partial(), c.dir)
	}
	if err == nil {
		err = syncDir(c.fs, c.fs.PathDir(c.dir))
	}
	if err != nil {
		return nil, c.discard(fmt.Errorf("finishing backup %s: %w", c.backup.Name, err))
	}
	return &c.backup, nil
}

func (c *Checkpoint) discard(err error) error {
	return errors.Join(err, c.fs.RemoveAll(c.partial()))
}

// prove opens the copy as a restore will.
func (c *Checkpoint) prove() error {
	if err := proveStore(c.store(), c.options, c.backup.Version); err != nil {
		return err
	}
	files, err := filesOf(c.fs, c.store())
	c.backup.Files = files
	return err
}

// describe writes down what the backup is.
func (c *Checkpoint) describe() error {
	text, err := json.MarshalIndent(&c.backup, "", "  ")
	if err != nil {
		return err
	}
	file, err := c.fs.Create(c.fs.PathJoin(c.partial(), backupFile), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write(append(text, '\n'))
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close(), syncDir(c.fs, c.partial()))
}

// proveCacheBytes is enough to open a store and read a few rows.
const proveCacheBytes = 8 << 20

// proveStore opens a store for looking only, and wants a version to be its last.
func proveStore(dir string, o Options, version uint64) error {
	o.CacheBytes = proveCacheBytes
	s, err := OpenReadOnly(dir, o)
	if err != nil {
		return err
	}
	held, err := s.stored()
	if err == nil && held.version() != version {
		err = fmt.Errorf("the store in %s ends with version %d, wanted %d", dir, held.version(),
			version)
	}
	return errors.Join(err, s.Close(), ignoreMissing(o.FS.Remove(o.FS.PathJoin(dir, lockFile))))
}

// filesOf lists the files of a store with their bytes.
func filesOf(fs vfs.FS, dir string) (map[string]int64, error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	files := map[string]int64{}
	for _, name := range names {
		if name == lockFile {
			continue
		}
		info, err := fs.Stat(fs.PathJoin(dir, name))
		if err != nil {
			return nil, err
		}
		files[name] = info.Size()
	}
	return files, nil
}

// ReadBackup reads what the backup in dir is. ErrNoBackup where it is not there, or not whole.
func ReadBackup(dir string, o Options) (*Backup, error) {
	fs := o.WithDefaults().FS
	if strings.HasSuffix(dir, partialSuffix) {
		return nil, fmt.Errorf("%w in %s: it was not finished", ErrNoBackup, dir)
	}
	b := &Backup{}
	text, err := readFile(fs, fs.PathJoin(dir, backupFile))
	if err == nil {
		err = json.Unmarshal(text, b)
	}
	if err != nil {
		return nil, fmt.Errorf("%w in %s: %w", ErrNoBackup, dir, err)
	}
	files, err := filesOf(fs, fs.PathJoin(dir, backupStore))
	if err != nil {
		return nil, fmt.Errorf("%w in %s: %w", ErrNoBackup, dir, err)
	}
	for name, size := range b.Files {
		if is, there := files[name]; !there || is != size {
			return nil, fmt.Errorf("%w in %s: file %s has %d bytes, wanted %d", ErrNoBackup, dir,
				name, is, size)
		}
	}
	return b, nil
}

// OpenBackup opens the store in a backup for looking only. ErrNoBackup where it is not there, or
// not whole.
func OpenBackup(dir string, o Options) (*Store, error) {
	if _, err := ReadBackup(dir, o); err != nil {
		return nil, err
	}
	return OpenReadOnly(o.WithDefaults().FS.PathJoin(dir, backupStore), o)
}

// Backups lists the backups in a directory, the oldest first, and the names of what is there and
// is none. Where there is no such directory there are none.
func Backups(dir string, o Options) (whole []*Backup, others []string, err error) {
	fs := o.WithDefaults().FS
	names, err := fs.List(dir)
	if err != nil {
		return nil, nil, ignoreMissing(err)
	}
	slices.Sort(names)
	for _, name := range names {
		b, err := ReadBackup(fs.PathJoin(dir, name), o)
		if err != nil {
			others = append(others, name)
			continue
		}
		b.Name = name // it may have been renamed
		whole = append(whole, b)
	}
	slices.SortStableFunc(whole, func(a, b *Backup) int { return a.Created.Compare(b.Created) })
	return whole, others, nil
}

func readFile(fs vfs.FS, path string) ([]byte, error) {
	file, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(file)
	return text, errors.Join(err, file.Close())
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
