package sim

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// oracle is what the engine should come to, written from the semantics in maps and full walks, and
// sharing no code with it. It remembers every fact it was told and works out everything anew.
type oracle struct {
	facts    []*fact
	appended map[string]int64  // by partition: the greatest Kafka timestamp, bounded by the clock
	rejected map[string]string // by place: the reason
}

// fed is a record as it was consumed, and the clock then.
type fed struct {
	topic     string
	partition int32
	offset    int64
	time, now int64
	key       []byte // nil where Kafka has null
	value     []byte
	headers   map[string]string
}

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
}

func newOracle() *oracle {
	return &oracle{appended: map[string]int64{}, rejected: map[string]string{}}
}

// consume tells one record.
func (o *oracle) consume(r *fed) {
	partition := fmt.Sprintf("%s/%d", r.topic, r.partition)
	o.appended[partition] = max(o.appended[partition], min(r.time, r.now))
	f, reason := judge(r)
	if reason == "" {
		reason = f.late(o.appended[partition])
	}
	if reason != "" {
		o.rejected[fmt.Sprintf("%s/%d/%d", r.topic, r.partition, r.offset)] = reason
		return
	}
	o.facts = append(o.facts, f)
}

func (f *fact) late(appended int64) string {
	if f.stamp.time-appended > int64(5*time.Minute) {
		return "future_timestamp"
	}
	if f.dataset == "web" && f.op != "delete" &&
		appended-f.stamp.time > int64(30*24*time.Hour) {
		return "too_old"
	}
	return ""
}

// view is the outcome: what readers of the compacted topics hold.
type view struct {
	profiles    map[string]string // id to content
	assignments map[string]string // identity to id
}

// strength is the order of the namespaces.
var strength = []string{"crm", "email", "cookie"}

func rank(id who) int { return slices.Index(strength, id.ns) + 1 }

func compareWho(a, b who) int {
	return cmp.Or(strings.Compare(a.ns, b.ns), strings.Compare(a.value, b.value))
}

// look works out everything.
func (o *oracle) look() view {
	v := view{profiles: map[string]string{}, assignments: map[string]string{}}
	seen := o.firstSeen()
	held := o.events()
	fragments := o.fragments()
	for _, members := range o.clusters(seen) {
		id := profileID(root(members, seen))
		for _, m := range members {
			v.assignments[m.ns+":"+m.value] = id
		}
		if content, exists := merge(members, fragments, held); exists {
			v.profiles[id] = content
		}
	}
	return v
}

// firstSeen finds the least time at which each identity was told of. A delete tells of the primary
// one only, that of an event of none.
func (o *oracle) firstSeen() map[who]int64 {
	seen := map[who]int64{}
	for _, f := range o.facts {
		told := f.all
		switch {
		case f.op == "delete" && f.event != "":
			told = nil
		case f.op == "delete":
			told = []who{f.primary}
		}
		for _, id := range told {
			if at, known := seen[id]; !known || f.stamp.time < at {
				seen[id] = f.stamp.time
			}
		}
	}
	return seen
}

type link struct {
	a, b who
	time int64
}

