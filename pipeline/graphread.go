package pipeline

import (
	"fmt"
	"slices"

	"selfsame/identity"
	"selfsame/profile"
	"selfsame/store"
)

// Limits of what an answer about the graph lists.
const (
	DefaultGraphLimit = 100    // links, and links left out, where a query says nothing
	LimitGraphLimit   = 10_000 // the most that a query may ask for
)

// GraphQuery names an identity in the graph of a class.
type GraphQuery struct {
	Class     string
	Namespace string
	Value     string // before normalisation
	Limit     int    // of each list in the answer; 0: DefaultGraphLimit
}

// Graph returns the cluster of an identity, its links, and what was left out and why; nil where the
// identity is not known. *QueryError where the query itself is wrong.
func (l *Lookup) Graph(q GraphQuery) (*GraphCluster, error) {
	r, close, err := l.graphReader(q.Class, q.Limit)
	if err != nil {
		return nil, err
	}
	defer close()
	id, err := r.entity.resolve(q.Namespace, q.Value)
	if err != nil {
		return nil, err
	}
	row, err := r.view.person(id)
	if err != nil || row == nil || row.Erasing && row.Erased {
		return nil, err
	}
	return r.cluster(id, row.Cluster)
}

// UnknownError says which identity of a query is not known: "from" or "to".
type UnknownError struct{ Which string }

// Error implements error.
func (e *UnknownError) Error() string { return "the identity of " + e.Which + " is not known" }

// Explain says why two identities of a class are one self, or are not. *UnknownError where one of
// them is not known, *QueryError where the query itself is wrong. The limit is that of from.
func (l *Lookup) Explain(from, to GraphQuery) (*GraphExplanation, error) {
	r, close, err := l.graphReader(from.Class, from.Limit)
	if err != nil {
		return nil, err
	}
	defer close()
	a, err := r.entity.resolve(from.Namespace, from.Value)
	if err != nil {
		return nil, err
	}
	b, err := r.entity.resolve(to.Namespace, to.Value)
	if err != nil {
		return nil, err
	}
	return r.explain(a, b)
}

// graphReader answers one question about the graph, from a snapshot.
type graphReader struct {
	entity *Entity
	view   *snapView
	limit  int
}

func (l *Lookup) graphReader(class string, limit int) (r *graphReader, close func(), err error) {
	entity, _, err := l.find(class, "")
	if err != nil {
		return nil, nil, err
	}
	if limit < 0 || limit > LimitGraphLimit {
		return nil, nil, &QueryError{fmt.Sprintf("limit: want 1 to %d", LimitGraphLimit)}
	}
	if limit == 0 {
		limit = DefaultGraphLimit
	}
	snap := l.store.Snapshot()
	r = &graphReader{entity: entity, view: newSnapView(&snap.Reader, class), limit: limit}
	return r, func() { _ = snap.Close() }, nil
}

func (r *graphReader) cluster(id profile.Identity, cluster profile.ID) (*GraphCluster, error) {
	members, err := r.view.Members(id)
	if err != nil {
		return nil, err
	}
	c := &GraphCluster{Class: r.entity.Name, Profile: cluster.String(), Links: []GraphLink{},
		LeftOut: []GraphLeftOut{}, Forbidden: [][2]string{}}
	if c.Identities, err = r.members(members); err != nil {
		return nil, err
	}
	for _, member := range members {
		if err := r.inside(c, member); err != nil {
			return nil, err
		}
		out := leaving{from: member, stays: func(id profile.Identity) bool {
			return !contains(members, id)
		}}
		more, err := r.leftOut(&c.LeftOut, out)
		if err != nil {
			return nil, err
		}
		c.MoreLeftOut += more
	}
	return c, nil
}

func contains(members []profile.Identity, id profile.Identity) bool {
	_, found := slices.BinarySearchFunc(members, id, profile.Identity.Compare)
	return found
}

// members tells of the identities of a cluster.
func (r *graphReader) members(ids []profile.Identity) ([]GraphMember, error) {
	list := make([]identity.Member, len(ids))
	all := make([]GraphMember, len(ids))
	for i, id := range ids {
		row, err := r.view.person(id)
		if err != nil {
			return nil, err
		}
		list[i] = identity.Member{ID: id, FirstSeen: row.FirstSeen}
		all[i].Identity = id.String()
		if all[i].Silent, err = r.view.silentText(id); err != nil {
			return nil, err
		}
		if row.FirstSeen != store.NeverSeen {
			all[i].FirstSeen = formatTime(row.FirstSeen)
		}
	}
	root := r.entity.Rules.Root(list)
	all[slices.Index(ids, root)].Root = true
	return all, nil
}

// inside lists the links of a member within its cluster, each under its smaller end, and the pairs
// that operators keep apart, under either.
func (r *graphReader) inside(c *GraphCluster, member profile.Identity) error {
	orders, err := r.view.Orders(member)
	if err != nil {
		return err
	}
	for _, other := range orders.Apart {
		c.Forbidden = append(c.Forbidden, [2]string{member.String(), other.String()})
	}
	links, err := r.view.Links(member)
	if err != nil {
		return err
	}
	members, err := r.view.Members(member)
	if err != nil {
		return err
	}
	for _, link := range orders.Together {
		if contains(members, link.B) && contains(members, link.A) {
			links = append(without(links, link), link)
		}
	}
	for _, link := range links {
		switch {
		case link.A != member:
		case len(c.Links) == r.limit:
			c.MoreLinks++
		default:
			shown, err := r.link(link)
			if err != nil {
				return err
			}
			c.Links = append(c.Links, shown)
		}
	}
	return nil
}

