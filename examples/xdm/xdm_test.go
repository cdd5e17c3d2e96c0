package xdm

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"selfsame/pipeline"
)

// TestConfiguration reads the configuration and its schemas, which compose.
func TestConfiguration(t *testing.T) {
	if m := model(t); len(m.Datasets) != 15 {
		t.Errorf("%d datasets", len(m.Datasets))
	}
}

// examples are the public examples of the data model, and what has become of them.
type examples struct {
	t     *testing.T
	dir   fs.FS
	model *pipeline.Model
	sent  map[string]bool // files
	whole tally           // of the examples as they are
	later tally           // of the examples, completed
	file  string          // that is being played
}

// tally counts outcomes.
type tally map[string]int

// String gives the counts, sorted by outcome.
func (c tally) String() string {
	var parts []string
	for _, outcome := range slices.Sorted(maps.Keys(c)) {
		parts = append(parts, fmt.Sprintf("%s %d", outcome, c[outcome]))
	}
	return strings.Join(parts, ", ")
}

func openExamples(t *testing.T) *examples {
	t.Helper()
	root := os.Getenv("SELFSAME_TESTDATA")
	if root == "" {
		t.Skip("SELFSAME_TESTDATA does not name the folder of the public fixtures")
	}
	return &examples{t: t, dir: os.DirFS(filepath.Join(root, "xdm_examples", "examples")),
		model: model(t), sent: map[string]bool{}, whole: tally{}, later: tally{}}
}

// read gives an example as it is written.
func (x *examples) read(file string) any {
	x.t.Helper()
	text, err := fs.ReadFile(x.dir, file)
	must(x.t, err)
	var v any
	must(x.t, unmarshal(text, &v))
	return v
}

// TestExamples runs all examples through the datasets: testdata/examples says which example goes to
// which dataset, and what becomes of it. An example that is accepted comes out whole.
func TestExamples(t *testing.T) {
	x := openExamples(t)
	datadriven.RunTest(t, "testdata/examples", func(t *testing.T, d *datadriven.TestData) string {
		x.t = t
		if d.Cmd == "total" {
			return x.total()
		}
		var out strings.Builder
		for line := range strings.Lines(d.Input) {
			at, pattern, placed := strings.Cut(strings.TrimSpace(line), " = ")
			if !placed {
				at, pattern = "", at
			}
			files, err := fs.Glob(x.dir, pattern)
			must(t, err)
			if len(files) == 0 {
				d.Fatalf(t, "no example is %s", pattern)
			}
			for _, file := range files {
				fmt.Fprintf(&out, "%s: %s\n", file, x.play(d.Cmd, file, at))
			}
		}
		return out.String()
	})
}

// total sums up, once every example was sent.
func (x *examples) total() string {
	err := fs.WalkDir(x.dir, ".", func(file string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(file, ".json") && !x.sent[file] {
			x.t.Errorf("%s was not sent", file)
		}
		return err
	})
	must(x.t, err)
	return fmt.Sprintf("%d examples\nas they are: %s\ncompleted:   %s\n",
		len(x.sent), x.whole, x.later)
}

// play sends an example as it is, and if it is rejected, completed.
func (x *examples) play(dataset, file, at string) string {
	x.t.Helper()
	if x.sent[file] {
		x.t.Errorf("%s was sent before", file)
	}
	x.sent[file], x.file = true, file
	example := x.read(file)
	if outcome := x.run(dataset, mount(example, at)); outcome == "accepted" {
		x.t.Errorf("%s: accepted with the names of its documentation", file)
	}
	entity := mount(wire(example), at)
	outcome := x.run(dataset, entity)
	x.whole[reason(outcome)]++
	if outcome == "accepted" {
		x.later[outcome]++
		return outcome
	}
	added := complete(x.model.Dataset(dataset), entity.(map[string]any), file)
	completed := x.run(dataset, entity)
	x.later[reason(completed)]++
	if completed == outcome {
		return outcome
	}
	return fmt.Sprintf("%s; with %s: %s", outcome, strings.Join(added, ", "), completed)
}

// reason is the first word of an outcome.
func reason(outcome string) string {
	return outcome[:len(outcome)-len(strings.TrimLeft(outcome, "abcdefghijklmnopqrstuvwxyz_"))]
}

// run sends an entity through a world of its own and holds it to what it must have become.
func (x *examples) run(dataset string, entity any) string {
	x.t.Helper()
	w := newWorld(x.t, x.model)
	defer w.close()
	message := envelope(x.t, entity)
	in := w.send(dataset, message)
	if in.Reject != nil {
		if dead := w.deadLetters(); len(dead) != 1 || dead[0] != string(message) {
			x.t.Errorf("%s: dead letters %q, want %s", x.file, dead, message)
		}
		if out := w.profiles(in.Dataset.Entity); len(out) > 0 {
			x.t.Errorf("%s: rejected, and yet there is a profile: %v", x.file, out)
		}
		return in.Reject.Error()
	}
	out := w.profiles(in.Dataset.Entity)
	if len(out) != 1 || len(w.deadLetters()) > 0 {
		x.t.Errorf("%s: %d profiles, dead letters %q", x.file, len(out), w.deadLetters())
		return "accepted"
	}
	x.compare(w, &in, entity.(map[string]any), out[0])
	return "accepted"
}

// compare holds a profile, and an event in the store, to the entity that they come of.
func (x *examples) compare(w *world, in *pipeline.Input, entity map[string]any, out merged) {
	x.t.Helper()
	ids := identitiesOf(in.Dataset, entity)
	if got := out.Identities; !maps.EqualFunc(got, ids, slices.Equal) {
		x.t.Errorf("%s: identities %v, want %v", x.file, got, ids)
	}
	if !slices.Equal(out.Datasets, []string{in.Dataset.Name}) {
		x.t.Errorf("%s: datasets %v", x.file, out.Datasets)
	}
	want := entity
	if in.Dataset.Class == pipeline.ClassEvent {
		if got := w.event(in); !same(entity, got) {
			x.t.Errorf("%s: event\n got  %v\n want %v", x.file, got, entity)
		}
		want = map[string]any{}
	}
	want = maps.Clone(want)
	delete(want, "identityMap")
	if !same(want, anyOf(out.Attributes)) {
		x.t.Errorf("%s: attributes\n got  %v\n want %v", x.file, out.Attributes, want)
	}
}

// anyOf gives attributes as a value, of which none are an empty object.
func anyOf(attributes map[string]any) any {
	if attributes == nil {
		return map[string]any{}
	}
	return attributes
}

// identitiesOf reads the identities of an entity by plain means: by namespace, sorted.
func identitiesOf(ds *pipeline.Dataset, entity map[string]any) map[string][]string {
	ids := map[string][]string{}
	for _, f := range ds.Identities {
		if text, ok := get(entity, f.Path.Segments()).(string); ok {
			ids[f.Namespace] = append(ids[f.Namespace], text)
		}
	}
	spaces, _ := entity["identityMap"].(map[string]any)
	for namespace, list := range spaces {
		for _, item := range list.([]any) {
			text := item.(map[string]any)["id"].(string)
			ids[namespace] = append(ids[namespace], text)
		}
	}
	for _, values := range ids {
		slices.Sort(values)
	}
	return ids
}
