package pipeline_test

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"selfsame/pipeline"
	"selfsame/profile"
)

// page gives the indented blocks of docs/formats.md, each without indentation.
func page(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for block := range strings.SplitSeq(string(text), "\n\n") {
		if strings.HasPrefix(block, "    ") {
			blocks = append(blocks, strings.ReplaceAll(block[4:], "\n    ", "\n"))
		}
	}
	return blocks
}

// TestFormatsPage decodes the examples of docs/formats.md.
func TestFormatsPage(t *testing.T) {
	blocks := page(t)
	find := func(start string) string {
		t.Helper()
		for _, block := range blocks {
			if strings.HasPrefix(block, start) {
				return block
			}
		}
		t.Fatalf("docs/formats.md has no example that begins with %s", start)
		return ""
	}
	customer := find(`{"type": "record", "name": "customer"`)
	decode := func(
		format pipeline.Format, e pipeline.Envelope, schema, value string,
	) pipeline.Input {
		d, _ := decoderOf(t, format, func(ds *pipeline.Dataset) {
			ds.Schema, ds.Envelope, ds.Nulls = parse(t, schema), e, profile.NullsAbsent
			if strings.Contains(schema, "identityMap") {
				ds.Identities, ds.IdentityMap = nil, "identityMap"
			}
		})
		return d.Decode(record([]byte(value)))
	}
	whole := `{"age":30,"email":"ann@example.org","id":"1"}`
	wants(t, "json", decode(pipeline.FormatJSON, pipeline.EnvelopeNone, customer,
		find(`{"id":"1"`)), whole)
	raw, err := hex.DecodeString(strings.ReplaceAll(find("02 31  02 1e"), " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "avro", decode(pipeline.FormatAvro, pipeline.EnvelopeNone, customer, string(raw)),
		whole)
	wants(t, "xdm", decode(pipeline.FormatJSON, pipeline.EnvelopeXDM, customer,
		find(`{"header": {"datasetId"`)), `{"email":"ann@example.org","id":"1"}`)
	wants(t, "debezium", decode(pipeline.FormatJSON, pipeline.EnvelopeDebezium, customer,
		find(`{"before": null`)), whole)
	deleted := decode(pipeline.FormatJSON, pipeline.EnvelopeDebezium, customer, find(`{"schema"`))
	if deleted.Reject != nil || deleted.Op != pipeline.OpDelete {
		t.Errorf("a deleted row: operation %d, %v", deleted.Op, deleted.Reject)
	}
	field := find(`{"name": "identityMap"`)
	mapped := decode(pipeline.FormatJSON, pipeline.EnvelopeNone,
		strings.Replace(customer, `"fields": [`, `"fields": [`+field+
			`,`, 1), find(`{"identityMap"`))
	if mapped.Reject != nil || len(mapped.IDs.All) != 3 || mapped.IDs.Primary.Value != "1" {
		t.Errorf("an identity map: %v, %v", mapped.IDs, mapped.Reject)
	}
	wants(t, "an identity map", mapped, `{"age":30}`)
}
