package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// playPolicies changes merge policies between runs: one is added, one without stitching, then both
// go. What a topic holds is what the daemon merges.
func playPolicies(t *testing.T, on host) {
	s := openShop(t, on.shared(t))
	h := s.install("policies")
	s.send(s.traffic(on.people)...)
	d := h.start()
	h.drain(d)
	d.stop()
	before := current(readAll(t, s.addr, h.profiles()))

	const line = "      default: {strategy: latest, "
	more := "      ranked:\n        precedence: [loyalty, crm]\n" +
		"        overrides: {\"name.*\": {strategy: earliest}, interests: {union: true}}\n" +
		"        topic: " + h.topic("ranked") + "\n" +
		"        changes: " + h.topic("ranked-changes") + "\n" +
		"      each: {stitching: none, topic: " + h.topic("each") + "}\n"
	h.rewrite(line, more+line)
	d = h.start()
	h.settled(d)
	for _, policy := range []string{"ranked", "each"} {
		out, err := command(t, "export", "--api", d.journal.api(), "--policy", policy)
		must(t, err)
		got, want := strings.Split(strings.TrimSpace(string(out)), "\n"),
			current(readAll(t, s.addr, h.topic(policy)))
		slices.Sort(got)
		slices.Sort(want)
		if len(want) < len(before)/4 || !slices.Equal(got, want) {
			t.Errorf("%s: the export has %d profiles, the topic %d, or they differ", policy,
				len(got), len(want))
		}
	}
	h.askPolicies(d, before)
	d.stop()

	h.rewrite(more, "")
	d = h.start()
	h.settled(d)
	for _, policy := range []string{"ranked", "each"} {
		if left := current(readAll(t, s.addr, h.topic(policy))); len(left) > 0 {
			t.Errorf("%s is gone, its topic still holds %d profiles", policy, len(left))
		}
	}
	d.stop()
	if after := current(readAll(t, s.addr, h.profiles())); !sameSet(before, after) {
		t.Errorf("the other policy's topic has changed: %d profiles, before %d", len(after),
			len(before))
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// rewrite changes the configuration.
func (h *home) rewrite(from, to string) {
	t := h.shop.t
	t.Helper()
	text, err := os.ReadFile(h.config())
	must(t, err)
	if !strings.Contains(string(text), from) {
		t.Fatalf("the configuration does not hold %q", from)
	}
	changed := strings.Replace(string(text), from, to, 1)
	must(t, os.WriteFile(h.config(), []byte(changed), 0o600))
}

// settled waits until no job runs and everything is published.
func (h *home) settled(d *daemon) {
	t := h.shop.t
	t.Helper()
	h.drain(d)
	await(t, "the jobs to end", func() bool {
		body, code := d.get("/v1/jobs")
		return code == 200 && strings.Contains(string(body), `"kind":"policy"`) &&
			!strings.Contains(string(body), `"state":"running"`)
	})
	h.drain(d)
}

// askPolicies asks for an explanation and a preview of somebody by the command line.
func (h *home) askPolicies(d *daemon, profiles []string) {
	t := h.shop.t
	t.Helper()
	var identity string
	for _, text := range profiles {
		var p struct {
			Identities map[string][]string
			Datasets   []string
		}
		must(t, json.Unmarshal([]byte(text), &p))
		// of people that only other datasets know the policy shows nothing
		if ids := p.Identities["email"]; len(ids) > 0 && slices.Contains(p.Datasets, "crm") {
			identity = "email:" + ids[0]
			break
		}
	}
	out, err := command(t, "explain", identity, "--policy", "ranked", "--api", d.journal.api())
	must(t, err)
	if !strings.Contains(string(out), "under policy ranked") ||
		!strings.Contains(string(out), "shop.crm/") {
		t.Errorf("explained: %s", out)
	}
	file := filepath.Join(h.dir, "try.yaml")
	must(t, os.WriteFile(file, []byte("precedence: [crm]\n"), 0o600))
	out, err = command(t, "policy", "preview", "--policy", file, "--sample", "1000", "--api",
		d.journal.api())
	must(t, err)
	if !strings.Contains(string(out), "would be others than under policy default") ||
		!strings.Contains(string(out), "->") {
		t.Errorf("previewed: %.500s", out)
	}
}
