package schemas

import (
	"strconv"
	"strings"
)

// The names of the union's types: in the namespace selfsame.<class>.<path>, a place has at most one
// named type, so a path gives a name, the same whichever datasets there are.
const (
	unionNamespace = "selfsame"
	recordName     = "Record"
)

// unionText writes the canonical text of a union.
func unionText(class string, root *merged) []byte {
	return appendMerged(nil, root, unionNamespace+"."+avroName(class))
}

// MakeName makes a name that Avro accepts of any text.
func MakeName(text string) string { return avroName(text) }

// ValidName reports whether a text is a name that Avro accepts: letters, digits and _, no digit
// first.
func ValidName(text string) bool { return validName(text) }

// avroName makes a name that Avro accepts.
func avroName(name string) string {
	valid := strings.Map(func(r rune) rune {
		if r < 128 && validName("_"+string(r)) {
			return r
		}
		return '_'
	}, name)
	if !validName(valid) {
		return "_" + valid
	}
	return valid
}

// appendMerged writes the type of a place, without null. The type of array items and map values is
// named after the array or map.
func appendMerged(dst []byte, m *merged, namespace string) []byte {
	switch m.typ.Kind {
	case KindRecord:
		return appendMergedRecord(dst, m, namespace)
	case KindArray:
		dst = append(dst, `{"type":"array","items":`...)
		return append(appendMergedItems(dst, m.items, namespace), '}')
	case KindMap:
		dst = append(dst, `{"type":"map","values":`...)
		return append(appendMergedItems(dst, m.items, namespace), '}')
	case KindEnum:
		dst = appendMergedName(dst, "Enum", KindEnum, namespace)
		dst = appendQuoted(append(dst, `,"symbols":[`...), m.typ.Symbols)
		return append(dst, `]}`...)
	case KindFixed:
		dst = appendMergedName(dst, "Fixed", KindFixed, namespace)
		dst = strconv.AppendInt(append(dst, `,"size":`...), int64(m.typ.Size), 10)
		return append(appendMergedLogical(dst, &m.typ), '}')
	}
	if m.typ.Logical == "" {
		return strconv.AppendQuote(dst, m.typ.Kind.String())
	}
	dst = strconv.AppendQuote(append(dst, `{"type":`...), m.typ.Kind.String())
	return append(appendMergedLogical(dst, &m.typ), '}')
}

func appendMergedRecord(dst []byte, m *merged, namespace string) []byte {
	dst = append(appendMergedName(dst, recordName, KindRecord, namespace), `,"fields":[`...)
	for i, f := range m.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendQuote(append(dst, `{"name":`...), f.name)
		dst = appendMerged(append(dst, `,"type":["null",`...), f, namespace+"."+f.name)
		dst = append(dst, `],"default":null`...)
		if f.deprecated && !m.deprecated {
			dst = append(dst, `,"deprecated":true`...)
		}
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

func appendMergedItems(dst []byte, items *merged, namespace string) []byte {
	if !items.typ.Nullable {
		return appendMerged(dst, items, namespace)
	}
	dst = append(dst, `["null",`...)
	return append(appendMerged(dst, items, namespace), ']')
}

// appendMergedName opens the object of a named type.
func appendMergedName(dst []byte, name string, kind Kind, namespace string) []byte {
	dst = strconv.AppendQuote(append(dst, `{"type":`...), kind.String())
	dst = strconv.AppendQuote(append(dst, `,"name":`...), namespace+"."+name)
	return dst
}

func appendMergedLogical(dst []byte, t *Type) []byte {
	if t.Logical == "" {
		return dst
	}
	dst = strconv.AppendQuote(append(dst, `,"logicalType":`...), t.Logical)
	if t.Logical == logicalDecimal {
		dst = strconv.AppendInt(append(dst, `,"precision":`...), int64(t.Precision), 10)
		dst = strconv.AppendInt(append(dst, `,"scale":`...), int64(t.Scale), 10)
	}
	return dst
}
