package retail

import (
	"strings"
	"time"
)

// faults are the ways to be rejected, one per reason code. Each message has that one fault only.
var faults = []struct {
	code string
	make func(l *life) Message
}{
	{"malformed", (*life).truncated},
	{"schema_violation", (*life).offSchema},
	{"missing_identity", (*life).nobody},
	{"invalid_identity", (*life).endlessCookie},
	{"identity_conflict", (*life).twoCards},
	{"bad_timestamp", (*life).yesterday},
	{"future_timestamp", (*life).tomorrow},
	{"too_old", (*life).fromTheAttic},
	{"bad_operation", (*life).unknownOperation},
	{"unknown_dataset", (*life).unknownDataset},
}

// fail sends one faulty message; consecutive numbers go through all faults.
func (l *life) fail(number int) {
	fault := faults[number%len(faults)]
	m := fault.make(l)
	m.Expect = fault.code
	l.send(m)
}

// truncated is cut off in the middle, in text or in binary.
func (l *life) truncated() Message {
	m := l.webMessage(l.view())
	if chance(l.rng, 30) {
		m = l.tillMessage(sale{phone: l.who.phone})
	}
	m.Value = m.Value[:len(m.Value)/2]
	return m
}

// offSchema has an unknown symbol, a wrong type or an unknown key.
func (l *life) offSchema() Message {
	event := l.view()
	switch l.rng.IntN(3) {
	case 0:
		event["kind"] = "teleport"
	case 1:
		event["page"] = "https://shop.example/"
	case 2:
		event["colour"] = "green"
	}
	return l.webMessage(event)
}

// nobody has no identity, or only one that is blocked.
func (l *life) nobody() Message {
	event := l.view()
	delete(event, "cookie")
	if chance(l.rng, 50) {
		event["cookie"] = "undefined"
	}
	return l.webMessage(event)
}

// endlessCookie is over the limit of 1,024 bytes.
func (l *life) endlessCookie() Message {
	event := l.view()
	event["cookie"] = strings.Repeat("crumb", 220)
	m := l.webMessage(event)
	m.Key = nil
	return m
}

// twoCards types in one loyalty number and scans another.
func (l *life) twoCards() Message {
	return l.tillMessage(sale{number: "L90000001", scanned: "L90000002"})
}

func (l *life) yesterday() Message {
	value := obj{"customer_id": l.who.customer, "updated_at": "yesterday"}
	return Message{Dataset: "crm", Topic: "shop.crm", Key: []byte(l.who.customer),
		Value: value.json()}
}

func (l *life) tomorrow() Message {
	event := l.view()
	event["at"] = l.now.Add(24 * time.Hour).UnixMilli()
	return l.webMessage(event)
}

// fromTheAttic is older than the retention of its dataset.
func (l *life) fromTheAttic() Message {
	return l.tillMessage(sale{phone: l.who.phone, late: 500 * 24 * time.Hour})
}

func (l *life) unknownOperation() Message {
	value := obj{"customer_id": l.who.customer, "updated_at": l.now.UTC().Format(time.RFC3339Nano)}
	return Message{Dataset: "crm", Topic: "shop.crm", Key: []byte(l.who.customer),
		Value: value.json(), Headers: []Header{{Key: "selfsame-op", Value: []byte("merge")}}}
}

func (l *life) unknownDataset() Message {
	m := l.webMessage(l.view())
	m.Headers = []Header{{Key: "selfsame-dataset", Value: []byte("kiosk")}}
	return m
}

func (l *life) view() obj {
	return obj{"kind": "view", "cookie": l.who.cookies[0], "page": l.page()}
}
