package pipeline

import (
	"selfsame/identity"
	"selfsame/profile"
)

// refusalRoom is how many pairs of an identity and a dataset are watched for links that are left
// out. Counts are too large by at most a thousandth of all.
const refusalRoom = 1000

// refusal is an end of a link that a dataset asserted and that was left out.
type refusal struct {
	class   string
	id      profile.Identity
	dataset string
}

// Refused is an identity whose links are left out often.
type Refused struct {
	Identity profile.Identity
	Dataset  string // that asserted them
	Count    uint64 // of assertions since the start; never too small
	Error    uint64 // by how much Count may be too large
}

// noteLeftOut counts a link that a dataset has just asserted, where it was left out.
func (sh *Shard) noteLeftOut(class string, pair [2]profile.Identity, in *Input) error {
	view := &graphView{sh.state, class}
	link := identity.Link{A: pair[0], B: pair[1], Time: in.Stamp.Time}
	reason, left, err := sh.rules(class).Why(view, link)
	if err != nil || !left {
		return err
	}
	sh.counts.leftOut = append(sh.counts.leftOut, leftOut{GraphCount{class, reason.Rule.String()},
		pair, in.Dataset.Name})
	return nil
}

// leftOut is a link that was left out when a dataset asserted it.
type leftOut struct {
	rule    GraphCount
	pair    [2]profile.Identity
	dataset string
}

// leftOutLocked counts a link under its rule and under both its ends: the one that stands in the
// way of many is the one that rises.
func (s *Stats) leftOutLocked(l *leftOut) {
	s.mu.f.LinksLeftOut[l.rule]++
	for _, id := range l.pair {
		s.mu.refused.add(refusal{l.rule.Class, id, l.dataset})
	}
}

// MostRefused returns the identities of a class whose links were left out most often since the
// start, at most n, and the bound on the error of every count. Safe for concurrent use.
func (s *Stats) MostRefused(class string, n int) (most []Refused, bound uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.mu.refused.top(refusalRoom) {
		if f.key.class == class && len(most) < n {
			most = append(most, Refused{f.key.id, f.key.dataset, f.count, f.error})
		}
	}
	return most, s.mu.refused.bound()
}