// without leaves out the link between the ends of one that an operator forces.
func without(links []identity.Link, forced identity.Link) []identity.Link {
	return slices.DeleteFunc(slices.Clone(links), func(link identity.Link) bool {
		return link.A == forced.A && link.B == forced.B
	})
}

// link tells why a link exists.
func (r *graphReader) link(link identity.Link) (GraphLink, error) {
	row, err := r.view.rows.Link(r.entity.Name, link.A, link.B)
	if err != nil {
		return GraphLink{}, r.view.failed(err)
	}
	if row == nil {
		row = &store.Link{}
	}
	l := graphLink(link.A, link.B, row)
	if !link.Forced {
		return l, nil
	}
	err = r.view.rows.Orders(r.entity.Name, link.A, func(id profile.Identity, row *store.Orders) {
		if id == link.B {
			place := graphPlace(row.Together.Stamp)
			l.Order, l.Time = &place, place.Time
		}
	})
	return l, r.view.failed(err)
}

// leaving are the links from an identity to those that stay outside.
type leaving struct {
	from  profile.Identity
	stays func(profile.Identity) bool
}

// leftOut appends to list the links of one identity that count and stay out, until it is full; more
// is how many have not been looked at.
func (r *graphReader) leftOut(list *[]GraphLeftOut, out leaving) (more int, err error) {
	orders, err := r.view.Orders(out.from)
	if err != nil {
		return 0, err
	}
	forced := slices.DeleteFunc(orders.Together, func(link identity.Link) bool {
		return !out.stays(link.Other(out.from))
	})
	for _, link := range forced {
		if err := r.appendLeftOut(list, link); err != nil {
			return 0, err
		}
	}
	err = r.view.rows.EachNeighbour(r.entity.Name, out.from, func(n store.Neighbour) error {
		other := n.ID
		isForced := slices.ContainsFunc(forced, func(link identity.Link) bool {
			return link.Other(out.from) == other
		})
		switch {
		case isForced || !out.stays(other):
			return nil
		case len(*list) >= r.limit:
			more++
			return nil
		}
		link, row, err := r.view.link(out.from, other)
		if err != nil || row == nil {
			return err
		}
		return r.appendLeftOut(list, link)
	})
	return more, r.view.failed(err)
}

// appendLeftOut says why a link stays out.
func (r *graphReader) appendLeftOut(list *[]GraphLeftOut, link identity.Link) error {
	shown, err := r.link(link)
	if err != nil {
		return err
	}
	left := GraphLeftOut{Link: shown, Rule: RuleNone}
	end, silence, err := r.view.silent(link)
	if err != nil {
		return err
	}
	if silence != 0 && !link.Forced {
		left.Rule, left.Conflict = silenceText(silence), []string{end.String()}
		*list = append(*list, left)
		return nil
	}
	reason, out, err := r.entity.Rules.Why(r.view, link)
	if r.view.fault != nil {
		return r.view.fault
	}
	if err == nil && out {
		left.Rule, left.Conflict = reason.Rule.String(), identityTexts(reason.Conflict)
		if reason.Against != nil {
			against, err := r.link(*reason.Against)
			if err != nil {
				return err
			}
			left.Against = &against
		}
	}
	*list = append(*list, left)
	return nil
}

func (r *graphReader) explain(a, b profile.Identity) (*GraphExplanation, error) {
	from, err := r.known(a, "from")
	if err != nil {
		return nil, err
	}
	to, err := r.known(b, "to")
	if err != nil {
		return nil, err
	}
	e := &GraphExplanation{Class: r.entity.Name, Connected: from.Cluster == to.Cluster,
		From: GraphEnd{Identity: a.String(), Profile: from.Cluster.String()},
		To:   GraphEnd{Identity: b.String(), Profile: to.Cluster.String()},
		Path: []GraphLink{}, LeftOut: []GraphLeftOut{}}
	if e.From.Silent, err = r.view.silentText(a); err != nil {
		return nil, err
	}
	if e.To.Silent, err = r.view.silentText(b); err != nil {
		return nil, err
	}
	if !e.Connected {
		return e, r.between(e, a, b)
	}
	path, err := r.entity.Rules.Path(r.view, a, b)
	if err != nil {
		return nil, err
	}
	for _, link := range path {
		shown, err := r.link(link)
		if err != nil {
			return nil, err
		}
		e.Path = append(e.Path, shown)
	}
	return e, nil
}

// known reads the row of an identity, which is which one of the query.
func (r *graphReader) known(id profile.Identity, which string) (*store.Identity, error) {
	row, err := r.view.person(id)
	if err == nil && (row == nil || row.Erasing && row.Erased) {
		err = &UnknownError{which}
	}
	return row, err
}

// between lists the links that would join the clusters of a and b.
func (r *graphReader) between(e *GraphExplanation, a, b profile.Identity) error {
	near, err := r.view.Members(a)
	if err != nil {
		return err
	}
	far, err := r.view.Members(b)
	if err != nil {
		return err
	}
	for _, member := range near {
		out := leaving{member, func(id profile.Identity) bool { return contains(far, id) }}
		more, err := r.leftOut(&e.LeftOut, out)
		if err != nil {
			return err
		}
		e.MoreLeftOut += more
	}
	return nil
}
