package pipeline

import (
	"math"
	"strings"
	"time"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// Kinds of timer of retentions; the key names an identity. They are part of the on-disk format.
const (
	timerExpire = "(expire)" // an event of the identity may be past its retention
	timerIdle   = "(idle)"   // the identity may have been idle for too long
)

// retentionName stands for retentions as the cause of a change.
const retentionName = "(retention)"

// expiryGrain is how exact retentions are: what expires within a minute goes at its end, together.
const expiryGrain = time.Minute

// expiriesPerCommit bounds the events that one commit removes because they expired.
const expiriesPerCommit = 2000

// expiryKey is the key of a timer about an identity.
func expiryKey(key personKey) string {
	return key.class + "\x00" + key.id.Namespace + "\x00" + key.id.Value
}

func cutExpiryKey(text string) (key personKey, ok bool) {
	class, rest, ok := strings.Cut(text, "\x00")
	namespace, value, also := strings.Cut(rest, "\x00")
	return personKey{class, profile.Identity{Namespace: namespace, Value: value}}, ok && also
}

// plus adds a duration to a time, both nanoseconds, up to the end of time.
func plus(at int64, d time.Duration) int64 {
	if at > math.MaxInt64-int64(d)-2*int64(expiryGrain) {
		return math.MaxInt64 - 2*int64(expiryGrain)
	}
	return at + int64(d)
}

// rounded is the first full grain that is not before a time.
func rounded(at int64) int64 {
	grain := int64(expiryGrain)
	if over := ((at % grain) + grain) % grain; over > 0 {
		at += grain - over
	}
	return at
}

// expired reports whether an event of a dataset is past its retention.
func expired(ds *Dataset, at, now int64) bool {
	return ds.Retention > 0 && plus(at, ds.Retention) <= now
}

// awaitExpiry has p looked at when an event of a dataset that is stored under it expires.
func (sh *Shard) awaitExpiry(p *person, ds *Dataset, at int64) {
	if ds.Retention > 0 {
		sh.arm(p, timerExpire, &p.row.Expiry, rounded(plus(at, ds.Retention)))
	}
}

// arm sets a timer about p, unless an earlier one of the kind waits, which is armed.
func (sh *Shard) arm(p *person, kind string, armed *int64, at int64) {
	if *armed != 0 && *armed <= at {
		return
	}
	sh.disarm(p, kind, armed)
	*armed = at
	sh.state.touch(p)
	sh.setTimer(store.Timer{At: at, Kind: kind, Key: expiryKey(p.key)})
}

// disarm takes a timer about p back.
func (sh *Shard) disarm(p *person, kind string, armed *int64) {
	if *armed == 0 {
		return
	}
	sh.clearTimer(store.Timer{At: *armed, Kind: kind, Key: expiryKey(p.key)})
	*armed = 0
	sh.state.touch(p)
}

// fireExpiry works off a timer of a retention.
func (sh *Shard) fireExpiry(t store.Timer, now int64) error {
	key, ok := cutExpiryKey(t.Key)
	if !ok || sh.model.Entity(key.class) == nil {
		return nil // the class is not configured any more: its data stays as it is
	}
	p, err := sh.state.person(key.class, key.id)
	if err != nil || !p.known {
		return err
	}
	why := cause{profile.Position{Topic: retentionName}, t.At, ControlName}
	if t.Kind == timerIdle {
		if p.row.Idle != t.At {
			return nil
		}
		p.row.Idle = 0
		sh.state.touch(p)
		return sh.endIdle(p, max(now, t.At+1), why)
	}
	if p.row.Expiry != t.At {
		return nil
	}
	p.row.Expiry = 0
	sh.state.touch(p)
	return sh.expire(p, max(now, t.At+1), why)
}

// expire removes the events of p that are past their retentions, and has p looked at again when the
// next one is, or at once where there are too many for this commit.
func (sh *Shard) expire(p *person, now int64, why cause) error {
	var refs []store.EventRef
	next := map[string]int64{} // by dataset: when the next event expires
	full, visits := false, 0
	err := sh.state.events(p, math.MinInt64, math.MaxInt64, func(ref store.EventRef) bool {
		ds := sh.model.Dataset(ref.Dataset)
		visits++
		full = sh.expiries+len(refs) >= expiriesPerCommit ||
			visits > expiriesPerCommit*visitsPerUnit
		switch {
		case full:
			return false
		case ds == nil || ds.Retention == 0:
		case expired(ds, ref.Time, now):
			refs = append(refs, ref)
		default:
			at := plus(ref.Time, ds.Retention)
			if before, known := next[ref.Dataset]; !known || at < before {
				next[ref.Dataset] = at
			}
			return len(next) < len(p.row.Events) || sh.state.setEvents[ref] != nil
		}
		return true
	})
	if err != nil {
		return err
	}
	sh.expiries += len(refs)
	for _, ref := range refs {
		if err := sh.expireEvent(p, ref, why); err != nil {
			return err
		}
	}
	if len(refs) > 0 {
		if err := sh.relistEvents(p, why); err != nil {
			return err
		}
	}
	if full {
		sh.arm(p, timerExpire, &p.row.Expiry, now)
		return nil
	}
	for _, at := range next {
		sh.arm(p, timerExpire, &p.row.Expiry, rounded(at))
	}
	return nil
}

// expireEvent removes an event as if it had never been, but for a delete of its id, and for what
// computed attributes keep of it for ever: then its id is remembered, so that a copy is not counted
// again.
func (sh *Shard) expireEvent(p *person, ref store.EventRef, why cause) error {
	e, err := sh.state.eventID(ref.Dataset, ref.ID)
	if err != nil {
		return err
	}
	if gone, err := sh.cleanEventID(ref.Dataset, ref.ID, e, why); gone || err != nil {
		return err // it was deleted: nothing is kept of it
	}
	row, err := sh.state.event(ref)
	if err != nil {
		return err
	}
	if row != nil {
		if err := sh.computedExpire(p, ref, row); err != nil {
			return err
		}
	}
	if sh.folds(p.key.class, ref.Dataset) {
		e.row = store.EventID{Stamp: e.row.Stamp, Deleted: e.row.Deleted, Expired: true}
	} else {
		e.row = store.EventID{Deleted: e.row.Deleted}
	}
	sh.state.touchEventID(ref.Dataset, ref.ID, e)
	sh.state.setEvent(ref, nil)
	return nil
}

// pseudonymous reports whether an identity names nobody but a browser or a device.
func (sh *Shard) pseudonymous(class string, id profile.Identity) bool {
	n, ok := sh.rules(class).Namespace(id.Namespace)
	return ok && (n.Type == identity.Cookie || n.Type == identity.Device)
}

// awaitIdle has p, where it is pseudonymous, looked at when it may have been idle for too long.
func (sh *Shard) awaitIdle(p *person, seen int64) {
	d := sh.model.Entity(p.key.class).PseudonymousRetention
	if d > 0 && sh.pseudonymous(p.key.class, p.key.id) {
		sh.arm(p, timerIdle, &p.row.Idle, rounded(plus(seen, d)))
	}
}

// graphExpired is the kind of entry on the identity topic that tells that pseudonymous identities
// of a profile were removed since they had been idle: how many, not which.
const graphExpired = "expired"

// endIdle removes the cluster of p where it is pseudonymous, nothing ties it to anything else, and
// it has been idle for too long. Otherwise it has p looked at again.
func (sh *Shard) endIdle(p *person, now int64, why cause) error {
	d := sh.model.Entity(p.key.class).PseudonymousRetention
	if d == 0 {
		return nil
	}
	c, err := sh.state.cluster(p.key.class, p.row.Cluster)
	if err != nil {
		return err
	}
	var people []*person
	last, tied := int64(math.MinInt64), false
	for _, id := range c.members {
		q, err := sh.state.person(p.key.class, id)
		if err != nil {
			return err
		}
		at, isTied, err := sh.activity(q)
		if err != nil {
			return err
		}
		people = append(people, q)
		last, tied = max(last, at), tied || isTied
	}
	switch {
	case tied: // for as long as it is, it stays; it is asked again now and then
		sh.arm(p, timerIdle, &p.row.Idle, rounded(plus(now, d)))
		return nil
	case plus(last, d) > now:
		sh.arm(p, timerIdle, &p.row.Idle, rounded(plus(last, d)))
		return nil
	}
	return sh.removeIdle(people, now, why)
}

// activity is the time of the latest that was said about p, and whether anything ties it to more
// than browsers and devices: a link, also one that is left out, or what operators have said.
func (sh *Shard) activity(p *person) (last int64, tied bool, err error) {
	if !sh.pseudonymous(p.key.class, p.key.id) || p.row.Ordered || p.row.Floored ||
		!p.row.Floor.IsZero() || sh.blocked[p.key] {
		return 0, true, nil
	}
	if last, err = sh.state.lastEvent(p); err != nil {
		return 0, false, err
	}
	if p.row.FirstSeen != store.NeverSeen {
		last = max(last, p.row.FirstSeen)
	}
	for _, dataset := range p.row.Fragments {
		f, err := sh.state.fragment(p, dataset)
		if err != nil {
			return 0, false, err
		}
		if newest := f.Newest(); !newest.IsZero() {
			last = max(last, newest.Time)
		}
	}
	others, err := sh.state.neighbours(p)
	if err != nil {
		return 0, false, err
	}
	for _, other := range others {
		if !sh.pseudonymous(p.key.class, other) {
			return 0, true, nil
		}
		l, err := sh.state.link(p.key.class, p.key.id, other)
		if err != nil {
			return 0, false, err
		}
		last = max(last, l.row.Latest().Time)
	}
	return last, false, nil
}

// removeIdle removes identities with everything that is stored of them, as far as one commit may,
// and has the rest removed by the next ones.
func (sh *Shard) removeIdle(people []*person, now int64, why cause) error {
	floor := profile.Stamp{Time: now, Sequence: math.MinInt64, Pos: why.pos}
	cluster, class := people[0].row.Cluster, people[0].key.class
	if err := sh.cutLoose(people, floor, why); err != nil {
		return err
	}
	gone := 0
	for _, p := range people {
		e := &erasure{sh: sh, p: p, floor: floor, why: why,
			limit: max(1, expiriesPerCommit-sh.expiries)}
		done, err := e.step()
		if err != nil {
			return err
		}
		if sh.expiries += e.removed.sum(); done {
			gone++
		} else {
			sh.arm(p, timerIdle, &p.row.Idle, now)
		}
	}
	if gone > 0 {
		sh.tellCount(class, graphExpired, cluster, gone, why)
	}
	return nil
}

// lastEvent is the time of the latest event of p, this commit included; math.MinInt64 without one.
func (s *state) lastEvent(p *person) (int64, error) {
	last, found, err := s.reader.LastEvent(p.key.class, p.key.id)
	if err != nil || !found {
		last = math.MinInt64
	}
	for _, ref := range s.eventOrder {
		if ref.Class == p.key.class && ref.Identity == p.key.id && s.setEvents[ref] != nil {
			last = max(last, ref.Time)
		}
	}
	return last, err
}
