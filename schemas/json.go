package schemas

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"selfsame/profile"
)

// Options say how strictly JSON is read. Inside array items, which are whole values, required
// fields are always enforced.
type Options struct {
	// Complete refuses records without their required fields (not nullable, no default). Partial
	// records, as upserts are, leave it off.
	Complete bool
	// IgnoreUnknown skips unknown keys instead of refusing them.
	IgnoreUnknown bool
}

// DecodeJSON decodes one JSON object. Keys that are absent have no entry, explicit nulls outside
// arrays stay as nulls. Errors are [MalformedError] or [ViolationError].
func (s *Schema) DecodeJSON(data []byte, o Options) (profile.Value, error) {
	r, ok := s.jsonReaders.Get().(*jsonReader)
	if !ok {
		r = &jsonReader{dec: &jsontext.Decoder{}}
	}
	r.reset(data, o)
	v, err := r.document(s.root)
	r.release()
	r.input = bytes.Buffer{}
	s.jsonReaders.Put(r)
	return v, err
}

// jsonReader reads one record after the other.
type jsonReader struct {
	frames
	options Options
	dec     *jsontext.Decoder
	input   bytes.Buffer // the decoder reads from a buffer without copying
	scratch []byte       // for strings with escapes
	arrays  int          // how many arrays the reader is inside
}

func (r *jsonReader) reset(data []byte, o Options) {
	r.input = *bytes.NewBuffer(data)
	r.dec.Reset(&r.input)
	r.options, r.arrays = o, 0
}

func (r *jsonReader) document(t *Type) (profile.Value, error) {
	v, err := r.value(t)
	if err != nil {
		return profile.Value{}, err
	}
	if _, err := r.dec.ReadToken(); err != io.EOF {
		if err == nil {
			err = errors.New("trailing")
		}
		return profile.Value{}, r.malformed(err)
	}
	if v.IsNull() {
		return v, mismatch(t, foundNull)
	}
	return v, nil
}

// malformed turns an error of the JSON parser into ours. Its own text may quote the record.
func (r *jsonReader) malformed(err error) error { return malformedJSON(r.dec, err) }

func malformedJSON(dec *jsontext.Decoder, err error) error {
	fault := &MalformedError{Offset: dec.InputOffset(), Reason: "not JSON"}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		fault.Offset = syntax.ByteOffset
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF:
		fault.Reason = "ends early"
	case errors.Is(err, jsontext.ErrDuplicateName):
		fault.Reason = "an object has a key twice"
	case syntax == nil:
		fault.Reason = "text after the record"
	}
	return fault
}

// value reads any value; a null is left to the caller to judge.
func (r *jsonReader) value(t *Type) (profile.Value, error) {
	switch kind := r.dec.PeekKind(); {
	case kind == '{' && t.Kind == KindRecord:
		return r.record(t)
	case kind == '{' && t.Kind == KindMap:
		return r.mapping(t)
	case kind == '[' && t.Kind == KindArray:
		return r.array(t)
	}
	raw, err := r.dec.ReadValue()
	if err != nil {
		return profile.Value{}, r.malformed(err)
	}
	switch raw.Kind() {
	case 'n':
		return profile.Null(), nil
	case '"':
		return t.fromString(r.unquote(raw))
	case '0':
		return t.fromNumber(raw)
	case '{':
		return profile.Value{}, mismatch(t, "object")
	case '[':
		return profile.Value{}, mismatch(t, "array")
	}
	if t.value != profile.KindBool {
		return profile.Value{}, mismatch(t, "boolean")
	}
	return profile.Bool(raw[0] == 't'), nil
}

func (r *jsonReader) record(t *Type) (profile.Value, error) {
	if _, err := r.dec.ReadToken(); err != nil {
		return profile.Value{}, r.malformed(err)
	}
	base := r.open(len(t.Fields))
	for r.dec.PeekKind() != '}' {
		if err := r.field(t, base); err != nil {
			return profile.Value{}, err
		}
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return profile.Value{}, r.malformed(err)
	}
	if err := r.settle(t.plan, base); err != nil {
		return profile.Value{}, err
	}
	return r.pack(t.plan, base), nil
}

// field reads one name and its value into the frame at base.
func (r *jsonReader) field(t *Type, base int) error {
	name, err := r.dec.ReadValue()
	if err != nil {
		return r.malformed(err)
	}
	i, known := t.plan.index[string(r.unquote(name))]
	if !known {
		return r.unknown(name)
	}
	f := t.plan.fields[i]
	v, err := r.value(f.Type)
	if err != nil {
		return within(err, f.Name)
	}
	r.slots[base+i] = slot{v, true}
	return nil
}

func (r *jsonReader) unknown(name jsontext.Value) error {
	if !r.options.IgnoreUnknown {
		return &ViolationError{
			Path:   pathSegment(string(r.unquote(name))),
			Wanted: "a field of the schema",
			Found:  foundUnknown,
		}
	}
	if err := r.dec.SkipValue(); err != nil {
		return r.malformed(err)
	}
	return nil
}

// settle checks what is required, and drops nulls inside arrays.
func (r *jsonReader) settle(plan *recordPlan, base int) error {
	if r.arrays == 0 && !r.options.Complete {
		return nil
	}
	for i, f := range plan.fields {
		field := &r.slots[base+i]
		if field.given && !field.value.IsNull() {
			continue
		}
		if f.Required() {
			found := foundMissing
			if field.given {
				found = foundNull
			}
			return within(mismatch(f.Type, found), f.Name)
		}
		field.given = field.given && r.arrays == 0
	}
	return nil
}

func (r *jsonReader) array(t *Type) (profile.Value, error) {
	if _, err := r.dec.ReadToken(); err != nil {
		return profile.Value{}, r.malformed(err)
	}
	r.arrays++
	var items []profile.Value
	for r.dec.PeekKind() != ']' {
		v, err := r.value(t.Items)
		if err == nil && v.IsNull() && !t.Items.Nullable {
			err = mismatch(t.Items, foundNull)
		}
		if err != nil {
			return profile.Value{}, withinItem(err, len(items))
		}
		items = append(items, v)
	}
	r.arrays--
	if _, err := r.dec.ReadToken(); err != nil {
		return profile.Value{}, r.malformed(err)
	}
	return profile.Array(items), nil
}

func (r *jsonReader) mapping(t *Type) (profile.Value, error) {
	if _, err := r.dec.ReadToken(); err != nil {
		return profile.Value{}, r.malformed(err)
	}
	var names []string
	var items []profile.Value
	for r.dec.PeekKind() != '}' {
		raw, err := r.dec.ReadValue()
		if err != nil {
			return profile.Value{}, r.malformed(err)
		}
		name := string(r.unquote(raw))
		v, err := r.value(t.Items)
		if err == nil && v.IsNull() && r.arrays > 0 {
			if t.Items.Nullable {
				continue
			}
			err = mismatch(t.Items, foundNull)
		}
		if err != nil {
			return profile.Value{}, within(err, name)
		}
		names, items = append(names, name), append(items, v)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return profile.Value{}, r.malformed(err)
	}
	return profile.Object(names, items), nil
}

// unquote gives the contents of a valid JSON string, good until the next call.
func (r *jsonReader) unquote(raw jsontext.Value) []byte {
	contents := raw[1 : len(raw)-1]
	if bytes.IndexByte(contents, '\\') < 0 {
		return contents
	}
	r.scratch, _ = jsontext.AppendUnquote(r.scratch[:0], raw)
	return r.scratch
}
