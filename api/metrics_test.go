package api

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"selfsame/pipeline"
)

// TestMetricsAddUp takes the sum from the text that a scraper reads.
func TestMetricsAddUp(t *testing.T) {
	w := newWorld(t)
	w.send("crm", ann(1), "{", ann(2), `{"id":7}`)
	w.send("web", `{"event":"a","crm":"1"}`, `{"event":"a","crm":"1"}`)
	w.now = w.now.Add(-time.Hour)
	w.send("crm", ann(1)) // older than what is known
	code, text := w.get("/metrics")
	if code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	total := func(name string) float64 { return sum(t, text, "selfsame_records_"+name+"_total") }
	want := map[string]float64{"consumed": 7, "accepted": 3, "rejected": 2, "duplicate": 1,
		"superseded": 1}
	for name, n := range want {
		if got := total(name); got != n {
			t.Errorf("%s: got %v want %v", name, got, n)
		}
	}
	parts := total("accepted") + total("rejected") + total("duplicate") + total("superseded")
	if total("consumed") != parts {
		t.Errorf("consumed %v, the rest %v", total("consumed"), parts)
	}
	for _, reason := range pipeline.Reasons() {
		for _, dataset := range []string{"crm", noDataset} {
			want := `selfsame_records_rejected_total{dataset="` + dataset + `",reason="` +
				string(reason) + `"} `
			if !strings.Contains(text, want) {
				t.Errorf("lacks %s", want)
			}
		}
	}
	for _, want := range []string{`selfsame_position{partition="0",topic="crm"} `,
		`selfsame_commit_seconds_bucket{le="+Inf"} `, `version="1.2.3"} 1`, "go_goroutines ",
		"process_start_time_seconds ", `selfsame_records_emitted_total{topic="profiles"} 0`} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %s", want)
		}
	}
	if strings.Contains(text, "example.org") {
		t.Error("holds a personal value")
	}
}

// sum adds up the samples of a metric over all labels.
func sum(t *testing.T, text, name string) float64 {
	t.Helper()
	samples := regexp.MustCompile(`(?m)^`+name+`(?:\{.*\})? (\S+)$`).FindAllStringSubmatch(text, -1)
	if len(samples) == 0 {
		t.Fatalf("no sample of %s", name)
	}
	var total float64
	for _, sample := range samples {
		n, err := strconv.ParseFloat(sample[1], 64)
		must(t, err)
		total += n
	}
	return total
}

// TestMetricsPage holds docs/metrics.md to the code: the same names, no more and no fewer.
func TestMetricsPage(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	must(t, err)
	rows := regexp.MustCompile("(?m)^\\| `(selfsame_[a-z0-9_]+)`").FindAllSubmatch(page, -1)
	var documented []string
	for _, row := range rows {
		documented = append(documented, string(row[1]))
	}
	descs := make(chan *prometheus.Desc, 1000)
	newCollector(Backend{}).Describe(descs)
	close(descs)
	var exported []string
	fqName := regexp.MustCompile(`fqName: "([^"]*)"`)
	for d := range descs {
		exported = append(exported, fqName.FindStringSubmatch(d.String())[1])
	}
	slices.Sort(documented)
	slices.Sort(exported)
	if len(exported) == 0 || !slices.Equal(documented, exported) {
		t.Errorf("docs/metrics.md has\n%s\nexported are\n%s",
			strings.Join(documented, "\n"), strings.Join(exported, "\n"))
	}
	for _, name := range regexp.MustCompile(`selfsame_[a-z0-9_]+`).FindAllString(string(page), -1) {
		if !slices.Contains(exported, name) {
			t.Errorf("docs/metrics.md speaks of %s, which is not exported", name)
		}
	}
}
