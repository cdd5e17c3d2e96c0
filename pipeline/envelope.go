package pipeline

import (
	"selfsame/profile"
	"selfsame/schemas"
)

// sentTime is a time that an envelope gives.
type sentTime struct {
	at    profile.Value // null: none
	where string
	first bool // goes before the dataset's own timestamp
}

// open decodes the record in a value, taking off its envelope; what the envelope says of operation
// and time is noted in the input. The result is null where a delete carries no record.
func (d *Decoder) open(in *Input) (profile.Value, *Rejection) {
	c := d.codecs[in.Dataset]
	switch {
	case c.ds.Envelope == EnvelopeXDM:
		return openXDM(in)
	case c.ds.Envelope == EnvelopeDebezium:
		return d.openDebezium(in, c)
	case c.ds.Format == FormatJSON:
		return in.json(schemas.JSONMember{Text: in.Record.Value}, "")
	}
	return d.avro(c.values, c.ds.Format, in.Record.Value)
}

// json decodes the JSON text of the record itself. An upsert or delete may be partial; a replace or
// an event is complete.
func (in *Input) json(m schemas.JSONMember, place string) (profile.Value, *Rejection) {
	ds := in.Dataset
	in.place = place
	whole := in.Op == OpReplace || (in.Op == OpUpsert && ds.Class == ClassEvent)
	v, err := ds.Schema.DecodeJSON(m.Text, schemas.Options{
		Complete: whole, IgnoreUnknown: ds.IgnoreUnknown,
	})
	return v, rejectInside(err, place, m.Offset)
}

// operate takes the operation from the envelope, unless a header has named one.
func (in *Input) operate(op Operation) {
	if !in.named {
		in.Op = op
	}
}

// section is an object within an envelope, not decoded.
type section struct {
	place   string
	members []schemas.JSONMember
}

// openSection takes an object apart.
func openSection(m schemas.JSONMember, place string) (section, *Rejection) {
	members, err := schemas.JSONMembers(m.Text)
	if err != nil {
		return section{}, rejectInside(err, place, m.Offset)
	}
	for i := range members {
		members[i].Offset += m.Offset
	}
	return section{place: place, members: members}, nil
}

// member finds a member by name; one that is null counts as missing.
func (p *section) member(name string) (m schemas.JSONMember, ok bool) {
	for _, m := range p.members {
		if m.Name == name {
			return m, schemas.JSONKind(m.Text) != "null"
		}
	}
	return m, false
}

func (p *section) at(name string) string { return joinPlace(p.place, name) }

// missing says that an envelope lacks something.
func (p *section) missing(name string) *Rejection {
	return &Rejection{Reason: ReasonSchemaViolation, Path: p.at(name), Wanted: "object",
		Found: "missing"}
}
