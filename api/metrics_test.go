package api

import (
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"selfsame/pipeline"
	"selfsame/store"
)

// TestMetricsAddUp takes the sums from the text that a scraper reads.
func TestMetricsAddUp(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1), "{", ann(2), `{"id":7}`)
	w.send("web", `{"event":"a","crm":"1"}`, `{"event":"a","crm":"1"}`)
	w.sendWith("crm", []pipeline.Header{{Key: pipeline.HeaderDataset, Value: []byte("x")}}, ann(1))
	w.now = w.now.Add(-time.Hour)
	w.send("crm", ann(1)) // older than what is known
	code, text := w.get("/metrics")
	if code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	outcomes := []string{"consumed", "accepted", "rejected", "duplicate", "superseded"}
	for dataset, want := range map[string][]float64{
		"crm": {5, 2, 2, 0, 1}, "web": {2, 1, 0, 1, 0}, noDataset: {1, 0, 1, 0, 0},
	} {
		var got []float64
		for _, outcome := range outcomes {
			name := "selfsame_records_" + outcome + "_total"
			got = append(got, sum(t, text, name, `dataset="`+dataset+`"`))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v want %v for %v", dataset, got, want, outcomes)
		}
		if got[0] != got[1]+got[2]+got[3]+got[4] {
			t.Errorf("%s: %v do not add up", dataset, got)
		}
		for _, reason := range pipeline.Reasons() {
			sum(t, text, "selfsame_records_rejected_total",
				`dataset="`+dataset+`",reason="`+string(reason)+`"`)
		}
	}
	if wal := regexp.MustCompile(`(?m)^selfsame_store_wal_bytes [1-9]`); !wal.MatchString(text) {
		t.Error("commits have left nothing in the log")
	}
	if strings.Contains(text, "example.org") {
		t.Error("holds a personal value")
	}
}

// sum adds up the samples of a metric that have these labels, and fails where there are none.
func sum(t *testing.T, text, name, labels string) float64 {
	t.Helper()
	sample := regexp.MustCompile(`(?m)^` + name + `\{` + regexp.QuoteMeta(labels) + `.*\} (\S+)$`)
	samples := sample.FindAllStringSubmatch(text, -1)
	if len(samples) == 0 {
		t.Fatalf("no sample of %s with %s", name, labels)
	}
	var total float64
	for _, sample := range samples {
		n, err := strconv.ParseFloat(sample[1], 64)
		must(t, err)
		total += n
	}
	return total
}

