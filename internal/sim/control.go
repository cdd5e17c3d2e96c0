package sim

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"
)

// control is a control record in the oracle's words.
type control struct {
	ID         string
	Op         string
	Class      string
	Identities []string
	Dataset    string
	Time       string
	Lift, All  bool
	Suppress   bool
	From       string
	Until      string
	Note       string

	at          stamp
	ids         []who
	first, last int64 // of delete_events, both in it
}

// wants says which identities and dataset an operation speaks of.
var wants = map[string]struct {
	ids      int
	datasets []string
}{
	"link": {2, nil}, "forbid_link": {2, nil}, "unlink": {1, nil}, "block_value": {1, nil},
	"delete_profile":  {1, nil},
	"delete_fragment": {1, []string{"crm", "shop", "club"}},
	"delete_events":   {1, []string{"web", "app"}},
	"delete_dataset":  {0, []string{"crm", "shop", "club", "web", "app"}},
	"erase":           {1, nil}, "lift_delete": {1, nil}, "remerge": {0, nil},
}

// judgeControl reads a control record, or says why it is none. What the workload makes no mistakes
// in is not looked at.
func judgeControl(r *fed) (c *control, reason string) {
	c = &control{at: stamp{time: r.time, topic: r.topic, partition: r.partition,
		offset: r.offset}}
	decoder := json.NewDecoder(bytes.NewReader(r.value))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(c); err != nil {
		if strings.Contains(err.Error(), "unknown field") {
			return c, "schema_violation"
		}
		return c, "malformed"
	}
	if c.ID == "" {
		return c, "schema_violation"
	}
	if c.Time != "" {
		at, err := time.Parse(time.RFC3339Nano, c.Time)
		if err != nil {
			return c, "bad_timestamp"
		}
		c.at.time = at.UnixNano()
	}
	want, known := wants[c.Op]
	if !known || len(c.Identities) != want.ids ||
		c.Dataset == "" != (want.datasets == nil) {
		return c, "bad_operation"
	}
	if c.first, c.last, reason = c.span(); reason != "" {
		return c, reason
	}
	if want.datasets != nil && !slices.Contains(want.datasets, c.Dataset) {
		return c, "bad_operation"
	}
	for _, text := range c.Identities {
		ns, value, _ := strings.Cut(text, ":")
		id := normal(who{ns, value})
		if !slices.Contains(strength, ns) {
			return c, "bad_operation"
		}
		if id.value == "" || id.value == "guest" {
			return c, "invalid_identity"
		}
		c.ids = append(c.ids, id)
	}
	if len(c.ids) == 2 && c.ids[0] == c.ids[1] {
		return c, "bad_operation"
	}
	return c, ""
}

// span reads the range of times of delete_events.
func (c *control) span() (first, last int64, reason string) {
	first, last = math.MinInt64, math.MaxInt64
	if c.From != "" {
		from, err := time.Parse(time.RFC3339Nano, c.From)
		if err != nil {
			return first, last, "bad_timestamp"
		}
		first = from.UnixNano()
	}
	if c.Until != "" {
		until, err := time.Parse(time.RFC3339Nano, c.Until)
		if err != nil {
			return first, last, "bad_timestamp"
		}
		last = until.UnixNano() - 1
	}
	if last < first {
		return first, last, "bad_operation"
	}
	return first, last, ""
}
