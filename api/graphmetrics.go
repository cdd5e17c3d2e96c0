package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"selfsame/pipeline"
	"selfsame/store"
)

// graphMetrics are the descriptions of what is exported of the graph.
type graphMetrics struct {
	clusters, several, links, hubs *prometheus.Desc // gauges, of the committed state
	changes, leftOut, beyond       *prometheus.Desc // counters, since the start
}

func newGraphMetrics(d func(name, help string, labels ...string) *prometheus.Desc) graphMetrics {
	return graphMetrics{
		clusters: d("graph_clusters", "Clusters by the number of their identities.", "class",
			"size"),
		several: d("graph_clusters_several",
			"Clusters with more than one identity of a namespace.", "class", "namespace"),
		links:   d("graph_links", "Links in the store, those left out too.", "class"),
		hubs:    d("graph_hubs", "Identities that are hubs.", "class"),
		changes: d("graph_changes_total", "Entries of the identity topic.", "class", "kind"),
		leftOut: d("graph_links_left_out_total", "New links that were left out.", "class", "rule"),
		beyond:  d("graph_beyond_hubs_total", "Assertions that hubs turned away."),
	}
}

func (m *graphMetrics) describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.clusters, m.several, m.links, m.hubs, m.changes,
		m.leftOut, m.beyond} {
		to <- d
	}
}

// collectGraph tells of the graph of every class. Namespaces are shown also where no cluster has
// several values of them.
func (c *collector) collectGraph(out sending, f pipeline.Figures) {
	m := &c.metrics.graph
	for class, totals := range f.Graph {
		out.gauge(m.links, float64(totals.Links), class)
		out.gauge(m.hubs, float64(totals.Hubs), class)
		for i, size := range store.ClusterSizes() {
			out.gauge(m.clusters, float64(totals.Sizes[i]), class, size)
		}
		several := map[string]int64{}
		if entity := c.backend.Model.Entity(class); entity != nil {
			for _, namespace := range entity.Rules.Namespaces() {
				several[namespace] = 0
			}
		}
		for _, n := range totals.Several {
			several[n.Namespace] = n.Clusters
		}
		for namespace, n := range several {
			out.gauge(m.several, float64(n), class, namespace)
		}
	}
	out.counter(m.beyond, f.BeyondHubs)
	for count, n := range f.GraphChanges {
		out.counter(m.changes, n, count.Class, count.Name)
	}
	for count, n := range f.LinksLeftOut {
		out.counter(m.leftOut, n, count.Class, count.Name)
	}
}
