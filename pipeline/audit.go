package pipeline

import (
	"encoding/json"

	"selfsame/store"
)

// auditEntry is a record on the audit topic: something that changed what the daemon does or holds
// without being said by a record of an input topic. Fields that do not apply are left out.
type auditEntry struct {
	ID     string `json:"id"`     // the key; the same where the same commit is published again
	Action string `json:"action"` // input_moved, input_halted, input_stopped
	Time   string `json:"time"`   // of the commit, RFC 3339
	Reason string `json:"reason,omitempty"`

	Dataset   string  `json:"dataset,omitempty"`
	Topic     string  `json:"topic,omitempty"`
	Partition *int32  `json:"partition,omitempty"`
	Case      string  `json:"case,omitempty"`
	Next      *int64  `json:"next,omitempty"`
	LogStart  *int64  `json:"log_start,omitempty"`
	End       *int64  `json:"end,omitempty"`
	To        *int64  `json:"to,omitempty"`
	Lost      *uint64 `json:"lost,omitempty"`
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
