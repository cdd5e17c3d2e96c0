package schemas

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// fixtures finds the directory of public Avro files, which are not part of this repository.
func fixtures(t *testing.T, path ...string) string {
	t.Helper()
	root := os.Getenv("SELFSAME_TESTDATA")
	if root == "" {
		t.Skip("SELFSAME_TESTDATA names no directory of public test data")
	}
	return filepath.Join(append([]string{root, "avro_fixtures"}, path...)...)
}

// TestDatagenSchemas: the schemas of Confluent's data generator are read, their properties that
// mean nothing to Avro passed over; each makes a union that reads back.
func TestDatagenSchemas(t *testing.T) {
	files, err := filepath.Glob(fixtures(t, "datagen_schemas", "*.avsc"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d schemas, %v", len(files), err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(path, text)
		if err != nil {
			t.Error(err)
			continue
		}
		u := mustCompose(t, Member{Dataset: "crm", Schema: s})
		back, err := ParseUnion(u.Class(), u.Avro())
		if err != nil || back.Fingerprint() != u.Fingerprint() || len(u.Places()) == 0 {
			t.Errorf("%s: the union does not read back: %v", path, err)
		}
		if len(Diff(s, s)) > 0 {
			t.Errorf("%s differs from itself", path)
		}
	}
}

// canonicalCase is one case of Avro's own schema-tests.txt.
type canonicalCase struct{ input, canonical, fingerprint string }

// TestCanonicalForms plays Avro's own tests of canonical forms and their fingerprints. Types that
// this package refuses by design are left out, each for its reason.
func TestCanonicalForms(t *testing.T) {
	refused := []string{"always null", "a union needs a type besides null",
		"a union of several types", "contains itself"}
	played := 0
	for _, c := range canonicalCases(t, fixtures(t, "apache_avro", "data", "schema-tests.txt")) {
		tree, err := parseTree("case", []byte(c.input))
		if err != nil {
			t.Fatalf("%s: %v", c.input, err)
		}
		p := &parser{file: "case", named: map[string]*Type{}, open: map[string]bool{}}
		typ, err := p.parseType(tree, place{})
		if err != nil {
			if !containsAny(err.Error(), refused) {
				t.Errorf("%s: %v", c.input, err)
			}
			continue
		}
		played++
		got := string(canonicalForm(typ))
		if got != c.canonical {
			t.Errorf("%s\ngot  %s\nwant %s", c.input, got, c.canonical)
		}
		if want, err := strconv.ParseInt(c.fingerprint, 10, 64); c.fingerprint != "" &&
			(err != nil || int64(rabin([]byte(got))) != want) {
			t.Errorf("%s: its fingerprint is not %s", c.input, c.fingerprint)
		}
	}
	if played < 25 {
		t.Errorf("only %d cases could be played", played)
	}
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// canonicalCases reads the file: values stand behind <<name, or, over several lines, up to name.
func canonicalCases(t *testing.T, path string) []canonicalCase {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var cases []canonicalCase
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "<<"), " ")
		switch {
		case !strings.HasPrefix(lines.Text(), "<<"):
			continue
		case !ok:
			for lines.Scan() && lines.Text() != name {
				value += lines.Text() + "\n"
			}
		}
		if name == "INPUT" {
			cases = append(cases, canonicalCase{input: value})
			continue
		}
		last := &cases[len(cases)-1]
		if name == "canonical" {
			last.canonical = strings.TrimSpace(value)
		} else {
			last.fingerprint = strings.TrimSpace(value)
		}
	}
	if err := lines.Err(); err != nil || len(cases) == 0 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	return cases
}
