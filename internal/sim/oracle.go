package sim

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// oracle is what the engine should come to, written from the semantics in maps and full walks, and
// sharing no code with it. It remembers every fact it was told and works out everything anew.
//
// Most of it is a function of the set of facts. What operators ask for is not, where it speaks of
// what there is when it is applied: who belongs to a profile, up to where a topic was consumed,
// which copy of an event stands. Then the order of consumption, which each owner knows, is a fact
// too, and a deletion marks the facts that it has deleted.
type oracle struct {
	world    World
	facts    []*fact
	appended map[string]int64  // by partition: the greatest Kafka timestamp, bounded by the clock
	next     map[string]int64  // by partition: past the last record consumed
	rejected map[string]string // by place: the reason
	known    map[who]int64     // the least time at which an identity was told of
	held     map[eventName]*heldEvent
	defined  defined               // computed attributes
	folded   map[who][]foldedEvent // that have expired, and still count
	said                           // by operators
	told                           // by the audit topic
}

// fed is a record as it was consumed, and the clock then; or what the audit topic told.
type fed struct {
	topic     string
	partition int32
	offset    int64
	time, now int64
	key       []byte // nil where Kafka has null
	value     []byte
	headers   map[string]string

	heard []audited // without a topic
	first bool      // that is heard for the first time in a life that begins
	jobs  []string  // that have removed what was deleted and lifted

	defined defined // without a topic: which attributes there are from then on
}

func (r *fed) from() string  { return fmt.Sprintf("%s/%d", r.topic, r.partition) }
func (r *fed) place() string { return fmt.Sprintf("%s/%d", r.from(), r.offset) }

// who is an identity.
type who struct{ ns, value string }

// stamp orders what records say.
type stamp struct {
	time, seq int64
	topic     string
	partition int32
	offset    int64
}

func (s stamp) compare(o stamp) int {
	return cmp.Or(cmp.Compare(s.time, o.time), cmp.Compare(s.seq, o.seq),
		strings.Compare(s.topic, o.topic), cmp.Compare(s.partition, o.partition),
		cmp.Compare(s.offset, o.offset))
}

// fact is an accepted record.
type fact struct {
	dataset string
	event   string // its id, "" for records
	op      string // upsert, replace, delete; insert, delete for events
	stamp   stamp
	primary who
	all     []who
	leaves  map[string]any // dotted path to value; nil unsets
	edits   []edit         // of arrays
	page    *string        // of an event
	amount  *float64       // likewise

	// What deletions have left of it.
	counts   bool     // what it says of attributes
	replaces bool     // that it takes away what its dataset had said, deleted or not
	latest   bool     // that it can be the newest word on links
	links    [][2]who // that it asserts
}

// forgotten is as if it had never been, but that its identities are known.
func (f *fact) forgotten() {
	f.counts, f.replaces, f.latest, f.links = false, false, false, nil
}

func newOracle(w World) *oracle {
	return &oracle{world: w, appended: map[string]int64{}, next: map[string]int64{},
		rejected: map[string]string{}, known: map[who]int64{}, held: map[eventName]*heldEvent{},
		defined: definedFirst(), folded: map[who][]foldedEvent{},
		said: newSaid(), told: newTold()}
}

// consume tells one record.
func (o *oracle) consume(r *fed) {
	switch {
	case r.defined != nil:
		o.expire(r.now)
		o.defined = r.defined
		return
	case r.topic == "":
		o.hear(r.heard, r.first)
		return
	}
	o.expire(r.now)
	from := r.from()
	o.appended[from] = max(o.appended[from], min(r.time, r.now))
	reason := ""
	if r.topic == topicControl {
		reason = o.obey(r)
	} else {
		reason = o.believe(r)
	}
	if reason != "" {
		o.rejected[r.place()] = reason
	}
	o.next[from] = r.offset + 1
}

// believe takes a record of a dataset, or says why not.
func (o *oracle) believe(r *fed) (reason string) {
	f, reason := judge(r)
	if reason == "" {
		reason = f.late(o.appended[r.from()])
	}
	if reason == "" {
		reason = f.without(func(id who) bool { return o.blocked[id] })
	}
	if reason == "" {
		reason = o.withoutErased(f)
	}
	if reason != "" {
		return reason
	}
	told := f.all
	switch {
	case f.op == "delete" && f.event != "":
		told = nil
	case f.op == "delete":
		told = []who{f.primary}
	}
	for _, id := range told {
		o.meet(id, f.stamp.time)
	}
	if o.cuts[f.dataset].covers(f.stamp) {
		return "" // it was deleted before it came
	}
	if f.op != "delete" {
		f.links = pairs(f.all)
	}
	f.latest = true
	if f.event != "" {
		o.takeEvent(f)
	} else {
		f.counts, f.replaces = !o.floored(f), f.op != "upsert"
	}
	o.facts = append(o.facts, f)
	return ""
}

func (f *fact) late(appended int64) string {
	if f.stamp.time-appended > int64(maxFuture) {
		return "future_timestamp"
	}
	if f.dataset == "web" && f.op != "delete" && appended-f.stamp.time > int64(retention) {
		return "too_old"
	}
	return ""
}

// meet makes an identity known. One that was erased counts as first seen then.
func (o *oracle) meet(id who, at int64) {
	first, known := o.known[id]
	if e, erased := o.erased[hashOf(id)]; !known && erased {
		o.known[id] = e.time + 1
		o.floor[id] = max(o.floor[id], e.time)
		return
	}
	if !known || at < first {
		o.known[id] = at
	}
}

// view is the outcome: what readers of the compacted topics hold.
type view struct {
	profiles    map[string]string // topic and id to content
	assignments map[string]string // identity to id
}

