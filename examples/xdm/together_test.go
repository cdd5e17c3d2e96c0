package xdm

import (
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestNamesPage holds the table of names in docs/formats.md to what the tests here send.
func TestNamesPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/formats.md")
	must(t, err)
	rows := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if !strings.HasPrefix(line, "    ") || len(fields) != 2 ||
			!strings.HasPrefix(fields[0], "xdm:") && rows == 0 {
			continue
		}
		if rows++; rows > 4 {
			break
		}
		if got := strings.Join(wireName(fields[0]), "."); got != fields[1] {
			t.Errorf("%s is %s on the wire, the page says %s", fields[0], got, fields[1])
		}
	}
	if rows < 4 {
		t.Errorf("the page has %d names", rows)
	}
}

// TestTogether sends the profile and all events of the classes to one store: who shares an identity
// is one person, with the attributes of the profile, and the event that comes twice counts once.
func TestTogether(t *testing.T) {
	x := openExamples(t)
	w := newWorld(t, x.model)
	defer w.close()
	const person = "components/classes/profile.example.1.json"
	sent := []map[string]any{x.completed("people", person)}
	w.send("people", envelope(t, sent[0]))
	for _, from := range []struct{ dataset, pattern string }{
		{"events", "components/classes/experienceevent.example.[1237].json"},
		{"media", "components/classes/experienceevent.example.[456].json"},
		{"events", "components/fieldgroups/shared/experienceevent-consumer.example.1.json"},
	} {
		files, err := fs.Glob(x.dir, from.pattern)
		must(t, err)
		for _, file := range files {
			entity := x.completed(from.dataset, file)
			if in := w.send(from.dataset, envelope(t, entity)); in.Reject != nil {
				t.Errorf("%s: %v", file, in.Reject)
			}
			sent = append(sent, entity)
		}
	}
	self := selfOf(sent)
	var found *merged
	for _, out := range w.profiles("profile") {
		if slices.Equal(out.Identities["CRM"], []string{person}) {
			found = &out
		}
	}
	if found == nil {
		t.Fatal("the person has no profile")
	}
	got := map[string]bool{}
	for namespace, values := range found.Identities {
		for _, value := range values {
			got[namespace+":"+value] = true
		}
	}
	if !maps.Equal(got, self) {
		t.Errorf("identities %v, want %v", got, self)
	}
	if want := []string{"events", "media", "people"}; !slices.Equal(found.Datasets, want) {
		t.Errorf("datasets %v, want %v", found.Datasets, want)
	}
	attributes := maps.Clone(sent[0])
	delete(attributes, "identityMap")
	if !same(attributes, anyOf(found.Attributes)) {
		t.Errorf("attributes %v, want %v", found.Attributes, attributes)
	}
	figures := w.shard.Stats().Figures()
	if n := figures.Datasets["events"].Duplicate; n != 1 {
		t.Errorf("%d duplicates, want 1: two examples are one event", n)
	}
}

// completed gives an example as it is on the wire, with what it lacks.
func (x *examples) completed(dataset, file string) map[string]any {
	x.t.Helper()
	entity := wire(x.read(file)).(map[string]any)
	complete(x.model.Dataset(dataset), entity, file)
	return entity
}

// selfOf gives all identities that hang together with those of the first entity, by the identity
// maps alone.
func selfOf(entities []map[string]any) map[string]bool {
	self := map[string]bool{}
	for before := -1; before != len(self); {
		before = len(self)
		for i, entity := range entities {
			ids := map[string]bool{}
			for namespace, list := range entity["identityMap"].(map[string]any) {
				for _, item := range list.([]any) {
					ids[namespace+":"+item.(map[string]any)["id"].(string)] = true
				}
			}
			known := i == 0
			for id := range ids {
				known = known || self[id]
			}
			if known {
				maps.Copy(self, ids)
			}
		}
	}
	return self
}

// TestUnknownIgnored sends an example as it is, whose one field has a name that Avro cannot have,
// to a dataset that ignores what the schema does not have: the rest is accepted.
func TestUnknownIgnored(t *testing.T) {
	x := openExamples(t)
	ds := x.model.Dataset("activities")
	ds.IgnoreUnknown = true
	w := newWorld(t, x.model)
	defer w.close()
	const file = "components/fieldgroups/experience-event/events/" +
		"engaged-with-dialogue.example.1.json"
	entity := x.completed(ds.Name, file)
	raw := maps.Clone(entity)
	delete(raw, "engagement")
	for name, v := range x.read(file).(map[string]any) {
		raw[name] = v
	}
	in := w.send(ds.Name, envelope(t, raw))
	if in.Reject != nil {
		t.Fatal(in.Reject)
	}
	delete(entity, "engagement")
	if got := w.event(&in); !same(entity, got) {
		t.Errorf("got %v, want %v", got, entity)
	}
}
