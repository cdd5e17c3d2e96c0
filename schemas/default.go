package schemas

import (
	"errors"
	"strings"

	"selfsame/profile"
)

// errNoValue says that the default of a field is none that its type can have.
var errNoValue = errors.New("not a value of the type")

// fallback reads the default of a field, for encoding records that do not carry it. Null where
// there is none, or none that fits.
func (t *Type) fallback(n *jsonNode) profile.Value {
	if n == nil {
		return profile.Value{}
	}
	v, err := t.fromDefault(n)
	if err != nil {
		return profile.Value{}
	}
	return v
}

// fromDefault reads a value as Avro writes defaults: bytes are a string of code points below 256.
func (t *Type) fromDefault(n *jsonNode) (profile.Value, error) {
	switch {
	case n.kind == '{' && (t.Kind == KindRecord || t.Kind == KindMap):
		return t.objectFromDefault(n)
	case n.kind == '[' && t.Kind == KindArray:
		items := make([]profile.Value, len(n.items))
		for i, item := range n.items {
			var err error
			if items[i], err = t.Items.fromDefault(item); err != nil {
				return profile.Value{}, err
			}
		}
		return profile.Array(items), nil
	case n.kind == 'n' && t.Nullable:
		return profile.Value{}, nil
	case n.kind == '"' && (t.Kind == KindBytes || t.Kind == KindFixed):
		return t.bytesFromDefault(n.text)
	case n.kind == '"':
		return t.fromString([]byte(n.text))
	case n.kind == '0':
		return t.fromNumber([]byte(n.text))
	case (n.kind == 't' || n.kind == 'f') && t.Kind == KindBoolean:
		return profile.Bool(n.kind == 't'), nil
	}
	return profile.Value{}, errNoValue
}

func (t *Type) objectFromDefault(n *jsonNode) (profile.Value, error) {
	names, items := []string{}, []profile.Value{}
	for i, name := range n.names {
		below := t.Items
		if t.Kind == KindRecord {
			f := t.Field(name)
			if f == nil {
				return profile.Value{}, errNoValue
			}
			below = f.Type
		}
		v, err := below.fromDefault(n.items[i])
		if err != nil {
			return v, err
		}
		if !v.IsNull() {
			names, items = append(names, name), append(items, v)
		}
	}
	return profile.Object(names, items), nil
}

func (t *Type) bytesFromDefault(text string) (profile.Value, error) {
	var raw strings.Builder
	for _, point := range text {
		if point > 0xff {
			return profile.Value{}, errNoValue
		}
		raw.WriteByte(byte(point))
	}
	switch {
	case t.Kind == KindFixed && raw.Len() != t.Size:
		return profile.Value{}, errNoValue
	case t.value == profile.KindDecimal:
		return decimalFromBinary(t, []byte(raw.String()))
	}
	return profile.Bytes(raw.String()), nil
}