// profileKey names a profile of a policy.
func profileKey(topic, id string) string { return topic + " " + id }

// strength is the order of the namespaces.
var strength = []string{"crm", "email", "cookie"}

func rank(id who) int { return slices.Index(strength, id.ns) + 1 }

func compareWho(a, b who) int {
	return cmp.Or(strings.Compare(a.ns, b.ns), strings.Compare(a.value, b.value))
}

// look works out everything, as it is at a time.
func (o *oracle) look(now int64) view {
	o.expire(now)
	v := view{profiles: map[string]string{}, assignments: map[string]string{}}
	g := gathering{world: o.world, now: now, fragments: o.fragments(), held: o.holders(),
		events: map[who][]*fact{}, defined: o.defined, folded: o.folded}
	o.eachEvent(func(e *heldEvent) {
		g.events[e.copy.primary] = append(g.events[e.copy.primary], e.copy)
	})
	for _, members := range o.clusters() {
		id := profileID(o.root(members))
		for _, m := range members {
			v.assignments[m.ns+":"+m.value] = id
		}
		o.lookAt(g, v, members, id)
	}
	return v
}

// lookAt works out the profiles of a cluster.
func (o *oracle) lookAt(g gathering, v view, members []who, id string) {
	for _, p := range policies(o.world) {
		if !p.alone {
			if content, exists := g.merge(p, members); exists {
				v.profiles[profileKey(p.topic, id)] = content
			}
			continue
		}
		for _, m := range members {
			if content, exists := g.merge(p, []who{m}); exists {
				v.profiles[profileKey(p.topic, profileID(m))] = content
			}
		}
	}
}

type link struct {
	a, b   who
	time   int64
	forced bool
}

// asserted finds the latest assertion of each link, of those that nothing has voided.
func (o *oracle) asserted() map[[2]who]stamp {
	newest := map[who]*fact{} // of the club: the record whose links are the current ones
	for _, f := range o.facts {
		old := newest[f.primary]
		if f.dataset == "club" && f.latest && (old == nil || old.stamp.compare(f.stamp) < 0) {
			newest[f.primary] = f
		}
	}
	latest := map[[2]who]stamp{}
	for _, f := range o.facts {
		if f.dataset == "club" && newest[f.primary] != f {
			continue
		}
		for _, ends := range f.links {
			if at, found := latest[ends]; !found || at.compare(f.stamp) < 0 {
				latest[ends] = f.stamp
			}
		}
	}
	return latest
}

func pairs(ids []who) (all [][2]who) {
	for _, a := range ids {
		for _, b := range ids {
			if compareWho(a, b) < 0 {
				all = append(all, [2]who{a, b})
			}
		}
	}
	return all
}

// clusters walks all links, best first, and accepts each that keeps the rules.
func (o *oracle) clusters() [][]who {
	var links []link
	for ends, at := range o.asserted() {
		if at.time > o.unlinkedTo(ends[0]) && at.time > o.unlinkedTo(ends[1]) {
			links = append(links, link{ends[0], ends[1], at.time, false})
		}
	}
	forced := o.forced()
	one := o.walk(forced, nil) // values that operators have joined count as one
	of := o.walk(append(links, forced...), one)
	var all [][]who
	for id, members := range of {
		slices.SortFunc(members, compareWho)
		if id == members[0] {
			all = append(all, members)
		}
	}
	return all
}

// walk accepts links in their order. one says what counts as one value; where it is nil only what
// is forbidden, and the size, keeps a link out.
func (o *oracle) walk(links []link, one map[who][]who) map[who][]who {
	slices.SortFunc(links, func(x, y link) int {
		first := func(l link) int {
			if l.forced {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(first(x), first(y)),
			cmp.Compare(max(rank(x.a), rank(x.b)), max(rank(y.a), rank(y.b))),
			cmp.Compare(y.time, x.time),
			cmp.Compare(rank(x.a)+rank(x.b), rank(y.a)+rank(y.b)),
			compareWho(x.a, y.a), compareWho(x.b, y.b))
	})
	of := map[who][]who{}
	for id := range o.known {
		of[id] = []who{id}
	}
	for _, l := range links {
		if slices.Contains(of[l.a], l.b) {
			continue
		}
		if both := slices.Concat(of[l.a], of[l.b]); o.legal(both, one) {
			for _, id := range both {
				of[id] = both
			}
		}
	}
	return of
}

func (o *oracle) legal(members []who, one map[who][]who) bool {
	var people []who
	for i, id := range members {
		for _, other := range members[:i] {
			if o.apart(id, other) {
				return false
			}
		}
		same := func(other who) bool { return slices.Contains(one[id], other) }
		if id.ns == "crm" && one != nil && !slices.ContainsFunc(people, same) {
			people = append(people, id)
		}
	}
	return len(people) <= 1 && len(members) <= maxIdentities
}

// members lists the cluster of an identity.
func (o *oracle) members(id who) []who {
	for _, members := range o.clusters() {
		if slices.Contains(members, id) {
			return members
		}
	}
	return []who{id}
}

func (o *oracle) root(members []who) who {
	return slices.MinFunc(members, func(a, b who) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(o.known[a], o.known[b]),
			strings.Compare(a.value, b.value))
	})
}

func profileID(root who) string { return keyedHash("profile", root) }

// hashOf is what is kept of an identity that was erased.
func hashOf(id who) string { return keyedHash("\x00fingerprint\x00profile", id) }

func keyedHash(class string, id who) string {
	mac := hmac.New(sha256.New, []byte("0123456789abcdef0123456789abcdef"))
	for _, part := range []string{class, id.ns, id.value} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(append(length[:], part...))
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
