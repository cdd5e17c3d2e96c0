package api

import (
	"log/slog"
	"net/http"
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"selfsame/pipeline"
	"selfsame/store"
)

// metricsHandler serves what there is to know of a backend.
func metricsHandler(b Backend, log *slog.Logger) http.Handler {
	return registryHandler(newCollector(b), log)
}

// registryHandler serves a registry of its own; there is no global one.
func registryHandler(c *collector, log *slog.Logger) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(c, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError),
	})
}

// collector reads the figures when it is asked, so that a scrape shows one moment: of each
// dataset, what was consumed is the sum of what became of it.
type collector struct {
	figures func() pipeline.Figures
	backend Backend
	metrics metrics
}

// metrics are the descriptions of everything exported. docs/metrics.md has the same list.
type metrics struct {
	consumed, accepted, rejected, duplicate, superseded *prometheus.Desc
	emitted, tombstones, blocked, links                 *prometheus.Desc
	commits, commitSeconds, lag, position, outbox       *prometheus.Desc
	inputState, lost                                    *prometheus.Desc
	jobs, units, unitsDone, jobsDone                    *prometheus.Desc
	timers, timersFired, timersBehind, readings         *prometheus.Desc
	unfinished, missed                                  *prometheus.Desc
	disk, wal, memtable, cache, hits, misses, debt, l0  *prometheus.Desc
	build                                               *prometheus.Desc

	graph graphMetrics
}

func newCollector(b Backend) *collector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("selfsame_"+name, help, labels, nil)
	}
	return &collector{figures: b.Stats.Figures, backend: b, metrics: metrics{
		consumed:   d("records_consumed_total", "Input records consumed.", "dataset"),
		accepted:   d("records_accepted_total", "Of them, taken in.", "dataset"),
		rejected:   d("records_rejected_total", "Of them, dead-lettered.", "dataset", "reason"),
		duplicate:  d("records_duplicate_total", "Of them, copies of known events.", "dataset"),
		superseded: d("records_superseded_total", "Of them, overruled by later ones.", "dataset"),
		emitted:    d("records_emitted_total", "Output records published.", "topic"),
		tombstones: d("tombstones_total", "Output records that delete a profile."),
		blocked:    d("identities_blocked_total", "Identities ignored for a blocked value."),
		links:      d("links_decided_total", "Links looked at by graph decisions."),

		commits:       d("commits_total", "Commits to the store."),
		commitSeconds: d("commit_seconds", "Time of a commit, decisions included."),
		lag:           d("lag_records", "Records not yet consumed.", "topic", "partition"),
		position:      d("position", "Offset of the next record to consume.", "topic", "partition"),
		outbox:        d("outbox_depth", "Output entries not yet acknowledged by Kafka."),
		inputState:    d("input_state", "1 for the state that a topic is in.", "topic", "state"),
		lost:          d("input_lost_records_total", "Offsets passed over unread.", "topic"),

		jobs:        d("jobs_running", "Jobs under way.", "kind"),
		units:       d("job_units", "Units of running jobs; an estimate.", "kind"),
		unitsDone:   d("job_units_done", "Of them, worked off.", "kind"),
		jobsDone:    d("jobs_done_total", "Jobs that have ended."),
		timers:      d("timers_waiting", "Timers that have not been worked off."),
		timersFired: d("timers_fired_total", "Timers that have been worked off."),
		timersBehind: d("timers_behind_seconds",
			"How long the oldest timer that is due has been so."),
		readings: d("computed_readings_total",
			"Events that a computed attribute could not make something of.", "class", "attribute",
			"kind"),
		missed: d("computed_deletes_missed_total",
			"Deletes by id of events that had expired and go on to count.", "dataset"),
		unfinished: d("computed_unfinished_total",
			"Steps that left events of one identity for the next."),

		disk:     d("store_disk_bytes", "Size of all files but the log being written."),
		wal:      d("store_wal_bytes", "Bytes in the write-ahead log."),
		memtable: d("store_memtable_bytes", "Memory held by memtables."),
		cache:    d("store_cache_bytes", "Memory held by the block cache."),
		hits:     d("store_cache_hits_total", "Blocks found in the block cache."),
		misses:   d("store_cache_misses_total", "Blocks not found in the block cache."),
		debt:     d("store_compaction_debt_bytes", "Bytes that compaction has yet to rewrite."),
		l0:       d("store_l0_files", "Files in level 0."),

		build: d("build_info", "Always 1.", "version", "go_version"),
		graph: newGraphMetrics(d),
	}}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	m := &c.metrics
	for _, d := range []*prometheus.Desc{m.consumed, m.accepted, m.rejected, m.duplicate,
		m.superseded, m.emitted, m.tombstones, m.blocked, m.links, m.commits, m.commitSeconds,
		m.lag, m.position, m.outbox, m.inputState, m.lost, m.jobs, m.units, m.unitsDone,
		m.jobsDone, m.timers, m.timersFired, m.timersBehind,
		m.readings, m.unfinished, m.missed, m.disk, m.wal, m.memtable, m.cache,
		m.hits, m.misses, m.debt, m.l0, m.build} {
		to <- d
	}
	m.graph.describe(to)
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	out := sending(to)
	f := c.figures()
	c.collectRecords(out, f)
	c.collectProgress(out, f)
	c.collectBackground(out, f)
	c.collectGraph(out, f)
	c.collectStore(out)
	out.gauge(c.metrics.build, 1, c.backend.Version, runtime.Version())
}

