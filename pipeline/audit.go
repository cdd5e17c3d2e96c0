package pipeline

import (
	"encoding/json"

	"selfsame/profile"
	"selfsame/store"
)

// Outcomes that an audit record tells. They are part of the interface.
const (
	auditApplied  = "applied"  // the operation is in force; job goes on with it, where one is named
	auditDone     = "done"     // the job of the operation has ended
	auditRejected = "rejected" // the control record was refused
)

// auditEntry is a record on the audit topic: what became of a control record, or something that
// changed what the daemon does or holds without being said by any record. Fields that do not apply
// are left out.
type auditEntry struct {
	ID      string `json:"id"` // the key; the same where the same commit is published again
	Op      string `json:"op"` // of the control record; input_moved, input_halted, input_stopped
	Outcome string `json:"outcome,omitempty"`
	Class   string `json:"class,omitempty"`
	Reason  string `json:"reason,omitempty"`

	Path       string          `json:"path,omitempty"` // of a refused one
	Wanted     string          `json:"wanted,omitempty"`
	Found      string          `json:"found,omitempty"`
	Identities []auditIdentity `json:"identities,omitempty"` // that it acted on
	Hashes     []string        `json:"hashes,omitempty"`     // likewise, of those that were erased
	Suppress   bool            `json:"suppress,omitempty"`
	Removed    *auditRemoved   `json:"removed,omitempty"`
	Classes    []auditClass    `json:"classes,omitempty"` // of one that acted in several
	Job        string          `json:"job,omitempty"`
	Note       string          `json:"note,omitempty"`

	From  string         `json:"from,omitempty"` // of a range of times
	Until string         `json:"until,omitempty"`
	Cut   []auditCutPart `json:"cut,omitempty"` // up to where it acted, of one by position

	Dataset   string  `json:"dataset,omitempty"`
	Topic     string  `json:"topic,omitempty"` // the input topic
	Partition *int32  `json:"partition,omitempty"`
	Case      string  `json:"case,omitempty"`
	Next      *int64  `json:"next,omitempty"`
	LogStart  *int64  `json:"log_start,omitempty"`
	End       *int64  `json:"end,omitempty"`
	To        *int64  `json:"to,omitempty"`
	Lost      *uint64 `json:"lost,omitempty"`

	Time  string      `json:"time"` // of the operation or the commit, RFC 3339
	Cause *auditCause `json:"cause,omitempty"`
}

type auditIdentity struct {
	Namespace string `json:"namespace"`
	Value     string `json:"value"`
}

type auditRemoved struct {
	Fragments uint64 `json:"fragments"`
	Events    uint64 `json:"events"`
	Links     uint64 `json:"links"`
	Days      uint64 `json:"folded_days,omitempty"` // of expired events, with those of a dataset
}

type auditCause struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// audit puts an entry on the audit topic with this commit. A model without one keeps no audit.
func (sh *Shard) audit(e *auditEntry) {
	if sh.model.AuditTopic == "" {
		return
	}
	value, err := json.Marshal(e)
	if err != nil {
		panic(err) // invariant: strings and numbers marshal
	}
	sh.entries = append(sh.entries, sh.recordEntry(sh.model.AuditTopic, &store.OutRecord{
		Key: []byte(e.ID), Value: value,
	}))
}

// auditOf is the entry of an operation of which row is known.
func auditOf(id, outcome string, row *store.Applied) *auditEntry {
	e := &auditEntry{ID: id, Op: row.Op, Outcome: outcome, Class: row.Class, Job: row.Job,
		Time: formatTime(row.Time), Cause: causeOf(row.Cause)}
	if form := controlForms()[ControlOp(row.Op)]; form.removes {
		removed := auditRemoved(row.Removed)
		e.Removed = &removed
	}
	for _, p := range row.Parts {
		part := auditClass{Class: p.Class}
		if e.Removed != nil {
			removed := auditRemoved(p.Removed)
			part.Removed = &removed
		}
		e.Classes = append(e.Classes, part)
	}
	return e
}

func causeOf(p profile.Position) *auditCause {
	return &auditCause{p.Topic, p.Partition, p.Offset}
}

// auditOperation says that an operation is in force.
func (sh *Shard) auditOperation(op *operation) {
	e := auditOf(op.ID, auditApplied, &op.row)
	e.Note, e.Dataset = op.Note, op.Dataset
	if controlForms()[op.Op].span {
		e.From, e.Until = op.From, op.Until
	}
	e.Cut, e.Hashes, e.Suppress = auditCut(op.cut), hexOf(op.hashes), op.Suppress
	e.Identities = auditIdentities(op.affected)
	for i, part := range op.parts {
		e.Classes[i].Identities = auditIdentities(part.affected)
		e.Classes[i].Hashes = hexOf(part.hashes)
	}
	sh.audit(e)
}

func auditIdentities(ids []profile.Identity) []auditIdentity {
	var all []auditIdentity
	for _, id := range ids {
		all = append(all, auditIdentity(id))
	}
	return all
}

// auditRefused says that a control record was refused. Without an id nobody can look for it there;
// the dead letter says it all the same.
func (sh *Shard) auditRefused(in *Input) {
	c := in.control
	if c.ID == "" || len(c.ID) > MaxControlID {
		return
	}
	sh.counts.refusedControls = append(sh.counts.refusedControls, RefusedControl{ID: c.ID, Op: c.Op,
		Rejection: *in.Reject, Cause: in.Record.Pos})
	sh.audit(&auditEntry{ID: c.ID, Op: string(c.Op), Outcome: auditRejected, Class: c.Class,
		Reason: string(in.Reject.Reason), Path: in.Reject.Path, Wanted: in.Reject.Wanted,
		Found: in.Reject.Found, Time: formatTime(in.Stamp.Time), Cause: causeOf(in.Record.Pos)})
}
