package profile

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends v as plain JSON:
//
//	bytes       base64 text (RFC 4648, padded)
//	decimal     a number with all its digits
//	date        "2006-01-02"; times "15:04:05.000"
//	timestamp   RFC 3339 in UTC with the digits of its unit; a year outside 0..9999 as an integer in
//	            its unit; local timestamps without zone
//	float       the shortest text that reads back equal; NaN and infinities as text
func AppendJSON(dst []byte, v Value) []byte {
	switch v.Kind() {
	case KindNull:
		return append(dst, "null"...)
	case KindBool:
		return strconv.AppendBool(dst, v.AsBool())
	case KindInt:
		return strconv.AppendInt(dst, v.AsInt(), 10)
	case KindFloat:
		return appendFloat(dst, v.AsFloat())
	case KindString:
		return AppendString(dst, v.AsText())
	case KindBytes:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, []byte(v.AsText()))
		return append(dst, '"')
	case KindDecimal:
		return append(dst, v.AsText()...)
	case KindArray:
		return appendArray(dst, v)
	case KindObject:
		return appendObject(dst, v)
	}
	return appendTemporal(dst, v)
}

// AppendAttributes appends leaves, sorted by path, as one nested JSON object.
func AppendAttributes(dst []byte, leaves []MergedLeaf) []byte {
	dst = append(dst, '{')
	var open, segments []string // open: segments of the objects open at this point
	for i := range leaves {
		segments = leaves[i].Path.AppendSegments(segments[:0])
		parents := segments[:len(segments)-1]
		shared := commonPrefix(open, parents)
		for range len(open) - shared {
			dst = append(dst, '}')
		}
		open = open[:shared]
		if i > 0 {
			dst = append(dst, ',')
		}
		for _, segment := range parents[shared:] {
			dst = append(AppendString(dst, segment), ':', '{')
			open = append(open, segment)
		}
		dst = append(AppendString(dst, segments[len(segments)-1]), ':')
		dst = AppendJSON(dst, leaves[i].Value)
	}
	for range len(open) + 1 {
		dst = append(dst, '}')
	}
	return dst
}

func commonPrefix(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func appendFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, 64)
}

func appendArray(dst []byte, v Value) []byte {
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendJSON(dst, v.Item(i))
	}
	return append(dst, ']')
}

func appendObject(dst []byte, v Value) []byte {
	dst = append(dst, '{')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, v.Name(i)), ':')
		dst = AppendJSON(dst, v.Item(i))
	}
	return append(dst, '}')
}

// temporalForm says how a temporal kind is written.
type temporalForm struct {
	layout string
	at     func(n int64) time.Time
}

func formOf(k Kind) temporalForm {
	const dateTime = "2006-01-02T15:04:05"
	switch k {
	case KindDate:
		return temporalForm{"2006-01-02", func(n int64) time.Time { return time.Unix(n*86400, 0) }}
	case KindTimeMillis:
		return temporalForm{"15:04:05.000", time.UnixMilli}
	case KindTimeMicros:
		return temporalForm{"15:04:05.000000", time.UnixMicro}
	case KindTimestampMillis:
		return temporalForm{dateTime + ".000Z", time.UnixMilli}
	case KindTimestampMicros:
		return temporalForm{dateTime + ".000000Z", time.UnixMicro}
	case KindTimestampNanos:
		return temporalForm{dateTime + ".000000000Z", unixNano}
	case KindLocalMillis:
		return temporalForm{dateTime + ".000", time.UnixMilli}
	case KindLocalMicros:
		return temporalForm{dateTime + ".000000", time.UnixMicro}
	}
	return temporalForm{dateTime + ".000000000", unixNano}
}

func unixNano(n int64) time.Time { return time.Unix(0, n) }

func appendTemporal(dst []byte, v Value) []byte {
	form := formOf(v.Kind())
	at := form.at(v.AsInt()).UTC()
	if year := at.Year(); year < 0 || year > 9999 {
		return strconv.AppendInt(dst, v.AsInt(), 10)
	}
	dst = append(dst, '"')
	dst = at.AppendFormat(dst, form.layout)
	return append(dst, '"')
}

// AppendString appends s as a JSON string (RFC 8259). Invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = appendEscape(append(dst, s[start:i]...), c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(append(dst, s[start:i]...), "\ufffd"...)
			start = i + 1
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
