package computed

import (
	"strings"
	"sync"
	"testing"
	"time"

	"selfsame/profile"
	"selfsame/schemas"
)

const filterSchema = `{"type": "record", "name": "event", "fields": [
	{"name": "kind", "type": {"type": "enum", "name": "kinds", "symbols": ["buy", "look"]}},
	{"name": "package", "type": ["null", "string"], "default": null},
	{"name": "amount", "type": ["null", {"type": "bytes", "logicalType": "decimal",
		"precision": 9, "scale": 2}], "default": null},
	{"name": "qty", "type": ["null", "int"], "default": null},
	{"name": "rate", "type": ["null", "double"], "default": null},
	{"name": "raw", "type": ["null", "bytes"], "default": null},
	{"name": "gift", "type": ["null", "boolean"], "default": null},
	{"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}],
		"default": null},
	{"name": "born", "type": ["null", {"type": "int", "logicalType": "date"}], "default": null},
	{"name": "alarm", "type": ["null", {"type": "int", "logicalType": "time-millis"}],
		"default": null},
	{"name": "local", "type": ["null", {"type": "long", "logicalType": "local-timestamp-millis"}],
		"default": null},
	{"name": "ship", "type": ["null", {"type": "record", "name": "ship", "fields": [
		{"name": "city", "type": ["null", "string"], "default": null}]}], "default": null},
	{"name": "extra", "type": ["null", {"type": "map", "values": "int"}], "default": null},
	{"name": "items", "type": ["null", {"type": "array", "items": {"type": "record",
		"name": "item", "fields": [{"name": "sku", "type": "string"},
		{"name": "n", "type": ["null", "int"], "default": null}]}}], "default": null}
]}`

const filterEvent = `{"kind": "buy", "package": "p", "amount": 10.50, "qty": 3, "rate": 0.5,
	"raw": "AAE=", "gift": true, "at": "2026-01-31T09:00:00.5Z", "born": "1990-02-28",
	"alarm": "07:30:00", "local": "2026-01-31T23:59:59", "ship": {"city": "Bristol"},
	"extra": {"a": 1, "b.c": 2}, "items": [{"sku": "x1", "n": 2}, {"sku": "y1"}]}`

