package store

import (
	"io"
	"math/rand/v2"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fragile is a file system that takes an image at one operation, of what a crash there would leave.
// It goes on as if nothing had happened.
type fragile struct {
	vfs.FS
	mem *vfs.MemFS
	rnd *rand.Rand
	mishap

	// The engine's file system takes one lock twice to lock, link or reuse a file, and waits for
	// ever where a clone waits for it in between.
	cloning sync.Mutex

	mu struct {
		sync.Mutex
		left  int // operations until the crash, 0 when none is planned
		image *vfs.MemFS
	}
}

// mishap is a way to crash within an operation.
type mishap struct {
	phase string // "before", "torn" or "after"
	kept  int    // percent of what was not synced
}

func newFragile(m mishap, seed uint64) *fragile {
	mem := vfs.NewCrashableMem()
	return &fragile{FS: mem, mem: mem, mishap: m, rnd: rand.New(rand.NewPCG(seed, 0))}
}

// plan takes the image at the n-th operation from now on.
func (f *fragile) plan(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.left = n
}

// image is what the crash has left, nil where there was none.
func (f *fragile) image() *vfs.MemFS {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mu.image
}

// act does an operation in two parts; the image is taken before, between or after them.
func (f *fragile) act(first, second func() error) error {
	f.mu.Lock()
	f.mu.left--
	hit := f.mu.left == 0
	f.mu.Unlock()
	f.crash(hit && f.phase == "before")
	err := first()
	f.crash(hit && f.phase == "torn")
	if err == nil {
		err = second()
	}
	f.crash(hit && f.phase == "after")
	return err
}

// whole does an operation that has no parts.
func (f *fragile) whole(do func() error) error { return f.act(do, func() error { return nil }) }

func (f *fragile) crash(now bool) {
	if !now {
		return
	}
	f.cloning.Lock()
	image := f.mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: f.kept, RNG: f.rnd})
	f.cloning.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.image = image
}

func (f *fragile) Create(name string, c vfs.DiskWriteCategory) (file vfs.File, err error) {
	err = f.whole(func() error {
		file, err = f.FS.Create(name, c)
		return err
	})
	return f.wrap(file), err
}

// Lock is not counted as an operation.
func (f *fragile) Lock(name string) (io.Closer, error) {
	f.cloning.Lock()
	defer f.cloning.Unlock()
	return f.FS.Lock(name)
}

func (f *fragile) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return f.wrap(file), err
}

func (f *fragile) Link(from, to string) error {
	return f.whole(func() error {
		f.cloning.Lock()
		defer f.cloning.Unlock()
		return f.FS.Link(from, to)
	})
}

func (f *fragile) Rename(from, to string) error {
	return f.whole(func() error { return f.FS.Rename(from, to) })
}

func (f *fragile) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (file vfs.File,
	err error) {
	err = f.whole(func() error {
		f.cloning.Lock()
		defer f.cloning.Unlock()
		file, err = f.FS.ReuseForWrite(from, to, c)
		return err
	})
	return f.wrap(file), err
}

func (f *fragile) MkdirAll(dir string, mode os.FileMode) error {
	return f.whole(func() error { return f.FS.MkdirAll(dir, mode) })
}

// RemoveAll removes a part of a directory first.
func (f *fragile) RemoveAll(name string) error {
	return f.act(func() error {
		below, err := f.FS.List(name)
		if err != nil || len(below) == 0 {
			return nil // it goes as a whole
		}
		return f.FS.RemoveAll(f.FS.PathJoin(name, below[0]))
	}, func() error { return f.FS.RemoveAll(name) })
}

func (f *fragile) wrap(file vfs.File) vfs.File {
	if file == nil {
		return nil
	}
	return &fragileFile{File: file, fs: f}
}

// fragileFile counts writes and syncs.
type fragileFile struct {
	vfs.File
	fs *fragile
}

func (f *fragileFile) Write(p []byte) (n int, err error) {
	part := func(p []byte) func() error {
		return func() error {
			m, err := f.File.Write(p)
			n += m
			return err
		}
	}
	err = f.fs.act(part(p[:len(p)/2]), part(p[len(p)/2:]))
	return n, err
}

func (f *fragileFile) Sync() error     { return f.fs.whole(f.File.Sync) }
func (f *fragileFile) SyncData() error { return f.fs.whole(f.File.SyncData) }
