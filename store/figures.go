package store

// Figures are sizes and counts of the storage engine, for operators.
type Figures struct {
	DiskBytes      uint64 // of all files but the log being written
	WALBytes       uint64 // in the write-ahead log and not yet in tables
	MemtableBytes  uint64
	CacheBytes     int64 // held by the block cache now
	CacheHits      int64 // since the store was opened
	CacheMisses    int64
	CompactionDebt uint64 // bytes to be rewritten until the tree is in shape
	L0Files        int64  // a growing number means that compaction cannot keep up
}

// Figures returns the engine's figures as of now.
func (s *Store) Figures() Figures {
	m := s.db.Metrics()
	return Figures{
		DiskBytes:      m.DiskSpaceUsage(),
		WALBytes:       m.WAL.Size,
		MemtableBytes:  m.MemTable.Size,
		CacheBytes:     m.BlockCache.Size,
		CacheHits:      m.BlockCache.Hits,
		CacheMisses:    m.BlockCache.Misses,
		CompactionDebt: m.Compact.EstimatedDebt,
		L0Files:        m.Levels[0].TablesCount,
	}
}
