package api

import (
	"maps"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"selfsame/pipeline"
)

// metric is one metric family that the collector fills from the figures.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func counter(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("selfsame_"+name, help, labels, nil), prometheus.CounterValue}
}

func gauge(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("selfsame_"+name, help, labels, nil), prometheus.GaugeValue}
}

// The metrics. docs/metrics.md describes them; a test holds the two together.
var (
	consumedTotal   = counter("records_consumed_total", "Records consumed.", "dataset")
	acceptedTotal   = counter("records_accepted_total", "Records accepted.", "dataset")
	rejectedTotal   = counter("records_rejected_total", "Records rejected.", "dataset", "reason")
	duplicateTotal  = counter("records_duplicate_total", "Copies of known events.", "dataset")
	supersededTotal = counter("records_superseded_total", "Records overruled by later ones.",
		"dataset")
	emittedTotal    = counter("records_emitted_total", "Records published.", "topic")
	tombstonesTotal = counter("tombstones_total", "Tombstones of profiles published.")
	blockedTotal    = counter("identities_blocked_total", "Identities ignored as blocked.")
	decidedTotal    = counter("links_decided_total", "Links looked at by graph decisions.")
	commitSeconds   = gauge("commit_seconds", "Time of a commit, decisions included.")
	lagRecords      = gauge("lag_records", "Records not fetched yet.", "topic", "partition")
	position        = gauge("position", "Offset of the next record.", "topic", "partition")
	outboxDepth     = gauge("outbox_depth", "Entries not yet published.")
	diskBytes       = gauge("store_disk_bytes", "Bytes of the store on disk.")
	memtableBytes   = gauge("store_memtable_bytes", "Bytes of memtables.")
	cacheBytes      = gauge("store_cache_bytes", "Bytes of the block cache in use.")
	cacheHits       = counter("store_cache_hits_total", "Hits of the block cache.")
	cacheMisses     = counter("store_cache_misses_total", "Misses of the block cache.")
	compactionDebt  = gauge("store_compaction_debt_bytes", "Bytes that wait for compaction.")
	levelZeroFiles  = gauge("store_level0_files", "Files in level 0.")
	buildInfo       = gauge("build_info", "1, with the version.", "version")
)

// collector reads the figures when they are asked for.
type collector struct{ backend Backend }

func newCollector(b Backend) *collector { return &collector{b} }

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range []metric{consumedTotal, acceptedTotal, rejectedTotal, duplicateTotal,
		supersededTotal, emittedTotal, tombstonesTotal, blockedTotal, decidedTotal, commitSeconds,
		lagRecords, position, outboxDepth, diskBytes, memtableBytes, cacheBytes, cacheHits,
		cacheMisses, compactionDebt, levelZeroFiles, buildInfo} {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	send := func(m metric, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
	}
	f := c.backend.Stats.Figures()
	collectDatasets(&f, send)
	for topic, n := range f.Emitted {
		send(emittedTotal, float64(n), topic)
	}
	send(tombstonesTotal, float64(f.Tombstones))
	send(blockedTotal, float64(f.Blocked))
	send(decidedTotal, float64(f.LinksDecided))
	for tp, n := range f.Lag {
		send(lagRecords, float64(n), tp.Topic, strconv.Itoa(int(tp.Partition)))
	}
	for tp, n := range f.Positions {
		send(position, float64(n), tp.Topic, strconv.Itoa(int(tp.Partition)))
	}
	buckets := map[float64]uint64{}
	for i, bound := range pipeline.CommitBounds() {
		buckets[bound] = f.CommitBuckets[i]
	}
	out <- prometheus.MustNewConstHistogram(commitSeconds.desc, f.Commits, f.CommitSeconds, buckets)
	c.collectStore(send)
	send(buildInfo, 1, c.backend.Version)
}

func collectDatasets(f *pipeline.Figures, send func(metric, float64, ...string)) {
	for _, name := range slices.Sorted(maps.Keys(f.Datasets)) {
		d := f.Datasets[name]
		send(consumedTotal, float64(d.Consumed), name)
		send(acceptedTotal, float64(d.Accepted), name)
		send(duplicateTotal, float64(d.Duplicate), name)
		send(supersededTotal, float64(d.Superseded), name)
		for _, reason := range pipeline.Reasons() {
			send(rejectedTotal, float64(d.Rejected[reason]), name, string(reason))
		}
	}
}

func (c *collector) collectStore(send func(metric, float64, ...string)) {
	f := c.backend.Store.Figures()
	send(outboxDepth, float64(c.backend.Store.OutboxDepth()))
	send(diskBytes, float64(f.DiskBytes))
	send(memtableBytes, float64(f.MemtableBytes))
	send(cacheBytes, float64(f.CacheBytes))
	send(cacheHits, float64(f.CacheHits))
	send(cacheMisses, float64(f.CacheMisses))
	send(compactionDebt, float64(f.CompactionDebt))
	send(levelZeroFiles, float64(f.LevelZeroFiles))
}