func TestFilters(t *testing.T) {
	schema := parseSchema(t, filterSchema)
	class := &Class{Type: typeOf(schema.Root()), Datasets: []Dataset{{Name: "web"}}}
	full, empty := decode(t, schema, filterEvent), decode(t, schema, `{"kind": "look"}`)
	const yes, no, absent = "true", "false", "absent"
	for _, c := range []struct {
		filter      string
		full, empty string
	}{
		{`event.kind == "buy"`, yes, no},
		{`event.amount > 10`, yes, absent},
		{`event.amount == 10.5`, yes, absent},
		{`event.amount >= double(event.qty) * 3.5`, yes, absent},
		{`event.qty == 3 && event.rate < 1`, yes, absent},
		{`event.qty > 2.5`, yes, absent},
		{"event.`package` == 'p'", yes, absent},
		{`event.gift`, yes, absent},
		{`!event.gift`, no, absent},
		{`event.raw == b"\x00\x01"`, yes, absent},
		{`event.at > timestamp("2026-01-31T09:00:00Z")`, yes, absent},
		{`event.born < timestamp("2000-01-01T00:00:00Z")`, yes, absent},
		{`event.born.getMonth() == 1`, yes, absent},
		{`event.alarm == duration("7h30m")`, yes, absent},
		{`event.local.getHours() == 23`, yes, absent},
		{`event.ship.city == "Bristol"`, yes, absent},
		{`has(event.ship)`, yes, no},
		{`has(event.ship.city)`, yes, no},
		{`!has(event.qty)`, no, yes},
		{`has(event.qty) && event.qty == 3`, yes, no},
		{`event.qty == 3 || true`, yes, yes},
		{`event.extra.a == 1`, yes, absent},
		{`event.extra["b.c"] == 2`, yes, absent},
		{`"a" in event.extra`, yes, absent},
		{`event.items.exists(i, i.sku.startsWith("y"))`, yes, absent},
		{`event.items.all(i, has(i.n))`, no, absent},
		{`event.items[0].n == 2`, yes, absent},
		{`event.items[1].n == 2`, absent, absent},
		{`event.items[7].n == 2`, absent, absent},
		{`size(event.items) == 2`, yes, absent},
		{`event.kind in ["look", "see"]`, no, yes},
		{`event.kind.matches("^b.y$")`, yes, no},
		{`dataset == "web"`, yes, yes},
		{`dataset in ["web"] && dataset != event.kind`, yes, yes},
		{`event.items.exists(dataset, dataset.sku == "x1")`, yes, absent},
		{`["wob"].exists(dataset, dataset == "wob")`, yes, yes},
		{`time == timestamp("2026-01-31T10:00:00.000000001Z")`, yes, yes},
		{`time.getDayOfWeek("Asia/Tokyo") == 6`, yes, yes},
		{`1 / (event.qty - 3) == 1`, absent, absent},
		{`event == event`, yes, yes},
		{`event.ship == event.ship`, yes, yes},
	} {
		t.Run(c.filter, func(t *testing.T) {
			a := compile(t, Definition{Name: "n", Datasets: []string{"web"}, Function: Count,
				Window: "lifetime", Filter: c.filter}, class)
			for body, want := range map[*profile.Value]string{&full: c.full, &empty: c.empty} {
				r := a.Read(&Event{Dataset: "web", Body: *body,
					Time: instant(t, "2026-01-31T10:00:00.000000001Z")})
				got := map[bool]string{true: yes, false: no}[r.Counts]
				if r.Absent {
					got = absent
				}
				if got != want {
					t.Errorf("got %s, want %s, full: %v", got, want, body == &full)
				}
			}
		})
	}
}

