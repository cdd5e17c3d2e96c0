package store

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options are what a store can be told. The zero value of each field means its default.
type Options struct {
	// CacheBytes is the size of the block cache, outside the Go heap. Default 384 MiB.
	CacheBytes int64
	// MemtableBytes is the size of one memtable; up to four exist. Default 64 MiB.
	MemtableBytes int64
	// MaxOpenFiles bounds the files held open. Default 4096.
	MaxOpenFiles int
	// FS is the file system, for tests. Default: the operating system's.
	FS vfs.FS
	// Log receives changes of state and faults. Default: discarded.
	Log *slog.Logger
	// Fatal is called when the engine cannot go on (a corrupt file, a failed write of the log); it
	// must not return. Default: panic, so that nothing can be written afterwards.
	Fatal func(message string)
}

// Defaults of Options.
const (
	DefaultCacheBytes    = 384 << 20
	DefaultMemtableBytes = 64 << 20
	DefaultMaxOpenFiles  = 4096
)

// WithDefaults fills in the defaults.
func (o Options) WithDefaults() Options {
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.MemtableBytes == 0 {
		o.MemtableBytes = DefaultMemtableBytes
	}
	if o.MaxOpenFiles == 0 {
		o.MaxOpenFiles = DefaultMaxOpenFiles
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate reports every option that is out of bounds.
func (o Options) Validate() error {
	var errs []error
	if o.CacheBytes < 8<<20 {
		errs = append(errs, errors.New("store cache: must be at least 8 MiB"))
	}
	if o.MemtableBytes < 1<<20 || o.MemtableBytes > 1<<30 {
		errs = append(errs, errors.New("store memtable: must be 1 MiB to 1 GiB"))
	}
	if o.MaxOpenFiles < 64 {
		errs = append(errs, errors.New("store max_open_files: must be at least 64"))
	}
	return errors.Join(errs...)
}

// Engine returns the engine's options as a store opens it, for the benchmark's comparison with the
// bare engine, and what releases their cache. Call it on options with defaults.
func (o Options) Engine() (options *pebble.Options, release func()) {
	cache := pebble.NewCache(o.CacheBytes)
	return o.pebbleOptions(cache), cache.Unref
}

// pebbleOptions tunes the engine for one writer of small batches and point reads that are mostly
// negative (event ids) or hot (identities): big memtables, few large files in level 0, bloom
// filters everywhere.
func (o Options) pebbleOptions(cache *pebble.Cache) *pebble.Options {
	logger := engineLogger{log: o.Log, fatal: o.Fatal}
	p := &pebble.Options{
		Cache:                       cache,
		FS:                          o.FS,
		FormatMajorVersion:          pebble.FormatColumnarBlocks,
		MemTableSize:                uint64(o.MemtableBytes),
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       24,
		MaxOpenFiles:                o.MaxOpenFiles,
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             1 << 20,
		Logger:                      logger,
		CompactionConcurrencyRange:  func() (lower, upper int) { return 1, 2 },
	}
	p.TargetFileSizes[0] = 16 << 20
	for i := range p.Levels {
		p.Levels[i].BlockSize = 8 << 10
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	bottom := &p.Levels[len(p.Levels)-1]
	bottom.Compression = func() *sstable.CompressionProfile { return sstable.ZstdCompression }
	p.EventListener = logger.listener()
	return p
}

// engineLogger passes the engine's faults on. Its informational chatter is debug output.
type engineLogger struct {
	log   *slog.Logger
	fatal func(message string)
}

// Infof implements pebble.Logger.
func (l engineLogger) Infof(format string, args ...any) {
	l.log.Debug("store engine", "message", fmt.Sprintf(format, args...))
}

// Errorf implements pebble.Logger.
func (l engineLogger) Errorf(format string, args ...any) {
	l.log.Error("store engine", "message", fmt.Sprintf(format, args...))
}

// Fatalf implements pebble.Logger.
func (l engineLogger) Fatalf(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	l.log.Error("store engine cannot go on", "message", message)
	if l.fatal != nil {
		l.fatal(message)
	}
	panic("store: " + message) // invariant: Fatalf must not return, the engine's state is unknown
}

// listener reports what an operator wants to know: stalls and background errors.
func (l engineLogger) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) { l.log.Error("store background error", "error", err) },
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			l.Fatalf("data corruption: %v", info)
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			l.log.Warn("store writes stalled", "reason", info.Reason)
		},
		WriteStallEnd: func() { l.log.Info("store writes resumed") },
	}
}
