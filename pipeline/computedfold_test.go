package pipeline_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"selfsame/computed"
	"selfsame/internal/memlog"
	"selfsame/pipeline"
	"selfsame/profile"
	"selfsame/store"
)

// rich are attributes of all kinds of state and window.
func rich() []computed.Definition {
	orders := []string{"orders"}
	return []computed.Definition{
		{Name: "count_life", Datasets: []string{"orders", "web"}, Function: computed.Count,
			Window: "lifetime"},
		{Name: "sum_life", Datasets: orders, Function: computed.Sum, Value: "amount",
			Window: "lifetime"},
		{Name: "sum_2h", Datasets: orders, Function: computed.Sum, Value: "amount", Window: "2h"},
		{Name: "max_2h", Datasets: orders, Function: computed.Max, Value: "amount", Window: "2h"},
		{Name: "count_day", Datasets: orders, Function: computed.Count, Window: "day",
			Zone: "Europe/Berlin"},
		{Name: "tea_3h", Datasets: orders, Function: computed.Count, Window: "3h",
			Filter: "event.product == 'tea'"},
		{Name: "list_90m", Datasets: orders, Function: computed.UniqueList, Value: "product",
			Window: "90m"},
		{Name: "last_life", Datasets: orders, Function: computed.MostRecent, Value: "product",
			Window: "lifetime"},
	}
}

// orderFacts are orders of the people of facts, with ids that come again and are deleted.
func orderFacts(rnd *rand.Rand, n int) []fact {
	base := time.Unix(1_699_990_000, 0).UTC()
	var all []fact
	for i := range n {
		at := base.Add(time.Duration(rnd.IntN(10_000))*time.Second +
			time.Duration(i)*time.Microsecond)
		f := fact{dataset: "orders", at: at}
		who := fmt.Sprintf(`"cookie":"k%d"`, rnd.IntN(20))
		if rnd.IntN(2) == 0 {
			who += fmt.Sprintf(`,"crm":"%d"`, rnd.IntN(12))
		}
		if rnd.IntN(12) == 0 {
			f.op = "delete"
		}
		f.value = fmt.Sprintf(`{"order":"o%d",%s,"amount":"%d.%02d","product":%q,"at":%q}`,
			rnd.IntN(n*3/4), who, rnd.IntN(100), rnd.IntN(100),
			[]string{"tea", "cup", "pot", "mat"}[rnd.IntN(4)], at.Format(time.RFC3339Nano))
		all = append(all, f)
	}
	return all
}

// TestComputedFold is the promise for computed attributes: the same records over any partitions, in
// any order, some twice, with crashes and restarts, give the same values at every instant; and
// these are what a dumb recomputation from the stored events gives.
func TestComputedFold(t *testing.T) {
	for range seeds(6) {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			all := append(facts(rnd, 120), orderFacts(rnd, 200)...)
			var want []map[string]string
			for i, partitions := range []int{1, 4, 16} {
				got := computedRun(t, rand.New(rand.NewPCG(seed, uint64(i)+1)), all, partitions,
					i > 0)
				if i == 0 {
					want = got
					continue
				}
				for at := range want {
					compareFinal(t, want[at], got[at], fmt.Sprintf("%d partitions, instant %d",
						partitions, at))
				}
			}
		})
	}
}

// computedRun plays the facts, then lets time go on, and gives what a consumer holds at each of
// some instants.
func computedRun(t *testing.T, rnd *rand.Rand, all []fact, partitions int,
	faults bool) (held []map[string]string) {
	w := newWorldOn(t, memlog.Options{}, int32(partitions), func(m *pipeline.Model) {
		addOrders(t)(m)
		m.Limits.OutputBytes = 1 << 20
		define(t, m, rich()...)
	})
	defer w.close()
	w.lay(rnd, all, partitions)
	if faults { // the definitions come later than some of the records
		define(t, w.model)
		w.must(w.store.Close())
		w.open()
		for range 30 {
			inputs := w.inputs()
			w.consume(inputs[rnd.IntN(len(inputs))], 1+rnd.IntN(30))
		}
		define(t, w.model, rich()...)
		w.must(w.store.Close())
		w.open()
	}
	w.stumble(rnd, faults)
	w.tellWork()
	for _, by := range []time.Duration{0, time.Second, 13 * time.Minute, time.Hour,
		97 * time.Minute, 20 * time.Hour} {
		for step := range time.Duration(3) {
			w.now = w.now.Add(by / 3)
			if faults && rnd.IntN(3) == 0 {
				w.crash(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rnd})
			}
			if rnd.IntN(2) == 0 || step == 2 {
				w.tellWork()
			}
		}
		held = append(held, w.final("profiles"))
		w.compareComputed()
	}
	return held
}

