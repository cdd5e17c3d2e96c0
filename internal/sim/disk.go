package sim

import (
	"cmp"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// disk is the file system of one process. It counts the operations that change something, and at
// a chosen one it takes an image of what a crash at that moment would leave. The process goes on
// without knowing: what it does to its disk from then on is no part of the image. Removals do not
// count: the engine makes them in the background, at moments that no seed decides.
type disk struct {
	vfs.FS
	mem *vfs.MemFS
	rnd *rand.Rand

	mu struct {
		sync.Mutex
		ops   int
		crash *crash // what is to happen, nil once it has
		image *vfs.MemFS
		files map[string]known
	}
	onCrash func()
}

// crash says at which operation, counted from when it is planned, and in which way.
type crash struct {
	at    int // operations still to go
	phase phase
	kept  int // percent of what was not synced
}

// phase is where within an operation a crash falls.
type phase uint8

const (
	before phase = iota
	torn         // half of a write is done
	after
)

// String names the phase.
func (p phase) String() string { return [...]string{"before", "torn", "after"}[p] }

func newDisk(mem *vfs.MemFS, rnd *rand.Rand) *disk {
	d := &disk{FS: mem, mem: mem, rnd: rnd}
	d.mu.files = map[string]known{}
	return d
}

// known is what the disk remembers of a file to make an image: the engine's file system tells what
// was synced of a file only if its name was.
type known struct {
	born            int // when its name came to be, in operations
	written, synced int // bytes from its start
}

// note changes what is known of a file.
func (d *disk) note(name string, change func(k *known)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k := d.mu.files[name]
	change(&k)
	d.mu.files[name] = k
}

// bear notes that a name came to be, with the content of another one's, if any.
func (d *disk) bear(name, from string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.files[name] = known{born: d.mu.ops, synced: d.mu.files[from].synced}
}

// plan arranges a crash.
func (d *disk) plan(c crash) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.crash = &c
}

// crashNow takes the image at this moment.
func (d *disk) crashNow(kept int) {
	d.mu.Lock()
	d.mu.crash = nil
	if d.mu.image == nil {
		d.mu.image = d.cloneLocked(kept)
	}
	d.mu.Unlock()
	d.onCrash()
}

// image returns what a crash has left, nil where there was none.
func (d *disk) image() *vfs.MemFS {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.image
}

// succeed takes over what another disk object knows of the same files, and the crash it had before
// it.
func (d *disk) succeed(old *disk) {
	old.mu.Lock()
	defer old.mu.Unlock()
	d.mu.files, d.mu.crash = old.mu.files, old.mu.crash
}

// do runs the parts of an operation and crashes where that was planned: before the first part,
// after it, or after the last.
func (d *disk) do(parts ...func() error) error {
	c := d.due()
	if c != nil && c.phase == before {
		d.crashNow(c.kept)
		c = nil
	}
	for i, part := range parts {
		if err := part(); err != nil {
			return err
		}
		if c != nil && (c.phase == torn || i == len(parts)-1) {
			d.crashNow(c.kept)
			c = nil
		}
	}
	return nil
}

// due counts an operation and returns the crash that falls into it, nil where none does.
func (d *disk) due() *crash {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.ops++
	c := d.mu.crash
	if c == nil {
		return nil
	}
	if c.at--; c.at >= 0 {
		return nil
	}
	d.mu.crash = nil
	return c
}

// Create implements vfs.FS.
func (d *disk) Create(name string, category vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = d.do(func() error {
		d.bear(name, "")
		f, err = d.mem.Create(name, category)
		return err
	})
	return d.wrap(name, f), err
}

// OpenReadWrite implements vfs.FS.
func (d *disk) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (
	vfs.File, error) {
	f, err := d.mem.OpenReadWrite(name, category, o...)
	return d.wrap(name, f), err
}

// OpenDir implements vfs.FS. A directory is opened to be synced.
func (d *disk) OpenDir(name string) (vfs.File, error) {
	f, err := d.mem.OpenDir(name)
	return d.wrap(name, f), err
}

// ReuseForWrite implements vfs.FS.
func (d *disk) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (f vfs.File,
	err error) {
	err = d.do(func() error {
		d.bear(to, "")
		d.mu.Lock() // it locks itself out when an image is taken meanwhile
		defer d.mu.Unlock()
		f, err = d.mem.ReuseForWrite(from, to, category)
		return err
	})
	return d.wrap(to, f), err
}

// Lock implements vfs.FS.
func (d *disk) Lock(name string) (io.Closer, error) {
	d.mu.Lock() // as with ReuseForWrite
	defer d.mu.Unlock()
	return d.mem.Lock(name)
}

// Link implements vfs.FS.
func (d *disk) Link(from, to string) error {
	return d.do(func() error {
		d.bear(to, from)
		d.mu.Lock() // as with ReuseForWrite
		defer d.mu.Unlock()
		return d.mem.Link(from, to)
	})
}

// Rename implements vfs.FS.
func (d *disk) Rename(from, to string) error {
	return d.do(func() error {
		d.bear(to, from)
		return d.mem.Rename(from, to)
	})
}

