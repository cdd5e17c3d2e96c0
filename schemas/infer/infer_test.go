package infer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"selfsame/schemas"
)

// namespaces are those of a configuration for people.
var namespaces = []Namespace{{"customer", LooksID, true}, {"loyalty", LooksID, false},
	{"email", LooksEmail, false}, {"cookie", LooksCookie, false}}

// draftOf guesses, and fails unless the schema takes every line of the sample.
func draftOf(t testing.TB, text string, like *schemas.Type) (*Draft, error) {
	t.Helper()
	s, err := NewSample()
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace([]byte(text)), []byte("\n"))
	for i, line := range lines {
		if err := s.Add(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	draft, err := s.Guess("sample", like)
	if err != nil {
		return nil, err
	}
	schema, err := schemas.Parse("guess", draft.Avro)
	if err != nil {
		t.Fatalf("%v\n%s", err, draft.Avro)
	}
	for _, line := range lines {
		_, err := schema.DecodeJSON(line, schemas.Options{Complete: true,
			IgnoreUnknown: len(draft.Left) > 0})
		if err != nil {
			t.Fatalf("the schema does not take a line of the sample: %v\n%s\n%s", err, line,
				draft.Avro)
		}
	}
	return draft, nil
}

// TestGuesses plays testdata/guesses.txt: samples, and the schema and plan made of them. Arguments
// are event, primary=PATH=NAMESPACE and id=PATH.
func TestGuesses(t *testing.T) {
	play := func(t *testing.T, d *datadriven.TestData) string {
		w := Wishes{Event: d.HasArg("event"), Namespaces: namespaces}
		d.MaybeScanArgs(t, "primary", &w.Primary)
		d.MaybeScanArgs(t, "id", &w.ID)
		draft, err := draftOf(t, d.Input, nil)
		if err != nil {
			return err.Error() + "\n"
		}
		out := string(draft.Avro)
		for _, left := range draft.Left {
			out += "left out: " + left.Path + " " + left.Reason + "\n"
		}
		plan, err := draft.Suggest(w)
		if err != nil {
			return out + err.Error() + "\n"
		}
		for _, id := range plan.Identities {
			out += fmt.Sprintf("identity %s of %s, primary %v, %s\n", id.Path, id.Namespace,
				id.Primary, id.Why)
		}
		for _, id := range plan.Others {
			out += fmt.Sprintf("perhaps %s of %s, %s\n", id.Path, id.Namespace, id.Why)
		}
		return out + fmt.Sprintf("timestamp %q, id %q\n", plan.Timestamp, plan.ID)
	}
	datadriven.RunTest(t, "testdata/guesses.txt", play)
}

// TestFollowsOtherDatasets: where another dataset has a field, its type is taken, if it fits.
func TestFollowsOtherDatasets(t *testing.T) {
	like, err := schemas.Parse("other", []byte(`{"type":"record","name":"O","fields":[
		{"name":"at","type":"string"},{"name":"n","type":"double"},{"name":"id","type":"string"},
		{"name":"prefs","type":{"type":"map","values":"long"}},
		{"name":"tags","type":{"type":"array","items":"string"}},
		{"name":"home","type":{"type":"record","name":"H","fields":[
			{"name":"day","type":"string"}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	draft, err := draftOf(t, `{"at":"2024-01-02T03:04:05Z","n":1,"id":7,"prefs":{"a":1},`+
		`"tags":["2024-01-02"],"home":{"day":"2024-01-02"}}`, like.Root())
	if err != nil {
		t.Fatal(err)
	}
	s, err := schemas.Parse("guess", draft.Avro)
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{"at": "string", "n": "double", "id": "int",
		"prefs": "map of int", "tags": "array of string", "home": "record"} {
		if got := s.Root().Field(field).Type.String(); got != want {
			t.Errorf("%s is %s, want %s", field, got, want)
		}
	}
	if got := s.Root().Field("home").Type.Field("day").Type.String(); got != "string" {
		t.Errorf("home.day is %s", got)
	}
}

// TestAnySampleIsTaken: whatever the records, the schema made of them takes them.
func TestAnySampleIsTaken(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		var text strings.Builder
		for range 1 + r.IntN(12) {
			record := randomObject(r, 3)
			record["x"] = 1
			line, err := json.Marshal(record)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&text, "%s\n", line)
		}
		if _, err := draftOf(t, text.String(), nil); err != nil {
			t.Fatalf("%v\n%s", err, text.String())
		}
	}
}

// TestPublicSamples: messages and records of other systems, which are no part of this repository.
func TestPublicSamples(t *testing.T) {
	root := os.Getenv("SELFSAME_TESTDATA")
	if root == "" {
		t.Skip("SELFSAME_TESTDATA names no directory of public test data")
	}
	played := 0
	for _, pattern := range []string{"segment_events/*.ndjson", "senzing_truthset/*.jsonl"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := draftOf(t, string(text), nil); err != nil {
				t.Errorf("%s: %v", path, err)
			}
			played++
		}
	}
	if played < 5 {
		t.Errorf("only %d samples", played)
	}
}

func randomObject(r *rand.Rand, depth int) map[string]any {
	names := []string{"id", "a", "b", "updated_at", "first-name", "9", "", "e.mail", "ä", "tags",
		"geo", "k1", "k2", "k3", "k4", "k5"}
	object := map[string]any{}
	for range r.IntN(6) {
		object[names[r.IntN(len(names))]] = randomJSON(r, depth)
	}
	return object
}

func randomJSON(r *rand.Rand, depth int) any {
	if depth > 0 && r.IntN(4) == 0 {
		if r.IntN(2) == 0 {
			return randomObject(r, depth-1)
		}
		items := make([]any, r.IntN(4))
		for i := range items {
			items[i] = randomJSON(r, depth-1)
		}
		return items
	}
	scalars := []any{nil, true, 0, -1, 40000, int64(1) << 60, json.Number("1e400"), 1.5,
		json.Number("12345678901234567890"), "", "x", "ann@x.org", "2024-02-30", "2024-02-29",
		"2024-02-29T12:00:00Z", "2024-02-29T12:00:00.123456789+01:00", "2024-02-29T12:00:00",
		"12:30:00", "6F9619FF-8B86-D011-B42D-00CF4FC964FF", "a\"\\\u0000€", 1700000000000,
		json.Number("-0"), json.Number("1.0"), json.Number("1E2")}
	return scalars[r.IntN(len(scalars))]
}

func FuzzSample(f *testing.F) {
	f.Add(`{"a":1}` + "\n" + `{"a":"x","b":{"c":[1,null,{"d":2}]}}`)
	f.Add(`{"a":{"` + strings.Repeat("x", 300) + `":1}}`)
	f.Add(`{"\ud800":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.TrimSpace(text) == "" {
			return
		}
		if _, err := draftOf(t, text, nil); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}

func TestWords(t *testing.T) {
	for name, want := range map[string]string{"customerId": "customer id",
		"customer_id": "customer id", "userid": "user id", "registertime": "register time",
		"ID": "id", "E-Mail": "e mail",
		"": "", "XMLFeed": "xmlfeed", "paid": "paid"} {
		if got := strings.Join(wordsOf(name), " "); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
