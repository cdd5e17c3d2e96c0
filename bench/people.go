package main

import (
	"context"
	"fmt"
	"time"

	"selfsame/kafka"
	"selfsame/pipeline"
)

// People who are in trouble, apart from all others by their numbers.
const (
	firstOther   = 20_000_000 // more of the same
	stormPerson  = 30_000_000 // who has all the cookies
	stormCookie  = 40_000_000 // the first of them
	kioskCookie  = 39_999_999
	visitor      = 50_000_000 // the first at the kiosk
	pairPerson   = 60_000_000 // the first of a pair
	legacyPerson = 70_000_000
	pairCookie   = 100_000_000 // the first cookie of the first pair
)

// identitiesMax is max_identities of the configuration.
const identitiesMax = 50

// storm is a record of the storm: yet another cookie of one person.
func storm(n int, at time.Time) message {
	return sighted("storm", n, at, who{customer: customer(stormPerson),
		cookie: cookie(int32(stormCookie + n))})
}

// kiosk is a record of the kiosk: yet another person signs in with its cookie.
func kiosk(n int, at time.Time) message {
	p := int32(visitor + n)
	return sighted("kiosk", n, at, who{customer(p), email(p), cookie(kioskCookie)})
}

// joinPair is the record that joins the two people of a pair.
func joinPair(n int, at time.Time) message {
	return sighted("join", n, at, who{customer: customer(int32(pairPerson + n)),
		email: email(int32(pairPerson + n))})
}

// preparePairs produces what the pairs have done before. One of the two has a customer number, the
// other an e-mail address, and both have cookies up to the cap of identities. Together they are
// twice over it, so that joining them decides all of their links again and evicts half.
func (t *turmoil) preparePairs(ctx context.Context) error {
	start := time.Now().Add(-time.Hour)
	err := t.send(ctx, 2*t.trouble.pairs*t.trouble.events, func(n int) message {
		return t.earlier(n, start.Add(time.Duration(n)*time.Microsecond))
	})
	if err != nil {
		return fmt.Errorf("preparing pairs: %w", err)
	}
	return nil
}

// send produces total records, all of one dataset, before the clock starts.
func (t *turmoil) send(ctx context.Context, total int, make func(n int) message) error {
	var records []pipeline.OutRecord
	var times []int64
	for n := range total {
		m := make(n)
		if err := m.encode(t.codecs); err != nil {
			return err
		}
		records = append(records, pipeline.OutRecord{Key: m.key, Value: m.value})
		times = append(times, m.time)
		if len(records) < sendRecords && n < total-1 {
			continue
		}
		err := t.cluster.client.Send(ctx, t.input+"."+m.dataset, kafka.ByKey, records, times)
		if err != nil {
			return err
		}
		records, times = records[:0], times[:0]
	}
	return nil
}

// legacy is the n-th record of the dataset that is deleted, of a person of whom nothing else tells.
func legacy(n int) message {
	id, at := customer(int32(legacyPerson+n)), time.Now()
	return message{dataset: "legacy", key: []byte(id), time: at.UnixNano(),
		value: fmt.Appendf(nil, `{"customer_id":"%s","updated_at":%d,"name":{"first":"Lee",`+
			`"last":"Gacy"},"address":{"city":"Leeds","country":"GB"},"points":%d}`, id,
			at.UnixMilli(), n%5000)}
}

// deleteLegacy is the control record that deletes the dataset.
func deleteLegacy(_ int, at time.Time) message {
	return message{dataset: control, key: []byte(control), time: at.UnixNano(),
		value: []byte(`{"id":"legacy","op":"delete_dataset","dataset":"legacy"}`)}
}

// earlier is the n-th event that prepares the pairs.
func (t *turmoil) earlier(n int, at time.Time) message {
	half, event := n/t.trouble.events, n%t.trouble.events
	p := int32(pairPerson + half/2)
	w := who{customer: customer(p)}
	if half%2 == 1 {
		w = who{email: email(p)}
	}
	if event < identitiesMax-1 {
		w.cookie = cookie(int32(pairCookie + half*identitiesMax + event))
	}
	return sighted("earlier", n, at, w)
}

// who are the identities of an event; some are empty.
type who struct{ customer, email, cookie string }

// key is what a web site would use: the cookie if there is one.
func (w *who) key() string {
	for _, id := range []string{w.cookie, w.customer} {
		if id != "" {
			return id
		}
	}
	return w.email
}

// sighted is an event of somebody, the n-th of a series.
func sighted(series string, n int, at time.Time, w who) message {
	b := fmt.Appendf(nil, `{"event_id":"%s-%d","at":%d,"kind":"login"`, series, n, at.UnixMilli())
	if w.cookie != "" {
		b = fmt.Appendf(b, `,"cookie":"%s"`, w.cookie)
	}
	b = append(b, `,"user":{`...)
	if w.customer != "" {
		b = fmt.Appendf(b, `"customer_id":"%s"`, w.customer)
	}
	if w.customer != "" && w.email != "" {
		b = append(b, ',')
	}
	if w.email != "" {
		b = fmt.Appendf(b, `"email":"%s"`, w.email)
	}
	b = append(b, `},"page":{"url":"https://shop.example/offers","title":"The shop: /offers",`+
		`"referrer":"https://search.example/"},"device":{"kind":"phone","system":"Linux",`+
		`"language":"en-GB","width":360}}`...)
	return message{dataset: "events", key: []byte(w.key()), value: b, time: at.UnixNano()}
}
