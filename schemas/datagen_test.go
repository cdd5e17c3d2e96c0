package schemas

import (
	"os"
	"path/filepath"
	"testing"
)

// TestDatagenSchemas: the schemas of Confluent's data generator are read, their properties that
// mean nothing to Avro passed over; each makes a union that reads back.
func TestDatagenSchemas(t *testing.T) {
	files, err := filepath.Glob(testdata(t, "datagen_schemas", "*.avsc"))
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
