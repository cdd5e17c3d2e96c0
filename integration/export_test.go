package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

// checkExports: what the running daemon exports is what the profile topic holds, version by
// version, in both formats.
func (h *home) checkExports(d *daemon) []byte {
	t := h.shop.t
	t.Helper()
	text, err := command(t, "export", "--api", d.journal.api())
	must(t, err)
	got := strings.Split(strings.TrimSpace(string(text)), "\n")
	want := current(readAll(t, h.shop.addr, h.profiles()))
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the export has %d profiles, the topic %d, or they differ", len(got), len(want))
	}
	path := filepath.Join(h.dir, "profiles.avro")
	_, err = command(t, "export", "--config", h.config(), "--api", d.journal.api(),
		"--format", "avro", "--codec", "deflate", "--output", path)
	must(t, err)
	if n := recordsIn(t, path); n != len(want) {
		t.Errorf("the container file has %d profiles, the topic %d", n, len(want))
	}
	return text
}

// checkOfflineExport: the store of a stopped daemon gives what the daemon gave.
func (h *home) checkOfflineExport(want []byte) {
	t := h.shop.t
	t.Helper()
	got, err := command(t, "export", "--config", h.config(), "--offline")
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("offline %d bytes, %d from the daemon, or they differ", len(got), len(want))
	}
}

// current is the values that a compacted topic holds.
func current(records []*kgo.Record) (values []string) {
	last := map[string]*kgo.Record{}
	for _, r := range records {
		last[string(r.Key)] = r
	}
	for _, r := range last {
		if r.Value != nil {
			values = append(values, string(r.Value))
		}
	}
	return values
}

func recordsIn(t *testing.T, path string) (n int) {
	t.Helper()
	file, err := os.Open(path)
	must(t, err)
	defer file.Close()
	reader, err := goavro.NewOCFReader(file)
	must(t, err)
	for ; reader.Scan(); n++ {
		_, err := reader.Read()
		must(t, err)
	}
	must(t, reader.Err())
	return n
}