func decode(t testing.TB, schema *schemas.Schema, text string) profile.Value {
	t.Helper()
	v, err := schema.DecodeJSON([]byte(text), schemas.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFilterIsPositioned(t *testing.T) {
	schema := parseSchema(t, filterSchema)
	class := &Class{Type: typeOf(schema.Root()), Datasets: []Dataset{{Name: "web"}}}
	for filter, want := range map[string]string{
		"event.kind == 'buy' &&\n  event.nix == 1":   "line 2, column 8: undefined field 'nix'",
		"event.kind == 'ü' && event.ship.town == 1":  "column 32: undefined field 'town'",
		"event.items.exists(i, i.nix)":               "column 24: undefined field 'nix'",
		"Event{kind: 'buy'} == event":                "column 6: a filter cannot make records",
		"Event{kind: 'buy'}.kind == 'b'":             "column 6: a filter cannot make records",
		"now() > time":                               "column 1: undeclared reference to 'now'",
		"event.kind == 'ü' && 1 < nix (2)":           "column 26: undeclared reference to 'nix'",
		"true &&\n dataset == 'wob'":                 `line 2, column 13: "wob" is no dataset`,
		"'wob' != dataset":                           `column 1: "wob" is no dataset of the`,
		"dataset in ['web', 'wob']":                  `column 20: "wob" is no dataset of the`,
		strings.Repeat(" ", MaxFilterLength+1) + "1": "longer than 10000 characters",
	} {
		_, err := Compile(Definition{Name: "n", Datasets: []string{"web"}, Function: Count,
			Window: "lifetime", Filter: filter}, class)
		const prefix = `attribute "n": filter`
		if err == nil || !strings.HasPrefix(err.Error(), prefix) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got  %v\n want %s", filter[:min(len(filter), 60)], err, want)
		}
	}
}

// TestAcceptedFilter: what a store remembers compiles, also where it would be refused today.
func TestAcceptedFilter(t *testing.T) {
	class := &Class{Type: typeOf(parseSchema(t, filterSchema).Root()), Accepted: true,
		Datasets: []Dataset{{Name: "web"}}}
	a := compile(t, Definition{Name: "n", Datasets: []string{"web"}, Function: Count,
		Window: "lifetime", Filter: `dataset != "wob"`}, class)
	if r := a.Read(&Event{Dataset: "web"}); !r.Counts {
		t.Errorf("got %+v", r)
	}
}

// TestFilterIsBounded proves that nested loops over a long list end, and count as a failure.
func TestFilterIsBounded(t *testing.T) {
	schema := parseSchema(t, filterSchema)
	class := &Class{Type: typeOf(schema.Root()), Datasets: []Dataset{{Name: "web"}}}
	a := compile(t, Definition{Name: "n", Datasets: []string{"web"}, Function: Count,
		Window: "lifetime",
		Filter: `event.items.all(i, event.items.all(j, event.items.all(k, i.sku != "a")))`}, class)
	items := strings.Repeat(`{"sku": "b"},`, 5000) + `{"sku": "b"}`
	body := decode(t, schema, `{"kind": "buy", "items": [`+items+`]}`)
	began := time.Now()
	if r := a.Read(&Event{Dataset: "web", Body: body}); !r.Absent || r.Counts {
		t.Errorf("got %+v", r)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestOtherDatasetsDoNotCount(t *testing.T) {
	class := randomClass(t)
	a := compile(t, Definition{Name: "n", Datasets: []string{"web"}, Function: Count,
		Window: "lifetime"}, class)
	if r := a.Read(&Event{Dataset: "app"}); r.Counts || r.Absent {
		t.Errorf("got %+v", r)
	}
}

func TestFingerprint(t *testing.T) {
	class := randomClass(t)
	base := Definition{Name: "n", Datasets: []string{"web", "app"}, Function: UniqueCount,
		Value: "kind", Window: "week"}
	of := func(change func(d *Definition)) string {
		d := base
		change(&d)
		return compile(t, d, class).Fingerprint()
	}
	same := of(func(*Definition) {})
	for what, change := range map[string]func(d *Definition){
		"name":     func(d *Definition) { d.Name = "m" },
		"datasets": func(d *Definition) { d.Datasets = []string{"app", "web"} },
		"default":  func(d *Definition) { d.MaxDistinct, d.Zone = DefaultMaxDistinct, "UTC" },
	} {
		if of(change) != same {
			t.Errorf("%s changes the fingerprint", what)
		}
	}
	for what, change := range map[string]func(d *Definition){
		"datasets":     func(d *Definition) { d.Datasets = []string{"app"} },
		"function":     func(d *Definition) { d.Function = MostFrequent },
		"value":        func(d *Definition) { d.Value = "qty" },
		"filter":       func(d *Definition) { d.Filter = "event.ok" },
		"window":       func(d *Definition) { d.Window = "month" },
		"zone":         func(d *Definition) { d.Zone = "Europe/Berlin" },
		"week start":   func(d *Definition) { d.WeekStart = "sunday" },
		"max distinct": func(d *Definition) { d.MaxDistinct = 7 },
	} {
		if of(change) == same {
			t.Errorf("%s does not change the fingerprint", what)
		}
	}
}

// TestReadersShareAnAttribute is of use under the race detector.
func TestReadersShareAnAttribute(t *testing.T) {
	schema := parseSchema(t, filterSchema)
	class := &Class{Type: typeOf(schema.Root()), Datasets: []Dataset{{Name: "web"}}}
	a := compile(t, Definition{Name: "n", Datasets: []string{"web"}, Function: Sum, Value: "amount",
		Window: "lifetime", Filter: `event.items.exists(i, i.sku.matches("^x")) && event.qty > 1`},
		class)
	body := decode(t, schema, filterEvent)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 200 {
				if r := a.Read(&Event{Dataset: "web", Body: body}); !r.Counts {
					t.Error("does not count")
				}
			}
		})
	}
	readers.Wait()
}
