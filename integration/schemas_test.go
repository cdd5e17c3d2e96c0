package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSchemas changes a dataset's schema between runs of the daemon: what takes away is refused and
// nothing is touched, what is deprecated goes from the profiles, what is retired stays in them.
func TestSchemas(t *testing.T) {
	s := openShop(t, embedded(t).addr)
	h := s.install("schemas")
	s.send(s.traffic(20)...)
	d := h.start()
	h.drain(d)
	if before := h.export(d); !strings.Contains(before, `"points":`) {
		t.Fatal("the example has no points")
	}
	d.stop()

	path := filepath.Join(h.dir, "schemas", "loyalty.avsc")
	schema, err := os.ReadFile(path)
	must(t, err)
	change := func(file, text, from, to string) {
		t.Helper()
		if !strings.Contains(text, from) {
			t.Fatalf("%s does not hold %q", file, from)
		}
		must(t, os.WriteFile(file, []byte(strings.Replace(text, from, to, 1)), 0o600))
	}
	change(path, string(schema), `"name": "points"`, `"name": "score"`)
	for _, args := range [][]string{{"run"}, {"schema", "check", "--against-store"}} {
		_, err := command(t, append(args, "--config", h.config())...)
		if err == nil || !strings.Contains(err.Error(), "points (long) is gone from the union") ||
			strings.Contains(err.Error(), "exit status 4") != (args[0] == "schema") {
			t.Errorf("%v with a field taken away: %v", args, err)
		}
	}

	change(path, string(schema), `{"name": "points",`, `{"name": "points", "deprecated": true,`)
	d = h.start()
	_, err = command(t, "control", "remerge", "--config", h.config(), "--api", d.journal.api(),
		"--wait", "60s")
	must(t, err)
	await(t, "points to be hidden", func() bool {
		return !strings.Contains(h.export(d), `"points":`)
	})
	d.stop()

	text, err := os.ReadFile(h.config())
	must(t, err)
	change(h.config(), string(text), "topic: "+s.prefix+"shop.loyalty", "retired: true")
	d = h.start()
	h.shop.send(h.shop.traffic(5)...) // nobody reads what is sent to the loyalty topic
	await(t, "the profiles of the retired dataset", func() bool {
		return strings.Contains(h.export(d), `"tier":`)
	})
	d.stop()
	_, err = command(t, "check", "--config", h.config())
	must(t, err)
}

// export gives the profiles that the running daemon exports.
func (h *home) export(d *daemon) string {
	h.shop.t.Helper()
	text, err := command(h.shop.t, "export", "--api", d.journal.api())
	must(h.shop.t, err)
	return string(text)
}
