package computed

import (
	"math"
	"time"
)

// date is a day of the calendar, whatever the zone. Its fields may be out of range, as those of
// time.Date.
type date struct {
	year  int
	month time.Month
	day   int
}

// period is the day, week or month that now lies in.
//
// A period begins at the first instant at which the clocks of the zone show its first day, and ends
// where the next one begins. So periods never overlap and leave nothing out, also where clocks jump
// over midnight, pass it twice, or leave out a day.
func (w *window) period(now int64) Span {
	year, month, day := time.Unix(0, now).In(w.zone).Date()
	d := w.first(date{year, month, day})
	next := w.next(d)
	if end := w.begins(next); end <= now {
		// Clocks that were set back show the last day once more after the next had begun.
		return Span{end, w.begins(w.next(next))}
	}
	return Span{w.begins(d), w.begins(next)}
}

// first is the first day of the period that d lies in.
func (w *window) first(d date) date {
	switch w.kind {
	case calendarWeek:
		weekday := time.Date(d.year, d.month, d.day, 12, 0, 0, 0, time.UTC).Weekday()
		d.day -= int(weekday-w.weekStart+7) % 7
	case calendarMonth:
		d.day = 1
	}
	return d
}

// next is the first day of the period after the one that begins with d.
func (w *window) next(d date) date {
	switch w.kind {
	case calendarWeek:
		d.day += 7
	case calendarMonth:
		d.month++
	default:
		d.day++
	}
	return d
}

// begins is the first instant at which clocks show day d or a later one.
func (w *window) begins(d date) int64 {
	wall := time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC).Unix()
	// Offsets from UTC are well below two days, so clocks are before midnight here.
	at := time.Unix(wall-2*86_400, 0).In(w.zone)
	for {
		_, offset := at.Zone()
		start, end := at.ZoneBounds()
		first := wall - int64(offset)
		if !start.IsZero() {
			first = max(first, start.Unix())
		}
		if end.IsZero() || first < end.Unix() {
			return unixNano(first)
		}
		at = end
	}
}

// unixNano turns seconds into nanoseconds; what is out of range becomes the end of the range.
func unixNano(seconds int64) int64 {
	const scale = int64(time.Second)
	switch {
	case seconds > math.MaxInt64/scale:
		return math.MaxInt64
	case seconds < math.MinInt64/scale:
		return math.MinInt64
	}
	return seconds * scale
}
