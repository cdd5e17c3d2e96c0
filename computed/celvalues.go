package computed

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"selfsame/profile"
)

// celValue is what filters see of a value of type t that is not null. Of a record that is absent
// they see one without fields, so that has(event.a.b) is false where there is no a.
func celValue(v profile.Value, t *Type) ref.Val {
	switch v.Kind() {
	case profile.KindBool:
		return types.Bool(v.AsBool())
	case profile.KindInt:
		if t.Kind == profile.KindFloat {
			return types.Double(v.AsInt())
		}
		return types.Int(v.AsInt())
	case profile.KindFloat:
		return types.Double(v.AsFloat())
	case profile.KindDecimal:
		f, err := strconv.ParseFloat(v.AsText(), 64)
		if err != nil {
			return types.NewErr("decimal out of range")
		}
		return types.Double(f)
	case profile.KindString:
		return types.String(v.AsText())
	case profile.KindBytes:
		return types.Bytes(v.AsText())
	case profile.KindArray:
		return celList(v, t)
	case profile.KindObject:
		if t.Items != nil {
			return celMap(v, t)
		}
		return &record{value: v, typ: t}
	}
	return celTime(v)
}

func celList(v profile.Value, t *Type) ref.Val {
	items := make([]ref.Val, v.Len())
	for i := range items {
		items[i] = celItem(v.Item(i), t.Items)
	}
	return types.NewRefValList(types.DefaultTypeAdapter, items)
}

func celMap(v profile.Value, t *Type) ref.Val {
	entries := make(map[ref.Val]ref.Val, v.Len())
	for i := range v.Len() {
		if !v.Item(i).IsNull() {
			entries[types.String(v.Name(i))] = celItem(v.Item(i), t.Items)
		}
	}
	return types.NewRefValMap(types.DefaultTypeAdapter, entries)
}

func celItem(v profile.Value, t *Type) ref.Val {
	if v.IsNull() {
		return types.NullValue
	}
	return celValue(v, t)
}

// celTime turns a date into its midnight in UTC, a time of day into the duration since midnight,
// and a local timestamp into the instant at which clocks in UTC show it.
func celTime(v profile.Value) ref.Val {
	n := v.AsInt()
	var at time.Time
	switch v.Kind() {
	case profile.KindTimeMillis:
		return types.Duration{Duration: time.Duration(n) * time.Millisecond}
	case profile.KindTimeMicros:
		return types.Duration{Duration: time.Duration(n) * time.Microsecond}
	case profile.KindDate:
		at = time.Unix(n*86_400, 0)
	case profile.KindTimestampMillis, profile.KindLocalMillis:
		at = time.UnixMilli(n)
	case profile.KindTimestampMicros, profile.KindLocalMicros:
		at = time.UnixMicro(n)
	default:
		at = time.Unix(0, n)
	}
	return types.Timestamp{Time: at.UTC()}
}

// record is a record of an event as CEL sees it. It implements ref.Val, traits.Indexer and
// traits.FieldTester.
type record struct {
	value profile.Value
	typ   *Type
	asked []field // what was asked for already
}

// field is what filters see of a field.
type field struct {
	name  string
	value ref.Val
}

// maxAsked bounds the fields that are remembered.
const maxAsked = 16

// Get implements traits.Indexer.
func (r *record) Get(index ref.Val) ref.Val {
	name, ok := index.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(index)
	}
	for i := range r.asked {
		if r.asked[i].name == string(name) {
			return r.asked[i].value
		}
	}
	value := r.get(string(name))
	if len(r.asked) < maxAsked {
		r.asked = append(r.asked, field{string(name), value})
	}
	return value
}

func (r *record) get(name string) ref.Val {
	t := r.typ.field(name)
	if t == nil {
		return types.NewErr("no such field")
	}
	v := r.value.Field(name)
	if v.IsNull() {
		if t.record() {
			return &record{typ: t}
		}
		return types.NewErr("the event has no such field")
	}
	return celValue(v, t)
}

// IsSet implements traits.FieldTester.
func (r *record) IsSet(index ref.Val) ref.Val {
	name, ok := index.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(index)
	}
	return types.Bool(!r.value.Field(string(name)).IsNull())
}

// Equal implements ref.Val.
func (r *record) Equal(other ref.Val) ref.Val {
	o, ok := other.(*record)
	return types.Bool(ok && r.value.Equal(o.value))
}

// Type implements ref.Val.
func (r *record) Type() ref.Type { return types.NewObjectType(rootName) }

// Value implements ref.Val.
func (r *record) Value() any { return r.value }

// ConvertToNative implements ref.Val.
func (r *record) ConvertToNative(reflect.Type) (any, error) {
	return nil, fmt.Errorf("a record of an event has no other form")
}

// ConvertToType implements ref.Val.
func (r *record) ConvertToType(ref.Type) ref.Val {
	return types.NewErr("a record of an event has no other type")
}
