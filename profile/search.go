package profile

import (
	"bytes"
	"encoding/json"
)

// Needle is a value in the forms in which bytes of any kind may hold it, to be looked for whatever
// the case of ASCII letters. A short value is only looked for as the whole of a text, for it is
// part of many things by chance.
type Needle struct{ forms [][]byte }

// minPart is how long a value must be, in bytes, to be looked for as a part of a text.
const minPart = 6

// NewNeedle returns the needle of a value; more are further forms, of the caller's encodings.
func NewNeedle(value string, more ...[]byte) Needle {
	standard, _ := json.Marshal(value) // a text always marshals
	quoted := [][]byte{AppendString(nil, value), standard}
	var n Needle
	for _, form := range quoted {
		if len(value) >= minPart {
			form = form[1 : len(form)-1]
		}
		n.forms = append(n.forms, AppendLower(nil, form))
	}
	if len(value) >= minPart {
		n.forms = append(n.forms, AppendLower(nil, []byte(value)))
	}
	for _, form := range more {
		n.forms = append(n.forms, AppendLower(nil, form))
	}
	return n
}

// Short reports whether a value is only found where it is the whole of a text.
func Short(value string) bool { return len(value) < minPart }

// In reports whether text, which [AppendLower] has put in lower case, holds the value.
func (n Needle) In(text []byte) bool {
	for _, form := range n.forms {
		if bytes.Contains(text, form) {
			return true
		}
	}
	return false
}

// AppendLower appends bytes with ASCII letters in lower case, also where they are no text.
func AppendLower(dst, text []byte) []byte {
	for _, b := range text {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		dst = append(dst, b)
	}
	return dst
}