func (c *collector) collectRecords(out sending, f pipeline.Figures) {
	m := &c.metrics
	if _, ok := f.Datasets[""]; !ok {
		f.Datasets[""] = pipeline.DatasetStats{} // shown from the start, as all datasets are
	}
	for name, d := range f.Datasets {
		name = datasetName(name)
		out.counter(m.consumed, d.Consumed, name)
		out.counter(m.accepted, d.Accepted, name)
		for reason, n := range rejections(d) {
			out.counter(m.rejected, n, name, string(reason))
		}
		out.counter(m.duplicate, d.Duplicate, name)
		out.counter(m.superseded, d.Superseded, name)
	}
	for topic, n := range f.Emitted {
		out.counter(m.emitted, n, topic)
	}
	out.counter(m.tombstones, f.Tombstones)
	out.counter(m.blocked, f.Blocked)
	out.counter(m.links, f.LinksDecided)
}

func (c *collector) collectProgress(out sending, f pipeline.Figures) {
	buckets := map[float64]uint64{}
	for i, bound := range pipeline.CommitBounds() {
		buckets[bound] = f.CommitBuckets[i]
	}
	out.counter(c.metrics.commits, f.Commits)
	out <- prometheus.MustNewConstHistogram(c.metrics.commitSeconds, f.Commits, f.CommitSeconds,
		buckets)
	for tp, n := range f.Lag {
		out.gauge(c.metrics.lag, float64(n), tp.Topic, strconv.Itoa(int(tp.Partition)))
	}
	for tp, n := range f.Positions {
		out.gauge(c.metrics.position, float64(n), tp.Topic, strconv.Itoa(int(tp.Partition)))
	}
	out.gauge(c.metrics.outbox, float64(c.backend.Store.OutboxDepth()))
	c.collectInputs(out, f)
}

// collectBackground sums up jobs by kind: their ids are texts of operators, and no labels.
func (c *collector) collectBackground(out sending, f pipeline.Figures) {
	type sums struct{ jobs, units, done float64 }
	kinds := map[string]sums{}
	for _, kind := range pipeline.JobKinds() {
		kinds[kind] = sums{}
	}
	for i := range f.Jobs {
		job := &f.Jobs[i]
		s := kinds[job.Kind]
		kinds[job.Kind] = sums{s.jobs + 1, s.units + float64(job.Total), s.done + float64(job.Done)}
	}
	for kind, s := range kinds {
		out.gauge(c.metrics.jobs, s.jobs, kind)
		out.gauge(c.metrics.units, s.units, kind)
		out.gauge(c.metrics.unitsDone, s.done, kind)
	}
	out.counter(c.metrics.jobsDone, f.JobsDone)
	out.gauge(c.metrics.timers, float64(f.TimersWaiting))
	out.counter(c.metrics.timersFired, f.TimersFired)
	out.gauge(c.metrics.timersBehind, f.TimersBehind.Seconds())
	out.counter(c.metrics.unfinished, f.ComputedUnfinished)
	for dataset, n := range f.ComputedDeletesMissed {
		out.counter(c.metrics.missed, n, dataset)
	}
	for key, n := range f.ComputedReadings {
		out.counter(c.metrics.readings, n, key.Class, key.Attribute, key.Kind)
	}
}

func (c *collector) collectInputs(out sending, f pipeline.Figures) {
	for topic, in := range f.Inputs {
		for _, state := range store.InputStates() {
			is := 0.0
			if in.State == state {
				is = 1
			}
			out.gauge(c.metrics.inputState, is, topic, state.String())
		}
	}
	for topic, n := range f.Lost {
		out.counter(c.metrics.lost, n, topic)
	}
}

func (c *collector) collectStore(out sending) {
	m, f := &c.metrics, c.backend.Store.Figures()
	out.gauge(m.disk, float64(f.DiskBytes))
	out.gauge(m.wal, float64(f.WALBytes))
	out.gauge(m.memtable, float64(f.MemtableBytes))
	out.gauge(m.cache, float64(f.CacheBytes))
	out.counter(m.hits, uint64(f.CacheHits))
	out.counter(m.misses, uint64(f.CacheMisses))
	out.gauge(m.debt, float64(f.CompactionDebt))
	out.gauge(m.l0, float64(f.L0Files))
}

// sending is where a scrape's metrics go.
type sending chan<- prometheus.Metric

func (s sending) counter(d *prometheus.Desc, n uint64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func (s sending) gauge(d *prometheus.Desc, n float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
}
