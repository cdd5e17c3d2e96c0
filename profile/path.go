package profile

import (
	"strings"
)

// Path addresses a place in a record: segments (field names and map keys) in an encoding whose byte
// order keeps a subtree together: a parent sorts directly before all its descendants.
//
// Encoding: segments joined by 0x00; within a segment 0x00 is written 0x01 0x01 and 0x01 is written
// 0x01 0x02, so that map keys may hold any character. The empty path is the record itself.
type Path string

const pathSeparator = "\x00"

var (
	segmentEscaper   = strings.NewReplacer("\x00", "\x01\x01", "\x01", "\x01\x02")
	segmentUnescaper = strings.NewReplacer("\x01\x01", "\x00", "\x01\x02", "\x01")
)

// MakePath builds a path from segments.
func MakePath(segments ...string) Path {
	var p Path
	for i, segment := range segments {
		if i == 0 {
			p = Path(escapeSegment(segment))
			continue
		}
		p = p.Child(segment)
	}
	return p
}

// ParsePath reads the dotted notation of configuration files and headers. A dot or backslash within
// a segment is written with a backslash before it.
func ParsePath(dotted string) Path {
	if dotted == "" {
		return ""
	}
	var segments []string
	var current strings.Builder
	escaped := false
	for _, r := range dotted {
		switch {
		case escaped:
			current.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == '.':
			segments = append(segments, current.String())
			current.Reset()
		default:
			current.WriteRune(r)
		}
	}
	return MakePath(append(segments, current.String())...)
}

// Child returns the path one segment below p.
func (p Path) Child(segment string) Path {
	if p == "" {
		return Path(escapeSegment(segment))
	}
	return p + pathSeparator + Path(escapeSegment(segment))
}

// Segments returns the segments of p, none for the record itself.
func (p Path) Segments() []string {
	if p == "" {
		return nil
	}
	return p.AppendSegments(make([]string, 0, strings.Count(string(p), pathSeparator)+1))
}

// AppendSegments appends the segments of p to dst.
func (p Path) AppendSegments(dst []string) []string {
	for rest, more := string(p), p != ""; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, pathSeparator)
		if strings.IndexByte(segment, 1) >= 0 {
			segment = segmentUnescaper.Replace(segment)
		}
		dst = append(dst, segment)
	}
	return dst
}

// String gives the dotted notation that [ParsePath] reads.
func (p Path) String() string {
	segments := p.Segments()
	for i, segment := range segments {
		if strings.ContainsAny(segment, `.\`) {
			segment = strings.ReplaceAll(segment, `\`, `\\`)
			segments[i] = strings.ReplaceAll(segment, ".", `\.`)
		}
	}
	return strings.Join(segments, ".")
}

// Contains reports whether q is p itself or lies below it. The empty path contains everything.
func (p Path) Contains(q Path) bool {
	if p == "" || p == q {
		return true
	}
	return len(q) > len(p) && q[len(p)] == 0 && q[:len(p)] == p
}

// Rebase replaces the leading from of p by to. ok is false where p does not lie in from.
func (p Path) Rebase(from, to Path) (moved Path, ok bool) {
	if !from.Contains(p) {
		return p, false
	}
	return to + p[len(from):], true
}

func escapeSegment(segment string) string {
	if strings.IndexByte(segment, 0) < 0 && strings.IndexByte(segment, 1) < 0 {
		return segment
	}
	return segmentEscaper.Replace(segment)
}
