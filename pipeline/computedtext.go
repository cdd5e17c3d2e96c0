package pipeline

import (
	"fmt"
	"strconv"

	"selfsame/computed"
	"selfsame/profile"
)

// append renders the values as they are put out: what is absent is left out.
func (c *Computed) append(b []byte) []byte {
	b = append(b, `,"computed":{`...)
	flagged, first := false, true
	for i := range c.Values {
		v := &c.Values[i]
		flagged = flagged || v.Truncated || v.Overflow || v.CatchingUp
		if v.Value.IsNull() {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = profile.AppendJSON(append(profile.AppendString(b, v.Name), ':'), v.Value)
	}
	b = append(b, '}')
	if !flagged {
		return b
	}
	b, first = append(b, `,"computed_flags":{`...), true
	for i := range c.Values {
		flags := c.Values[i].Flags()
		if len(flags) == 0 {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(profile.AppendString(b, c.Values[i].Name), ':', '[')
		for j, flag := range flags {
			if j > 0 {
				b = append(b, ',')
			}
			b = profile.AppendString(b, flag)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// record gives the values as schemas encodes them, of those that have the type in the schema.
func (c *Computed) record(types map[string]string) (values profile.Value,
	flags map[string][]string) {
	var names []string
	var items []profile.Value
	flags = map[string][]string{}
	for i := range c.Values {
		v := &c.Values[i]
		if types[v.Name] != v.Output.String() {
			continue
		}
		if f := v.Flags(); len(f) > 0 {
			flags[v.Name] = f
		}
		if !v.Value.IsNull() {
			names, items = append(names, v.Name), append(items, v.Value)
		}
	}
	return profile.Object(names, items), flags
}

// diffComputed lists the computed attributes in which two profiles differ, in order of name.
func diffComputed(old, next *Computed) []AttributeDiff {
	was, is := old.byName(), next.byName()
	var diffs []AttributeDiff
	for _, name := range sortedOnce(append(old.names(), next.names()...)) {
		v, w := was[name], is[name]
		if !v.Value.Equal(w.Value) || v.Truncated != w.Truncated || v.Overflow != w.Overflow {
			diffs = append(diffs, AttributeDiff{name, rawValue(v.Value), rawValue(w.Value)})
		}
	}
	return diffs
}

func (c *Computed) names() []string {
	var names []string
	if c != nil {
		for i := range c.Values {
			names = append(names, c.Values[i].Name)
		}
	}
	return names
}

func (c *Computed) byName() map[string]ComputedValue {
	values := map[string]ComputedValue{}
	if c != nil {
		for i := range c.Values {
			values[c.Values[i].Name] = c.Values[i]
		}
	}
	return values
}

// appendAvroType appends the Avro type of what an attribute gives out, in JSON. Records are named
// after the attribute.
func appendAvroType(b []byte, name string, t *computed.Type) []byte {
	switch t.Kind {
	case profile.KindArray:
		b = appendAvroType(append(b, `{"type":"array","items":`...), name, t.Items)
		return append(b, '}')
	case profile.KindObject:
		b = strconv.AppendQuote(append(b, `{"type":"record","name":`...), "computed_"+name)
		b = append(b, `,"fields":[`...)
		for i, f := range t.Fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendQuote(append(b, `{"name":`...), f.Name)
			b = append(appendAvroType(append(b, `,"type":`...), name, f.Type), '}')
		}
		return append(b, ']', '}')
	case profile.KindDecimal:
		return fmt.Appendf(b, `{"type":"bytes","logicalType":"decimal","precision":%d,"scale":%d}`,
			t.Precision, t.Scale)
	case profile.KindFloat:
		if t.Single {
			return append(b, `"float"`...)
		}
	}
	if logical, ok := logicalTypes[t.Kind]; ok {
		return fmt.Appendf(b, `{"type":%q,"logicalType":%q}`, logical[0], logical[1])
	}
	return strconv.AppendQuote(b, plainTypes[t.Kind])
}

var plainTypes = map[profile.Kind]string{profile.KindBool: "boolean", profile.KindInt: "long",
	profile.KindFloat: "double", profile.KindString: "string", profile.KindBytes: "bytes"}

var logicalTypes = map[profile.Kind][2]string{
	profile.KindDate:            {"int", "date"},
	profile.KindTimeMillis:      {"int", "time-millis"},
	profile.KindTimeMicros:      {"long", "time-micros"},
	profile.KindTimestampMillis: {"long", "timestamp-millis"},
	profile.KindTimestampMicros: {"long", "timestamp-micros"},
	profile.KindTimestampNanos:  {"long", "timestamp-nanos"},
	profile.KindLocalMillis:     {"long", "local-timestamp-millis"},
	profile.KindLocalMicros:     {"long", "local-timestamp-micros"},
	profile.KindLocalNanos:      {"long", "local-timestamp-nanos"},
}
