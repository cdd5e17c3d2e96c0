package schemas

import (
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var schemaTest = regexp.MustCompile(
	`(?ms)^<<INPUT (.*?)$|^<<INPUT\n(.*?)\nINPUT$|^<<canonical (.*?)$|^<<fingerprint (.*?)$`)

// TestReferenceSchemas holds canonical forms and fingerprints to the table of the reference
// implementations. A schema that is null has no place for data in a dataset, but may be written.
func TestReferenceSchemas(t *testing.T) {
	text := string(readFixture(t, "apache_avro", "data", "schema-tests.txt"))
	var w *WriterSchema
	forms, fingerprints := 0, 0
	for _, match := range schemaTest.FindAllStringSubmatch(text, -1) {
		switch {
		case match[1] != "" || match[2] != "":
			w = mustWriter(t, match[1]+match[2])
		case match[3] != "":
			forms++
			if got := string(canonicalForm(w.root)); got != match[3] {
				t.Errorf("canonical form %d\ngot  %s\nwant %s", forms, got, match[3])
			}
		default:
			fingerprints++
			want, err := strconv.ParseInt(strings.TrimSpace(match[4]), 10, 64)
			if err != nil || int64(w.Fingerprint()) != want {
				t.Errorf("fingerprint of %s: %d, want %s", canonicalForm(w.root),
					int64(w.Fingerprint()), match[4])
			}
		}
	}
	if forms < 30 || fingerprints < 15 {
		t.Errorf("only %d canonical forms and %d fingerprints were read", forms, fingerprints)
	}
}

// TestFixtureSchemas reads the schema files of other producers. One has comments in it, which
// Avro's specification knows none of; Java's parser does.
func TestFixtureSchemas(t *testing.T) {
	read := 0
	root := os.DirFS(testdata(t))
	err := fs.WalkDir(root, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".avsc") {
			return err
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		if _, err := ParseWriter(path, text); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		read++
		return nil
	})
	if err != nil || read < 30 {
		t.Errorf("%d schemas read, %v", read, err)
	}
}
