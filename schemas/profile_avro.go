package schemas

import (
	"strconv"

	"selfsame/profile"
)

// ProfileSchema is the schema of whole merged profiles of a class: what the output topic's values
// have, with the attributes in the union schema of the class.
type ProfileSchema struct {
	schema *Schema
	avro   []byte
}

// ComputedField is a computed attribute in the schema of profiles.
type ComputedField struct {
	Name string
	Type []byte // in JSON; null is added to it
}

// NewProfileSchema makes the schema of a class's profiles. attributes is the union schema of its
// record datasets, nil where it has none. Errors are [SchemaError]s.
func NewProfileSchema(class string, attributes *Union, computed []ComputedField) (
	*ProfileSchema, error) {
	namespace := unionNamespace + "." + avroName(class)
	text := strconv.AppendQuote([]byte(`{"type":"record","name":`), namespace+".Profile")
	text = append(text, `,"fields":[{"name":"id","type":"string"},`+
		`{"name":"class","type":"string"},{"name":"policy","type":"string"},`+
		`{"name":"version","type":"long"},{"name":"identities","type":`+
		`{"type":"map","values":{"type":"array","items":"string"}}},`+
		`{"name":"attributes","type":`...)
	if attributes == nil {
		text = strconv.AppendQuote(append(text, `{"type":"record","name":`...),
			namespace+"."+recordName)
		text = append(text, `,"fields":[]}`...)
	} else {
		text = append(text, attributes.Avro()...)
	}
	text = append(text, `},{"name":"datasets","type":{"type":"array","items":"string"}},`+
		`{"name":"oversize","type":["null","long"],"default":null}`...)
	text = append(appendComputed(text, namespace, computed), `]}`...)
	schema, err := Parse("schema of profiles of "+class, text)
	return &ProfileSchema{schema: schema, avro: text}, err
}

// appendComputed appends the fields of computed attributes, and of what is to be known of them,
// where there are any.
func appendComputed(text []byte, namespace string, computed []ComputedField) []byte {
	if len(computed) == 0 {
		return text
	}
	text = append(text, `,{"name":"computed","type":["null",{"type":"record","name":`...)
	text = append(strconv.AppendQuote(text, namespace+".Computed"), `,"fields":[`...)
	for i, f := range computed {
		if i > 0 {
			text = append(text, ',')
		}
		text = strconv.AppendQuote(append(text, `{"name":`...), f.Name)
		text = append(append(text, `,"type":["null",`...), f.Type...)
		text = append(text, `],"default":null}`...)
	}
	return append(text, `]}],"default":null},{"name":"computed_flags","type":["null",`+
		`{"type":"map","values":{"type":"array","items":"string"}}],"default":null}`...)
}

// Schema returns the schema, to decode with.
func (p *ProfileSchema) Schema() *Schema { return p.schema }

// Avro returns the text of the schema. The caller does not change it.
func (p *ProfileSchema) Avro() []byte { return p.avro }

// ProfileRecord is one merged profile.
type ProfileRecord struct {
	ID, Class, Policy string
	Version           uint64              // below 2^53
	Identities        map[string][]string // values by namespace
	Attributes        profile.Value       // an object
	Datasets          []string
	Oversize          uint64 // of a marker that stands in for a profile: its bytes, else 0

	Computed profile.Value       // an object; null where there is none
	Flags    map[string][]string // of computed attributes, by name
}

// Encode encodes a profile as bare Avro binary. Errors are [ViolationError]s: attributes that the
// union does not have.
func (p *ProfileSchema) Encode(r *ProfileRecord) ([]byte, error) {
	content, err := p.EncodeContent(r)
	return append(p.AppendHead(nil, r), content...), err
}

// AppendHead appends what of a profile comes first: id, class, policy and version.
func (p *ProfileSchema) AppendHead(dst []byte, r *ProfileRecord) []byte {
	for _, text := range []string{r.ID, r.Class, r.Policy} {
		dst = appendText(dst, text)
	}
	return appendLong(dst, int64(r.Version))
}

// EncodeContent encodes what of a profile comes after its head. Errors are those of Encode.
func (p *ProfileSchema) EncodeContent(r *ProfileRecord) ([]byte, error) {
	oversize := profile.Null()
	if r.Oversize > 0 {
		oversize = profile.Int(int64(r.Oversize))
	}
	flags := profile.Null()
	if len(r.Flags) > 0 {
		flags = lists(r.Flags)
	}
	values := []profile.Value{lists(r.Identities), r.Attributes, texts(r.Datasets), oversize,
		r.Computed, flags}
	var content []byte
	var err error
	for i, f := range p.schema.root.Fields[headFields:] {
		if content, err = appendValue(content, f.Type, values[i]); err != nil {
			return nil, within(err, f.Name)
		}
	}
	return content, nil
}

// headFields are the fields that AppendHead writes.
const headFields = 4

func lists(all map[string][]string) profile.Value {
	names, items := []string{}, []profile.Value{}
	for name, values := range all {
		names, items = append(names, name), append(items, texts(values))
	}
	return profile.Object(names, items)
}

func texts(all []string) profile.Value {
	items := make([]profile.Value, len(all))
	for i, text := range all {
		items[i] = profile.String(text)
	}
	return profile.Array(items)
}
