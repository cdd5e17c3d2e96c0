package schemas

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// JSONMember is one member of a JSON object, not looked into.
type JSONMember struct {
	Name   string
	Text   []byte // the value: JSON text, part of what was read
	Offset int64  // of Text, in bytes
}

// JSONMembers takes a JSON object apart, for envelopes around records. Errors are [MalformedError],
// for the whole text is checked, or [ViolationError] where it is no object.
func JSONMembers(data []byte) ([]JSONMember, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data))
	if kind := dec.PeekKind(); kind != '{' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, malformedJSON(dec, err)
		}
		return nil, &ViolationError{Wanted: "object", Found: JSONKind(value)}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, malformedJSON(dec, err)
	}
	var members []JSONMember
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, malformedJSON(dec, err)
		}
		text := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return nil, malformedJSON(dec, err)
		}
		end := dec.InputOffset()
		start := end - int64(len(value))
		members = append(members, JSONMember{Name: text, Text: data[start:end], Offset: start})
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, malformedJSON(dec, err)
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		if err == nil {
			err = errors.New("trailing")
		}
		return nil, malformedJSON(dec, err)
	}
	return members, nil
}

// JSONKind names what a JSON text is, for messages: "object", "string", "null" ...
func JSONKind(text []byte) string {
	switch jsontext.Value(text).Kind() {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case '0':
		return "number"
	case 'n':
		return foundNull
	case 't', 'f':
		return "boolean"
	}
	return foundMissing
}

// JSONString gives the contents of a JSON string. ok is false where the text is none.
func JSONString(text []byte) (contents string, ok bool) {
	if JSONKind(text) != "string" {
		return "", false
	}
	raw, err := jsontext.AppendUnquote(nil, text)
	return string(raw), err == nil
}
