package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"selfsame/examples/retail"
)

// TestComputedProblems plays testdata/computed.txt: a line "REPLACE => WITH" changes the example of
// the shop, and what is answered are the problems found.
func TestComputedProblems(t *testing.T) {
	datadriven.RunTest(t, "testdata/computed.txt", func(t *testing.T,
		d *datadriven.TestData) string {
		text := string(retail.Config())
		from, to, _ := strings.Cut(strings.TrimSpace(d.Input), " => ")
		if !strings.Contains(text, from) {
			d.Fatalf(t, "the example does not hold %q", from)
		}
		text = strings.Replace(text, from, to, 1)
		cfg, err := Example([]byte(text), retail.Schemas(), Overrides{IDKey: testKey})
		if err != nil {
			return err.Error() + "\n"
		}
		names := ""
		for _, d := range cfg.model.Entities[0].Computed {
			names += " " + d.Name
		}
		return "fine:" + names + "\n"
	})
}

func TestLoadComputedSpecs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.yaml")
	for text, want := range map[string]string{
		"spend: {dataset: till, function: sum, value: total, window: 7d, n: 2}": "",
		"spend: {dataset: till, functon: sum}":                                  "functon",
		"a: {window: day}\n---\nb: {window: day}":                               "second document",
		"":                                   "new.yaml:1: want a definition",
		"spend: {dataset: till}\nbig: [web]": "new.yaml:2: big: want keys with values, not a list",
		"\nbig: {fitler: x}":                 `big: unknown key "fitler"; did you mean "filter"`,
		"big: {n: three}":                    `new.yaml:1: big: want an integer, not "three"`,
		"version: 1\nentities:\n  profile: {computed: {a: {window: day}}}": "new.yaml:2: this is " +
			"of a whole configuration: want definitions by name, as in entities.*.computed",
		"computed:\n  a: {window: day}": "new.yaml:1: this is of a whole configuration",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		specs, _, err := LoadComputedSpecs(path)
		switch {
		case want == "" && (err != nil || specs["spend"].Window != "7d" || *specs["spend"].N != 2):
			t.Errorf("%q: %+v, %v", text, specs, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
