package pipeline

import (
	"context"
	"encoding/json"
	"slices"

	"selfsame/profile"
)

// recall reads from the audit topic on which identities deletions have acted. A deletion names one
// identity and acts on all of its profile as it was then. Where the input is consumed again, by a
// rebuild or after a restore, the control record can come before the records that had joined the
// identities; without this the data of the others would come back.
func (p *Publisher) recall(ctx context.Context) error {
	topic := p.shard.model.AuditTopic
	acted := map[string][]profile.Identity{}
	for _, tp := range p.partitions {
		if tp.Topic != topic {
			continue
		}
		bounds, err := p.bounds(ctx, tp)
		if err != nil {
			return err
		}
		err = p.walk(ctx, tp, bounds.Start, bounds.End, func(records []Record) error {
			for i := range records {
				noteDeletion(acted, records[i].Value)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	p.shard.recalled = acted
	return nil
}

// noteDeletion adds the identities of an audit record, where it tells of a deletion.
func noteDeletion(acted map[string][]profile.Identity, value []byte) {
	var e auditEntry
	if err := json.Unmarshal(value, &e); err != nil {
		return // nothing of ours
	}
	if e.Op != string(ControlDeleteProfile) || e.Outcome != auditApplied {
		return
	}
	for _, id := range e.Identities {
		if !slices.Contains(acted[e.ID], profile.Identity(id)) {
			acted[e.ID] = append(acted[e.ID], profile.Identity(id))
		}
	}
}

// deleted lists the identities that a deletion acts on: those of the profile now, and those on
// which it had acted before the input was consumed again.
func (sh *Shard) deleted(op *operation) ([]profile.Identity, error) {
	view := sh.view(op.Class)
	members, err := view.Members(op.ids[0])
	if err != nil {
		return nil, err
	}
	all := slices.Clone(members)
	known := sh.model.Entity(op.Class).Rules.Names()
	for _, id := range sh.recalled[op.ID] {
		if slices.Contains(known, id.Namespace) && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all, nil
}
