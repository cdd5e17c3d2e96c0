package pipeline_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/internal/memlog"
	"selfsame/pipeline"
)

// fact is one record of the fold test, apart from where it lies.
type fact struct {
	dataset string
	value   string
	at      time.Time
	op      string
	array   string // header of edits
	unset   string // header
}

// facts makes a history of people, shared cookies, late and contradictory records. No two facts
// have the same time, so that their stamps order alike wherever they lie.
func facts(rnd *rand.Rand, n int) []fact {
	base := time.Unix(1_699_900_000, 0).UTC()
	order := rnd.Perm(n)
	var all []fact
	for i := range n {
		at := base.Add(time.Duration(order[i]) * time.Second)
		person, cookie := rnd.IntN(12), rnd.IntN(20)
		stamp := fmt.Sprintf(`"at":%d`, at.UnixMilli())
		switch kind := rnd.IntN(10); {
		case kind < 3:
			all = append(all, fact{dataset: "crm", at: at, value: fmt.Sprintf(
				`{"id":"%d","email":"p%d@x.org","name":"n%d","age":%d,%s}`,
				person, rnd.IntN(14), i, i, stamp)})
		case kind < 4 && i%2 == 0:
			edit := []string{"append", "union", "union", "remove"}[rnd.IntN(4)]
			all = append(all, fact{dataset: "crm", at: at, array: "tags=" + edit,
				value: fmt.Sprintf(`{"id":"%d","tags":["t%d","t%d"],%s}`, person%3, rnd.IntN(4),
					rnd.IntN(4), stamp)})
		case kind < 4:
			all = append(all, unsetting(rnd, person, fact{dataset: "crm", at: at}))
		case kind < 5:
			op := []string{"delete", "replace"}[rnd.IntN(2)]
			all = append(all, fact{dataset: "crm", at: at, op: op, value: fmt.Sprintf(
				`{"id":"%d","name":"r%d",%s}`, person, i, stamp)})
		case kind < 6 && i%2 == 0:
			all = append(all, fact{dataset: "control", at: at, value: operatorsWord(rnd, i, at)})
		case kind < 6:
			all = append(all, fact{dataset: "shop", at: at, value: fmt.Sprintf(
				`{"mail":"p%d@x.org","tier":"t%d",%s}`, rnd.IntN(14), i, stamp)})
		default:
			crm := ""
			if rnd.IntN(2) == 0 {
				crm = fmt.Sprintf(`"crm":"%d",`, person)
			}
			all = append(all, fact{dataset: "web", at: at, value: fmt.Sprintf(
				`{"event":"e%d",%s"cookie":"k%d","at":"%s"}`, rnd.IntN(n), crm, cookie,
				at.Format(time.RFC3339))})
		}
	}
	return all
}

// unsetting makes f write one attribute of an object and take away another, or take away the
// object, or name in the header what it takes away.
func unsetting(rnd *rand.Rand, person int, f fact) fact {
	stamp := fmt.Sprintf(`"at":%d`, f.at.UnixMilli())
	n := f.at.Unix()
	switch rnd.IntN(3) {
	case 0:
		f.value = fmt.Sprintf(`{"id":"%d","age":null,"address":{"city":"c%d","zip":null},%s}`,
			person, n, stamp)
	case 1:
		f.value = fmt.Sprintf(`{"id":"%d","address":null,"age":%d,%s}`, person, n%100, stamp)
	default:
		f.unset = "address.city,name,tags"
		f.value = fmt.Sprintf(`{"id":"%d","address":{"zip":"z%d"},%s}`, person, n, stamp)
	}
	return f
}

