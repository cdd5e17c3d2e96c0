package store

// Figures are what the engine says of itself.
type Figures struct {
	DiskBytes      uint64
	MemtableBytes  uint64
	CacheBytes     int64
	CacheHits      int64
	CacheMisses    int64
	CompactionDebt uint64
	LevelZeroFiles int64
}

// Figures returns the engine's figures as of now.
func (s *Store) Figures() Figures {
	m := s.db.Metrics()
	return Figures{
		DiskBytes:      m.DiskSpaceUsage(),
		MemtableBytes:  m.MemTable.Size,
		CacheBytes:     m.BlockCache.Size,
		CacheHits:      m.BlockCache.Hits,
		CacheMisses:    m.BlockCache.Misses,
		CompactionDebt: m.Compact.EstimatedDebt,
		LevelZeroFiles: m.Levels[0].TablesCount,
	}
}