// compareComputed holds every profile that a consumer holds, and every answer, to what the stored
// events amount to now.
func (w *world) compareComputed() {
	w.t.Helper()
	lookup := pipeline.NewLookup(w.model, w.store)
	lookup.Now = func() int64 { return w.now.UnixNano() }
	answers := map[string]string{}
	w.must(lookup.Each("profile", func(a *pipeline.Answer) error {
		answers[a.Ref.ID.String()] = versions.ReplaceAllString(string(a.JSON(false)), "")
		return nil
	}))
	held := w.final("profiles")
	compareFinal(w.t, held, answers, "answers against records")
	some := 0
	for id, text := range held {
		var p struct {
			Identities map[string][]string
			Computed   json.RawMessage
		}
		w.must(json.Unmarshal([]byte(text), &p))
		want, values := w.dumb(p.Identities)
		some += values
		if string(p.Computed) != want {
			w.t.Fatalf("profile %s at %s: %s, want %s", id, w.now, p.Computed, want)
		}
	}
	if len(held) < 10 || some < 20 {
		w.t.Fatalf("%d profiles with %d values: the history is too thin", len(held), some)
	}
}

// dumb computes the attributes of rich from the stored events of some identities.
func (w *world) dumb(identities map[string][]string) (text string, values int) {
	var events []dumbEvent
	for namespace, ids := range identities {
		for _, value := range ids {
			id := profile.Identity{Namespace: namespace, Value: value}
			w.must(w.store.Reader().Events("profile", id,
				func(ref store.EventRef, row *store.Event) error {
					e := dumbEvent{dataset: ref.Dataset, at: time.Unix(0, ref.Time).UTC(),
						id: ref.ID}
					e.product = row.Body.At(profile.MakePath("product")).AsText()
					e.cents = cents(w.t, row.Body.At(profile.MakePath("amount")).AsText())
					events = append(events, e)
					return nil
				}))
		}
	}
	slices.SortFunc(events, func(a, b dumbEvent) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id))
	})
	return w.dumbValues(events)
}

type dumbEvent struct {
	dataset, id, product string
	at                   time.Time
	cents                int
}

func cents(t testing.TB, amount string) int {
	if amount == "" {
		return 0
	}
	n, err := strconv.Atoi(strings.Replace(amount, ".", "", 1))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (w *world) dumbValues(events []dumbEvent) (text string, values int) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	w.must(err)
	day := func(at time.Time) string { return at.In(berlin).Format(time.DateOnly) }
	counts, sums := map[string]int{"count_life": 0, "count_day": 0, "tea_3h": 0}, map[string]int{}
	list, last, most := map[string]bool{}, "", -1
	for _, e := range events {
		counts["count_life"]++
		if e.dataset != "orders" {
			continue
		}
		age := w.now.Sub(e.at)
		sums["sum_life"] += e.cents
		last = fmt.Sprintf(`{"time":%q,"value":%q}`, e.at.Format("2006-01-02T15:04:05.000000000Z"),
			e.product)
		if age < 2*time.Hour {
			sums["sum_2h"] += e.cents
			most = max(most, e.cents)
		}
		if day(e.at) == day(w.now) {
			counts["count_day"]++
		}
		if e.product == "tea" && age < 3*time.Hour {
			counts["tea_3h"]++
		}
		if age < 90*time.Minute {
			list[e.product] = true
		}
	}
	fields := map[string]string{}
	for name, n := range counts {
		fields[name] = fmt.Sprint(n)
	}
	for name, n := range sums {
		fields[name] = fmt.Sprintf("%d.%02d", n/100, n%100)
	}
	if most >= 0 {
		fields["max_2h"] = fmt.Sprintf("%d.%02d", most/100, most%100)
	}
	if last != "" {
		fields["last_life"] = last
	}
	if len(list) > 0 {
		raw, err := json.Marshal(slices.Sorted(maps.Keys(list)))
		w.must(err)
		fields["list_90m"] = string(raw)
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		parts = append(parts, fmt.Sprintf("%q:%s", name, fields[name]))
	}
	return "{" + strings.Join(parts, ",") + "}", len(parts) - 3
}
