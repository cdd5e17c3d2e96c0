package pipeline

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func header(key, value string) Header { return Header{Key: key, Value: []byte(value)} }

// TestReadMark: only the headers that the writer has put last count, whatever the original of a
// dead letter brought along.
func TestReadMark(t *testing.T) {
	own := []Header{header(HeaderShard, "s"), header(HeaderIncarnation, "2"),
		header(HeaderSequence, "7")}
	whole := mark{shard: "s", incarnation: 2, sequence: 7}
	forged := []Header{header(HeaderShard, "other"), header(HeaderSequence, "99"),
		header(HeaderPositions, "t/0=9")}
	for name, c := range map[string]struct {
		headers []Header
		want    mark
		ok      bool
	}{
		"own":       {own, whole, true},
		"forged":    {slices.Concat(forged, own), whole, true},
		"none":      {forged[1:], mark{}, false},
		"no number": {own[:2], mark{shard: "s", incarnation: 2}, false},
		"malformed": {append(slices.Clone(own[:1]), header(HeaderSequence, "x")), mark{}, false},
	} {
		got, ok := readMark(&Record{Headers: c.headers})
		if ok != c.ok || got.shard != c.want.shard || got.sequence != c.want.sequence ||
			got.incarnation != c.want.incarnation || got.positions != nil {
			t.Errorf("%s: %+v, %t", name, got, ok)
		}
	}
	last := append(slices.Clone(own), header(HeaderPositions, "a.b/0=3,c/12=0"))
	got, ok := readMark(&Record{Headers: last})
	want := map[TopicPartition]int64{{"a.b", 0}: 3, {"c", 12}: 0}
	if !ok || !maps.Equal(got.positions, want) {
		t.Errorf("positions %v, %t", got.positions, ok)
	}
}

// FuzzParsePositions: what is accepted has as many entries as it names, or fewer where it repeats.
func FuzzParsePositions(f *testing.F) {
	f.Add("a/0=1,b.c/12=99")
	f.Add("")
	f.Add("a/0=1,,a/0")
	f.Fuzz(func(t *testing.T, text string) {
		positions, err := parsePositions(text)
		if err == nil && len(positions) > strings.Count(text, ",")+1 {
			t.Errorf("%d positions", len(positions))
		}
	})
}
