package pipeline_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"selfsame/identity"
	"selfsame/pipeline"
)

// unprefixed takes the prefix off all keys, as they are on the wire.
func unprefixed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		bare := map[string]any{}
		for name, item := range v {
			bare[strings.TrimPrefix(name, "xdm:")] = unprefixed(item)
		}
		return bare
	case []any:
		for i := range v {
			v[i] = unprefixed(v[i])
		}
	}
	return v
}

// xdmExamples gives the reference product's public examples, ready to be sent.
func xdmExamples(t *testing.T) map[string]any {
	t.Helper()
	root := os.Getenv("SELFSAME_TESTDATA")
	if root == "" {
		t.Skip("SELFSAME_TESTDATA does not name the folder of the public fixtures")
	}
	examples := map[string]any{}
	dir := os.DirFS(filepath.Join(root, "xdm_examples", "examples"))
	err := fs.WalkDir(dir, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".json") {
			return err
		}
		text, err := fs.ReadFile(dir, path)
		if err != nil {
			return err
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return err
		}
		examples[path] = unprefixed(v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return examples
}

// TestXDMExamples sends every example as an entity of which only the identity map is of interest:
// it is accepted if all the map's namespaces are declared, and else refused for a reason that is
// named.
func TestXDMExamples(t *testing.T) {
	rules, err := identity.NewRules([]identity.Namespace{
		{Name: "CRM", Type: identity.CrossDevice}, {Name: "EMAIL", Type: identity.Email},
		{Name: "Email", Type: identity.Email}, {Name: "ECID", Type: identity.Cookie},
		{Name: "AAID", Type: identity.Cookie},
	}, 6)
	if err != nil {
		t.Fatal(err)
	}
	m := testModel(t)
	m.Entities[0].Rules = rules
	ds := &pipeline.Dataset{Name: "xdm", Topic: "crm", Entity: "profile",
		Class: pipeline.ClassEvent, Schema: parse(t, xdmEventSchema), IgnoreUnknown: true,
		Envelope: pipeline.EnvelopeXDM, IdentityMap: "identityMap", EventID: "_id"}
	m.Datasets = []*pipeline.Dataset{ds}
	m.Limits.RecordBytes = 1 << 20
	d := pipeline.NewDecoder(m)
	counts := map[pipeline.Reason]int{}
	for path, example := range xdmExamples(t) {
		entity, object := example.(map[string]any)
		if object {
			entity["_id"], entity["timestamp"] = path, "2023-11-14T22:00:00Z"
			example = entity
		}
		message, err := json.Marshal(map[string]any{"header": map[string]any{},
			"body": map[string]any{"xdmMeta": map[string]any{}, "xdmEntity": example}})
		if err != nil {
			t.Fatal(err)
		}
		in := d.Decode(record(message))
		if in.Reject == nil {
			counts["accepted"]++
			continue
		}
		counts[in.Reject.Reason]++
		mapped := object && entity["identityMap"] != nil
		if !mapped && object && in.Reject.Reason != pipeline.ReasonMissingIdentity {
			t.Errorf("%s, without an identity map: %v", path, in.Reject)
		}
		t.Logf("%s: %v", path, in.Reject)
	}
	want := map[pipeline.Reason]int{"accepted": 7, pipeline.ReasonInvalidIdentity: 8,
		pipeline.ReasonMissingIdentity: 129}
	if !maps.Equal(counts, want) {
		t.Errorf("outcomes %v, want %v", counts, want)
	}
}