// loyaltyFacts are records of the dataset that the world of several policies has, at times of their
// own.
func loyaltyFacts(rnd *rand.Rand, n int) []fact {
	base := time.Unix(1_699_900_000, 5e8).UTC()
	order := rnd.Perm(n)
	var all []fact
	for i := range n {
		all = append(all, fact{dataset: "loyalty", at: base.Add(time.Duration(order[i]) * 5e9),
			value: fmt.Sprintf(
				`{"email":"p%d@x.org","name":%s,"tags":["t%d"],"address":{"city":"l%d"}}`,
				rnd.IntN(14), []string{"null", `"l"`}[rnd.IntN(2)], rnd.IntN(6), i)})
	}
	return all
}

// policyFacts are facts for the world of several policies.
func policyFacts(rnd *rand.Rand, n int) []fact {
	return append(facts(rnd, n), loyaltyFacts(rnd, n/5)...)
}

// operatorsWord makes a control record of those whose outcome does not depend on the order of
// processing.
func operatorsWord(rnd *rand.Rand, i int, at time.Time) string {
	ids := []string{fmt.Sprintf("crm:%d", rnd.IntN(12)),
		fmt.Sprintf("email:p%d@x.org", rnd.IntN(14)), fmt.Sprintf("cookie:k%d", rnd.IntN(20))}
	rnd.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	head := fmt.Sprintf(`{"id":"op%d","time":"%s",`, i, at.Format(time.RFC3339))
	switch rnd.IntN(5) {
	case 0:
		return head + fmt.Sprintf(`"op":"unlink","identities":["%s"]}`, ids[0])
	case 1:
		return head + fmt.Sprintf(`"op":"delete_fragment","dataset":"crm","identities":["crm:%d"]}`,
			rnd.IntN(12))
	case 2:
		return head + fmt.Sprintf(`"op":"forbid_link","lift":%v,"identities":["%s","%s"]}`,
			rnd.IntN(3) == 0, ids[0], ids[1])
	}
	return head + fmt.Sprintf(`"op":"link","lift":%v,"identities":["%s","%s"]}`,
		rnd.IntN(3) == 0, ids[0], ids[1])
}

// directed puts words of operators among the facts that delete profiles, and that join two people
// and part them again.
func directed(rnd *rand.Rand, all []fact) {
	for i := range all {
		f := &all[i]
		head := fmt.Sprintf(`{"id":"d%d","time":"%s",`, i, f.at.Format(time.RFC3339))
		switch fate := rnd.IntN(20); {
		case fate == 0:
			*f = fact{dataset: "control", at: f.at, value: head + fmt.Sprintf(
				`"op":"delete_profile","identities":["crm:%d"]}`, rnd.IntN(12))}
		case fate < 3:
			one := 2 * rnd.IntN(3)
			*f = fact{dataset: "control", at: f.at, value: head + fmt.Sprintf(
				`"op":"link","lift":%v,"identities":["crm:%d","crm:%d"]}`, rnd.IntN(2) == 0,
				one, one+1)}
		}
	}
}

// lay puts the facts on the log in some order, every tenth twice, on partitions chosen by chance.
func (w *world) lay(rnd *rand.Rand, all []fact, partitions int) {
	w.now = time.Unix(1_700_000_000, 0).UTC()
	for i, at := range rnd.Perm(len(all)) {
		f := all[at]
		if f.dataset == "control" {
			for range 1 + i%2 {
				w.send(pipeline.TopicPartition{Topic: "control"},
					pipeline.Record{Value: []byte(f.value)})
			}
			continue
		}
		ds := w.model.Dataset(f.dataset)
		r := pipeline.Record{Value: w.encode(ds, f.value)}
		if f.dataset == "web" {
			r.Headers = append(
				r.Headers,
				pipeline.Header{Key: "selfsame-dataset", Value: []byte("web")},
			)
		}
		if f.dataset == "loyalty" { // it has no time of its own
			r.Headers = append(r.Headers, pipeline.Header{Key: "selfsame-time",
				Value: []byte(f.at.Format(time.RFC3339Nano))})
		}
		if f.op != "" {
			r.Headers = append(r.Headers, pipeline.Header{Key: "selfsame-op", Value: []byte(f.op)})
		}
		if f.unset != "" {
			r.Headers = append(r.Headers, pipeline.Header{Key: "selfsame-unset",
				Value: []byte(f.unset)})
		}
		if f.array != "" {
			r.Headers = append(r.Headers, pipeline.Header{Key: "selfsame-array",
				Value: []byte(f.array)})
		}
		copies := 1
		if i%10 == 0 && f.array != "tags=append" { // sent twice, it appends twice
			copies = 2
		}
		for range copies {
			w.send(pipeline.TopicPartition{Topic: ds.Topic,
				Partition: int32(rnd.IntN(partitions))}, r)
		}
	}
}

