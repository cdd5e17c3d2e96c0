package pipeline

import (
	"selfsame/profile"
	"selfsame/schemas"
)

// openXDM opens the reference product's streaming message: a header, which may name operations, and
// a body, which holds the record as xdmEntity or is the record.
func openXDM(in *Input) (profile.Value, *Rejection) {
	message, rejection := openSection(schemas.JSONMember{Text: in.Record.Value}, "")
	if rejection != nil {
		return profile.Value{}, rejection
	}
	if header, ok := message.member("header"); ok {
		if rejection := in.readHeader(header); rejection != nil {
			return profile.Value{}, rejection
		}
	}
	text, ok := message.member("body")
	if !ok {
		return profile.Value{}, message.missing("body")
	}
	body, rejection := openSection(text, "body")
	if rejection != nil {
		return profile.Value{}, rejection
	}
	if entity, ok := body.member("xdmEntity"); ok {
		return in.json(entity, "body.xdmEntity")
	}
	if _, described := body.member("xdmMeta"); described {
		return profile.Value{}, body.missing("xdmEntity")
	}
	return in.json(text, "body")
}

// readHeader reads the operations. What else a header holds is for the reference's own inlet.
func (in *Input) readHeader(m schemas.JSONMember) *Rejection {
	header, rejection := openSection(m, "header")
	if rejection != nil {
		return rejection
	}
	text, ok := header.member("operations")
	if !ok {
		return nil
	}
	operations, rejection := openSection(text, "header.operations")
	if rejection != nil {
		rejection.Reason = ReasonBadOperation
		return rejection
	}
	for _, m := range operations.members {
		if rejection := in.readOperation(m, operations.at(m.Name)); rejection != nil {
			return rejection
		}
	}
	return nil
}

// readOperation reads one member of operations. Links are asserted by every record, so that an
// operation on identities, and a dataset for them, ask for nothing more.
func (in *Input) readOperation(m schemas.JSONMember, place string) *Rejection {
	word, ok := schemas.JSONString(m.Text)
	wanted := "a string"
	switch m.Name {
	case "data":
		var op Operation
		if op, wanted, ok = xdmOperation(word, in.Dataset.Class); ok {
			in.operate(op)
		}
	case "identity":
		ok, wanted = word == "create", "create"
	case "identityDatasetId":
	default:
		return &Rejection{Reason: ReasonBadOperation, Path: "header.operations",
			Wanted: "data, identity or identityDatasetId", Found: "unknown field"}
	}
	if ok {
		return nil
	}
	found := "something else"
	if kind := schemas.JSONKind(m.Text); kind != "string" {
		found = kind
	}
	return &Rejection{Reason: ReasonBadOperation, Path: place, Wanted: wanted, Found: found}
}

// xdmOperation maps the reference's operations on data to ours: its create replaces the whole
// fragment, its merge writes only what is given.
func xdmOperation(word string, class DatasetClass) (op Operation, wanted string, ok bool) {
	wanted = "create, replace, merge, upsert or delete"
	if class == ClassEvent {
		wanted = "create, insert or delete"
	}
	switch {
	case word == "delete":
		return OpDelete, wanted, true
	case class == ClassEvent:
		return OpUpsert, wanted, word == "create" || word == "insert"
	case word == "create", word == "replace":
		return OpReplace, wanted, true
	}
	return OpUpsert, wanted, word == "merge" || word == "upsert"
}
