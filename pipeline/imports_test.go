package pipeline_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"selfsame/pipeline"
)

// row is a line of a file of people that is imported again and again; a flag says that it deletes.
type row struct {
	id      string
	name    string
	age     int
	tags    []string
	deletes bool
}

// imported sends the rows of a file, each stamped with the time of the file, in one commit.
func (w *world) imported(at time.Time, rows []row) {
	w.t.Helper()
	for _, r := range rows {
		headers := []pipeline.Header{{Key: "selfsame-time",
			Value: []byte(at.Format(time.RFC3339))}}
		value := fmt.Sprintf(`{"id":"%s","name":"%s","age":%d,"tags":["%s"]}`, r.id, r.name, r.age,
			strings.Join(r.tags, `","`))
		if r.deletes {
			headers = append(headers, pipeline.Header{Key: "selfsame-op", Value: []byte("delete")})
		}
		w.send(crm0, pipeline.Record{Value: []byte(value), Headers: headers})
	}
	w.consume(crm0, len(rows))
	w.publish()
}

// having counts the profiles that consumers hold, and those of them that have a text in them.
func (w *world) having(text string) (profiles, with int) {
	for _, value := range w.final("profiles") {
		profiles++
		if strings.Contains(value, text) {
			with++
		}
	}
	return profiles, with
}

// TestImports: files of people that set, change, delete and bring back, in the order of their
// times whatever the order in which they are imported.
func TestImports(t *testing.T) {
	file := func(age int, deletes func(i int) bool) (rows []row) {
		for i := range 36 {
			rows = append(rows, row{id: fmt.Sprint("p", i), name: fmt.Sprint("n", i), age: age,
				tags: []string{"a", fmt.Sprint("t", i)}, deletes: deletes(i)})
		}
		return rows
	}
	some := func(i int) bool { return i == 7 || i == 30 }
	none := func(int) bool { return false }
	all := func(int) bool { return true }
	noon := time.Unix(1_700_000_000, 0).UTC().Add(-10 * time.Hour)
	files := []struct {
		rows     []row
		profiles int
		text     string // that all of them have then
	}{
		{file(20, some), 34, `"age":20`},
		{file(21, none), 36, `"age":21`}, // the two that were deleted come back
		{file(22, all), 0, ""},
		{file(23, some), 34, `"age":23`},
	}
	at := func(i int) time.Time { return noon.Add(time.Duration(i) * time.Hour) }

	w := newWorld(t, 1)
	defer w.close()
	for i, f := range files {
		w.imported(at(i), f.rows)
		if n, having := w.having(f.text); n != f.profiles || having != n {
			t.Errorf("file %d: %d profiles, %d of them with %s, want %d", i, n, having, f.text,
				f.profiles)
		}
	}
	want := w.final("profiles")
	before := len(w.emitted("profiles"))
	w.imported(at(0), files[0].rows) // an old file once more
	if told := w.emitted("profiles"); told != "" || before == 0 {
		t.Errorf("an old file has changed profiles: %s", told)
	}
	if f := w.shard.Stats().Figures().Datasets["crm"]; f.Superseded != 36 {
		t.Errorf("of the old file %d are superseded, want 36", f.Superseded)
	}

	other := newWorld(t, 1)
	defer other.close()
	for _, i := range []int{3, 1, 0, 2, 1} {
		other.imported(at(i), files[i].rows)
	}
	compareFinal(t, want, other.final("profiles"), "imported in another order")
}

// TestImportMerges: rows of one person in one file come to one profile, the last row standing in
// each attribute, and the rows of people with odd ids stay apart.
func TestImportMerges(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	var rows []row
	for i := range 25 {
		rows = append(rows, row{id: fmt.Sprint("rank", i%5), name: fmt.Sprint("row", i), age: i,
			tags: []string{fmt.Sprint("v", i), "multi"}})
	}
	odd := []string{"a\\u0000b", "a", "b", strings.Repeat("x", 600), "a:b", "ä", "a\\u0308"}
	for _, id := range odd {
		rows = append(rows, row{id: id, name: "odd", tags: []string{"o"}})
	}
	w.imported(w.now.Add(-time.Hour), rows)
	if n, having := w.having(`"name":"odd"`); n != 5+len(odd) || having != len(odd) {
		t.Errorf("%d profiles, %d of them odd, want %d and %d", n, having, 5+len(odd), len(odd))
	}
	for i := 20; i < 25; i++ {
		text := fmt.Sprintf(`"age":%d,"id":"rank%d","name":"row%d","tags":["v%d","multi"]`, i, i%5,
			i, i)
		if _, having := w.having(text); having != 1 {
			t.Errorf("no profile has %s", text)
		}
	}
	told := w.emitted("profiles")
	if n := strings.Count(told, "\n") + 1; n != 5+len(odd) {
		t.Errorf("%d records were emitted in one commit for %d profiles", n, 5+len(odd))
	}
}
