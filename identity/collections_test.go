package identity_test

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"selfsame/identity"
	"selfsame/profile"
)

// collections reads the public data sets below root.
func collections(t *testing.T, root string) []*collection {
	t.Helper()
	senzing := func(name string) string { return filepath.Join(root, "senzing_truthset", name) }
	synthetic := func(name string) string { return filepath.Join(root, "er_synthetic", name) }
	ssn := []identity.Namespace{{Name: "ssn", Type: identity.CrossDevice}}
	email := []identity.Namespace{{Name: "email", Type: identity.Email}}
	return []*collection{
		truthSet(t, "truth set, all", senzing("identities.csv"),
			senzing("expected_exact_clusters.csv")),
		truthSet(t, "truth set, e-mail and phone", senzing("identities.csv"),
			senzing("expected_exact_clusters_email_phone.csv"), "EMAIL", "PHONE"),
		synthesized(t, "fake 1000, e-mail", synthetic("expected_splink_fake_1000_email.csv"),
			email),
		synthesized(t, "febrl 1, ssn", synthetic("expected_febrl1_ssn.csv"), ssn),
		synthesized(t, "febrl 3, ssn", synthetic("expected_febrl3_ssn.csv"), ssn),
		synthesized(t, "febrl 4, ssn", synthetic("expected_febrl4_ssn.csv"), ssn),
		edges(t, filepath.Join(root, "identity_edges")),
		messages(t, filepath.Join(root, "segment_events")),
	}
}

// row is a line of a CSV file, by column.
type row map[string]string

func readCSV(t *testing.T, file string) []row {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(lines) < 2 {
		t.Fatalf("%s: %d lines, %v", file, len(lines), err)
	}
	var rows []row
	for _, line := range lines[1:] {
		r := row{}
		for i, column := range lines[0] {
			r[column] = line[i]
		}
		rows = append(rows, r)
	}
	return rows
}

// recordSpace is the namespace of the records' own numbers, in the sets that are about records.
var recordSpace = identity.Namespace{Name: "record", Type: identity.CrossDevice}

// recordSubjects says that the tables speak of records.
func recordSubjects(expected map[string]string) func(*stitched) map[string]profile.Identity {
	return func(*stitched) map[string]profile.Identity {
		subjects := map[string]profile.Identity{}
		for record := range expected {
			subjects[record] = profile.Identity{Namespace: "record", Value: record}
		}
		return subjects
	}
}

// truthSet is a set made for fuzzy matching, with its records' exact identifiers, or those of some
// namespaces.
func truthSet(t *testing.T, name, identities, expected string, only ...string) *collection {
	t.Helper()
	c := &collection{name: name, expected: map[string]string{}, truth: map[string]string{}}
	c.namespaces = []identity.Namespace{recordSpace}
	for _, space := range []string{"SSN", "PASSPORT", "DRLIC", "NATIONAL_ID", "TAX_ID", "LEI",
		"EMAIL", "PHONE"} {
		kind := map[string]identity.Type{"EMAIL": identity.Email, "PHONE": identity.Phone}[space]
		if kind == 0 {
			kind = identity.CrossDevice
		}
		c.namespaces = append(c.namespaces, identity.Namespace{Name: space, Type: kind})
	}
	claims := map[string][]identity.Claim{}
	for _, r := range readCSV(t, identities) {
		if record := r["data_source"] + ":" + r["record_id"]; len(only) == 0 ||
			slices.Contains(only, r["namespace"]) {
			claims[record] = append(claims[record],
				identity.Claim{Namespace: r["namespace"], Value: r["value"]})
		}
	}
	for _, r := range readCSV(t, expected) {
		record := r["data_source"] + ":" + r["record_id"]
		c.expected[record], c.truth[record] = r["component"], r["truth_cluster"]
		c.records = append(c.records, seen{append(claims[record],
			identity.Claim{Namespace: "record", Value: record})})
	}
	c.subjects = recordSubjects(c.expected)
	most := c.mostShared("EMAIL", 2)
	c.more = []guard{{name: "and two addresses blocked", set: func(spaces []identity.Namespace) {
		for i := range spaces {
			if spaces[i].Name == "EMAIL" {
				spaces[i].Blocked = most
			}
		}
	}}}
	return c
}

// mostShared lists the n values of a namespace that stand in the most records.
func (c *collection) mostShared(namespace string, n int) []string {
	records := map[string]int{}
	for _, r := range c.records {
		for _, claim := range r.claims {
			if claim.Namespace == namespace {
				records[claim.Value]++
			}
		}
	}
	return slices.SortedFunc(maps.Keys(records), func(a, b string) int {
		return cmp.Or(cmp.Compare(records[b], records[a]), cmp.Compare(a, b))
	})[:n]
}

