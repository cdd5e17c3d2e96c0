package pipeline

import (
	"strconv"

	"selfsame/profile"
	"selfsame/store"
)

// Outcomes that an audit record tells. They are part of the interface.
const (
	auditApplied  = "applied"  // the operation is in force; job goes on with it, where one is named
	auditDone     = "done"     // the job of the operation has ended
	auditRejected = "rejected" // the control record was refused
)

// auditEntry is one record of the audit topic.
type auditEntry struct {
	id, op, class string
	outcome       string
	note          string
	reject        *Rejection
	affected      []profile.Identity
	row           *store.Applied // nil: nothing was applied
	time          int64
	pos           profile.Position
}

func (op *operation) entry(outcome string) auditEntry {
	return auditEntry{id: op.ID, op: string(op.Op), class: op.Class, outcome: outcome,
		note: op.Note, affected: op.affected, row: &op.row, time: op.in.Stamp.Time,
		pos: op.in.Record.Pos}
}

// auditRejected says on the audit topic that a control record was refused. Without an id nobody can
// look for it there; the dead letter says it all the same.
func (sh *Shard) auditRejected(in *Input) {
	c := in.control
	if c.ID == "" || len(c.ID) > MaxControlID {
		return
	}
	sh.audit(auditEntry{id: c.ID, op: string(c.Op), class: c.Class, outcome: auditRejected,
		reject: in.Reject, time: in.Stamp.Time, pos: in.Record.Pos})
}

// audit puts an entry on the audit topic.
func (sh *Shard) audit(e auditEntry) {
	sh.entries = append(sh.entries, sh.recordEntry(sh.model.AuditTopic, &store.OutRecord{
		Key: []byte(e.id), Value: e.render(),
	}))
}

func (e *auditEntry) render() []byte {
	b := profile.AppendString([]byte(`{"id":`), e.id)
	b = profile.AppendString(append(b, `,"op":`...), e.op)
	b = profile.AppendString(append(b, `,"outcome":`...), e.outcome)
	b = appendText(b, "class", e.class)
	if e.reject != nil {
		b = appendText(b, "reason", string(e.reject.Reason))
		b = appendText(b, "path", e.reject.Path)
		b = appendText(b, "wanted", e.reject.Wanted)
		b = appendText(b, "found", e.reject.Found)
	}
	if len(e.affected) > 0 {
		b = appendIdentityList(append(b, `,"identities":`...), e.affected)
	}
	if e.row != nil {
		b = strconv.AppendUint(append(b, `,"removed":{"fragments":`...), e.row.Fragments, 10)
		b = strconv.AppendUint(append(b, `,"events":`...), e.row.Events, 10)
		b = strconv.AppendUint(append(b, `,"links":`...), e.row.Links, 10)
		b = appendText(append(b, '}'), "job", e.row.Job)
	}
	b = appendText(b, "note", e.note)
	b = append(append(b, `,"time":"`...), formatTime(e.time)...)
	b = append(append(b, `","cause":`...), renderPosition(e.pos)...)
	return append(b, '}')
}

// appendText appends a field unless it is empty.
func appendText(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	b = profile.AppendString(append(b, ','), name)
	return profile.AppendString(append(b, ':'), text)
}

func appendIdentityList(b []byte, ids []profile.Identity) []byte {
	b = append(b, '[')
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = profile.AppendString(append(b, `{"namespace":`...), id.Namespace)
		b = profile.AppendString(append(b, `,"value":`...), id.Value)
		b = append(b, '}')
	}
	return append(b, ']')
}
