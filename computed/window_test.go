package computed

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestCalendar holds the bounds of periods against what the zones' own rules say.
func TestCalendar(t *testing.T) {
	for _, c := range []struct {
		why, window, zone, weekStart, now, from, to string
	}{
		{"a plain day", "day", "", "", "2026-05-05T12:00:00Z",
			"2026-05-05T00:00:00Z", "2026-05-06T00:00:00Z"},
		{"its first instant", "day", "Europe/Berlin", "", "2026-05-04T22:00:00Z",
			"2026-05-04T22:00:00Z", "2026-05-05T22:00:00Z"},
		{"its last instant", "day", "Europe/Berlin", "", "2026-05-05T21:59:59.999999999Z",
			"2026-05-04T22:00:00Z", "2026-05-05T22:00:00Z"},
		{"23 hours", "day", "Europe/Berlin", "", "2026-03-29T12:00:00Z",
			"2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"25 hours", "day", "Europe/Berlin", "", "2026-10-25T12:00:00Z",
			"2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
		{"half hours", "day", "Asia/Kathmandu", "", "2026-05-05T12:00:00Z",
			"2026-05-04T18:15:00Z", "2026-05-05T18:15:00Z"},
		{"a change of half an hour", "day", "Australia/Lord_Howe", "", "2026-04-05T00:00:00Z",
			"2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"},
		{"midnight is skipped", "day", "America/Sao_Paulo", "", "2018-11-04T12:00:00Z",
			"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"midnight is put back to 23:00", "day", "America/Sao_Paulo", "", "2018-02-18T02:30:00Z",
			"2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"},
		{"midnight comes twice", "day", "America/Havana", "", "2026-11-01T05:30:00Z",
			"2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"a day begins, and the one before is shown again", "day", "America/Goose_Bay", "",
			"2010-11-07T03:10:00Z", "2010-11-07T03:00:00Z", "2010-11-08T04:00:00Z"},
		{"the day before that", "day", "America/Goose_Bay", "", "2010-11-07T02:59:59Z",
			"2010-11-06T03:00:00Z", "2010-11-07T03:00:00Z"},
		{"30 December was left out", "day", "Pacific/Apia", "", "2011-12-31T00:00:00Z",
			"2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		{"the day before that", "day", "Pacific/Apia", "", "2011-12-30T09:59:59Z",
			"2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"Monday", "week", "", "", "2026-05-05T12:00:00Z",
			"2026-05-04T00:00:00Z", "2026-05-11T00:00:00Z"},
		{"Sunday", "week", "", "sunday", "2026-05-05T12:00:00Z",
			"2026-05-03T00:00:00Z", "2026-05-10T00:00:00Z"},
		{"the day itself", "week", "", "Tuesday", "2026-05-05T12:00:00Z",
			"2026-05-05T00:00:00Z", "2026-05-12T00:00:00Z"},
		{"the day after", "week", "", "wednesday", "2026-05-05T12:00:00Z",
			"2026-04-29T00:00:00Z", "2026-05-06T00:00:00Z"},
		{"over the new year", "week", "", "", "2027-01-01T12:00:00Z",
			"2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"},
		{"with a change of clocks", "week", "America/New_York", "", "2026-03-08T12:00:00Z",
			"2026-03-02T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"February", "month", "", "", "2026-02-28T23:59:59.999999999Z",
			"2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"February of a leap year", "month", "", "", "2028-02-29T12:00:00Z",
			"2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"December", "month", "", "", "2026-12-31T12:00:00Z",
			"2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"with a change of clocks", "month", "Europe/Berlin", "", "2026-03-31T21:59:59Z",
			"2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"},
	} {
		t.Run(c.window+" "+c.zone+" "+c.why, func(t *testing.T) {
			w := mustWindow(t, &Definition{Window: c.window, Zone: c.zone, WeekStart: c.weekStart})
			want := Span{instant(t, c.from), instant(t, c.to)}
			if got := w.span(instant(t, c.now)); got != want {
				t.Errorf("got %s to %s", utc(got.From), utc(got.To))
			}
		})
	}
}

func utc(at int64) string { return time.Unix(0, at).UTC().Format(time.RFC3339Nano) }

func mustWindow(t *testing.T, def *Definition) *window {
	t.Helper()
	w, key, err := parseWindow(def)
	if err != nil {
		t.Fatal(key, err)
	}
	return w
}

// TestPeriodsTile proves of zones with odd rules that every instant lies in exactly one period, and
// that no period is longer than what retentions are checked against.
func TestPeriodsTile(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "America/Havana",
		"America/Goose_Bay", "Pacific/Apia", "Australia/Lord_Howe", "Asia/Kathmandu",
		"Africa/Casablanca", "Asia/Gaza", "Antarctica/Troll"} {
		for _, kind := range []string{"day", "week", "month"} {
			w := mustWindow(t, &Definition{Window: kind, Zone: zone})
			for range 200 {
				now := random.Int64N(2_000_000_000) * 1e9
				span := w.span(now)
				after := w.span(span.To)
				if !span.Contains(now) || w.span(span.From) != span ||
					w.span(span.To-1) != span || after.From != span.To {
					t.Fatalf("%s %s at %s: %s to %s, then from %s", kind, zone, utc(now),
						utc(span.From), utc(span.To), utc(after.From))
				}
				if time.Duration(span.To-span.From) > w.reach() {
					t.Errorf("%s %s at %s reaches %s", kind, zone, utc(now),
						time.Duration(span.To-span.From))
				}
			}
		}
	}
}

func TestRollingSpan(t *testing.T) {
	w := mustWindow(t, &Definition{Window: "36h"})
	hour := int64(time.Hour)
	if got, want := w.span(100*hour), (Span{64*hour + 1, 100*hour + 1}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, now := range []int64{math.MinInt64, math.MinInt64 + 1, math.MaxInt64} {
		if got := w.span(now); got.Empty() || got.From > now {
			t.Errorf("at %d: %v", now, got)
		}
	}
	if got := w.leaves(math.MaxInt64 - 5); got != Never {
		t.Errorf("leaves at %d", got)
	}
}