// TestFold is the promise: the same set of records over 1, 4 and 16 partitions, shuffled, some of
// them twice, in commits of any size, with crashes and restarts in between, gives equal profiles
// and assignments.
func TestFold(t *testing.T) {
	for range seeds(8) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			foldsAlike(t, seed, policyFacts(rand.New(rand.NewPCG(seed, 0)), 250), addPolicies(t))
		})
	}
}

// foldsAlike lays the facts out in several ways and compares what comes out.
func foldsAlike(t *testing.T, seed uint64, all []fact, change func(*pipeline.Model)) {
	t.Helper()
	var want map[string]string
	for i, partitions := range []int{1, 4, 16, 4} {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)+1))
		w := newWorldOn(t, memlog.Options{}, int32(partitions), change)
		w.lay(rnd, all, partitions)
		w.stumble(rnd, i > 0)
		got := w.final("profiles")
		maps.Copy(got, w.final("assignments"))
		for i := range w.model.Entity("profile").Policies {
			p := &w.model.Entity("profile").Policies[i]
			for key, value := range w.final(p.Topic) {
				got[p.Name+" "+key] = value
			}
		}
		w.close()
		if i == 0 {
			if len(got) < 30 {
				t.Fatalf("the history is too thin: %d entries", len(got))
			}
			want = got
			continue
		}
		compareFinal(t, want, got, fmt.Sprintf("%d partitions", partitions))
	}
}

// stumble consumes everything in random steps; with faults, it crashes and stops on the way.
func (w *world) stumble(rnd *rand.Rand, faults bool) {
	inputs := w.inputs()
	for idle := 0; idle < 20*len(inputs); {
		if w.consume(inputs[rnd.IntN(len(inputs))], 1+rnd.IntN(30)) > 0 {
			idle = 0
		} else {
			idle++
		}
		switch fate := rnd.IntN(40); {
		case fate < 10:
			w.publish()
		case !faults:
		case fate == 10:
			kept := []int{0, 50, 100}[rnd.IntN(3)]
			w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: rnd})
		case fate == 11:
			w.must(w.store.Close())
			w.open()
		}
	}
	w.drain()
	w.checkCounts(faults)
}

// checkCounts holds the counters to their promise. After a crash they count what this run
// consumed.
func (w *world) checkCounts(crashed bool) {
	w.t.Helper()
	var consumed, sum uint64
	for _, ds := range w.shard.Stats().Figures().Datasets {
		consumed += ds.Consumed
		sum += ds.Accepted + ds.Duplicate + ds.Superseded + ds.RejectedTotal()
	}
	if consumed != sum {
		w.t.Fatalf("consumed %d, accounted for %d", consumed, sum)
	}
	if crashed {
		return
	}
	var sent uint64
	for _, tp := range w.inputs() {
		sent += uint64(len(w.log.Records(tp)))
	}
	if consumed != sent {
		w.t.Fatalf("sent %d, consumed %d", sent, consumed)
	}
}

func compareFinal(t testing.TB, want, got map[string]string, what string) {
	t.Helper()
	for key, value := range want {
		if got[key] != value {
			t.Fatalf("%s: %s\nwant %s\ngot  %s", what, key, value, got[key])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d entries, want %d", what, len(got), len(want))
	}
}
