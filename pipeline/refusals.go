package pipeline

import "selfsame/profile"

// restlessRoom is how many pairs of an identity and a dataset are watched: for links that are left
// out, and for moves. Counts are too large by at most a thousandth of all.
const restlessRoom = 1000

// restless is an identity that a dataset sets in motion.
type restless struct {
	class   string
	id      profile.Identity
	dataset string
}

// Restless is an identity that something happens to again and again.
type Restless struct {
	Identity profile.Identity
	Dataset  string // whose records do it
	Count    uint64 // since the start; never too small
	Error    uint64 // by how much Count may be too large
}

// noteRefusal counts a link that a dataset has just asserted and that was left out, under both its
// ends: the one that stands in the way of many is the one that rises.
func (sh *Shard) noteRefusal(as *assertion) {
	for _, id := range as.pair {
		one := restless{as.class, id, as.in.Dataset.Name}
		sh.counts.refused = append(sh.counts.refused, one)
	}
}

// noteMoves counts identities that went from one profile to another, which goes on without them.
func (sh *Shard) noteMoves(class string, event *graphEvent, why cause) {
	sh.counts.changes = append(sh.counts.changes, GraphCount{class, event.kind})
	if event.kind != graphMoved {
		return
	}
	for _, id := range event.identities {
		sh.counts.moved = append(sh.counts.moved, restless{class, id, why.dataset})
	}
}

// MostRefused returns the identities of a class whose links were left out most often since the
// start, at most n, and the bound on the error of every count. Safe for concurrent use.
func (s *Stats) MostRefused(class string, n int) (most []Restless, bound uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return mostRestless(s.mu.refused, class, n)
}

// MostMoved is MostRefused for those that went from one profile to another most often.
func (s *Stats) MostMoved(class string, n int) (most []Restless, bound uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return mostRestless(s.mu.moved, class, n)
}

func mostRestless(s *spaceSaving[restless], class string, n int) (most []Restless, bound uint64) {
	for _, f := range s.top(restlessRoom) {
		if f.key.class == class && len(most) < n {
			most = append(most, Restless{f.key.id, f.key.dataset, f.count, f.error})
		}
	}
	return most, s.bound()
}
