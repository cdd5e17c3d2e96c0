package retail

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"
)

// shop makes messages. It keeps nothing of the people it has made them for.
type shop struct {
	seed uint64
	till *codec
}

// Streams of random numbers, so that one choice more in a life changes nobody else's.
const (
	peopleStream uint64 = 1 << 32
	livesStream  uint64 = 2 << 32
)

func newShop(seed uint64) *shop {
	return &shop{seed: seed, till: newCodec("schemas/till.avsc")}
}

func (s *shop) rng(number int, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(s.seed, stream+uint64(number)))
}

// life is one person's dealings with the shop. Its clock is Kafka's: the moment at which the next
// message is appended.
type life struct {
	shop     *shop
	who      person
	rng      *rand.Rand
	now      time.Time
	end      time.Time // no message is appended then or later
	length   time.Duration
	round    int // how often this person has been here before
	events   int // event ids given out
	revision int // of the CRM record
	out      []Message
}

// live plays one life between two times.
func (s *shop) live(who person, round int, begin, end time.Time) []Message {
	l := &life{
		shop: s, who: who, round: round, now: begin, end: end, length: end.Sub(begin),
		rng: s.rng(who.number+round*streamPeople, livesStream), revision: 10 * round,
	}
	l.browse()
	l.register()
	l.signIn()
	l.join()
	l.order()
	l.visitStore()
	l.change()
	l.leave()
	l.stumble()
	return l.out
}

// pass lets a share of the life go by, in thousandths, more or less.
func (l *life) pass(thousandths float64) {
	share := thousandths / 1000 * (0.5 + l.rng.Float64())
	l.now = l.now.Add(time.Duration(share * float64(l.length)))
	if last := l.end.Add(-time.Millisecond); l.now.After(last) {
		l.now = last
	}
}

// browse is what happens before anybody knows who it is.
func (l *life) browse() {
	for range 2 + l.rng.IntN(3) {
		l.web(obj{"kind": pick(l.rng, []string{"view", "search"}), "cookie": l.who.cookies[0],
			"page": l.page()})
		l.pass(0.05)
	}
}

// register makes the CRM record.
func (l *life) register() {
	email := l.who.emails[l.round%len(l.who.emails)]
	if chance(l.rng, 3) {
		email = "null" // some form sent it as text: no identity
	}
	l.crm(obj{
		"email_addr": email,
		"phone":      l.who.phone,
		"name":       obj{"first": l.who.first, "last": l.who.last},
		"address":    obj{"city": l.who.city, "country": "GB", "street": l.street()},
		"consents":   obj{"email": true, "sms": chance(l.rng, 50)},
		"interests":  []string{pick(l.rng, interests), "offers"},
	})
	l.pass(20)
}

// signIn connects the devices, those shared with others too.
func (l *life) signIn() {
	devices := append([]string(nil), l.who.cookies...)
	if l.who.tablet != "" && chance(l.rng, 60) {
		devices = append(devices, l.who.tablet)
	}
	if l.who.kiosk != "" {
		devices = append(devices, l.who.kiosk)
	}
	if chance(l.rng, 5) {
		devices = append(devices, "undefined") // a script that ran too early
	}
	for _, cookie := range devices {
		l.web(obj{"kind": "login", "cookie": cookie, "user": l.user()})
		l.pass(30)
	}
}

// join makes the loyalty record of who has a card.
func (l *life) join() {
	if l.who.loyalty == "" {
		return
	}
	l.member(obj{
		"email": l.who.emails[0], "tier": "BRONZE", "points": 50, "joined_at": l.now.UnixMilli(),
		"consents": obj{"post": chance(l.rng, 50)},
	})
	l.pass(50)
}

// order buys on the web site.
func (l *life) order() {
	cookie := pick(l.rng, l.who.cookies)
	l.web(obj{"kind": "add_to_cart", "cookie": cookie, "page": l.page()})
	l.pass(0.05)
	if chance(l.rng, 70) {
		lines, total := l.basket()
		l.web(obj{"kind": "order", "cookie": cookie, "user": l.user(),
			"items": jsonItems(lines), "total": total.number()})
	}
	l.pass(50)
}

// visitStore buys at a till.
func (l *life) visitStore() {
	if l.who.loyalty == "" && !chance(l.rng, 40) {
		return
	}
	l.sell(sale{number: l.who.loyalty, phone: l.maybePhone()})
	l.pass(50)
	if l.who.loyalty != "" && chance(l.rng, 40) {
		tier := pick(l.rng, []string{"SILVER", "GOLD"})
		l.member(obj{"points": 50 + l.rng.IntN(500), "tier": tier})
		l.pass(20)
	}
}

// change is what comes to the CRM later: partial, null here and there, and not always in order.
func (l *life) change() {
	if chance(l.rng, 30) {
		l.crm(obj{"email_addr": l.who.emails[(l.round+1)%len(l.who.emails)]})
		l.pass(30)
	}
	if chance(l.rng, 15) {
		l.crm(obj{"phone": nil, "consents": obj{"sms": false}})
		l.pass(30)
	}
	if chance(l.rng, 30) {
		l.crm(obj{"address": obj{"street": l.street(), "postcode": nil},
			"store_credit": cents(100 * l.rng.IntN(90)).number()})
		l.pass(1)
		l.crm(obj{"interests": []string{pick(l.rng, interests)}})
		if chance(l.rng, 50) {
			l.overtake()
		}
	}
	l.pass(50)
}

// overtake has the last message but one arrive after the last.
func (l *life) overtake() {
	l.pass(1)
	n := len(l.out)
	late := l.out[n-2]
	l.out = append(l.out[:n-2], l.out[n-1])
	l.send(late)
}

// leave deletes what the CRM knows, in one of two ways.
func (l *life) leave() {
	switch l.rng.IntN(40) {
	case 0:
		l.crm(obj{}, Header{Key: "selfsame-op", Value: []byte("delete")})
	case 1:
		l.send(Message{Dataset: "crm", Topic: "shop.crm", Key: []byte(l.who.customer)})
	}
}

// stumble repeats an event now and then, and for every fourth person has something go wrong.
func (l *life) stumble() {
	if chance(l.rng, 30) {
		l.pass(20)
		l.repeat()
	}
	if l.who.number%4 == 3 {
		l.pass(20)
		l.fail(l.who.number/4 + l.round)
	}
}

// repeat sends one event of this life again, as it was.
func (l *life) repeat() {
	first := l.rng.IntN(len(l.out))
	for i := range l.out {
		m := l.out[(first+i)%len(l.out)]
		if m.Dataset == "web" || m.Dataset == "till" {
			m.Expect = Duplicate
			m.Value = bytes.Clone(m.Value)
			l.send(m)
			return
		}
	}
}

// lag is how long an event was under way: mostly seconds, sometimes days.
func (l *life) lag() time.Duration {
	switch n := l.rng.IntN(100); {
	case n < 85:
		return time.Duration(l.rng.IntN(2000)) * time.Millisecond
	case n < 95:
		return time.Duration(l.rng.IntN(20*60)) * time.Second
	}
	return time.Duration(1+l.rng.IntN(72)) * time.Hour
}

func (l *life) eventID(prefix string) string {
	l.events++
	return fmt.Sprintf("%s-%06d-%d-%02d", prefix, l.who.number, l.round, l.events)
}
