package retail

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
)

// oracle reads messages by way of goavro and a plain reading of the schemas.
type oracle struct {
	codecs  map[string]*goavro.Codec
	schemas map[string]any
}

func newOracle(t *testing.T) *oracle {
	o := &oracle{codecs: map[string]*goavro.Codec{}, schemas: map[string]any{}}
	for _, dataset := range []string{"crm", "loyalty", "web", "till"} {
		text, err := fs.ReadFile(Schemas(), "schemas/"+dataset+".avsc")
		if err != nil {
			t.Fatal(err)
		}
		if o.codecs[dataset], err = goavro.NewCodec(string(text)); err != nil {
			t.Fatalf("%s: %v", dataset, err)
		}
		var schema any
		if err := json.Unmarshal(text, &schema); err != nil {
			t.Fatalf("%s: %v", dataset, err)
		}
		o.schemas[dataset] = schema
	}
	return o
}

// read checks m against its schema and returns its fields, amounts and times as goavro has them.
func (o *oracle) read(m Message) (map[string]any, error) {
	codec := o.codecs[m.Dataset]
	if m.Dataset == "till" {
		native, rest, err := codec.NativeFromBinary(m.Value)
		if err != nil || len(rest) > 0 {
			return nil, fmt.Errorf("%d bytes left, %w", len(rest), err)
		}
		return native.(map[string]any), nil
	}
	decoder := json.NewDecoder(bytes.NewReader(m.Value))
	decoder.UseNumber()
	var plain map[string]any
	if err := decoder.Decode(&plain); err != nil {
		return nil, err
	}
	native, err := nativeOf(o.schemas[m.Dataset], plain)
	if err != nil {
		return nil, err
	}
	_, err = codec.BinaryFromNative(nil, native)
	return plain, err
}

// nativeOf brings plain JSON to the form that goavro encodes: unions wrapped, numbers typed.
func nativeOf(schema, plain any) (any, error) {
	switch s := schema.(type) {
	case string:
		return primitive(s, plain)
	case []any: // ["null", T]
		if plain == nil {
			return nil, nil
		}
		native, err := nativeOf(s[1], plain)
		return goavro.Union(unionName(s[1]), native), err
	case map[string]any:
		return complexOf(s, plain)
	}
	return nil, fmt.Errorf("schema %v", schema)
}

func unionName(schema any) string {
	s, ok := schema.(map[string]any)
	if !ok {
		return schema.(string)
	}
	if logical, ok := s["logicalType"]; ok {
		return fmt.Sprintf("%s.%s", s["type"], logical)
	}
	if name, ok := s["name"]; ok {
		return namespaceOf[name.(string)] + name.(string)
	}
	return s["type"].(string)
}

var namespaceOf = map[string]string{"Name": "shop.crm.", "Address": "shop.crm.",
	"Tier": "shop.loyalty.", "User": "shop.web.", "Page": "shop.web."}

func primitive(name string, plain any) (any, error) {
	switch v := plain.(type) {
	case string:
		if name == "string" {
			return v, nil
		}
	case bool:
		if name == "boolean" {
			return v, nil
		}
	case json.Number:
		if name == "int" || name == "long" {
			return v.Int64()
		}
	}
	return nil, fmt.Errorf("%T is no %s", plain, name)
}

func complexOf(s map[string]any, plain any) (any, error) {
	number, _ := plain.(json.Number)
	switch s["logicalType"] {
	case "decimal":
		amount, ok := new(big.Rat).SetString(number.String())
		if !ok {
			return nil, fmt.Errorf("%v is no decimal", plain)
		}
		return amount, nil
	case "timestamp-millis":
		ms, err := number.Int64()
		return time.UnixMilli(ms), err
	}
	switch s["type"] {
	case "enum":
		return primitive("string", plain)
	case "array":
		return arrayOf(s["items"], plain)
	case "map":
		return mapOf(plain, func(string) (any, bool) { return s["values"], true })
	}
	return mapOf(plain, func(key string) (any, bool) {
		for _, field := range s["fields"].([]any) {
			if f := field.(map[string]any); f["name"] == key {
				return f["type"], true
			}
		}
		return nil, false
	})
}

func arrayOf(items, plain any) (any, error) {
	elements, ok := plain.([]any)
	if !ok {
		return nil, fmt.Errorf("%T is no array", plain)
	}
	natives := make([]any, len(elements))
	for i, element := range elements {
		native, err := nativeOf(items, element)
		if err != nil {
			return nil, err
		}
		natives[i] = native
	}
	return natives, nil
}

func mapOf(plain any, schemaOf func(key string) (any, bool)) (any, error) {
	object, ok := plain.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%T is no object", plain)
	}
	natives := map[string]any{}
	for key, value := range object {
		schema, ok := schemaOf(key)
		if !ok {
			return nil, fmt.Errorf("unknown key %q", key)
		}
		native, err := nativeOf(schema, value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		natives[key] = native
	}
	return natives, nil
}

func webID(t *testing.T, m Message) string {
	t.Helper()
	var event struct {
		ID string `json:"event_id"`
	}
	if err := json.Unmarshal(m.Value, &event); err != nil || event.ID == "" {
		t.Fatalf("web event %q: %v", m.Value, err)
	}
	return event.ID
}