// synthesized is a generated set: each line has a record, its identifiers, and both tables.
func synthesized(t *testing.T, name, file string, spaces []identity.Namespace) *collection {
	t.Helper()
	c := &collection{name: name, expected: map[string]string{}, truth: map[string]string{}}
	c.namespaces = append([]identity.Namespace{recordSpace}, spaces...)
	for _, r := range readCSV(t, file) {
		record := r["record_id"]
		claims := []identity.Claim{{Namespace: "record", Value: record}}
		for text := range strings.SplitSeq(r["identities"], ";") {
			if namespace, value, ok := strings.Cut(text, "="); ok {
				claims = append(claims, identity.Claim{Namespace: namespace, Value: value})
			}
		}
		c.expected[record], c.truth[record] = r["component"], r["truth_cluster"]
		c.records = append(c.records, seen{claims})
	}
	c.subjects = recordSubjects(c.expected)
	return c
}

// identitySubjects says that the tables speak of identities, as namespace=value.
func identitySubjects(s *stitched) map[string]profile.Identity {
	subjects := map[string]profile.Identity{}
	for _, members := range s.graph.Clusters() {
		for _, id := range members {
			subjects[id.Namespace+"="+id.Value] = id
		}
	}
	return subjects
}

// step is the partition after one edge.
type step struct {
	Timestamp  string     `json:"timestamp"`
	Components [][]string `json:"components"`
}

// edges is a small graph that is told edge by edge. TestEdgeSteps looks at it after each.
func edges(t *testing.T, folder string) *collection {
	t.Helper()
	c := &collection{name: "edges", subjects: identitySubjects, namespaces: []identity.Namespace{
		{Name: "customer_id", Type: identity.CrossDevice}, {Name: "email", Type: identity.Email}}}
	rows := readCSV(t, filepath.Join(folder, "dbt_identity_graph_idr_test.csv"))
	slices.SortFunc(rows, func(a, b row) int {
		return strings.Compare(a["timestamp"], b["timestamp"])
	})
	for _, r := range rows {
		c.records = append(c.records, seen{[]identity.Claim{
			{Namespace: r["type_1"], Value: r["node_1"]},
			{Namespace: r["type_2"], Value: r["node_2"]}}})
	}
	steps := edgeSteps(t, folder)
	c.expected = partsOf(steps[len(steps)-1].Components)
	return c
}

func edgeSteps(t *testing.T, folder string) []step {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "expected_dbt_identity_graph_steps.json"))
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	if err := json.Unmarshal(text, &steps); err != nil || len(steps) == 0 {
		t.Fatalf("%d steps: %v", len(steps), err)
	}
	return steps
}

func partsOf(components [][]string) map[string]string {
	parts := map[string]string{}
	for _, members := range components {
		for _, member := range members {
			parts[member] = members[0]
		}
	}
	return parts
}

// messages are events of many senders, with all the dirt of the real thing.
func messages(t *testing.T, folder string) *collection {
	t.Helper()
	c := &collection{name: "messages", subjects: identitySubjects, expected: map[string]string{},
		people: "userId", more: []guard{{name: "and userId unique",
			set: func(spaces []identity.Namespace) { spaces[0].Unique = true }}},
		namespaces: []identity.Namespace{
			{Name: "userId", Type: identity.CrossDevice}, {Name: "email", Type: identity.Email},
			{Name: "anonymousId", Type: identity.Cookie}}}
	for _, r := range readCSV(t, filepath.Join(folder, "expected_components.csv")) {
		c.expected[r["identity"]] = r["component"]
	}
	for _, event := range readJSON(t, filepath.Join(folder, "rudder_messages.ndjson")) {
		c.records = append(c.records, seen{messageClaims(event)})
	}
	return c
}

func readJSON(t *testing.T, file string) []map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var events []map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for d.More() {
		var event map[string]any
		if err := d.Decode(&event); err != nil {
			t.Fatalf("%s: event %d: %v", file, len(events)+1, err)
		}
		events = append(events, event)
	}
	return events
}

// messageClaims reads the identifiers of an event: of its user and device, of an alias the earlier
// one, and addresses, which have to look like some.
func messageClaims(event map[string]any) []identity.Claim {
	var claims []identity.Claim
	claim := func(namespace string, path ...string) {
		if text := textAt(event, path...); text != "" &&
			(namespace != "email" || strings.Contains(text, "@")) {
			claims = append(claims, identity.Claim{Namespace: namespace, Value: text})
		}
	}
	claim("userId", "userId")
	claim("anonymousId", "anonymousId")
	if strings.EqualFold(textAt(event, "type"), "alias") {
		claim("userId", "previousId")
	}
	claim("email", "traits", "email")
	claim("email", "context", "traits", "email")
	claim("email", "properties", "email")
	return claims
}

func textAt(value any, path ...string) string {
	for _, key := range path {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	switch value.(type) {
	case string, json.Number:
		return strings.TrimSpace(fmt.Sprint(value))
	}
	return ""
}