// Unwrap implements vfs.FS.
func (d *disk) Unwrap() vfs.FS { return d.mem }

func (d *disk) wrap(name string, f vfs.File) vfs.File {
	if f == nil {
		return nil
	}
	return &file{File: f, disk: d, path: name}
}

// file counts its writes and syncs.
type file struct {
	vfs.File
	disk *disk
	path string
}

// Write implements vfs.File.
func (f *file) Write(p []byte) (n int, err error) {
	write := func(part []byte) func() error {
		return func() error {
			m, err := f.File.Write(part)
			n += m
			f.disk.note(f.path, func(k *known) { k.written += m })
			return err
		}
	}
	err = f.disk.do(write(p[:len(p)/2]), write(p[len(p)/2:]))
	return n, err
}

// Sync implements vfs.File.
func (f *file) Sync() error { return f.sync(f.File.Sync) }

// SyncData implements vfs.File.
func (f *file) SyncData() error { return f.sync(f.File.SyncData) }

func (f *file) sync(sync func() error) error {
	return f.disk.do(func() error {
		f.disk.note(f.path, func(k *known) { k.synced = k.written })
		return sync()
	})
}

// clone is what a crash at this moment would leave, with a part of what was not synced.
func (d *disk) clone(kept int) *vfs.MemFS {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cloneLocked(kept)
}

// cloneLocked mixes two of the engine's images: what was synced, and all. The engine's own mixture
// draws in the order of a map; this one gives the same image for the same numbers. And it takes
// the changes of a directory in their order, as file systems with a journal do: the engine syncs a
// new manifest and the marker that names it together.
func (d *disk) cloneLocked(kept int) *vfs.MemFS {
	synced := d.mem.CrashClone(vfs.CrashCloneCfg{})
	if kept == 0 {
		return synced
	}
	// At 100 percent no draw changes the outcome; how many there are depends on a moment.
	unused := rand.New(rand.NewPCG(0, 0))
	all := d.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: unused})
	if kept >= 100 {
		return all
	}
	m := &mixer{synced: synced, all: all, to: vfs.NewCrashableMem(), files: d.mu.files,
		kept: kept, seed: d.rnd.Uint64()}
	if err := m.mix(); err != nil {
		// invariant: a file system in memory does not fail
		panic(fmt.Sprintf("sim: copying a file system: %v", err))
	}
	return m.to
}

// mixer copies, file by file, what was synced and some of what was not.
type mixer struct {
	synced, all, to *vfs.MemFS
	files           map[string]known
	kept            int
	seed            uint64
}

// chance gives each file draws of its own, for there may be more or fewer of those that are to be
// removed.
func (m *mixer) chance(name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash takes everything
	return rand.New(rand.NewPCG(m.seed, h.Sum64()))
}

// storeDir is the one directory.
const storeDir = "store"

func (m *mixer) mix() error {
	names, err := m.all.List(storeDir)
	if err != nil {
		return nil // the directory itself was not synced
	}
	if err := m.to.MkdirAll(storeDir, 0o755); err != nil {
		return err
	}
	slices.Sort(names)
	var fresh []string
	for _, name := range names {
		at := m.all.PathJoin(storeDir, name)
		if _, err := m.synced.Stat(at); err != nil {
			fresh = append(fresh, at)
			continue
		}
		if err := m.file(at, read(m.synced, at)); err != nil {
			return err
		}
	}
	slices.SortStableFunc(fresh, func(a, b string) int {
		return cmp.Compare(m.files[a].born, m.files[b].born)
	})
	survive := m.chance("").Float64()
	for _, at := range fresh[:int(survive*float64(len(fresh)+1))] {
		if err := m.file(at, read(m.all, at)[:m.files[at].synced]); err != nil {
			return err
		}
	}
	return errors.Join(m.sync(storeDir), m.sync("/"))
}

func (m *mixer) sync(dir string) error {
	f, err := m.to.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// file copies one file, of which old was synced. What is new in it can be lost block by block, or
// from some byte on.
func (m *mixer) file(at string, old []byte) error {
	all := read(m.all, at)
	rnd := m.chance(at)
	data := slices.Clone(old)
	const block = 4096
	for i := 0; i < len(all); i += block {
		part := all[i:min(i+block, len(all))]
		if rnd.IntN(100) >= m.kept {
			continue
		}
		if rnd.IntN(2) == 0 && i+len(part) > len(old) { // torn
			known := max(0, len(old)-i)
			part = part[:known+rnd.IntN(len(part)-known+1)]
		}
		if grow := i + len(part) - len(data); grow > 0 {
			data = append(data, make([]byte, grow)...)
		}
		copy(data[i:], part)
	}
	f, err := m.to.Create(at, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// read gives the content of a file, nothing where there is none.
func read(fs *vfs.MemFS, name string) []byte {
	buf, err := fs.UnsafeGetFileDataBuffer(name)
	if err != nil {
		return nil
	}
	return buf
}
