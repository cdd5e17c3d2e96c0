package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"selfsame/kafka"
	"selfsame/pipeline"
	"selfsame/schemas"
)

// loadSeed makes every run's events the same, apart from their times.
const loadSeed = 20261101

// moment is one thing that somebody does.
type moment struct {
	at     float64 // when, in lives: everybody's first record lies within 0 to 1
	person int32
	kind   kind
}

type kind uint8

const (
	signUp  kind = iota // the whole customer record
	change              // some of it
	view                // a page, by a cookie that may belong to nobody yet
	signIn              // cookie, customer number and e-mail address in one event
	ordered             // the same, with items
)

// load is a stream of records about a number of people. It can be played once.
type load struct {
	moments []moment
	start   time.Time
	rng     *rand.Rand
	codecs  map[string]*schemas.Schema // by dataset, where records are to be Avro; nil: JSON
	first   int32                      // the number of the first person
	buf     []byte
	n       int
}

// newLoad plans the records of people, about perPerson of each, in the order of their times.
func newLoad(people int, perPerson float64, codecs map[string]*schemas.Schema) *load {
	l := &load{rng: rand.New(rand.NewPCG(loadSeed, 1)), codecs: codecs}
	more := 2 * (perPerson - 1) // on average half of it
	for person := range people {
		begin := l.rng.Float64()
		l.plan(begin, person, signUp)
		for range int(l.rng.Float64()*more + 0.5) {
			l.plan(begin+l.rng.Float64()*0.2-0.05, person, l.another())
		}
	}
	slices.SortFunc(l.moments, func(a, b moment) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return int(a.person - b.person)
	})
	l.start = time.Now().Add(-time.Duration(len(l.moments)) * time.Millisecond)
	return l
}

func (l *load) plan(at float64, person int, k kind) {
	l.moments = append(l.moments, moment{at, int32(person), k})
}

// another is what people do besides signing up.
func (l *load) another() kind {
	switch n := l.rng.IntN(100); {
	case n < 20:
		return change
	case n < 60:
		return view
	case n < 90:
		return signIn
	}
	return ordered
}

// message is one record of the load.
type message struct {
	dataset string
	key     []byte
	value   []byte
	time    int64 // nanoseconds since the epoch
}

// next makes the next record; ok is false after the last.
func (l *load) next() (m message, ok bool, err error) {
	if l.n == len(l.moments) {
		return message{}, false, nil
	}
	doing := l.moments[l.n]
	doing.person += l.first
	at := l.start.Add(time.Duration(l.n) * time.Millisecond)
	l.n++
	m = message{dataset: "events", key: []byte(cookie(doing.person)), time: at.UnixNano()}
	if doing.kind <= change {
		m.dataset, m.key = "customers", []byte(customer(doing.person))
	}
	m.value = l.json(doing, at.UnixMilli())
	return m, true, m.encode(l.codecs)
}

// encode turns the JSON of a message into what its dataset has.
func (m *message) encode(codecs map[string]*schemas.Schema) error {
	codec := codecs[m.dataset]
	if codec == nil {
		return nil
	}
	v, err := codec.DecodeJSON(m.value, schemas.Options{})
	if err != nil {
		return fmt.Errorf("reading an event of the load: %w", err)
	}
	if m.value, err = codec.EncodeAvro(v); err != nil {
		return fmt.Errorf("encoding an event of the load: %w", err)
	}
	return nil
}

func (l *load) json(doing moment, millis int64) []byte {
	p := doing.person
	b := l.buf[:0]
	switch doing.kind {
	case signUp:
		b = fmt.Appendf(b, `{"customer_id":"%s","updated_at":%d,"email":"%s",`,
			customer(p), millis, email(p))
		if p%5 < 3 {
			b = fmt.Appendf(b, `"loyalty_number":"L%08d",`, p)
		}
		b = fmt.Appendf(b, `"phone":"020 7946 0%03d",`+
			`"name":{"first":"%s","last":"%s"},"address":{"street":"%d %s","city":"%s",`+
			`"postcode":"ZZ%d %dZZ","country":"GB"},"consents":{"email":%t,"sms":%t},`+
			`"interests":["%s","offers"],"points":%d}`,
			p%1000, l.one(firstNames), l.one(lastNames), 1+p%90, l.one(streets), l.one(cities),
			p%90, p%9, p%2 == 0, p%3 == 0, l.one(interests), p%5000)
	case change:
		b = fmt.Appendf(b, `{"customer_id":"%s","updated_at":%d,"address":{"street":"%d %s",`+
			`"city":"%s","postcode":"ZZ%d %dZZ"},"interests":["%s","%s","offers"],"points":%d}`,
			customer(p), millis, 1+l.rng.IntN(90), l.one(streets), l.one(cities),
			l.rng.IntN(90), l.rng.IntN(9), l.one(interests), l.one(interests), l.rng.IntN(9000))
	default:
		b = l.event(b, doing, millis)
	}
	l.buf = b
	return slices.Clone(b)
}

