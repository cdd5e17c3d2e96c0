package schemas

import (
	"strconv"
)

// canonicalForm gives Avro's Parsing Canonical Form of a schema: full names, only what matters to
// the binary encoding, in fixed order. goavro's own form joins nested namespaces wrongly.
func canonicalForm(t *Type) []byte {
	return appendCanonical(nil, t, map[string]bool{})
}

func appendCanonical(dst []byte, t *Type, seen map[string]bool) []byte {
	switch t.union {
	case unionNullFirst:
		dst = append(dst, `["null",`...)
		return append(appendCanonicalValue(dst, t, seen), ']')
	case unionNullLast:
		dst = append(dst, '[')
		return append(appendCanonicalValue(dst, t, seen), `,"null"]`...)
	case unionSingle:
		dst = append(dst, '[')
		return append(appendCanonicalValue(dst, t, seen), ']')
	}
	return appendCanonicalValue(dst, t, seen)
}

// appendCanonicalValue writes the type without its union. Names need no escapes.
func appendCanonicalValue(dst []byte, t *Type, seen map[string]bool) []byte {
	switch t.Kind {
	case KindArray:
		dst = append(dst, `{"type":"array","items":`...)
		return append(appendCanonical(dst, t.Items, seen), '}')
	case KindMap:
		dst = append(dst, `{"type":"map","values":`...)
		return append(appendCanonical(dst, t.Items, seen), '}')
	case KindRecord, KindEnum, KindFixed:
		return appendCanonicalNamed(dst, t, seen)
	case KindUnion:
		dst = append(dst, '[')
		for i, branch := range t.Branches {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendCanonical(dst, branch, seen)
		}
		return append(dst, ']')
	}
	return strconv.AppendQuote(dst, t.Kind.String())
}

func appendCanonicalNamed(dst []byte, t *Type, seen map[string]bool) []byte {
	if seen[t.Name] {
		return strconv.AppendQuote(dst, t.Name)
	}
	seen[t.Name] = true
	dst = strconv.AppendQuote(append(dst, `{"name":`...), t.Name)
	dst = strconv.AppendQuote(append(dst, `,"type":`...), t.Kind.String())
	switch t.Kind {
	case KindEnum:
		dst = appendQuoted(append(dst, `,"symbols":[`...), t.Symbols)
		dst = append(dst, ']')
	case KindFixed:
		dst = strconv.AppendInt(append(dst, `,"size":`...), int64(t.Size), 10)
	case KindRecord:
		dst = append(dst, `,"fields":[`...)
		for i, f := range t.Fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendQuote(append(dst, `{"name":`...), f.Name)
			dst = appendCanonical(append(dst, `,"type":`...), f.Type, seen)
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func appendQuoted(dst []byte, texts []string) []byte {
	for i, text := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendQuote(dst, text)
	}
	return dst
}

// rabin is CRC-64-AVRO, bit by bit as the Avro specification defines it; it runs once per schema.
func rabin(data []byte) uint64 {
	const empty = 0xc15d213aa4d7a795
	crc := uint64(empty)
	for _, b := range data {
		crc ^= uint64(b)
		for range 8 {
			crc = crc>>1 ^ empty&-(crc&1)
		}
	}
	return crc
}
