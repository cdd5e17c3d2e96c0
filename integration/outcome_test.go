package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// outcome is what a consumer that has read the output topics to their end holds, without versions.
type outcome struct {
	profiles    map[string]string // by profile id
	assignments map[string]string // by identity
	dead        map[string]string // reason by place of the record
}

// outcome reads the output of a daemon and holds the records to what is promised of each.
func (h *home) outcome() outcome {
	h.shop.t.Helper()
	o := outcome{dead: map[string]string{}}
	byTopic := map[string][]*kgo.Record{}
	for _, r := range readAll(h.shop.t, h.shop.addr, h.outputs()...) {
		byTopic[r.Topic] = append(byTopic[r.Topic], r)
	}
	o.profiles = compacted(h.shop.t, byTopic[h.profiles()])
	o.assignments = compacted(h.shop.t, byTopic[h.assignments()])
	for _, r := range byTopic[h.deadLetters()] {
		const prefix = "selfsame-dead-"
		from := fmt.Sprintf("%s/%s/%s", header(r, prefix+"topic"), header(r, prefix+"partition"),
			header(r, prefix+"offset"))
		reason := header(r, prefix+"reason")
		if before, again := o.dead[from]; again && before != reason {
			h.shop.t.Errorf("the record at %s is %s and %s", from, before, reason)
		}
		o.dead[from] = reason
	}
	return o
}

var versionField = regexp.MustCompile(`,"version":(\d+)`)

// compacted keeps the last record of each key. On the way the versions of a key rise: no
// record is there twice.
func compacted(t *testing.T, records []*kgo.Record) map[string]string {
	t.Helper()
	held := map[string]string{}
	last := map[string]*kgo.Record{}
	for _, r := range records {
		key := string(r.Key)
		if before := last[key]; before != nil {
			checkVersions(t, before, r)
		}
		last[key] = r
		delete(held, key)
		if r.Value != nil {
			held[key] = versionField.ReplaceAllString(string(r.Value), "")
		}
	}
	return held
}

func checkVersions(t *testing.T, before, r *kgo.Record) {
	t.Helper()
	was, is := version(t, before), version(t, r)
	if is <= was {
		t.Errorf("the version goes from %d at %s to %d at %s", was, at(before), is, at(r))
	}
}

// version is that of an output record: tombstones have it in a header.
func version(t *testing.T, r *kgo.Record) uint64 {
	t.Helper()
	text := header(r, "selfsame-version")
	if found := versionField.FindSubmatch(r.Value); found != nil {
		if text != "" && text != string(found[1]) {
			t.Errorf("%s: version %s in the header, %s in the value", at(r), text, found[1])
		}
		text = string(found[1])
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Errorf("%s: version %q", at(r), text)
	}
	return n
}

// wantSame compares two outcomes.
func wantSame(t *testing.T, what string, got, want outcome) {
	t.Helper()
	wantSameMap(t, what+": profiles", got.profiles, want.profiles)
	wantSameMap(t, what+": assignments", got.assignments, want.assignments)
	wantSameMap(t, what+": dead letters", got.dead, want.dead)
}

// wantSameMap reports the first few differences.
func wantSameMap(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	if len(want) == 0 {
		t.Errorf("%s: there are none to compare with", what)
	}
	keys := slices.Sorted(maps.Keys(want))
	for key := range got {
		if _, wanted := want[key]; !wanted {
			keys = append(keys, key)
		}
	}
	wrong := 0
	for _, key := range keys {
		if got[key] == want[key] {
			continue
		}
		if wrong++; wrong <= 3 {
			t.Errorf("%s: %s\n got  %s\n want %s", what, key, got[key], want[key])
		}
	}
	if wrong > 0 {
		t.Errorf("%s: %d of %d differ", what, wrong, len(keys))
	}
}

// identitiesOf reads the identities out of a profile's value.
func identitiesOf(t *testing.T, value string) map[string][]string {
	t.Helper()
	var p struct{ Identities map[string][]string }
	if err := json.Unmarshal([]byte(value), &p); err != nil {
		t.Fatal(err)
	}
	return p.Identities
}
