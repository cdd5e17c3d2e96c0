package config

import (
	"strings"
	"testing"
	"testing/fstest"

	"selfsame/pipeline"
)

// withIdentityMap is the starting configuration with a field of a type in its schema, and lines of
// the dataset replaced.
func withIdentityMap(t *testing.T, field, typ string, replace ...string) (
	*pipeline.Dataset, error) {
	t.Helper()
	starter := Starter()
	text := strings.Replace(string(starter["selfsame.yaml"]), "{file: id.key}", testKey, 1)
	text = strings.NewReplacer(replace...).Replace(text)
	schema := strings.Replace(string(starter["schemas/customers.avsc"]), `"fields": [`,
		`"fields": [{"name":"`+field+`","type":`+typ+`,"default":null},`, 1)
	files := fstest.MapFS{"schemas/customers.avsc": {Data: []byte(schema)}}
	cfg, err := Example([]byte(text), files, Overrides{})
	if err != nil {
		return nil, err
	}
	return cfg.model.Datasets[0], nil
}

// TestIdentityMap: by its usual name it is found in the schema, any other is configured; its form
// has to be right.
func TestIdentityMap(t *testing.T) {
	mapOf := func(item string) string {
		return `["null",{"type":"map","values":{"type":"array","items":` + item + `}}]`
	}
	right := mapOf(`{"type":"record","name":"i","fields":[{"name":"id","type":"string"},
		{"name":"state","type":"int"},{"name":"primary","type":["boolean","null"]}]}`)
	flagged := mapOf(`{"type":"record","name":"i","fields":[{"name":"id","type":"string"},
		{"name":"primary","type":"string"}]}`)
	const primary = ", primary: true"
	configured := []string{"mode: upsert", "mode: upsert\n    identity_map: ids"}
	for _, test := range []struct {
		name, field, typ string
		replace          []string
		want             string // the path, or the error's end
	}{
		{"usual name", "identityMap", right, nil, "identityMap"},
		{"other name", "ids", right, nil, ""},
		{"configured", "ids", right, configured, "ids"},
		{"usual name of another form", "identityMap", flagged, nil, ""},
		{"configured, of another form", "ids", flagged, configured, "a boolean field primary"},
		{"configured, items of no form", "ids", mapOf(`"string"`), configured,
			"a boolean field primary"},
		{"no primary field", "identityMap", right, []string{primary, ""}, "identityMap"},
		{"nobody's key", "identityMap", right,
			[]string{primary, "", "mode: upsert", "mode: upsert\n    tombstones: delete"},
			"delete needs a primary identity among identities: the key"},
	} {
		ds, err := withIdentityMap(t, test.field, test.typ, test.replace...)
		switch {
		case err != nil && (test.want == "" || !strings.HasSuffix(err.Error(), test.want)):
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		case err == nil && ds.IdentityMap.String() != test.want:
			t.Errorf("%s: path %q, want %s", test.name, ds.IdentityMap, test.want)
		}
	}
}
