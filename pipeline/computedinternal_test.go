package pipeline

import (
	"math"

	"selfsame/profile"
	"selfsame/store"
)

// inCommit makes a commit of what do does with an identity.
func (sh *Shard) inCommit(class string, id profile.Identity, now int64,
	do func(p *person, why cause) error) error {
	sh.version = sh.store.NextVersion()
	sh.state.computed.now, sh.state.computed.version = now, sh.version
	p, err := sh.state.person(class, id)
	if err == nil {
		err = do(p, cause{pos: profile.Position{Topic: "control"}})
	}
	if err != nil {
		return err
	}
	return sh.commit(true, nil)
}

// ExpireEvents ends the retention of the events of an identity before a time.
func (sh *Shard) ExpireEvents(class string, id profile.Identity, before, now int64) error {
	return sh.inCommit(class, id, now, func(p *person, why cause) error {
		var refs []store.EventRef
		err := sh.state.events(p, math.MinInt64, before-1, func(ref store.EventRef) bool {
			refs = append(refs, ref)
			return true
		})
		if err != nil {
			return err
		}
		for _, ref := range refs {
			row, err := sh.state.event(ref)
			if err != nil {
				return err
			}
			if err := sh.computedExpire(p, ref, row); err != nil {
				return err
			}
			e, err := sh.state.eventID(ref.Dataset, ref.ID)
			if err != nil {
				return err
			}
			e.row.Hidden = true
			sh.state.touchEventID(ref.Dataset, ref.ID, e)
			sh.state.setEvent(ref, nil)
		}
		return sh.relistEvents(p, why)
	})
}

// RemoveDay takes a folded day of a dataset out of what is computed of an identity.
func (sh *Shard) RemoveDay(class string, id profile.Identity, dataset string, day, now int64) (
	days int, events int64, err error) {
	err = sh.inCommit(class, id, now, func(p *person, why cause) error {
		removed, err := sh.computedDays(p, dataset, day, day, why)
		days, events = removed.Days, removed.Events
		return err
	})
	return days, events, err
}

// DropComputed forgets what is computed of an identity.
func (sh *Shard) DropComputed(class string, id profile.Identity, now int64) error {
	return sh.inCommit(class, id, now, func(p *person, why cause) error {
		return sh.computedDrop(p, why)
	})
}
