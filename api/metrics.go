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

// metrics are the families that the collector fills. docs/metrics.md describes them; a test holds
// the two together.
type metrics struct {
	consumedTotal, acceptedTotal, rejectedTotal, duplicateTotal, supersededTotal, emittedTotal,
	tombstonesTotal, blockedTotal, decidedTotal, commitSeconds, lagRecords, position,
	outboxDepth, diskBytes, memtableBytes, cacheBytes, cacheHits, cacheMisses,
	compactionDebt, levelZeroFiles, buildInfo metric
}

func newMetrics() metrics {
	return metrics{
		consumedTotal:  counter("records_consumed_total", "Records consumed.", "dataset"),
		acceptedTotal:  counter("records_accepted_total", "Records accepted.", "dataset"),
		rejectedTotal:  counter("records_rejected_total", "Records rejected.", "dataset", "reason"),
		duplicateTotal: counter("records_duplicate_total", "Copies of known events.", "dataset"),
		supersededTotal: counter("records_superseded_total", "Records overruled by later ones.",
			"dataset"),
		emittedTotal:    counter("records_emitted_total", "Records published.", "topic"),
		tombstonesTotal: counter("tombstones_total", "Tombstones of profiles published."),
		blockedTotal:    counter("identities_blocked_total", "Identities ignored as blocked."),
		decidedTotal:    counter("links_decided_total", "Links looked at by graph decisions."),
		commitSeconds:   gauge("commit_seconds", "Time of a commit, decisions included."),
		lagRecords:      gauge("lag_records", "Records not fetched yet.", "topic", "partition"),
		position:        gauge("position", "Offset of the next record.", "topic", "partition"),
		outboxDepth:     gauge("outbox_depth", "Entries not yet published."),
		diskBytes:       gauge("store_disk_bytes", "Bytes of the store on disk."),
		memtableBytes:   gauge("store_memtable_bytes", "Bytes of memtables."),
		cacheBytes:      gauge("store_cache_bytes", "Bytes of the block cache in use."),
		cacheHits:       counter("store_cache_hits_total", "Hits of the block cache."),
		cacheMisses:     counter("store_cache_misses_total", "Misses of the block cache."),
		compactionDebt:  gauge("store_compaction_debt_bytes", "Bytes that wait for compaction."),
		levelZeroFiles:  gauge("store_level0_files", "Files in level 0."),
		buildInfo:       gauge("build_info", "1, with the version.", "version"),
	}
}

// collector reads the figures when they are asked for.
type collector struct {
	metrics
	backend Backend
}

func newCollector(b Backend) *collector { return &collector{newMetrics(), b} }

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range []metric{
		c.consumedTotal, c.acceptedTotal, c.rejectedTotal, c.duplicateTotal, c.supersededTotal,
		c.emittedTotal, c.tombstonesTotal, c.blockedTotal, c.decidedTotal, c.commitSeconds,
		c.lagRecords, c.position, c.outboxDepth, c.diskBytes, c.memtableBytes, c.cacheBytes,
		c.cacheHits, c.cacheMisses, c.compactionDebt, c.levelZeroFiles, c.buildInfo,
	} {
		out <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	send := func(m metric, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
	}
	f := c.backend.Stats.Figures()
	c.collectDatasets(&f, send)
	for topic, n := range f.Emitted {
		send(c.emittedTotal, float64(n), topic)
	}
	send(c.tombstonesTotal, float64(f.Tombstones))
	send(c.blockedTotal, float64(f.Blocked))
	send(c.decidedTotal, float64(f.LinksDecided))
	for tp, n := range f.Lag {
		send(c.lagRecords, float64(n), tp.Topic, strconv.Itoa(int(tp.Partition)))
	}
	for tp, n := range f.Positions {
		send(c.position, float64(n), tp.Topic, strconv.Itoa(int(tp.Partition)))
	}
	buckets := map[float64]uint64{}
	for i, bound := range pipeline.CommitBounds() {
		buckets[bound] = f.CommitBuckets[i]
	}
	out <- prometheus.MustNewConstHistogram(c.commitSeconds.desc, f.Commits, f.CommitSeconds,
		buckets)
	c.collectStore(send)
	send(c.buildInfo, 1, c.backend.Version)
}

func (c *collector) collectDatasets(f *pipeline.Figures,
	send func(metric, float64, ...string)) {
	for _, name := range slices.Sorted(maps.Keys(f.Datasets)) {
		d := f.Datasets[name]
		send(c.consumedTotal, float64(d.Consumed), name)
		send(c.acceptedTotal, float64(d.Accepted), name)
		send(c.duplicateTotal, float64(d.Duplicate), name)
		send(c.supersededTotal, float64(d.Superseded), name)
		for _, reason := range pipeline.Reasons() {
			send(c.rejectedTotal, float64(d.Rejected[reason]), name, string(reason))
		}
	}
}

func (c *collector) collectStore(send func(metric, float64, ...string)) {
	f := c.backend.Store.Figures()
	send(c.outboxDepth, float64(c.backend.Store.OutboxDepth()))
	send(c.diskBytes, float64(f.DiskBytes))
	send(c.memtableBytes, float64(f.MemtableBytes))
	send(c.cacheBytes, float64(f.CacheBytes))
	send(c.cacheHits, float64(f.CacheHits))
	send(c.cacheMisses, float64(f.CacheMisses))
	send(c.compactionDebt, float64(f.CompactionDebt))
	send(c.levelZeroFiles, float64(f.LevelZeroFiles))
}
