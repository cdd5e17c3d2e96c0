package identity

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"selfsame/profile"
)

const benchPeople = 20_000

// BenchmarkAssert builds a population in which every tenth cookie sees a stranger's login, and
// reports what an assertion costs: links that were decided again, and time.
func BenchmarkAssert(b *testing.B) {
	rules, err := NewRules([]Namespace{
		{Name: "crm", Type: CrossDevice, Unique: true},
		{Name: "email", Type: Email, Limit: 3},
		{Name: "phone", Type: Phone},
		{Name: "cookie", Type: Cookie},
	}, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var decided, region []int
	var took []time.Duration
	for b.Loop() {
		random := rand.New(rand.NewPCG(7, 7))
		graph := NewGraph(rules)
		records := population(random, benchPeople)
		decided, region, took = decided[:0], region[:0], took[:0]
		for i, ids := range records {
			start := time.Now()
			d, _, err := graph.Assert(ids, int64(i))
			took = append(took, time.Since(start))
			if err != nil {
				b.Fatal(err)
			}
			decided, region = append(decided, d.LinksDecided), append(region, d.Region)
		}
		b.ReportMetric(float64(len(records)), "records/op")
	}
	report(b, "links", decided)
	report(b, "region", region)
	report(b, "ns", took)
}

// BenchmarkStorm puts 50,000 anonymous cookies onto one person, newest first, last or in any order:
// all but 49 of their links stay out, and an assertion looks at few of them.
func BenchmarkStorm(b *testing.B) {
	rules, err := NewRules([]Namespace{
		{Name: "crm", Type: CrossDevice, Unique: true}, {Name: "cookie", Type: Cookie},
	}, 0)
	if err != nil {
		b.Fatal(err)
	}
	const cookies = 50_000
	times := map[string]func(int) int64{
		"rising":  func(i int) int64 { return int64(i) },
		"falling": func(i int) int64 { return int64(cookies - i) },
		"mixed":   func(i int) int64 { return int64(i * 7919 % cookies) },
	}
	for _, name := range []string{"rising", "falling", "mixed"} {
		b.Run(name, func(b *testing.B) {
			var decided []int
			for b.Loop() {
				graph := NewGraph(rules)
				decided = decided[:0]
				for i := range cookies {
					d, _, err := graph.Assert([]profile.Identity{
						{Namespace: "crm", Value: "1"},
						{Namespace: "cookie", Value: fmt.Sprint(i)}}, times[name](i))
					if err != nil {
						b.Fatal(err)
					}
					decided = append(decided, d.LinksDecided)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*cookies), "ns/assertion")
			report(b, "links", decided)
		})
	}
}

// population is a stream of records: people with a customer number, addresses, phones and 1 to 12
// cookies, most of them seen with a login several times, in random order.
func population(random *rand.Rand, people int) [][]profile.Identity {
	id := func(namespace string, n int) profile.Identity {
		return profile.Identity{Namespace: namespace, Value: fmt.Sprint(n)}
	}
	var records [][]profile.Identity
	cookie := 0
	for person := range people {
		crm := id("crm", person)
		records = append(records, []profile.Identity{crm, id("email", person)})
		if random.IntN(3) == 0 {
			records = append(records, []profile.Identity{crm, id("email", person),
				id("phone", person)})
		}
		for range 1 + random.IntN(12) {
			cookie++
			for range 1 + random.IntN(3) {
				records = append(records, []profile.Identity{crm, id("cookie", cookie)})
			}
			if random.IntN(10) == 0 {
				stranger := id("crm", random.IntN(people))
				records = append(records, []profile.Identity{stranger, id("cookie", cookie)})
			}
		}
	}
	random.Shuffle(len(records), func(i, j int) {
		records[i], records[j] = records[j], records[i]
	})
	return records
}

func report[T int | time.Duration](b *testing.B, unit string, values []T) {
	slices.Sort(values)
	at := func(share float64) float64 { return float64(values[int(share*float64(len(values)-1))]) }
	b.ReportMetric(at(0.5), unit+"-p50")
	b.ReportMetric(at(0.99), unit+"-p99")
	b.ReportMetric(at(1), unit+"-max")
}
