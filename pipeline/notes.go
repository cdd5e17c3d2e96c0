package pipeline

import (
	"strconv"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// More kinds of entry on the identity topic: what keeps links out.
const (
	graphLeftOut     = "left_out"    // a new link stays out, because of a rule
	graphHub         = "hub"         // an identity has too many neighbours and stops linking
	graphContested   = "contested"   // two claim an identity, and it belongs to neither
	graphBlocked     = "blocked"     // a value is blocked and stops linking
	graphReset       = "reset"       // a hub links again
	graphUncontested = "uncontested" // an identity that was contested links again
)

// tellLeftOut puts a link that stays out on the identity topic, with the rule.
func (sh *Shard) tellLeftOut(as *assertion) error {
	l, err := sh.state.link(as.class, as.pair[0], as.pair[1])
	if err != nil {
		return err
	}
	reason, left, err := sh.why(as.class, identity.Link{A: as.pair[0], B: as.pair[1],
		Time: l.row.Latest().Time})
	if err != nil || !left {
		return err
	}
	sh.counts.leftOutBy(reason.Rule)
	a, b, err := sh.ends(as.class, as.pair)
	if err != nil {
		return err
	}
	note := profile.AppendString([]byte(`,"rule":`), reason.Rule.String())
	note = profile.AppendString(append(note, `,"dataset":`...), as.in.Dataset.Name)
	if len(reason.Conflict) > 0 {
		note = appendIdentityList(append(note, `,"conflict":`...), reason.Conflict)
	}
	event := &graphEvent{kind: graphLeftOut, profile: a.row.Cluster, from: b.row.Cluster,
		identities: as.pair[:]}
	sh.tell(as.class, event, note, as.in.cause())
	return nil
}

// tellSilent puts an identity that stops linking on the identity topic.
func (sh *Shard) tellSilent(p *person, reason store.Silence, why cause) {
	kinds := map[store.Silence]string{store.SilentHub: graphHub,
		store.SilentContested: graphContested, store.SilentBlocked: graphBlocked}
	kind, told := kinds[reason]
	if !told {
		return
	}
	if reason == store.SilentHub {
		sh.counts.hubs++
	}
	note := strconv.AppendUint([]byte(`,"neighbours":`), p.row.Degree, 10)
	sh.tellOf(p, kind, note, why)
}

// tellHeard puts an identity that links again on the identity topic.
func (sh *Shard) tellHeard(p *person, reason store.Silence, why cause) {
	switch {
	case reason&store.SilentHub != 0:
		sh.tellOf(p, graphReset, nil, why)
	case reason == store.SilentContested:
		sh.tellOf(p, graphUncontested, nil, why)
	}
}

func (sh *Shard) tellOf(p *person, kind string, note []byte, why cause) {
	sh.tell(p.key.class, &graphEvent{kind: kind, profile: p.row.Cluster, from: p.row.Cluster,
		identities: []profile.Identity{p.key.id}}, note, why)
}

// tell puts an entry with more fields on the identity topic.
func (sh *Shard) tell(class string, e *graphEvent, note []byte, why cause) {
	value := renderGraphEvent(class, e, why)
	value = append(append(value[:len(value)-1], note...), '}')
	sh.entries = append(sh.entries, sh.recordEntry(sh.model.Entity(class).IdentityTopic,
		&store.OutRecord{Key: []byte(e.profile.String()), Value: value}))
}
