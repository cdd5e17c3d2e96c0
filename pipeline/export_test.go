package pipeline_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"

	"selfsame/pipeline"
)

// exported is a world with some history, drained.
func exported(t *testing.T) (*world, *pipeline.Lookup) {
	t.Helper()
	w := newWorld(t, 2)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w.lay(rnd, facts(rnd, 300), 2)
	w.drain()
	return w, pipeline.NewLookup(w.model, w.store)
}

func stream(t *testing.T, l *pipeline.Lookup, q pipeline.ExportQuery) ([]byte, int) {
	t.Helper()
	x, err := l.Export(q)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	n, err := x.Stream(t.Context(), &out)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), n
}

// TestExportNDJSON: an export is what a consumer of the profile topic holds, byte for byte.
func TestExportNDJSON(t *testing.T) {
	w, lookup := exported(t)
	defer w.close()
	text, n := stream(t, lookup, pipeline.ExportQuery{Class: "profile"})
	want := w.final("profiles")
	last := ""
	for line := range strings.Lines(string(text)) {
		var p struct{ ID string }
		w.must(json.Unmarshal([]byte(line), &p))
		if got := versions.ReplaceAllString(strings.TrimSpace(line), ""); got != want[p.ID] {
			t.Errorf("got  %s\nwant %s", got, want[p.ID])
		}
		if p.ID <= last {
			t.Errorf("%s comes after %s", p.ID, last)
		}
		last = p.ID
	}
	if lines := strings.Count(string(text), "\n"); n != len(want) || lines != n || n < 5 {
		t.Errorf("%d profiles, %d lines, want %d", n, lines, len(want))
	}
}

// TestExportAvro: a container file holds the same as the lines.
func TestExportAvro(t *testing.T) {
	w, lookup := exported(t)
	defer w.close()
	text, n := stream(t, lookup, pipeline.ExportQuery{Class: "profile"})
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, codec := range []string{"", "null", "deflate"} {
		q := pipeline.ExportQuery{Class: "profile", Policy: "default",
			Format: pipeline.ExportAvro, Codec: codec}
		file, count := stream(t, lookup, q)
		reader, err := goavro.NewOCFReader(bytes.NewReader(file))
		w.must(err)
		read := 0
		for ; reader.Scan(); read++ {
			native, err := reader.Read()
			w.must(err)
			var want any
			w.must(json.Unmarshal([]byte(lines[read]), &want))
			if got := plain(native); !reflect.DeepEqual(got, want) {
				t.Fatalf("got  %v\nwant %v", got, want)
			}
		}
		if read != n || count != n || reader.Err() != nil {
			t.Errorf("codec %q: %d records of %d, %v", codec, read, n, reader.Err())
		}
	}
}

// plain brings what goavro reads to what encoding/json reads: no unions, no nulls, no times.
func plain(native any) any {
	switch n := native.(type) {
	case map[string]any:
		object := map[string]any{}
		for name, value := range n {
			switch name { // of a branch of a union
			case "string", "int", "long", "array", "selfsame.profile.address.Record",
				"long.timestamp-millis":
				return plain(value)
			}
			if value != nil {
				object[name] = plain(value)
			}
		}
		return object
	case []any:
		items := make([]any, len(n))
		for i, item := range n {
			items[i] = plain(item)
		}
		return items
	case time.Time:
		return n.UTC().Format("2006-01-02T15:04:05.000Z")
	case int32:
		return float64(n)
	case int64:
		return float64(n)
	}
	return native
}

func TestExportRefuses(t *testing.T) {
	w := newWorld(t, 1)
	defer w.close()
	lookup := pipeline.NewLookup(w.model, w.store)
	for _, q := range []pipeline.ExportQuery{
		{Class: "x"}, {Class: "profile", Policy: "x"}, {Class: "profile", Format: "xml"},
		{Class: "profile", Codec: "null"},
		{Class: "profile", Format: pipeline.ExportAvro, Codec: "zip"},
	} {
		var wrong *pipeline.QueryError
		if _, err := lookup.Export(q); !errors.As(err, &wrong) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if text, n := stream(t, lookup, pipeline.ExportQuery{Class: "profile"}); n+len(text) > 0 {
		t.Errorf("an empty store has %d profiles: %s", n, text)
	}
}

// TestExportOneState: what is committed while an export runs is not in it, and the end of its
// context ends it.
func TestExportOneState(t *testing.T) {
	w, lookup := exported(t)
	defer w.close()
	before, n := stream(t, lookup, pipeline.ExportQuery{Class: "profile"})
	x, err := lookup.Export(pipeline.ExportQuery{Class: "profile"})
	w.must(err)
	during := &disturbed{once: func() {
		for i := range 50 {
			w.send(pipeline.TopicPartition{Topic: "crm"}, pipeline.Record{
				Value: fmt.Appendf(nil, `{"id":"%d","name":"late"}`, i)})
		}
		w.drain()
	}}
	count, err := x.Stream(t.Context(), during)
	if err != nil || count != n || during.String() != string(before) {
		t.Errorf("%d profiles, %v, want the %d from before", count, err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Stream(ctx, during); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// disturbed does something before the first write.
type disturbed struct {
	bytes.Buffer
	once func()
}

func (d *disturbed) Write(b []byte) (int, error) {
	if do := d.once; do != nil {
		d.once = nil
		do()
	}
	return d.Buffer.Write(b)
}
