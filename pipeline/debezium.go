package pipeline

import (
	"strconv"

	"selfsame/profile"
	"selfsame/schemas"
)

// change is a change event of a database, in whatever format.
type change struct {
	place     string        // of the event in the value
	op        profile.Value // a string, or null
	committed profile.Value // source.ts_ms: when the database committed it
	sent      profile.Value // ts_ms: when the connector read it
	row       func(name string) (profile.Value, *Rejection)
}

// openDebezium takes the row out of a change event: the one after a create, update or snapshot
// read, the one before a delete.
func (d *Decoder) openDebezium(in *Input, c *codec) (profile.Value, *Rejection) {
	read := d.readChangeAvro
	if c.ds.Format == FormatJSON {
		read = d.readChangeJSON
	}
	change, rejection := read(in, c)
	if rejection != nil {
		return profile.Value{}, rejection
	}
	change.note(in, change.op.AsText() == "d")
	side := "after"
	switch op := change.op.AsText(); {
	case op == "d":
		side = "before"
		in.operate(OpDelete)
	case op == "u" && c.ds.Class == ClassEvent, op != "c" && op != "r" && op != "u":
		return profile.Value{}, change.refuse(c.ds.Class)
	}
	v, rejection := change.row(side)
	if rejection == nil && v.IsNull() && side == "after" {
		rejection = &Rejection{Reason: ReasonSchemaViolation, Wanted: "record",
			Path: joinPlace(change.place, side), Found: "missing"}
	}
	in.place = joinPlace(change.place, side)
	return v, rejection
}

// note keeps the times of the event. That of the connector orders the events of a table as they
// came. A deleted row is stamped on the database's clock, as its other versions are where the
// dataset names a column for that.
func (e *change) note(in *Input, deletes bool) {
	in.envelope = sentTime{at: e.sent, where: joinPlace(e.place, "ts_ms"), first: deletes}
	if committed := e.committed.AsInt() > 0; committed &&
		(e.sent.IsNull() || deletes && in.Dataset.Timestamp != "") {
		in.envelope.at, in.envelope.where = e.committed, joinPlace(e.place, "source.ts_ms")
	}
	if at := in.envelope.at; !at.IsNull() {
		in.envelope.at = profile.Temporal(profile.KindTimestampMillis, at.AsInt())
	}
}

// refuse names operations that mean nothing to a profile: truncations and messages.
func (e *change) refuse(class DatasetClass) *Rejection {
	r := &Rejection{Reason: ReasonBadOperation, Path: joinPlace(e.place, "op"),
		Wanted: "c, r, u or d", Found: "something else"}
	if class == ClassEvent {
		r.Wanted = "c, r or d"
	}
	switch {
	case e.op.IsNull():
		r.Found = "missing"
	case e.op.AsText() == "t":
		r.Found = "t: a truncation names no row"
	}
	return r
}

func (d *Decoder) readChangeAvro(in *Input, c *codec) (change, *Rejection) {
	v, rejection := d.avro(c.values, c.ds.Format, in.Record.Value)
	return change{op: v.Field("op"), sent: v.Field("ts_ms"),
		committed: v.Field("source").Field("ts_ms"),
		row: func(name string) (profile.Value, *Rejection) {
			return v.Field(name), nil
		}}, rejection
}

// readChangeJSON reads an event with or without its schema around it. Only the row that counts is
// decoded.
func (d *Decoder) readChangeJSON(in *Input, _ *codec) (e change, _ *Rejection) {
	event, rejection := openSection(schemas.JSONMember{Text: in.Record.Value}, "")
	if rejection != nil {
		return e, rejection
	}
	payload, wrapped := event.member("payload")
	if _, direct := event.member("op"); wrapped && !direct {
		if event, rejection = openSection(payload, "payload"); rejection != nil {
			return e, rejection
		}
	}
	e.place = event.place
	if op, ok := event.member("op"); ok {
		if word, ok := schemas.JSONString(op.Text); ok {
			e.op = profile.String(word)
		}
	}
	if e.sent, rejection = event.millis("ts_ms"); rejection != nil {
		return e, rejection
	}
	if text, ok := event.member("source"); ok {
		source, rejection := openSection(text, event.at("source"))
		if rejection != nil {
			return e, rejection
		}
		if e.committed, rejection = source.millis("ts_ms"); rejection != nil {
			return e, rejection
		}
	}
	e.row = func(name string) (profile.Value, *Rejection) {
		text, ok := event.member(name)
		if !ok {
			return profile.Value{}, nil
		}
		return in.json(text, event.at(name))
	}
	return e, nil
}

// millis reads milliseconds since the epoch; null where there are none.
func (p *section) millis(name string) (profile.Value, *Rejection) {
	m, ok := p.member(name)
	if !ok {
		return profile.Value{}, nil
	}
	n, err := strconv.ParseInt(string(m.Text), 10, 64)
	if err != nil {
		return profile.Value{}, &Rejection{Reason: ReasonBadTimestamp, Path: p.at(name),
			Wanted: "milliseconds since the epoch", Found: schemas.JSONKind(m.Text)}
	}
	return profile.Int(n), nil
}

// keyText reads the identity at a path from the key of a record: the key itself, or, where a
// database wrote it, the column of that name. "" where the key does not hold it.
func (d *Decoder) keyText(in *Input, path profile.Path) string {
	c, key := d.codecs[in.Dataset], in.Record.Key
	if c.keys == nil {
		return string(key)
	}
	var row profile.Value
	if c.ds.Format == FormatJSON {
		text, ok := keyRow(key)
		if !ok {
			return plainKey(key)
		}
		var err error
		row, err = c.ds.Schema.DecodeJSON(text, schemas.Options{IgnoreUnknown: true})
		if err != nil {
			return ""
		}
	} else if _, _, framed := registryFrame(key); framed && c.ds.Format == FormatRegistry {
		row, _ = d.avro(c.keys, FormatRegistry, key)
	} else {
		return string(key)
	}
	text, _ := identityText(row.At(path))
	return text
}

// keyRow finds the columns in a JSON key, with or without its schema. ok is false where the key is
// no object, or wraps none.
func keyRow(key []byte) (text []byte, ok bool) {
	members, err := schemas.JSONMembers(key)
	if err != nil {
		return nil, false
	}
	row := section{members: members}
	if payload, wrapped := row.member("payload"); wrapped {
		key = payload.Text
	}
	return key, schemas.JSONKind(key) == "object"
}

// plainKey takes the quotes or the wrapping off a key of one column.
func plainKey(key []byte) string {
	if members, err := schemas.JSONMembers(key); err == nil {
		row := section{members: members}
		payload, _ := row.member("payload")
		key = payload.Text
	}
	if text, ok := schemas.JSONString(key); ok {
		return text
	}
	return string(key)
}
