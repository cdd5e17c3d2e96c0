package retail

import (
	"fmt"
	"maps"
	"time"
)

// The traffic's small talk.
var (
	interests = []string{"tea", "bread", "cycling", "garden", "music", "knitting"}
	pages     = []string{"/", "/tea", "/bread", "/garden", "/offers", "/basket"}
	shown     = map[string]string{"/tea": "tea-100", "/bread": "bread-7", "/garden": "spade-1"}
	streets   = []string{"Mill Lane", "High Street", "Station Road", "Quay Street"}

	products = []line{
		{sku: "tea-100", price: 425}, {sku: "mug-1", price: 899}, {sku: "kettle-2", price: 3450},
		{sku: "bread-7", price: 310}, {sku: "spade-1", price: 2199}, {sku: "seed-12", price: 95},
	}
)

// line is one line of an order.
type line struct {
	sku      string
	quantity int
	price    cents
}

// sale is what happens at a till. Numbers and phone may be empty.
type sale struct {
	number  string
	scanned string
	phone   string
	late    time.Duration // on top of the usual
}

// crm sends a change of the CRM record. Keys of change replace the usual ones.
func (l *life) crm(change obj, headers ...Header) {
	l.revision++
	value := obj{
		"customer_id": l.who.customer,
		"updated_at":  l.now.UTC().Format(time.RFC3339Nano),
		"revision":    l.revision,
	}
	maps.Copy(value, change)
	l.send(Message{Dataset: "crm", Topic: "shop.crm", Key: []byte(l.who.customer),
		Value: value.json(), Headers: headers})
}

// member sends a change of the loyalty record.
func (l *life) member(change obj) {
	value := obj{"loyalty_number": l.who.loyalty, "changed_at": l.now.UnixMilli()}
	maps.Copy(value, change)
	l.send(Message{Dataset: "loyalty", Topic: "shop.loyalty", Key: []byte(l.who.loyalty),
		Value: value.json()})
}

// web sends a web event. Keys of event replace the usual ones. It is keyed by its cookie, which
// several people may share; some trackers send no key.
func (l *life) web(event obj) {
	l.send(l.webMessage(event))
}

func (l *life) webMessage(event obj) Message {
	value := obj{"event_id": l.eventID("w"), "at": l.now.Add(-l.lag()).UnixMilli()}
	maps.Copy(value, event)
	m := Message{Dataset: "web", Topic: "shop.events", Value: value.json(),
		Headers: []Header{{Key: "selfsame-dataset", Value: []byte("web")}}}
	if cookie, ok := value["cookie"].(string); ok && !chance(l.rng, 5) {
		m.Key = []byte(cookie)
	}
	return m
}

// sell sends a till event, keyed by the store.
func (l *life) sell(s sale) {
	l.send(l.tillMessage(s))
}

func (l *life) tillMessage(s sale) Message {
	lines, total := l.basket()
	value := l.shop.till.encode(map[string]any{
		"event_id":       l.eventID("t"),
		"sold_at":        l.now.Add(-l.lag() - s.late),
		"store":          l.who.store,
		"loyalty_number": optional(s.number),
		"scanned_number": optional(s.scanned),
		"phone":          optional(s.phone),
		"items":          avroItems(lines),
		"total":          total.rat(),
	})
	return Message{Dataset: "till", Topic: "shop.events", Key: []byte(l.who.store), Value: value,
		Headers: []Header{{Key: "selfsame-dataset", Value: []byte("till")}}}
}

// send appends a message at the present moment.
func (l *life) send(m Message) {
	m.Time = l.now.Truncate(time.Millisecond).UnixNano()
	l.out = append(l.out, m)
}

func (l *life) user() obj {
	return obj{"customer_id": l.who.customer, "email": l.who.emails[l.round%len(l.who.emails)]}
}

func (l *life) page() obj {
	path := pick(l.rng, pages)
	page := obj{"url": "https://shop.example" + path}
	if product, ok := shown[path]; ok {
		page["category"], page["product"] = path[1:], product
	}
	if chance(l.rng, 30) {
		page["referrer"] = "https://search.example/"
	}
	return page
}

func (l *life) street() string {
	return fmt.Sprintf("%d %s", 1+l.rng.IntN(90), pick(l.rng, streets))
}

// maybePhone is the phone number, where there is no card or for an electronic receipt.
func (l *life) maybePhone() string {
	if l.who.loyalty == "" || chance(l.rng, 30) {
		return l.who.phone
	}
	return ""
}

func (l *life) basket() (lines []line, total cents) {
	for range 1 + l.rng.IntN(3) {
		bought := pick(l.rng, products)
		bought.quantity = 1 + l.rng.IntN(3)
		lines = append(lines, bought)
		total += bought.price * cents(bought.quantity)
	}
	return lines, total
}