// TestConformity: what is to be accepted conforms to its schema, and so does what is to be rejected
// for another reason than its form.
func TestConformity(t *testing.T) {
	o := newOracle(t)
	for _, m := range slices.Concat(Generate(11, 600, start), take(3000, 11)) {
		if m.Value == nil {
			continue
		}
		_, err := o.read(m)
		offForm := m.Expect == "malformed" || m.Expect == "schema_violation"
		if offForm != (err != nil) {
			t.Fatalf("%s expecting %q: %v\n%s", m.Dataset, m.Expect, err, m.Value)
		}
	}
}

// TestFaults: every reason code occurs, and for the reason it names.
func TestFaults(t *testing.T) {
	o := newOracle(t)
	seen := map[string]int{}
	for _, m := range Generate(1, 40, start) {
		if m.Expect == "" || m.Expect == Duplicate {
			continue
		}
		seen[m.Expect]++
		fields, err := o.read(m)
		is, known := reasons[m.Expect]
		if !known || !is(m, fields, err) {
			t.Errorf("%s message is not %s: %s", m.Dataset, m.Expect, m.Value)
		}
	}
	for code := range reasons {
		if seen[code] != 1 {
			t.Errorf("%d messages are %s among 40 people, want 1", seen[code], code)
		}
	}
}

var reasons = map[string]func(m Message, fields map[string]any, err error) bool{
	"malformed": func(m Message, _ map[string]any, err error) bool {
		return err != nil && (m.Dataset == "till" || !json.Valid(m.Value))
	},
	"schema_violation": func(m Message, _ map[string]any, err error) bool {
		return err != nil && json.Valid(m.Value)
	},
	"missing_identity": func(_ Message, fields map[string]any, _ error) bool {
		return fields["user"] == nil && (fields["cookie"] == nil || fields["cookie"] == "undefined")
	},
	"invalid_identity": func(_ Message, fields map[string]any, _ error) bool {
		return len(fields["cookie"].(string)) > 1024
	},
	"identity_conflict": func(_ Message, fields map[string]any, _ error) bool {
		typed, scanned := fields["loyalty_number"], fields["scanned_number"]
		return fmt.Sprint(typed) != fmt.Sprint(scanned)
	},
	"bad_timestamp": func(_ Message, fields map[string]any, _ error) bool {
		_, err := time.Parse(time.RFC3339, fields["updated_at"].(string))
		return err != nil
	},
	"future_timestamp": func(m Message, fields map[string]any, _ error) bool {
		return eventTime(m, fields).UnixNano() > m.Time+int64(time.Hour)
	},
	"too_old": func(m Message, fields map[string]any, _ error) bool {
		return eventTime(m, fields).UnixNano() < m.Time-int64(400*24*time.Hour)
	},
	"bad_operation": func(m Message, _ map[string]any, _ error) bool {
		return header(m, "selfsame-op") == "merge"
	},
	"unknown_dataset": func(m Message, _ map[string]any, _ error) bool {
		return header(m, "selfsame-dataset") == "kiosk"
	},
}

// eventTime is the time that the message claims for itself.
func eventTime(m Message, fields map[string]any) time.Time {
	switch m.Dataset {
	case "till":
		return fields["sold_at"].(time.Time)
	case "crm":
		at, _ := time.Parse(time.RFC3339, fields["updated_at"].(string))
		return at
	}
	key := map[string]string{"web": "at", "loyalty": "changed_at"}[m.Dataset]
	ms, _ := fields[key].(json.Number).Int64()
	return time.UnixMilli(ms)
}

// TestDisorder: event times go back, by days too, but no accepted message is from the future or
// too old.
func TestDisorder(t *testing.T) {
	o := newOracle(t)
	newest := map[string]time.Time{} // by key, CRM only
	var overtaken, late, later int
	for _, m := range Generate(1, 400, start) {
		if m.Value == nil || m.Expect != "" {
			continue
		}
		fields, err := o.read(m)
		if err != nil {
			t.Fatal(err)
		}
		at := eventTime(m, fields)
		lag := time.Unix(0, m.Time).Sub(at)
		if lag < -time.Millisecond || lag > 100*24*time.Hour {
			t.Fatalf("%s message arrives %s after its time", m.Dataset, lag)
		}
		late += count(lag > time.Minute)
		later += count(lag > 24*time.Hour)
		if m.Dataset == "crm" {
			overtaken += count(at.Before(newest[string(m.Key)]))
			newest[string(m.Key)] = at
		}
	}
	if overtaken < 10 || late < 200 || later < 50 {
		t.Errorf("%d CRM changes overtaken, %d late by minutes, %d by days", overtaken, late, later)
	}
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// TestDuplicates: a duplicate is the same in all but its place.
func TestDuplicates(t *testing.T) {
	first := map[string]Message{}
	duplicates := 0
	for _, m := range Generate(1, 200, start) {
		id := m.Dataset + string(m.Value)
		original, seen := first[id]
		if seen != (m.Expect == Duplicate) && m.Value != nil {
			t.Fatalf("%s expects %q, seen before: %t: %s", m.Dataset, m.Expect, seen, m.Value)
		}
		first[id] = m
		if !seen || m.Value == nil {
			continue
		}
		duplicates++
		if !bytes.Equal(original.Key, m.Key) || original.Topic != m.Topic {
			t.Errorf("the duplicate of %s went elsewhere", m.Value)
		}
	}
	if duplicates == 0 {
		t.Error("no duplicates")
	}
}
