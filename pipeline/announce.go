package pipeline

import (
	"slices"
	"strconv"
	"time"

	"selfsame/profile"
	"selfsame/store"
)

// assigned is a cluster and its id.
type assigned struct {
	id      profile.ID
	members []profile.Identity
}

// graphChange is what one decision changed: the clusters its identities came from, and those they
// are in now.
type graphChange struct {
	class  string
	before map[profile.ID][]profile.Identity
	after  []assigned
}

// oldIDs lists the clusters before that have no successor of the same id, in order.
func (c *graphChange) oldIDs() []profile.ID {
	var gone []profile.ID
	for id := range c.before {
		if !slices.ContainsFunc(c.after, func(a assigned) bool { return a.id == id }) {
			gone = append(gone, id)
		}
	}
	slices.SortFunc(gone, func(a, b profile.ID) int { return slices.Compare(a[:], b[:]) })
	return gone
}

// Kinds of entry on the identity topic.
const (
	graphLinked   = "linked"       // an identity that was alone joined a profile
	graphMerged   = "merged"       // a profile of several identities was absorbed by another
	graphMoved    = "moved"        // an identity went from one profile to another
	graphSqueezed = "squeezed_out" // an identity left a profile and is alone
	graphSplit    = "split"        // some identities left a profile and form one of their own
	graphRenamed  = "renamed"      // the profile goes on under another id
)

// graphKinds are all of them.
var graphKinds = []string{graphLinked, graphMerged, graphMoved, graphSqueezed, graphSplit,
	graphRenamed, graphLeftOut, graphHub, graphContested, graphBlocked, graphReset,
	graphUncontested}

// graphEvent is one entry of the identity topic.
type graphEvent struct {
	kind       string
	profile    profile.ID // the profile the identities are in now
	from       profile.ID // the profile they were in
	identities []profile.Identity
}

// events compares before and after. Per pair of an old and a new cluster the identities that went
// from one to the other are one event; identities that stayed, and new ones alone, are none.
func (c *graphChange) events() []graphEvent {
	var out []graphEvent
	for _, now := range c.after {
		for _, from := range c.origins(now) {
			if from == now.id {
				continue
			}
			moved := common(c.before[from], now.members)
			out = append(out, graphEvent{
				kind: c.kind(from, now, moved), profile: now.id, from: from, identities: moved,
			})
		}
	}
	return out
}

// origins lists the old clusters that now has members of, in order of id.
func (c *graphChange) origins(now assigned) []profile.ID {
	var ids []profile.ID
	for id, members := range c.before {
		if len(common(members, now.members)) > 0 {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b profile.ID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

// kind names what happened to the identities moved from an old cluster into now.
func (c *graphChange) kind(from profile.ID, now assigned, moved []profile.Identity) string {
	whole := len(moved) == len(c.before[from])
	alone := len(moved) == len(now.members)
	_, existed := c.before[now.id]
	switch {
	case whole && alone && !existed:
		return graphRenamed
	case whole && len(moved) == 1:
		return graphLinked
	case whole:
		return graphMerged
	case alone && len(moved) == 1:
		return graphSqueezed
	case alone:
		return graphSplit
	}
	return graphMoved
}

// common lists the identities in both of two sorted lists.
func common(a, b []profile.Identity) []profile.Identity {
	out := make([]profile.Identity, 0, min(len(a), len(b)))
	for _, id := range a {
		if _, found := slices.BinarySearchFunc(b, id, profile.Identity.Compare); found {
			out = append(out, id)
		}
	}
	return out
}

// announce puts what happened to the graph on the identity topic, and remembers where the profiles
// that ceased to exist went.
func (sh *Shard) announce(change *graphChange, why cause) error {
	entity := sh.model.Entity(change.class)
	for _, event := range change.events() {
		if sh.quiet {
			break
		}
		sh.noteMoves(change.class, &event, why)
		value := renderGraphEvent(change.class, &event, why)
		sh.entries = append(sh.entries, sh.recordEntry(entity.IdentityTopic, &store.OutRecord{
			Key: []byte(event.profile.String()), Value: value,
		}))
	}
	for _, id := range change.oldIDs() {
		for _, member := range change.before[id] {
			p, err := sh.state.person(change.class, member)
			if err != nil {
				return err
			}
			if sh.ownID(p) == id {
				sh.dirty[clusterKey{change.class, id}].root = member
			}
		}
	}
	return nil
}

func renderGraphEvent(class string, e *graphEvent, why cause) []byte {
	b := make([]byte, 0, 320+64*len(e.identities))
	b = append(b, `{"kind":"`...)
	b = append(append(b, e.kind...), `","class":`...)
	b = profile.AppendString(b, class)
	b = append(append(b, `,"profile":"`...), e.profile.String()...)
	b = append(append(b, `","from":"`...), e.from.String()...)
	b = appendIdentityList(append(b, `","identities":`...), e.identities)
	b = append(append(b, `,"time":"`...), formatTime(why.time)...)
	b = append(append(b, `","cause":`...), renderPosition(why.pos)...)
	return append(b, '}')
}

func renderPosition(p profile.Position) []byte {
	b := profile.AppendString([]byte(`{"topic":`), p.Topic)
	b = strconv.AppendInt(append(b, `,"partition":`...), int64(p.Partition), 10)
	b = strconv.AppendInt(append(b, `,"offset":`...), p.Offset, 10)
	return append(b, '}')
}

// formatTime gives RFC 3339 in UTC with nanoseconds.
func formatTime(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

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
