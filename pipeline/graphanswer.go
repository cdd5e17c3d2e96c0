package pipeline

import (
	"selfsame/profile"
	"selfsame/store"
)

// Answers about the graph. Identities are texts, NAMESPACE:VALUE, times RFC 3339.

// GraphPlace is a record that says something about a link.
type GraphPlace struct {
	Time      string `json:"time"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// GraphAssertion is what one dataset says about a link: the least and the greatest record.
type GraphAssertion struct {
	Dataset string     `json:"dataset"`
	First   GraphPlace `json:"first"`
	Latest  GraphPlace `json:"latest"`
}

// GraphLink is a link and why it exists.
type GraphLink struct {
	A          string           `json:"a"`
	B          string           `json:"b"`
	Time       string           `json:"time"` // the greatest of all assertions, or of the order
	Assertions []GraphAssertion `json:"assertions,omitempty"`
	Order      *GraphPlace      `json:"order,omitempty"` // of an operator that forces it
}

// GraphLeftOut is a link that counts and stays out, and why.
type GraphLeftOut struct {
	Link GraphLink `json:"link"`
	// Rule is the one that the link would break, RuleNone where the rules have changed since. Where
	// an end does not link at all it is why: "hub", "contested", "blocked" or "clearing".
	Rule string `json:"rule"`
	// Conflict are the identities that may not meet; none where only the size counts.
	Conflict []string `json:"conflict,omitempty"`
	// Against is the accepted link in the way: without it, this one would not break the rule.
	Against *GraphLink `json:"against,omitempty"`
}

// RuleNone is the rule of a link that is out and would not be, by the rules of today.
const RuleNone = "none"

// GraphMember is an identity of a cluster.
type GraphMember struct {
	Identity  string `json:"identity"`
	FirstSeen string `json:"first_seen,omitempty"` // not of one that only operators have named
	Root      bool   `json:"root,omitempty"`       // that the profile id is made of
	Silent    string `json:"silent,omitempty"`     // why it does not link, where it does not
}

// GraphCluster is a cluster with its links.
type GraphCluster struct {
	Class       string         `json:"class"`
	Profile     string         `json:"profile"`
	Identities  []GraphMember  `json:"identities"`
	Links       []GraphLink    `json:"links"`
	MoreLinks   int            `json:"more_links"` // that are not listed
	LeftOut     []GraphLeftOut `json:"left_out"`
	MoreLeftOut int            `json:"more_left_out"` // that are not listed; voided ones among them
	Forbidden   [][2]string    `json:"forbidden"`     // pairs that operators keep apart
}

// GraphEnd is an identity that an explanation is about.
type GraphEnd struct {
	Identity string `json:"identity"`
	Profile  string `json:"profile"`
	Silent   string `json:"silent,omitempty"` // why it does not link, where it does not
}

// GraphExplanation says why two identities are one self, or are not.
type GraphExplanation struct {
	Class     string      `json:"class"`
	From      GraphEnd    `json:"from"`
	To        GraphEnd    `json:"to"`
	Connected bool        `json:"connected"`
	Path      []GraphLink `json:"path"` // the links from one to the other, in this order
	// LeftOut are the links that would join them, where they are not connected.
	LeftOut     []GraphLeftOut `json:"left_out"`
	MoreLeftOut int            `json:"more_left_out"` // that are not listed; voided ones among them
}

// GraphTop is what is large, and what is refused, in the graph of a class.
type GraphTop struct {
	Class    string           `json:"class"`
	Links    int64            `json:"links"`
	Clusters int64            `json:"clusters"`
	Sizes    []GraphSize      `json:"sizes"`   // the smallest first
	Several  map[string]int64 `json:"several"` // clusters with more than one value of a namespace
	Largest  []GraphLarge     `json:"largest"`
	HubsAll  int64            `json:"hubs_all"` // how many hubs there are
	Hubs     []GraphHub       `json:"hubs"`     // those that turned the most away
	// Refused are those whose links are left out most often when they are asserted, Moved those
	// that go from one profile to another most often: of two links that cannot both count the newer
	// one does, so a device that is shared moves, and one end of a weaker link is refused.
	Refused []GraphRestless `json:"refused"`
	Moved   []GraphRestless `json:"moved"`
	// The errors bound those of every count of the lists. What is missing occurred no more often.
	RefusedError uint64 `json:"refused_error"`
	MovedError   uint64 `json:"moved_error"`
}

// GraphHub is an identity with too many neighbours, which links no more.
type GraphHub struct {
	Identity   string `json:"identity"`
	Neighbours uint64 `json:"neighbours"`  // whose links are kept, for a look at them
	TurnedAway uint64 `json:"turned_away"` // assertions since it is a hub
	Profile    string `json:"profile"`
}

// GraphSize is how many clusters of a class of size there are.
type GraphSize struct {
	Size     string `json:"size"`
	Clusters int64  `json:"clusters"`
}

// GraphLarge is a large cluster.
type GraphLarge struct {
	Profile    string         `json:"profile"`
	Size       int            `json:"size"`
	Namespaces map[string]int `json:"namespaces"` // identities by namespace
	Identity   string         `json:"identity"`   // one of them, to go on with
}

// GraphRestless is an identity that is refused or moved again and again.
type GraphRestless struct {
	Identity   string `json:"identity"`
	Dataset    string `json:"dataset"` // whose records do it
	Count      uint64 `json:"count"`   // since the daemon started; never too small
	Error      uint64 `json:"error"`   // by how much it may be too large
	Neighbours uint64 `json:"neighbours"`
	Profile    string `json:"profile"`
}

func graphPlace(s profile.Stamp) GraphPlace {
	return GraphPlace{formatTime(s.Time), s.Pos.Topic, s.Pos.Partition, s.Pos.Offset}
}

// graphLink renders the row of a link.
func graphLink(a, b profile.Identity, row *store.Link) GraphLink {
	if b.Compare(a) < 0 {
		a, b = b, a
	}
	l := GraphLink{A: a.String(), B: b.String(), Time: formatTime(row.Latest().Time)}
	for i := range row.Assertions {
		said := &row.Assertions[i]
		l.Assertions = append(l.Assertions, GraphAssertion{said.Dataset, graphPlace(said.First),
			graphPlace(said.Latest)})
	}
	return l
}

// silenceText names the first reason of a set.
func silenceText(s store.Silence) string {
	switch {
	case s&store.SilentBlocked != 0:
		return graphBlocked
	case s&store.SilentHub != 0:
		return graphHub
	case s&store.SilentContested != 0:
		return graphContested
	}
	return "clearing"
}

func identityTexts(ids []profile.Identity) []string {
	var out []string
	for _, id := range ids {
		out = append(out, id.String())
	}
	return out
}
