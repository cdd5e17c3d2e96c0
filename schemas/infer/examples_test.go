package infer_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"selfsame/schemas"
	"selfsame/schemas/infer"
)

// TestPublicExamples makes a dataset's schema from each public example of the reference product's
// data model (profiles, events, accounts and the rest) and reads the example by it: whole, or
// without what the draft said it left out.
func TestPublicExamples(t *testing.T) {
	root := os.Getenv("SELFSAME_TESTDATA")
	if root == "" {
		t.Skip("SELFSAME_TESTDATA does not name the folder of the public fixtures")
	}
	dir := os.DirFS(filepath.Join(root, "xdm_examples", "examples"))
	whole, reasons := 0, map[string]int{}
	err := fs.WalkDir(dir, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".json") {
			return err
		}
		text, err := fs.ReadFile(dir, path)
		if err != nil {
			return err
		}
		text = bytes.ReplaceAll(text, []byte(`"xdm:`), []byte(`"`))
		if json.Valid(text) && !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
			return nil // no record
		}
		left := readByDraft(t, path, text)
		if len(left) == 0 {
			whole++
		}
		for _, l := range left {
			reasons[l.Reason]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d examples as they are; left out: %v", whole, reasons)
	for reason := range reasons {
		if !strings.Contains(reason, "field name") && !strings.Contains(reason, "no field") {
			t.Errorf("left out because %s", reason)
		}
	}
	if whole != 99 {
		t.Errorf("%d examples could be read as they are, want 99", whole)
	}
}

func readByDraft(t *testing.T, path string, text []byte) []infer.Left {
	t.Helper()
	sample, err := infer.NewSample()
	if err != nil {
		t.Fatal(err)
	}
	if err := sample.Add(text); err != nil {
		t.Errorf("%s: %v", path, err)
		return nil
	}
	draft, err := sample.Guess("example", nil)
	if err != nil && strings.Contains(err.Error(), "no field of the sample") {
		return []infer.Left{{Reason: err.Error()}}
	}
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return nil
	}
	schema, err := schemas.Parse(path, draft.Avro)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return nil
	}
	_, err = schema.DecodeJSON(text, schemas.Options{IgnoreUnknown: len(draft.Left) > 0})
	if err != nil {
		t.Errorf("%s: %v\n%s", path, err, draft.Avro)
	}
	return draft.Left
}
