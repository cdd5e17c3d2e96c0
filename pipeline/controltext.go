package pipeline

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"unicode/utf8"
)

// controlFields are the names of the fields of a control record.
func controlFields() map[string]bool {
	names := map[string]bool{}
	for field := range reflect.TypeFor[Control]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names[name] = true
	}
	return names
}

// checkControlText refuses what the JSON decoder lets pass in a record that it has read: a name
// twice, a name in other letters, bytes and escapes that are no Unicode. Two readers of such a
// record could take it for different orders.
func checkControlText(value []byte) *Rejection {
	if !utf8.Valid(value) {
		return &Rejection{Reason: ReasonMalformed, Wanted: "UTF-8", Found: "other bytes"}
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	_, _ = decoder.Token() // the brace; the decoder has read the whole before
	known, seen := controlFields(), map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return &Rejection{Reason: ReasonMalformed, Wanted: "one JSON object",
				Found: "something else"}
		}
		if !known[name] {
			return &Rejection{Reason: ReasonSchemaViolation,
				Wanted: "the fields of a control record", Found: "an unknown field"}
		}
		if seen[name] {
			return &Rejection{Reason: ReasonMalformed, Path: name, Wanted: "each field once",
				Found: "a field twice"}
		}
		seen[name] = true
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return &Rejection{Reason: ReasonMalformed, Wanted: "one JSON object",
				Found: "something else"}
		}
		var text string
		if json.Unmarshal(raw, &text) == nil && strings.ContainsRune(text, utf8.RuneError) {
			return &Rejection{Reason: ReasonMalformed, Path: name, Wanted: "Unicode",
				Found: "half of a surrogate pair, or a replacement character"}
		}
	}
	return nil
}
