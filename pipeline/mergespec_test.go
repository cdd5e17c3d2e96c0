package pipeline_test

import (
	"strings"
	"testing"

	"selfsame/pipeline"
	"selfsame/profile"
)

// TestCompileMerge: patterns against places of the union schema, and what an override inherits.
func TestCompileMerge(t *testing.T) {
	m := testModel(t)
	e := m.Entity("profile")
	p, errs := m.CompileMerge(e, "p", pipeline.MergeSpec{Stitching: "none",
		Precedence: []string{"crm", "shop"},
		Overrides: map[string]pipeline.RuleSpec{
			"tags":         {Union: true},
			"address.*":    {Strategy: "earliest"},
			"address.city": {Precedence: []string{"shop"}},
		}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if p.Stitching != profile.StitchNone || p.Rule.Strategy != profile.StrategyPrecedence {
		t.Errorf("policy %+v", p)
	}
	for path, want := range map[string]string{
		"name": "precedence crm shop", "tags": "precedence crm shop union",
		"address.zip": "earliest", "address.city": "precedence shop",
	} {
		r := p.RuleOf(profile.ParsePath(path))
		got := strings.Join(append([]string{r.Strategy.String()}, r.Precedence...), " ")
		if r.Union {
			got += " union"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for pattern, want := range map[string]string{
		"address":   "address is a record, and attributes are what lies below: write address.*",
		"name.*":    "name is no record or map",
		"mail":      "has no path mail",
		"address.x": "has no path address.x",
		"*":         "want a path",
	} {
		_, errs := m.CompileMerge(e, "p", pipeline.MergeSpec{
			Overrides: map[string]pipeline.RuleSpec{pattern: {Strategy: "latest"}}})
		if len(errs) != 1 || !strings.Contains(errs[0].Error(), want) {
			t.Errorf("%s: %v, want %q", pattern, errs, want)
		}
	}
	_, errs = m.CompileMerge(e, "p", pipeline.MergeSpec{Precedence: []string{"web"}})
	if len(errs) != 1 || !strings.Contains(errs[0].Error(), "has events") {
		t.Errorf("events in a list: %v", errs)
	}
}