// asserted finds the latest time at which each link was asserted.
func (o *oracle) asserted() map[[2]who]int64 {
	latest := map[[2]who]int64{}
	for _, f := range o.facts {
		if f.op == "delete" {
			continue
		}
		for _, ends := range pairs(f.all) {
			if at, known := latest[ends]; !known || at < f.stamp.time {
				latest[ends] = f.stamp.time
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
func (o *oracle) clusters(seen map[who]int64) [][]who {
	latest := o.asserted()
	var links []link
	for ends, at := range latest {
		links = append(links, link{ends[0], ends[1], at})
	}
	slices.SortFunc(links, func(x, y link) int {
		return cmp.Or(
			cmp.Compare(max(rank(x.a), rank(x.b)), max(rank(y.a), rank(y.b))),
			cmp.Compare(y.time, x.time),
			cmp.Compare(rank(x.a)+rank(x.b), rank(y.a)+rank(y.b)),
			compareWho(x.a, y.a), compareWho(x.b, y.b))
	})
	of := map[who][]who{}
	for id := range seen {
		of[id] = []who{id}
	}
	for _, l := range links {
		if slices.Contains(of[l.a], l.b) {
			continue
		}
		if both := slices.Concat(of[l.a], of[l.b]); legal(both) {
			for _, id := range both {
				of[id] = both
			}
		}
	}
	var all [][]who
	for id, members := range of {
		slices.SortFunc(members, compareWho)
		if id == members[0] {
			all = append(all, members)
		}
	}
	return all
}

func legal(members []who) bool {
	crm := 0
	for _, id := range members {
		if id.ns == "crm" {
			crm++
		}
	}
	return crm <= 1 && len(members) <= 4
}

func root(members []who, seen map[who]int64) who {
	return slices.MinFunc(members, func(a, b who) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(seen[a], seen[b]),
			strings.Compare(a.value, b.value))
	})
}

func profileID(root who) string {
	mac := hmac.New(sha256.New, []byte("0123456789abcdef0123456789abcdef"))
	for _, part := range []string{"profile", root.ns, root.value} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(append(length[:], part...))
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// events finds which identities hold events of which dataset: of an event the least copy stands,
// unless a delete of its id is as new or newer.
func (o *oracle) events() map[who]map[string]bool {
	type key struct{ dataset, id string }
	least, gone := map[key]*fact{}, map[key]stamp{}
	for _, f := range o.facts {
		k := key{f.dataset, f.event}
		switch {
		case f.event == "":
		case f.op == "delete":
			if at, known := gone[k]; !known || at.compare(f.stamp) < 0 {
				gone[k] = f.stamp
			}
		case least[k] == nil || f.stamp.compare(least[k].stamp) < 0:
			least[k] = f
		}
	}
	held := map[who]map[string]bool{}
	for k, f := range least {
		if at, deleted := gone[k]; deleted && f.stamp.compare(at) <= 0 {
			continue
		}
		if held[f.primary] == nil {
			held[f.primary] = map[string]bool{}
		}
		held[f.primary][k.dataset] = true
	}
	return held
}

// statement is what one record says about one path.
type statement struct {
	path  string
	value any // nil unsets
	stamp stamp
}

// fragments collects, per identity and dataset, what was said since the last replace or delete.
func (o *oracle) fragments() map[who]map[string][]statement {
	floors := map[who]map[string]stamp{}
	all := map[who]map[string][]statement{}
	for _, f := range o.facts {
		if f.event == "" && all[f.primary] == nil {
			all[f.primary], floors[f.primary] = map[string][]statement{}, map[string]stamp{}
		}
		if f.event == "" && f.op != "upsert" {
			at, known := floors[f.primary][f.dataset]
			if !known || at.compare(f.stamp) < 0 {
				floors[f.primary][f.dataset] = f.stamp
			}
		}
	}
	for _, f := range o.facts {
		if f.event != "" {
			continue
		}
		if floor, ok := floors[f.primary][f.dataset]; ok && f.stamp.compare(floor) < 0 {
			continue
		}
		for path, value := range f.leaves {
			all[f.primary][f.dataset] = append(all[f.primary][f.dataset],
				statement{path, value, f.stamp})
		}
	}
	return all
}

// visible gives, per path, the newest value that no unset of it or of something above it is newer
// than.
func visible(said []statement) map[string]any {
	newest := map[string]statement{}
	for _, s := range said {
		if old, ok := newest[s.path]; !ok || old.stamp.compare(s.stamp) < 0 {
			newest[s.path] = s
		}
	}
	values := map[string]any{}
	for path, s := range newest {
		hidden := s.value == nil
		for _, u := range said {
			if u.value == nil && strings.HasPrefix(path, u.path+".") &&
				s.stamp.compare(u.stamp) < 0 {
				hidden = true
			}
		}
		if !hidden {
			values[path] = s.value
		}
	}
	return values
}

// merge makes the content of a profile; exists is false where there is nothing to show.
func merge(members []who, fragments map[who]map[string][]statement,
	held map[who]map[string]bool) (content string, exists bool) {
	identities := map[string][]string{}
	datasets := map[string]bool{}
	var said []statement
	for _, m := range members {
		identities[m.ns] = append(identities[m.ns], m.value)
		for dataset, statements := range fragments[m] {
			said = append(said, statements...)
			if len(visible(statements)) > 0 {
				datasets[dataset] = true
			}
		}
		for dataset := range held[m] {
			datasets[dataset] = true
		}
	}
	if len(datasets) == 0 {
		return "", false
	}
	attributes := map[string]any{}
	for path, value := range visible(said) {
		at := attributes
		names := strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			if at[name] == nil {
				at[name] = map[string]any{}
			}
			at = at[name].(map[string]any)
		}
		at[names[len(names)-1]] = value
	}
	var contributed []string
	for name := range datasets {
		contributed = append(contributed, name)
	}
	slices.Sort(contributed)
	text, err := json.Marshal(map[string]any{"identities": identities, "attributes": attributes,
		"datasets": contributed})
	return string(text), err == nil
}
