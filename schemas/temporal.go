package schemas

import (
	"time"

	"selfsame/profile"
)

const (
	secondsPerDay = 86400
	nanosPerSec   = 1e9
)

// moment is a date and time of day, or either alone.
type moment struct {
	seconds int64 // since the epoch, or since midnight
	nanos   int64
	finer   bool // there is something beyond the nanosecond
}

// temporalFromText reads the text form of a date, time or timestamp; what is finer than the unit of
// the type is refused, not cut off.
func temporalFromText(t *Type, text []byte) (profile.Value, error) {
	m, ok := readMoment(t.value, text)
	if !ok {
		return profile.Value{}, mismatch(t, "string of another form")
	}
	if t.value == profile.KindDate {
		return profile.Temporal(t.value, m.seconds/secondsPerDay), nil
	}
	units := unitsPerSecond(t.value)
	if m.finer || m.nanos%(nanosPerSec/units) != 0 {
		return profile.Value{}, mismatch(t, "string finer than "+unitName(units))
	}
	rest := m.nanos / (nanosPerSec / units)
	n := m.seconds*units + rest
	if units == nanosPerSec && (n-rest)/units != m.seconds || (n < 0) != (m.seconds < 0) {
		return profile.Value{}, mismatch(t, "string out of range")
	}
	return profile.Temporal(t.value, n), nil
}

func readMoment(kind profile.Kind, text []byte) (m moment, ok bool) {
	switch kind {
	case profile.KindDate:
		days, rest, ok := readDate(text)
		return moment{seconds: days * secondsPerDay}, ok && len(rest) == 0
	case profile.KindTimeMillis, profile.KindTimeMicros:
		m, rest, ok := readClock(text)
		return m, ok && len(rest) == 0
	}
	days, rest, ok := readDate(text)
	if !ok || len(rest) == 0 || rest[0] != 'T' && rest[0] != 't' {
		return m, false
	}
	m, rest, ok = readClock(rest[1:])
	if !ok {
		return m, false
	}
	m.seconds += days * secondsPerDay
	switch kind {
	case profile.KindLocalMillis, profile.KindLocalMicros, profile.KindLocalNanos:
		return m, len(rest) == 0
	}
	east, ok := readOffset(rest)
	m.seconds -= east
	return m, ok
}

// readDate reads YYYY-MM-DD as days since the epoch.
func readDate(text []byte) (days int64, rest []byte, ok bool) {
	if len(text) < 10 || text[4] != '-' || text[7] != '-' {
		return 0, nil, false
	}
	year, okYear := readDigits(text[:4])
	month, okMonth := readDigits(text[5:7])
	day, okDay := readDigits(text[8:10])
	if !okYear || !okMonth || !okDay {
		return 0, nil, false
	}
	date := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if date.Month() != time.Month(month) || date.Day() != day {
		return 0, nil, false
	}
	return date.Unix() / secondsPerDay, text[10:], true
}

// readClock reads HH:MM:SS with an optional fraction.
func readClock(text []byte) (m moment, rest []byte, ok bool) {
	if len(text) < 8 || text[2] != ':' || text[5] != ':' {
		return m, nil, false
	}
	hour, okHour := readDigits(text[:2])
	minute, okMinute := readDigits(text[3:5])
	second, okSecond := readDigits(text[6:8])
	if !okHour || !okMinute || !okSecond || hour > 23 || minute > 59 || second > 59 {
		return m, nil, false
	}
	m.seconds = int64(hour)*3600 + int64(minute)*60 + int64(second)
	rest = text[8:]
	if len(rest) == 0 || rest[0] != '.' {
		return m, rest, true
	}
	return readFraction(m, rest[1:])
}

func readFraction(m moment, text []byte) (moment, []byte, bool) {
	i := 0
	for unit := int64(nanosPerSec / 10); i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
		digit := int64(text[i] - '0')
		m.nanos += digit * unit
		m.finer = m.finer || unit == 0 && digit != 0
		unit /= 10
	}
	return m, text[i:], i > 0
}

// readOffset reads Z, +HH:MM or -HH:MM as seconds east of UTC.
func readOffset(text []byte) (east int64, ok bool) {
	if len(text) == 1 && (text[0] == 'Z' || text[0] == 'z') {
		return 0, true
	}
	if len(text) != 6 || text[3] != ':' || text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	hour, okHour := readDigits(text[1:3])
	minute, okMinute := readDigits(text[4:6])
	if !okHour || !okMinute || hour > 23 || minute > 59 {
		return 0, false
	}
	east = int64(hour)*3600 + int64(minute)*60
	if text[0] == '-' {
		east = -east
	}
	return east, true
}

func readDigits(text []byte) (n int, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

func unitsPerSecond(kind profile.Kind) int64 {
	switch kind {
	case profile.KindTimeMillis, profile.KindTimestampMillis, profile.KindLocalMillis:
		return 1e3
	case profile.KindTimeMicros, profile.KindTimestampMicros, profile.KindLocalMicros:
		return 1e6
	}
	return nanosPerSec
}

func unitName(perSecond int64) string {
	switch perSecond {
	case 1e3:
		return "milliseconds"
	case 1e6:
		return "microseconds"
	}
	return "nanoseconds"
}
