package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"selfsame/examples/retail"
	"selfsame/pipeline"
)

const testKey = "00112233445566778899aabbccddeeff"

// TestReferenceIsComplete holds docs/configuration.md and the file's structs together.
func TestReferenceIsComplete(t *testing.T) {
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			key, _, _ := strings.Cut(rest, "`")
			documented = append(documented, key)
		}
	}
	var want []string
	walk(reflect.TypeFor[file](), nil, func(_ reflect.Type, path []string) {
		want = append(want, strings.Join(path, "."))
	})
	for _, key := range want {
		if !slices.Contains(documented, key) {
			t.Errorf("docs/configuration.md does not describe %s", key)
		}
	}
	for _, key := range documented {
		if !slices.Contains(want, key) {
			t.Errorf("docs/configuration.md describes %s, which does not exist", key)
		}
	}
}

func TestRetailExample(t *testing.T) {
	cfg, err := Example(retail.Config(), retail.Schemas(), Overrides{IDKey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	model, err := cfg.Model()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, ds := range model.Datasets {
		names = append(names, ds.Name)
	}
	if got := strings.Join(names, " "); got != "crm loyalty web till" {
		t.Errorf("datasets %s: want the order of the file", got)
	}
	crm := model.Dataset("crm")
	if crm.Identities[1].Path != "email_addr" || crm.Mode != pipeline.OpUpsert ||
		crm.Tombstones != pipeline.TombstonesDelete {
		t.Errorf("crm: paths after map are turned back into those of the schema: %+v", crm)
	}
	if n := len(cfg.OwnedTopics()); n != 6 {
		t.Errorf("%d owned topics, want 6", n)
	}
	if crm.RejectedWindow != pipeline.DefaultRejectedWindow ||
		crm.MaxRejectedShare != pipeline.DefaultMaxRejectedShare {
		t.Errorf("crm bears other rejections than by default: %+v", crm)
	}
}

// TestStarterIsFine writes what init writes and loads it.
func TestStarterIsFine(t *testing.T) {
	dir := t.TempDir()
	files := Starter()
	files["id.key"] = []byte(testKey + "\n")
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := Load(filepath.Join(dir, "selfsame.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.DataDir() != filepath.Join(dir, "data") {
		t.Errorf("data_dir %s is not relative to the file", cfg.DataDir())
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s := Secret{literal: "hunter2"}
	text := fmt.Sprintf("%v %+v %s", s, struct{ S Secret }{s}, s)
	if strings.Contains(text, "hunter2") {
		t.Errorf("printed: %s", text)
	}
	t.Setenv("SELFSAME_TEST_SECRET", "from env")
	got, err := Secret{env: "SELFSAME_TEST_SECRET"}.read(nil)
	if err != nil || got != "from env" {
		t.Errorf("read %q, %v", got, err)
	}
}

// TestProblems plays testdata/problems.txt: a line "REPLACE => WITH" changes the starting
// configuration, and what is answered are the problems found.
func TestProblems(t *testing.T) {
	starter := Starter()
	play := func(t *testing.T, d *datadriven.TestData) string {
		text := strings.Replace(string(starter["selfsame.yaml"]), "{file: id.key}", testKey, 1)
		for line := range strings.Lines(d.Input) {
			from, to, _ := strings.Cut(strings.TrimRight(line, "\n"), " => ")
			if !strings.Contains(text, from) {
				d.Fatalf(t, "the starting configuration does not hold %q", from)
			}
			text = strings.Replace(text, from, strings.ReplaceAll(to, `\n`, "\n"), 1)
		}
		_, err := Example([]byte(text), os.DirFS("starter"), Overrides{})
		if err == nil {
			return "fine\n"
		}
		return err.Error() + "\n"
	}
	datadriven.RunTest(t, "testdata/problems.txt", play)
}

func FuzzParse(f *testing.F) {
	f.Add(string(retail.Config()))
	f.Add("a: [")
	f.Add("datasets: {x: {start: 5, map: {a: b}}}")
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := Example([]byte(text), retail.Schemas(), Overrides{IDKey: testKey})
		if err == nil && cfg.model == nil {
			t.Error("neither an error nor a model")
		}
	})
}