func (l *load) event(b []byte, doing moment, millis int64) []byte {
	p := doing.person
	name := map[kind]string{view: "view", signIn: "login", ordered: "order"}[doing.kind]
	b = fmt.Appendf(b, `{"event_id":"%s","at":%d,"kind":"%s","cookie":"%s",`,
		l.eventID(), millis, name, cookie(p))
	if doing.kind != view {
		b = fmt.Appendf(b, `"user":{"customer_id":"%s","email":"%s"},`, customer(p), email(p))
	}
	path := l.one(pages)
	b = fmt.Appendf(b, `"page":{"url":"https://shop.example%s","title":"The shop: %s",`+
		`"referrer":"https://search.example/"},"device":{"kind":"phone","system":"%s",`+
		`"language":"en-GB","width":%d}`, path, path, l.one(systems), 360+p%1000)
	if doing.kind == ordered {
		b = fmt.Appendf(b, `,"items":[{"sku":"tea-%d","quantity":%d,"price":%d.25},`+
			`{"sku":"mug-%d","quantity":1,"price":%d.5}]`,
			p%50, 1+p%3, 3+p%9, p%20, 5+p%9)
	}
	return append(b, '}')
}

func (l *load) eventID() string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:], l.rng.Uint64())
	binary.BigEndian.PutUint64(raw[8:], uint64(l.first)<<32|uint64(l.n))
	return fmt.Sprintf("%x-%x-%x", raw[:4], raw[4:8], raw[8:])
}

func (l *load) one(from []string) string { return from[l.rng.IntN(len(from))] }

func customer(p int32) string { return "C" + strconv.Itoa(10_000_000+int(p)) }
func email(p int32) string    { return "person" + strconv.Itoa(int(p)) + "@example.com" }
func cookie(p int32) string   { return fmt.Sprintf("ck-%016x", uint64(p)*0x9e3779b97f4a7c15) }

var (
	firstNames = []string{"Ada", "Bea", "Cy", "Dev", "Ewa", "Finn", "Gus", "Hana", "Ines", "Jo"}
	lastNames  = []string{"Archer", "Baker", "Cooper", "Dyer", "Fisher", "Glover", "Mason"}
	streets    = []string{"Mill Lane", "High Street", "Station Road", "Quay Street"}
	cities     = []string{"Leeds", "Bristol", "Cardiff", "Belfast", "Glasgow"}
	interests  = []string{"tea", "bread", "cycling", "garden", "music", "knitting"}
	pages      = []string{"/", "/tea", "/bread", "/garden/spades", "/offers", "/basket"}
	systems    = []string{"Android 16", "iOS 20", "Linux"}
)

// sendRecords is how many records are sent at a time.
const sendRecords = 4000

// fill plays the load into its topics and returns how many records and bytes that were.
func (l *load) fill(ctx context.Context, client *kafka.Client, input string) (filled, error) {
	var total filled
	for {
		records, times, err := l.take(&total)
		if err != nil || total.pending == 0 {
			return total, err
		}
		for dataset := range records {
			err := client.Send(ctx, input+"."+dataset, kafka.ByKey, records[dataset],
				times[dataset])
			if err != nil {
				return total, fmt.Errorf("filling the topics: %w", err)
			}
		}
		total.pending = 0
	}
}

// filled counts what was sent.
type filled struct {
	records, bytes int64
	pending        int
}

func (l *load) take(total *filled) (map[string][]pipeline.OutRecord, map[string][]int64, error) {
	records, times := map[string][]pipeline.OutRecord{}, map[string][]int64{}
	for total.pending < sendRecords {
		m, ok, err := l.next()
		if err != nil || !ok {
			return records, times, err
		}
		record := pipeline.OutRecord{Key: m.key, Value: m.value}
		records[m.dataset] = append(records[m.dataset], record)
		times[m.dataset] = append(times[m.dataset], m.time)
		total.pending++
		total.records++
		total.bytes += int64(len(m.value))
	}
	return records, times, nil
}
