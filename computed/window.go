package computed

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones are there on machines without a zone database
)

// Never is the instant that does not come.
const Never = math.MaxInt64

// Span is a range of instants, from From up to but without To, in nanoseconds since the epoch.
type Span struct {
	From, To int64
}

// Contains reports whether the instant lies in s.
func (s Span) Contains(t int64) bool { return s.From <= t && t < s.To }

// Empty reports whether no instant lies in s.
func (s Span) Empty() bool { return s.From >= s.To }

func (s Span) overlaps(t Span) bool { return max(s.From, t.From) < min(s.To, t.To) }

// windowKind tells windows apart.
type windowKind uint8

const (
	lifetime windowKind = iota
	rolling
	calendarDay
	calendarWeek
	calendarMonth
)

// window says which instants count at a moment.
type window struct {
	kind      windowKind
	length    int64 // of a rolling one, in nanoseconds
	zone      *time.Location
	weekStart time.Weekday
}

// MinRolling is the shortest rolling window: timers are worked off within about that.
const MinRolling = time.Second

// maxRolling bounds rolling windows: a hundred years.
const maxRolling = 36_525 * 24 * time.Hour

// parseWindow reads the window of a definition. key is the one that is wrong.
func parseWindow(def *Definition) (w *window, key string, err error) {
	w = &window{zone: time.UTC, weekStart: time.Monday}
	switch text := strings.TrimSpace(def.Window); text {
	case "lifetime":
	case "day":
		w.kind = calendarDay
	case "week":
		w.kind = calendarWeek
	case "month":
		w.kind = calendarMonth
	default:
		w.kind = rolling
		if w.length, err = parseLength(text); err != nil {
			return nil, "window", err
		}
	}
	if def.Zone != "" {
		if w.kind < calendarDay {
			return nil, "zone", errors.New("only day, week and month have one")
		}
		if w.zone, err = loadZone(def.Zone); err != nil {
			return nil, "zone", err
		}
	}
	if def.WeekStart != "" {
		if w.kind != calendarWeek {
			return nil, "week_start", errors.New("only the window week has one")
		}
		if w.weekStart, err = parseWeekday(def.WeekStart); err != nil {
			return nil, "week_start", err
		}
	}
	return w, "", nil
}

func parseLength(text string) (int64, error) {
	is := "is missing"
	if text != "" {
		is = strconv.Quote(text) + " is no window"
	}
	wrong := errors.New(is + ": want lifetime, day, week, month, or a duration such as 36h or 30d")
	var d time.Duration
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		if err != nil {
			return 0, wrong
		}
		d = time.Duration(min(n, int64(maxRolling/(24*time.Hour))+1)) * 24 * time.Hour
	} else {
		var err error
		if d, err = time.ParseDuration(text); err != nil {
			return 0, wrong
		}
	}
	if d < MinRolling || d > maxRolling {
		return 0, fmt.Errorf("%q is no length of a window: want %s to %s", text, MinRolling,
			hours(maxRolling))
	}
	return int64(d), nil
}

// loadZone finds a zone by name. "Local" would be that of the machine.
func loadZone(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, errors.New("want the name of a zone, such as Europe/Berlin, not Local")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("there is no time zone %q: want a name such as Europe/Berlin", name)
	}
	return zone, nil
}

func parseWeekday(name string) (time.Weekday, error) {
	for day := time.Sunday; day <= time.Saturday; day++ {
		if strings.EqualFold(day.String(), name) {
			return day, nil
		}
	}
	return 0, fmt.Errorf("%q is no day of the week: want one such as monday", name)
}

// reach is how far back the window can look, with room for clocks that are set back.
func (w *window) reach() time.Duration {
	const day = 24 * time.Hour
	switch w.kind {
	case rolling:
		return time.Duration(w.length)
	case calendarDay:
		return day + 2*time.Hour
	case calendarWeek:
		return 7*day + 2*time.Hour
	case calendarMonth:
		return 31*day + 2*time.Hour
	}
	return 0
}

// span is which instants count at now.
func (w *window) span(now int64) Span {
	switch w.kind {
	case lifetime:
		return Span{math.MinInt64, math.MaxInt64}
	case rolling:
		to := now
		if now < math.MaxInt64 {
			to++
		}
		if now < math.MinInt64+w.length {
			return Span{math.MinInt64, to}
		}
		return Span{now - w.length + 1, to}
	}
	return w.period(now)
}

// leaves is the instant at which an event of time t drops out of a rolling window.
func (w *window) leaves(t int64) int64 {
	if t > math.MaxInt64-w.length {
		return Never
	}
	return t + w.length
}
