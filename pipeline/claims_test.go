package pipeline_test

import (
	"fmt"
	"testing"

	"selfsame/pipeline"
)

// TestIdentityMap: the identities of a map, in JSON and Avro, of records and events, with a
// declared primary identity beside it and without.
func TestIdentityMap(t *testing.T) {
	const two = `{"identityMap":{"crm":[{"id":"1","primary":true}],"email":[{"id":"B@x.org"},
		{"id":"a@x.org"}]},"name":"Ann"}`
	const flagged = `{"identityMap":{"cookie":[{"id":"c2"},{"id":"c1"},
		{"id":"c3","primary":true}]}}`
	declared := []pipeline.IdentityField{{Path: "name", Namespace: "email", Primary: true}}
	for _, test := range []struct {
		what, value string
		declared    []pipeline.IdentityField
		primary     string
		all         int
	}{
		{"flagged", two, nil, "crm:1", 3},
		{"declared", two, declared, "email:ann", 4},
		{"one of many", flagged, nil, "cookie:c3", 3},
		{"none flagged", `{"identityMap":{"crm":[{"id":"1"}]}}`, nil, "missing_identity", 0},
		{"empty", `{"identityMap":{"crm":[],"email":[]}}`, nil, "missing_identity", 0},
		{"null", `{"identityMap":null}`, nil, "missing_identity", 0},
		{"blocked", `{"identityMap":{"crm":[{"id":"null","primary":true}],
			"email":[{"id":"a@x.org"}]}}`, nil, "missing_identity", 0},
	} {
		for _, format := range []pipeline.Format{pipeline.FormatJSON, pipeline.FormatAvro} {
			d, _ := decoderOf(t, format, func(ds *pipeline.Dataset) {
				ds.Schema, ds.IdentityMap = parse(t, xdmSchema), "identityMap"
				ds.Identities = test.declared
			})
			value := []byte(test.value)
			if format == pipeline.FormatAvro {
				value = encoded(t, xdmSchema, test.value)
			}
			in := d.Decode(record(value))
			got := fmt.Sprintf("%s:%s", in.IDs.Primary.Namespace, in.IDs.Primary.Value)
			if in.Reject != nil {
				got = string(in.Reject.Reason)
			}
			if got != test.primary || len(in.IDs.All) != test.all {
				t.Errorf("%s, format %d: %s of %v, want %s", test.what, format, got, in.IDs.All,
					test.primary)
			}
			for i := range in.Fragment.Leaves {
				if in.Fragment.Leaves[i].Path != "name" {
					t.Errorf("%s: attribute %s", test.what, in.Fragment.Leaves[i].Path)
				}
			}
		}
	}
}