// TestMetricsText compares every sample of figures made up for the purpose, the engine's and the
// runtime's apart, and holds the whole to the conventions.
func TestMetricsText(t *testing.T) {
	w := newWorld(t)
	c := newCollector(w.backend)
	tp := pipeline.TopicPartition{Topic: "crm", Partition: 3}
	c.figures = func() pipeline.Figures {
		f := pipeline.Figures{
			Datasets: map[string]pipeline.DatasetStats{"crm": {Consumed: 10, Accepted: 1,
				Duplicate: 2, Superseded: 3, Rejected: map[pipeline.Reason]uint64{"too_old": 4}}},
			Emitted: map[string]uint64{"profiles": 5}, Tombstones: 6, Blocked: 7, LinksDecided: 8,
			Jobs: []store.Job{{Kind: "purge", Done: 3, Total: 8},
				{Kind: "purge", Done: 1, Total: 2}},
			JobsDone: 13, TimersWaiting: 14, TimersFired: 15,
			TimersBehind: 1500 * time.Millisecond,
			ComputedReadings: map[pipeline.ReadingCount]uint64{
				{Class: "profile", Attribute: "spend", Kind: "absent"}: 21},
			ComputedUnfinished:    22,
			ComputedDeletesMissed: map[string]uint64{"orders": 23},
			Commits:               4, CommitSeconds: 12.5,
			Lag:       map[pipeline.TopicPartition]int64{tp: 9},
			Positions: map[pipeline.TopicPartition]int64{tp: 11},
			Inputs:    map[string]pipeline.InputStatus{"crm": {State: store.InputHalted}},
			Lost:      map[string]uint64{"crm": 12},
			Graph: map[string]store.GraphTotals{"profile": {Links: 16,
				Sizes:   [7]int64{0, 0, 17},
				Several: []store.NamespaceCount{{Namespace: "email", Clusters: 18}}}},
			GraphChanges: map[pipeline.GraphCount]uint64{{Class: "profile", Name: "merged"}: 19},
			LinksLeftOut: map[pipeline.GraphCount]uint64{
				{Class: "profile", Name: "unique crm"}: 20},
		}
		for i, bound := range pipeline.CommitBounds() {
			if bound >= .05 {
				f.CommitBuckets[i] = 3
			}
		}
		return f
	}
	text := scrape(t, c)
	for _, want := range []string{
		`selfsame_records_consumed_total{dataset="crm"} 10`,
		`selfsame_records_accepted_total{dataset="crm"} 1`,
		`selfsame_records_duplicate_total{dataset="crm"} 2`,
		`selfsame_records_superseded_total{dataset="crm"} 3`,
		`selfsame_records_rejected_total{dataset="crm",reason="too_old"} 4`,
		`selfsame_records_rejected_total{dataset="crm",reason="malformed"} 0`,
		`selfsame_records_consumed_total{dataset="(none)"} 0`,
		`selfsame_records_emitted_total{topic="profiles"} 5`,
		`selfsame_tombstones_total 6`,
		`selfsame_computed_unfinished_total 22`,
		`selfsame_computed_deletes_missed_total{dataset="orders"} 23`,
		`selfsame_identities_blocked_total 7`,
		`selfsame_links_decided_total 8`,
		`selfsame_commits_total 4`,
		`selfsame_commit_seconds_bucket{le="0.02"} 0`,
		`selfsame_commit_seconds_bucket{le="0.05"} 3`,
		`selfsame_commit_seconds_bucket{le="+Inf"} 4`,
		`selfsame_commit_seconds_sum 12.5`,
		`selfsame_commit_seconds_count 4`,
		`selfsame_lag_records{partition="3",topic="crm"} 9`,
		`selfsame_position{partition="3",topic="crm"} 11`,
		`selfsame_outbox_depth 0`,
		`selfsame_jobs_running{kind="purge"} 2`,
		`selfsame_jobs_running{kind="remerge"} 0`,
		`selfsame_job_units{kind="purge"} 10`,
		`selfsame_job_units_done{kind="purge"} 4`,
		`selfsame_jobs_done_total 13`,
		`selfsame_timers_waiting 14`,
		`selfsame_timers_fired_total 15`,
		`selfsame_timers_behind_seconds 1.5`,
		`selfsame_computed_readings_total{attribute="spend",class="profile",kind="absent"} 21`,
		`selfsame_input_state{state="halted",topic="crm"} 1`,
		`selfsame_input_state{state="running",topic="crm"} 0`,
		`selfsame_input_lost_records_total{topic="crm"} 12`,
		`selfsame_graph_links{class="profile"} 16`,
		`selfsame_graph_clusters{class="profile",size="1"} 0`,
		`selfsame_graph_clusters{class="profile",size="3-5"} 17`,
		`selfsame_graph_clusters_several{class="profile",namespace="crm"} 0`,
		`selfsame_graph_clusters_several{class="profile",namespace="email"} 18`,
		`selfsame_graph_changes_total{class="profile",kind="merged"} 19`,
		`selfsame_graph_links_left_out_total{class="profile",rule="unique crm"} 20`,
		`selfsame_build_info{go_version="` + runtime.Version() + `",version="1.2.3"} 1`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("lacks %s", want)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	must(t, err)
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
	checkMetricsPage(t, c, text)
}

func scrape(t *testing.T, c *collector) string {
	t.Helper()
	recorded := httptest.NewRecorder()
	handler := registryHandler(c, slog.New(slog.DiscardHandler))
	handler.ServeHTTP(recorded, httptest.NewRequest("GET", "/metrics", nil))
	if recorded.Code != 200 {
		t.Fatalf("%d %s", recorded.Code, recorded.Body)
	}
	return recorded.Body.String()
}

// checkMetricsPage holds docs/metrics.md to the code: the same metrics, no more and no fewer, with
// the type, labels and meaning of each, and the same reasons. text must hold every metric.
func checkMetricsPage(t *testing.T, c *collector, text string) {
	raw, err := os.ReadFile("../docs/metrics.md")
	must(t, err)
	page := string(raw)
	documented := regexp.MustCompile("(?m)^\\| `selfsame_.*$").FindAllString(page, -1)
	var exported []string
	for _, m := range metricsOf(c) {
		exported = append(exported, m.row(t, text))
	}
	slices.Sort(documented)
	slices.Sort(exported)
	if len(exported) == 0 || !slices.Equal(documented, exported) {
		t.Errorf("docs/metrics.md has\n%s\nexported are\n%s",
			strings.Join(documented, "\n"), strings.Join(exported, "\n"))
	}
	all := strings.Join(exported, "\n")
	for _, name := range regexp.MustCompile(`selfsame_[a-z0-9_]+`).FindAllString(page, -1) {
		if !strings.Contains(all, "`"+name+"`") {
			t.Errorf("docs/metrics.md speaks of %s, which is not exported", name)
		}
	}
	for _, name := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllStringSubmatch(text, -1) {
		group, _, _ := strings.Cut(name[1], "_")
		if group == "selfsame" && !strings.Contains(all, "`"+name[1]+"`") ||
			group != "selfsame" && !strings.Contains(page, "`"+group+"_*`") {
			t.Errorf("%s is exported and not in docs/metrics.md", name[1])
		}
	}
	for _, reason := range pipeline.Reasons() {
		if !strings.Contains(page, "`"+string(reason)+"`") {
			t.Errorf("docs/metrics.md lacks reason %s", reason)
		}
	}
}

// described is what a description says.
type described struct {
	name, help string
	labels     []string
}

func metricsOf(c *collector) []described {
	descs := make(chan *prometheus.Desc, 1000)
	c.Describe(descs)
	close(descs)
	parts := regexp.MustCompile(`fqName: "([^"]*)", help: "([^"]*)".*variableLabels: \{([^}]*)\}`)
	var all []described
	for d := range descs {
		m := parts.FindStringSubmatch(d.String())
		all = append(all, described{m[1], m[2], strings.FieldsFunc(m[3],
			func(r rune) bool { return r == ',' })})
	}
	return all
}

// row is the line of docs/metrics.md for a metric.
func (d described) row(t *testing.T, text string) string {
	t.Helper()
	kind := regexp.MustCompile(`(?m)^# TYPE ` + d.name + ` (\S+)$`).FindStringSubmatch(text)
	if kind == nil {
		t.Errorf("%s is described and not exported", d.name)
		return d.name
	}
	labels := ""
	if len(d.labels) > 0 {
		labels = "`" + strings.Join(d.labels, "`, `") + "` "
	}
	return "| `" + d.name + "` | " + kind[1] + " | " + labels + "| " + d.help + " |"
}
